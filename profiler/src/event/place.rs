//! event/place: where a call was made.

use profiler_common::syscall::{ABI_COMPAT, ABI_X32};

use super::{
    class::{BlockClass, class},
    error::DecodeError,
};
use crate::{kernel::syscalls, quantity::Addr};

/// A place in the program that makes a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The syscall's name, its table named where it is not the machine's own.
    pub syscall: String,
    /// The descriptor's class, or that of the call.
    pub class: BlockClass,
    /// Address after the syscall instruction.
    pub ip: Addr,
    /// Number of the address space; places with equal numbers share their code.
    pub space: u32,
}

impl Place {
    /// The syscall's name without its table.
    pub fn call(&self) -> &str {
        self.syscall.split(' ').next().unwrap_or_default()
    }
}

pub(super) fn place(nr: u16, raw_class: u8, abi: u8, ip: u64, space: u32) -> Result<Place, DecodeError> {
    if abi > ABI_COMPAT | ABI_X32 {
        return Err(DecodeError { record: "site", id: u32::from(nr), field: "abi", value: u32::from(abi) });
    }
    Ok(Place {
        syscall: syscalls::name(nr, abi),
        class: class("site", u32::from(nr), u32::from(raw_class))?,
        ip: Addr::from_raw(ip),
        space,
    })
}
