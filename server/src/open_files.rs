//! The open files of the process: the limit of the operating system, the share of it that Selects
//! over patterns have, and what is said when there are no more.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Raises the limit on open files to the highest value that this process may set, and returns it.
///
/// # Errors
/// An error of the operating system; the limit is as before then.
pub fn raise_limit() -> io::Result<usize> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(limit())
}

/// Returns the number of files that the process may have open (`RLIMIT_NOFILE`).
pub(crate) fn limit() -> usize {
    let current = getrlimit(Resource::Nofile).current;
    current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

/// The files that Selects over patterns may have open together: half of the limit.
#[derive(Clone, Debug)]
pub(crate) struct OpenFiles {
    pub(crate) max: usize,
    left: Arc<Semaphore>,
}

impl OpenFiles {
    pub(crate) fn new() -> Self {
        let max = (limit() / 2).clamp(1, u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self { max, left: Arc::new(Semaphore::new(max)) }
    }

    /// Takes the permit to have `files` files open until it is dropped; `None` if others have too
    /// many open.
    pub(crate) fn take(&self, files: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.left).try_acquire_many_owned(u32::try_from(files).ok()?).ok()
    }
}

thread_local! {
    static WAS_EXHAUSTED: Cell<bool> = const { Cell::new(false) };
}

/// Passes a result on, and notes if there was no file descriptor for it.
pub(crate) fn noted<T>(result: Result<T, Errno>) -> Result<T, Errno> {
    if let Err(Errno::MFILE | Errno::NFILE) = result {
        WAS_EXHAUSTED.set(true);
    }
    result
}

/// Runs `work`. Returns its result, and whether it [noted](noted) that there was no file descriptor
/// for some of it.
pub(crate) fn watched<T>(work: impl FnOnce() -> T) -> (T, bool) {
    WAS_EXHAUSTED.set(false);
    let done = work();
    (done, WAS_EXHAUSTED.replace(false))
}

/// An error of the operating system as the log shows it. One that says that there are too many open
/// files names the limit.
pub(crate) struct Explained<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Errno::from_io_error(self.0) {
            Some(Errno::MFILE) => write!(
                f,
                "the server has too many open files; RLIMIT_NOFILE is {}, and a higher one helps",
                limit()
            ),
            Some(Errno::NFILE) => f.write_str(
                "the whole machine has too many open files; a higher `sysctl fs.file-max` helps",
            ),
            _ => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_half_of_it_is_for_patterns() {
        let raised = raise_limit().unwrap();
        assert_eq!((raised, raise_limit().unwrap()), (limit(), raised));
        let files = OpenFiles::new();
        assert_eq!(files.max, limit() / 2);
        let most = files.take(files.max - 1).unwrap();
        assert!(files.take(2).is_none());
        drop(most);
        assert!(files.take(2).is_some());
        assert!(files.take(usize::MAX).is_none());
    }

    #[test]
    fn what_was_missing_is_noted_by_the_thread_that_missed_it() {
        let missing = || noted::<()>(Err(Errno::MFILE));
        assert!(watched(missing).1);
        assert!(!watched(|| noted::<()>(Err(Errno::NOENT))).1);
        assert!(!watched(|| std::thread::spawn(missing).join().unwrap()).1);
        assert!(!watched(|| watched(missing)).1);
    }

    #[test]
    fn the_log_names_the_limit() {
        let error = |errno: Errno| io::Error::from(errno);
        let text = |errno| Explained(&error(errno)).to_string();
        assert!(text(Errno::MFILE).contains(&format!("RLIMIT_NOFILE is {}", limit())));
        assert!(text(Errno::NFILE).contains("fs.file-max"));
        assert_eq!(text(Errno::NOENT), error(Errno::NOENT).to_string());
    }
}
