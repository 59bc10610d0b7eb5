//! The running kernel's type information (BTF): where its structures keep their members, and what
//! its tracepoints pass.
//!
//! Only what the offsets need is decoded. aya parses the same file for its relocations but keeps
//! members to itself; the crates that do give them are either LGPL or stopped before the newer
//! kinds. The format is in the kernel's `Documentation/bpf/btf.rst`.

use std::{collections::HashMap, path::Path};

/// Why the kernel's types could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file is not there or not readable.
    #[error(
        "cannot read {path}: {source}. This kernel needs CONFIG_DEBUG_INFO_BTF=y (every current distribution has it)"
    )]
    Read { path: String, source: std::io::Error },
    /// The bytes are not BTF.
    #[error("{path} is not valid BTF: {what}")]
    Malformed {
        path: String,
        /// What is wrong with the bytes.
        what: &'static str,
    },
    /// A member that the programs cannot do without.
    #[error("this kernel's {0} was not found in its BTF; should-i-async does not know this kernel yet")]
    Missing(String),
}

mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const PTR: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

#[derive(Clone, Copy)]
struct Type {
    name: u32,
    info: u32,
    size_or_type: u32,
    /// Where the data behind the common header begins.
    extra: u32,
}

impl Type {
    fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }
    fn len(self) -> usize {
        (self.info & 0xffff) as usize
    }
    fn flag(self) -> bool {
        self.info >> 31 == 1
    }
}

/// Where a member lies in a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Bytes from the start of the outermost structure.
    pub offset: u32,
    /// The bit in that byte where a bit-field begins; 0 for other members.
    bit: u32,
    type_id: u32,
}

/// What one argument of a tracepoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A pointer to a structure, by its name.
    Pointer(String),
    /// Anything else: an integer, or a pointer without a structure.
    Scalar,
}

/// A parsed type section.
pub struct Btf {
    data: Vec<u8>,
    strings: usize,
    types: Vec<Type>,
    structs: HashMap<u32, u32>,
    typedefs: HashMap<u32, u32>,
    names: HashMap<String, u32>,
    path: String,
}

/// Anonymous structures in anonymous structures: no kernel has more than a few, and types that
/// contain each other have no end.
const DEEPEST: u32 = 8;

/// The running kernel's own.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

impl Btf {
    /// Reads and parses a BTF file.
    ///
    /// # Errors
    /// The file cannot be read, or its contents are not BTF.
    pub fn load(path: &Path) -> Result<Self, BtfError> {
        let data = std::fs::read(path).map_err(|source| BtfError::Read { path: path.display().to_string(), source })?;
        Self::parse(data, &path.display().to_string())
    }

    fn parse(data: Vec<u8>, path: &str) -> Result<Self, BtfError> {
        let bad = |what| BtfError::Malformed { path: path.to_owned(), what };
        let word =
            |at: usize| -> Option<u32> { Some(u32::from_ne_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?)) };
        let header = |at| word(at).ok_or_else(|| bad("too short for a header"));
        if data.get(..2) != Some(&0xeb9f_u16.to_ne_bytes()[..]) {
            return Err(bad("wrong magic number"));
        }
        let start = header(4)? as usize;
        let (type_off, type_len) = (header(8)? as usize, header(12)? as usize);
        let strings = start + header(16)? as usize;
        let end = start + type_off + type_len;
        let mut at = start + type_off;
        let mut types = vec![Type { name: 0, info: 0, size_or_type: 0, extra: 0 }];
        let mut structs = HashMap::new();
        let mut typedefs = HashMap::new();
        while at < end {
            let short = || bad("a type is cut off");
            let ty = Type {
                name: word(at).ok_or_else(short)?,
                info: word(at + 4).ok_or_else(short)?,
                size_or_type: word(at + 8).ok_or_else(short)?,
                extra: (at + 12) as u32,
            };
            let id = types.len() as u32;
            match ty.kind() {
                // A forward or second definition never hides the first one that has members.
                kind::STRUCT | kind::UNION if ty.len() > 0 => {
                    structs.entry(ty.name).or_insert(id);
                }
                kind::TYPEDEF => {
                    typedefs.entry(ty.name).or_insert(id);
                }
                _ => {}
            }
            at += 12
                + match ty.kind() {
                    kind::INT | kind::VAR | kind::DECL_TAG => 4,
                    kind::ARRAY => 12,
                    kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * ty.len(),
                    kind::ENUM | kind::FUNC_PROTO => 8 * ty.len(),
                    _ => 0,
                };
            types.push(ty);
        }
        let mut btf = Self { data, strings, types, structs, typedefs, names: HashMap::new(), path: path.to_owned() };
        let named: Vec<u32> = btf.structs.keys().chain(btf.typedefs.keys()).copied().collect();
        for offset in named {
            let name = btf.string(offset).to_owned();
            btf.names.insert(name, offset);
        }
        Ok(btf)
    }

    /// The file this came from.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn word(&self, at: usize) -> u32 {
        self.data.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
    }

    fn string(&self, offset: u32) -> &str {
        let from = self.strings + offset as usize;
        let bytes = self.data.get(from..).unwrap_or(&[]);
        let len = bytes.iter().position(|&b| b == 0).unwrap_or(0);
        std::str::from_utf8(&bytes[..len]).unwrap_or("")
    }

    /// The type behind `const`, `volatile`, `restrict`, typedefs and tags.
    fn peel(&self, mut id: u32) -> Option<(u32, Type)> {
        for _ in 0..32 {
            let ty = *self.types.get(id as usize)?;
            match ty.kind() {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => id = ty.size_or_type,
                _ => return Some((id, ty)),
            }
        }
        None
    }

    fn find(&self, type_id: u32, name: &str, base: u32) -> Option<Member> {
        self.find_within(type_id, name, base, DEEPEST)
    }

    /// Anonymous members may be nested so deep.
    fn find_within(&self, type_id: u32, name: &str, base: u32, deep: u32) -> Option<Member> {
        let (_, ty) = self.peel(type_id)?;
        if !matches!(ty.kind(), kind::STRUCT | kind::UNION) {
            return None;
        }
        for i in 0..ty.len() {
            let at = ty.extra as usize + 12 * i;
            let (member, type_id, bits) = (self.word(at), self.word(at + 4), self.word(at + 8));
            let bits = if ty.flag() { bits & 0x00ff_ffff } else { bits };
            let offset = base.checked_add(bits / 8)?;
            match self.string(member) {
                "" => {
                    if deep > 0
                        && let Some(found) = self.find_within(type_id, name, offset, deep - 1)
                    {
                        return Some(found);
                    }
                }
                own if own == name => return Some(Member { offset, bit: bits % 8, type_id }),
                _ => {}
            }
        }
        None
    }

    /// Byte offset of a member; `path` descends through embedded structures, as in
    /// `se.sum_exec_runtime`. Anonymous structures and unions on the way are looked through.
    pub fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        let mut id = *self.structs.get(self.names.get(structure)?)?;
        let mut base = 0;
        for name in path.split('.') {
            let member = self.find(id, name, base)?;
            base = member.offset;
            id = member.type_id;
        }
        Some(base)
    }

    /// Byte offset of a bit-field of one bit, and its bit in that byte.
    pub fn bit(&self, structure: &str, name: &str) -> Option<(u32, u32)> {
        let id = *self.structs.get(self.names.get(structure)?)?;
        let Member { offset, bit, .. } = self.find(id, name, 0)?;
        Some((offset, 1 << bit))
    }

    /// As [`Self::offset`], with an error that names the member.
    ///
    /// # Errors
    /// The running kernel has no such member.
    pub fn require(&self, structure: &str, path: &str) -> Result<u32, BtfError> {
        self.offset(structure, path).ok_or_else(|| BtfError::Missing(format!("{structure}.{path}")))
    }

    /// Whether the kernel has a function of this name. A BPF helper is one: `bpf_task_pt_regs`.
    pub fn has_function(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// Id of the type of a function of this name.
    pub fn function(&self, name: &str) -> Option<u32> {
        let index = self.types.iter().position(|ty| ty.kind() == kind::FUNC && self.string(ty.name) == name)?;
        u32::try_from(index).ok()
    }

    /// Id of the type of a tracepoint, as `bpf(2)` wants it for `tp_btf`; `None` where the kernel
    /// has no such tracepoint.
    pub fn tracepoint(&self, name: &str) -> Option<u32> {
        self.typedefs.get(self.names.get(&format!("btf_trace_{name}"))?).copied()
    }

    /// The arguments of a tracepoint, the hidden first one left out.
    pub fn tracepoint_arguments(&self, name: &str) -> Option<Vec<Argument>> {
        let (_, pointer) = self.peel(self.tracepoint(name)?)?;
        let (_, proto) = self.peel(pointer.size_or_type)?;
        if proto.kind() != kind::FUNC_PROTO {
            return None;
        }
        let argument = |i: usize| {
            let id = self.word(proto.extra as usize + 8 * i + 4);
            match self.peel(id) {
                Some((_, ty)) if ty.kind() == kind::PTR => match self.peel(ty.size_or_type) {
                    Some((_, target)) if matches!(target.kind(), kind::STRUCT | kind::UNION) => {
                        Argument::Pointer(self.string(target.name).to_owned())
                    }
                    _ => Argument::Pointer(String::new()),
                },
                _ => Argument::Scalar,
            }
        };
        Some((1..proto.len()).map(argument).collect())
    }
}

#[cfg(fuzzing)]
pub(super) fn fuzz(bytes: &[u8]) -> Option<Btf> {
    let btf = Btf::parse(bytes.to_vec(), "fuzzed").ok()?;
    let _ = btf.tracepoint_arguments("sched_switch");
    let _ = btf.function("bpf_task_pt_regs");
    Some(btf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_refused_with_the_files_name() {
        let error = Btf::parse(b"not BTF at all, but long enough for a header".to_vec(), "here").err();
        assert!(error.is_some_and(|e| e.to_string().starts_with("here is not valid BTF")));
    }

    #[test]
    fn a_cut_type_section_is_refused() {
        let mut data = Vec::new();
        data.extend(0xeb9f_u16.to_ne_bytes());
        data.extend([1, 0]);
        for word in [24u32, 0, 100, 100, 0] {
            data.extend(word.to_ne_bytes());
        }
        data.extend([0; 30]);
        assert!(Btf::parse(data, "cut").is_err());
    }

    #[test]
    fn the_running_kernels_task_struct_is_understood() {
        let Ok(btf) = Btf::load(Path::new(VMLINUX)) else {
            eprintln!("SKIPPED: no {VMLINUX}");
            return;
        };
        let pid = btf.offset("task_struct", "pid");
        let tgid = btf.offset("task_struct", "tgid");
        // The two are neighbours in every kernel (include/linux/sched.h).
        assert_eq!(pid.map(|p| p + 4), tgid);
        assert_eq!(btf.offset("task_struct", "no_such_member"), None);
        let arguments = btf.tracepoint_arguments("sched_switch").unwrap_or_default();
        assert!(arguments.iter().filter(|a| **a == Argument::Pointer("task_struct".into())).count() == 2);
    }
}
