//! What programs are written in.

use serde::{Deserialize, Serialize};

/// What a program is written in, as far as the ways that it could move to depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Language {
    /// Machine code, and every language that is not listed here.
    #[default]
    Native,
    /// Python in its usual interpreter.
    CPython,
    /// Whatever runs in a Java virtual machine of OpenJDK's family.
    Jvm,
    Node,
    Deno,
    Bun,
    Go,
    /// Erlang, Elixir and what else runs in BEAM.
    Beam,
    DotNet,
    /// Ruby in its own interpreter.
    Ruby,
    Php,
    Perl,
    PyPy,
}

impl Language {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "machine code",
            Self::CPython => "CPython",
            Self::Jvm => "JVM",
            Self::Node => "Node.js",
            Self::Deno => "Deno",
            Self::Bun => "Bun",
            Self::Go => "Go",
            Self::Beam => "Erlang's BEAM",
            Self::DotNet => ".NET",
            Self::Ruby => "Ruby",
            Self::Php => "PHP",
            Self::Perl => "Perl",
            Self::PyPy => "PyPy",
        }
    }

    /// Whether its runtime has a scheduler that runs tasks on threads of its own and parks them in
    /// user space. Then no system call shows what a task waits for, and a thread that waits for
    /// another one has nothing to run.
    pub const fn parks_its_tasks(self) -> bool {
        matches!(self, Self::Go | Self::Beam)
    }

    /// Whether its usual interpreter lets one thread run at a time, under one lock.
    pub const fn has_one_lock(self) -> bool {
        matches!(self, Self::CPython | Self::Ruby | Self::PyPy)
    }

    /// Whether there are prices for its own ways of waiting.
    pub const fn is_priced(self) -> bool {
        matches!(self, Self::CPython | Self::Jvm)
    }
}
