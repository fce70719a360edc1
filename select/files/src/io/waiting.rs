//! Work that does not wait for a disk, for threads that have other things to do.
//!
//! What runs [`at_once`] reads only what the kernel has in memory (`RWF_NOWAIT` of preadv2(2)); where that is
//! not enough the work is given up, to be done again where waiting is allowed. Everything else that waits, or
//! takes as long as waiting does, asks [`may_wait`] first.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::fs::fstatfs;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::cancel::briefly;

/// The maximal time for work on a thread that has other things to do.
const AT_ONCE_TIME: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Allowed,
    Refused,
    /// Refused where it was needed: what comes of the work is of no use.
    Missed,
}

thread_local! {
    static WAITING: Cell<Waiting> = const { Cell::new(Waiting::Allowed) };
}

/// Does `work` on this thread without waiting for a file system, and only for a short time. Returns
/// `None` if that is not possible: then some of it was done, and its result is thrown away. Calls
/// must not be nested: after the inner call, the outer one could wait.
pub fn at_once<T>(work: impl FnOnce() -> T) -> Option<T> {
    /// Allows waiting again, also after a panic.
    struct Refusal;
    impl Drop for Refusal {
        fn drop(&mut self) {
            WAITING.set(Waiting::Allowed);
        }
    }
    WAITING.set(Waiting::Refused);
    let _refusal = Refusal;
    let done = briefly(AT_ONCE_TIME, work)?;
    (WAITING.get() == Waiting::Refused).then_some(done)
}

/// Whether this thread may wait for a file system, or work for long. Where it may not, whoever asks does
/// neither: the work that it is a part of is given up.
pub fn may_wait() -> bool {
    let may = WAITING.get() == Waiting::Allowed;
    if !may {
        WAITING.set(Waiting::Missed);
    }
    may
}

/// Fills `buffer` with the bytes of `file` from `at` on.
///
/// # Errors
/// Those of the operating system, `UnexpectedEof` where the file ends before; `WouldBlock` instead of any
/// where this thread may not wait.
pub fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    if WAITING.get() == Waiting::Allowed {
        return file.read_exact_at(buffer, at);
    }
    while !buffer.is_empty() {
        match preadv2(file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT) {
            Ok(read @ 1..) => {
                buffer = buffer.get_mut(read..).unwrap_or_default();
                at += read as u64;
            }
            Err(Errno::INTR) => {}
            // it has nothing else to read from
            Err(Errno::OPNOTSUPP) if is_in_memory(file) => return file.read_exact_at(buffer, at),
            // not every file system can tell what it has in memory, and kernels before 5.11 may take the
            // end of that for the end of the file
            Ok(_) | Err(_) => {
                may_wait();
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }
    Ok(())
}

/// Whether it is on tmpfs, by linux/magic.h.
fn is_in_memory(file: &File) -> bool {
    fstatfs(file).is_ok_and(|found| found.f_type == 0x0102_1994)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn work_that_needs_to_wait_is_given_up() {
        assert_eq!(at_once(|| 7), Some(7));
        assert_eq!(at_once(|| (may_wait(), 7)), None);
        assert!(may_wait());
        assert!(catch_unwind(|| at_once(|| panic!("of a test"))).is_err());
        assert!(may_wait());
    }

    #[test]
    fn what_is_in_memory_is_read_at_once() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let read = |bytes: usize, at| {
            let mut buffer = vec![0; bytes];
            read_exact_at(&file, &mut buffer, at).map(|()| buffer).map_err(|error| error.kind())
        };
        for read in [read(4, 3), at_once(|| read(4, 3)).unwrap()] {
            assert_eq!(read.unwrap(), b"3456");
        }
        assert_eq!(read(4, 7).unwrap_err(), io::ErrorKind::UnexpectedEof);
        // an end is told by those who may wait
        assert!(at_once(|| read(4, 7)).is_none());
    }

    #[test]
    fn what_is_in_memory_altogether_is_read_at_once() {
        let memory = rustix::fs::memfd_create("of a test", rustix::fs::MemfdFlags::CLOEXEC);
        let mut file = File::from(memory.unwrap());
        file.write_all(b"0123").unwrap();
        let mut buffer = [0; 2];
        at_once(|| read_exact_at(&file, &mut buffer, 1)).unwrap().unwrap();
        assert_eq!(&buffer, b"12");
    }

    #[test]
    fn what_is_not_in_memory_is_waited_for_or_given_up() {
        // what a file system has to ask another process for, or the kernel has to make first
        let file = File::open("/proc/self/status").unwrap();
        let mut buffer = [0; 4];
        assert!(at_once(|| read_exact_at(&file, &mut buffer, 0)).is_none());
        read_exact_at(&file, &mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"Name");
    }
}
