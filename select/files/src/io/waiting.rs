//! Work that does not wait for a disk, for threads that have other things to do.
//!
//! [`at_once`] gives its work [`Waiting::Refused`], and the work passes this value on. A read then
//! takes only what the kernel has in memory (`RWF_NOWAIT` of preadv2(2)). Work that would wait, or
//! take as long as waiting does, is given up with [`WouldBlock`], and is begun again on a thread
//! that may wait.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::fs::fstatfs;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::cancel::briefly;
use crate::error::{Error, ErrorKind};

/// The maximal time for work on a thread that has other things to do.
const AT_ONCE_TIME: Duration = Duration::from_millis(10);

/// The permission to wait for a file system, and to work for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// The work may take its time.
    #[default]
    Allowed,
    /// The work has to be given up where it would wait or take long.
    Refused,
}

/// The work would have to wait, and may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldBlock;

impl From<WouldBlock> for Error {
    fn from(_would_block: WouldBlock) -> Self {
        ErrorKind::WouldBlock.into()
    }
}

impl Waiting {
    /// Checks that the work may wait. Call this before what waits or takes long.
    ///
    /// # Errors
    /// `WouldBlock` if it may not.
    pub fn check(self) -> Result<(), WouldBlock> {
        match self {
            Self::Allowed => Ok(()),
            Self::Refused => Err(WouldBlock),
        }
    }
}

/// Does `work` on this thread without waiting for a file system, and only for a short time. Returns
/// `None` if that takes too long: then some of it was done, and its result is thrown away.
pub fn at_once<T>(work: impl FnOnce(Waiting) -> T) -> Option<T> {
    briefly(AT_ONCE_TIME, || work(Waiting::Refused))
}

/// Fills `buffer` with the bytes of `file` from `at` on.
///
/// # Errors
/// Those of the operating system, and `UnexpectedEof` if the file ends before. If the work may not
/// wait, `WouldBlock` takes the place of all of them.
pub fn read_exact_at(
    file: &File,
    mut buffer: &mut [u8],
    mut at: u64,
    waiting: Waiting,
) -> io::Result<()> {
    if waiting == Waiting::Allowed {
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
            // not every file system can tell what it has in memory, and kernels before 5.11 may
            // take the end of that for the end of the file
            Ok(_) | Err(_) => return Err(io::ErrorKind::WouldBlock.into()),
        }
    }
    Ok(())
}

/// Returns whether the file is on tmpfs, by linux/magic.h.
fn is_in_memory(file: &File) -> bool {
    fstatfs(file).is_ok_and(|found| found.f_type == 0x0102_1994)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(file: &File, bytes: usize, at: u64, waiting: Waiting) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; bytes];
        read_exact_at(file, &mut buffer, at, waiting).map(|()| buffer)
    }

    #[test]
    fn work_that_needs_to_wait_is_given_up() {
        assert_eq!(at_once(|_| 7), Some(7));
        assert_eq!(at_once(Waiting::check), Some(Err(WouldBlock)));
        assert_eq!(Waiting::default().check(), Ok(()));
    }

    #[test]
    fn what_is_in_memory_is_read_at_once() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        for waiting in [Waiting::Allowed, Waiting::Refused] {
            assert_eq!(read(&file, 4, 3, waiting).unwrap(), b"3456");
        }
        let error = |waiting| read(&file, 4, 7, waiting).unwrap_err().kind();
        assert_eq!(error(Waiting::Allowed), io::ErrorKind::UnexpectedEof);
        // the end of what is in memory may look like the end of the file
        assert_eq!(error(Waiting::Refused), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_is_in_memory_altogether_is_read_at_once() {
        let memory = rustix::fs::memfd_create("of a test", rustix::fs::MemfdFlags::CLOEXEC);
        let mut file = File::from(memory.unwrap());
        file.write_all(b"0123").unwrap();
        assert_eq!(read(&file, 2, 1, Waiting::Refused).unwrap(), b"12");
    }

    #[test]
    fn what_is_not_in_memory_is_waited_for_or_given_up() {
        // what a file system has to ask another process for, or the kernel has to make first
        let file = File::open("/proc/self/status").unwrap();
        let error = read(&file, 4, 0, Waiting::Refused).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(read(&file, 4, 0, Waiting::Allowed).unwrap(), b"Name");
    }
}
