//! symbol/application: the innermost frame of a stack that is the program's own, and not a wrapper
//! around the system call.
//!
//! Skipped, from the innermost frame on:
//!
//! - the kernel, marks and the vdso;
//! - the C library by its file: `libc`, `libpthread`, the dynamic loader, of glibc and musl.
//!   libstdc++ is not skipped, nor is any other library: which part of `libpq` waits is worth
//!   knowing;
//! - Rust's standard library by its paths (`std::sys::…`, `core::…`, `<alloc::… as …>`) or by where
//!   its sources are: it is compiled into the program;
//! - wrappers by their names (`__libc_read`, `poll`): in a program linked statically the file does
//!   not tell. Only where no frame of a C library was seen further in: below one, a function that
//!   is called `read` is the program's.

use super::frame::{Frame, Origin};

/// The innermost frame of the application; `frames` with the innermost first. `None` where all of
/// them are libraries.
pub fn application_frame(frames: &[Frame]) -> Option<&Frame> {
    let mut below_libc = false;
    frames.iter().find(|frame| {
        let system = is_system_module(&frame.module);
        below_libc |= system;
        let wrapper = || !below_libc && is_wrapper(&frame.name);
        let skipped = matches!(frame.origin, Origin::Kernel | Origin::Mark)
            || frame.module == "[vdso]"
            || system
            || is_rust_std(frame)
            || wrapper();
        !skipped
    })
}

/// `libc.so.6`, `libc-2.31.so`, `ld-linux-x86-64.so.2`, `ld-musl-aarch64.so.1` (musl's libc and
/// loader are one file).
fn is_system_module(module: &str) -> bool {
    let names = ["libc", "libpthread", "ld", "ld-linux", "ld-musl", "libc.musl"];
    names.iter().any(|name| {
        let rest = module.strip_prefix(name).unwrap_or_default();
        rest.starts_with(".so") || rest.starts_with('-') && rest.contains(".so")
    })
}

fn is_rust_std(frame: &Frame) -> bool {
    // Where the toolchain's sources were when it was built, or where rust-src puts them.
    let std_source = |file: &str| file.starts_with("/rustc/") || file.contains("/lib/rustlib/src/rust/library/");
    if frame.source.as_ref().is_some_and(|(file, _)| std_source(file)) {
        return true;
    }
    // An implementation belongs to its type: `<&mut std::net::TcpStream as std::io::Read>::read`.
    let mut path = frame.name.as_str();
    while let Some(inner) = ["<", "&", "mut ", "*const ", "*mut ", "dyn "].iter().find_map(|p| path.strip_prefix(p)) {
        path = inner;
    }
    // C++ has `std::` too; of its own names only `std::thread` is among these, which waits in
    // libstdc++.
    const MODULES: [&str; 14] = [
        "sys",
        "sys_common",
        "io",
        "fs",
        "net",
        "os",
        "process",
        "thread",
        "sync",
        "time",
        "rt",
        "panic",
        "panicking",
        "env",
    ];
    let rest = path.strip_prefix("std::").and_then(|rest| rest.split("::").next());
    rest.is_some_and(|module| MODULES.contains(&module)) || path.starts_with("core::") || path.starts_with("alloc::")
}

/// A C library's function that makes a system call, by name.
fn is_wrapper(name: &str) -> bool {
    let mut base = name.split('@').next().unwrap_or(name);
    while let Some(inner) = ["__GI_", "__libc_", "__syscall_", "__"].iter().find_map(|prefix| base.strip_prefix(prefix))
    {
        base = inner;
    }
    let base = base.strip_suffix("_nocancel").unwrap_or(base);
    let base = base.strip_suffix("64").unwrap_or(base);
    WRAPPERS.binary_search(&base).is_ok()
}

/// Sorted. Those that can block, and what is between them and the instruction.
const WRAPPERS: &[&str] = &[
    "accept",
    "accept4",
    "cancel",
    "cancel_arch",
    "clock_nanosleep",
    "clock_nanosleep_time",
    "close",
    "connect",
    "copy_file_range",
    "cp",
    "cp_asm",
    "cp_c",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "fallocate",
    "fcntl",
    "fdatasync",
    "flock",
    "fsync",
    "ftruncate",
    "futex_abstimed_wait",
    "futex_abstimed_wait_cancelable",
    "futex_abstimed_wait_common",
    "getdents",
    "internal_syscall_cancel",
    "ioctl",
    "lll_lock_wait",
    "lll_lock_wait_private",
    "msgrcv",
    "msgsnd",
    "msync",
    "nanosleep",
    "open",
    "openat",
    "pause",
    "poll",
    "ppoll",
    "pread",
    "preadv",
    "preadv2",
    "pselect",
    "pthread_clockjoin_ex",
    "pthread_cond_timedwait",
    "pthread_cond_wait",
    "pthread_join",
    "pthread_mutex_lock",
    "pthread_rwlock_rdlock",
    "pthread_rwlock_wrlock",
    "pwrite",
    "pwritev",
    "pwritev2",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "rename",
    "select",
    "sem_timedwait",
    "sem_wait",
    "semop",
    "semtimedop",
    "send",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "sigsuspend",
    "sigtimedwait",
    "sigwaitinfo",
    "sleep",
    "splice",
    "sync",
    "sync_file_range",
    "syscall",
    "syscall_cancel",
    "syscall_cancel_arch",
    "tcdrain",
    "tee",
    "timedwait",
    "timedwait_cp",
    "unlink",
    "usleep",
    "vmsplice",
    "wait",
    "wait4",
    "waitid",
    "waitpid",
    "write",
    "writev",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, module: &str) -> Frame {
        let named = !name.starts_with('[');
        Frame { module: module.into(), origin: Origin::User, named, ..Frame::mark(name) }
    }

    fn application(frames: &[(&str, &str)]) -> Option<String> {
        let frames: Vec<Frame> = frames.iter().map(|(name, module)| frame(name, module)).collect();
        application_frame(&frames).map(|found| found.name.clone())
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(WRAPPERS.is_sorted());
    }

    #[test]
    fn the_c_library_is_known_by_its_file() {
        let libraries = ["libc.so.6", "libc-2.31.so", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1"];
        for library in libraries.into_iter().chain(["libc.musl-x86_64.so.1", "libpthread-2.31.so", "ld-2.31.so"]) {
            assert_eq!(application(&[("x", library), ("serve", "app")]).unwrap(), "serve", "{library}");
        }
        for library in ["libcrypto.so.3", "libstdc++.so.6", "libpq.so.5", "ld", "libc", "libcap.so.2"] {
            assert_eq!(application(&[("x", library), ("serve", "app")]).unwrap(), "x", "{library}");
        }
    }

    #[test]
    fn a_function_called_read_is_the_programs_only_above_the_real_one() {
        assert_eq!(application(&[("read", "libc.so.6"), ("read", "app")]).unwrap(), "read");
        assert_eq!(application(&[("__libc_read", "app"), ("__GI___poll", "app"), ("serve", "app")]).unwrap(), "serve");
        let glibc_2_41 =
            [("__syscall_cancel_arch", "app"), ("__internal_syscall_cancel", "app"), ("__libc_pread64", "app")];
        assert_eq!(application(&[&glibc_2_41[..], &[("main", "app")]].concat()).unwrap(), "main");
        assert_eq!(application(&[("__pthread_cond_wait@@GLIBC_2.3.2", "app"), ("main", "app")]).unwrap(), "main");
    }

    #[test]
    fn rusts_library_is_known_by_its_paths_and_its_sources() {
        let paths = [
            "std::sys::pal::unix::fd::FileDesc::read",
            "<std::net::tcp::TcpStream as std::io::Read>::read",
            "<&std::fs::File as std::io::Read>::read",
            "core::ops::function::FnOnce::call_once",
            "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
        ];
        for path in paths {
            assert_eq!(application(&[(path, "app"), ("app::serve", "app")]).unwrap(), "app::serve", "{path}");
        }
        for path in
            ["<app::Conn as std::io::Read>::read", "std::istream::read(char*, long)", "corelib::x", "[app+0x12]"]
        {
            assert_eq!(application(&[(path, "app"), ("app::serve", "app")]).unwrap(), path);
        }
        let generic =
            Frame { source: Some(("/rustc/0123/library/std/src/io/mod.rs".into(), 7)), ..frame("read_to", "app") };
        assert_eq!(application_frame(&[generic, frame("app::serve", "app")]).unwrap().name, "app::serve");
    }

    #[test]
    fn kernel_vdso_and_marks_are_nobodys_application() {
        let kernel = Frame { origin: Origin::Kernel, ..frame("pipe_read", "[kernel]") };
        let vdso = frame("__vdso_clock_gettime", "[vdso]");
        assert_eq!(application_frame(&[kernel.clone(), Frame::mark("read"), vdso.clone()]), None);
        assert_eq!(application_frame(&[kernel, vdso, frame("main", "app")]).unwrap().name, "main");
    }
}
