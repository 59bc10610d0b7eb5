//! process/memory: bytes of another process. Only code before a return address and what the
//! arguments of waiting calls point to are read; nothing is written.

use crate::quantity::Tgid;

/// Fills `to` from an address of a process; `false` where not all of it can be read.
pub fn read_memory(tgid: Tgid, address: u64, to: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: to.len() };
    // SAFETY: the kernel writes at most as many bytes as `to` has, and checks the other process's
    // address.
    let read = unsafe { libc::process_vm_readv(tgid.as_raw() as i32, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read) == Ok(to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_is_read_and_what_is_not_is_no_bytes() {
        let (known, mut found) = ([7u8, 8, 9], [0; 3]);
        let own = Tgid::from_raw(std::process::id());
        assert!(read_memory(own, known.as_ptr() as u64, &mut found) && found == known);
        assert!(!read_memory(own, 8, &mut found));
    }
}
