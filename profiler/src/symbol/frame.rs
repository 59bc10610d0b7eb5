//! A frame with its name.

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Origin {
    /// The program's or a library's.
    User,
    /// Made by a JIT compiler, named by its perf map.
    Jit,
    /// Code of the kernel.
    Kernel,
    /// Not code: a syscall, a reason, a mark between two stacks.
    Mark,
}

/// A frame with its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Frame {
    /// The function, demangled; an address in brackets where it has no name.
    pub name: String,
    /// File name of the program or library, `[kernel]`, `[vdso]`; empty for marks.
    pub module: String,
    /// Source file and line, where debug information has them.
    pub source: Option<(String, u32)>,
    /// Whose code it is.
    pub origin: Origin,
    /// Whether the compiler inlined it into the next outer frame.
    pub inlined: bool,
    /// Whether `name` is a name.
    pub named: bool,
}

impl Frame {
    /// A mark: a syscall's name, the boundary before a waker's stack.
    pub fn mark(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            module: String::new(),
            source: None,
            origin: Origin::Mark,
            inlined: false,
            named: true,
        }
    }
}
