//! Work that ends before its end: nobody wants it any more, or it takes longer than was thought.
//!
//! All work on a Select counts its steps by [`spend`]: a step takes about as long as one byte of a
//! text, some nanoseconds. Every [`LOOK_STEPS`] it looks whether it has to end. What `spend` refuses
//! is given up at once, and everything that has come of it by then is wrong: the one who cancelled,
//! or who wanted it to be brief, throws it away. So it is no error of a record, and nothing that
//! outlives the Select may be kept of it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind, Result};

/// Steps between two looks: a tenth of a millisecond, about.
const LOOK_STEPS: usize = 64 << 10;

/// Ends work, wherever it runs. Clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    is_raised: AtomicBool,
    parent: Option<Cancel>,
}

impl Cancel {
    /// Ends the work, soon: it cannot be taken back.
    pub fn raise(&self) {
        self.0.is_raised.store(true, Ordering::Relaxed);
    }

    /// Returns whether it was raised, or one that it is a [child](Self::child) of.
    pub fn is_raised(&self) -> bool {
        let Flag { is_raised, parent } = &*self.0;
        is_raised.load(Ordering::Relaxed) || parent.as_ref().is_some_and(Self::is_raised)
    }

    /// A flag for a part of the work: raised with this one, and by itself alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Flag { is_raised: AtomicBool::new(false), parent: Some(self.clone()) }))
    }

    /// Does work that this flag ends. What it returns after that is wrong.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = CANCEL.replace(Some(self.clone()));
        let _restored = Restore(|| drop(CANCEL.replace(outer.clone())));
        UNSEEN.set(0);
        work()
    }
}

/// The work has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl From<Stopped> for Error {
    fn from(_stopped: Stopped) -> Self {
        Error::new(ErrorKind::Cancelled, "cancelled")
    }
}

/// How long work may take.
#[derive(Clone, Copy)]
enum Brief {
    No,
    Until(Instant),
    Exceeded,
}

thread_local! {
    static CANCEL: RefCell<Option<Cancel>> = const { RefCell::new(None) };
    static BRIEF: Cell<Brief> = const { Cell::new(Brief::No) };
    /// Steps since the last look.
    static UNSEEN: Cell<usize> = const { Cell::new(0) };
}

/// Runs when it is dropped, after a panic too.
struct Restore<F: FnMut()>(F);

impl<F: FnMut()> Drop for Restore<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Does work that takes no longer than `time`, about. `None` where it would: then some of it was
/// done, and what came of it is thrown away.
pub fn briefly<T>(time: Duration, work: impl FnOnce() -> T) -> Option<T> {
    let outer = BRIEF.get();
    let end = Instant::now() + time;
    BRIEF.set(match outer {
        Brief::No => Brief::Until(end),
        Brief::Until(earlier) => Brief::Until(earlier.min(end)),
        Brief::Exceeded => Brief::Exceeded,
    });
    let _restored = Restore(|| BRIEF.set(outer));
    UNSEEN.set(0);
    let done = work();
    let is_exceeded = matches!(BRIEF.get(), Brief::Exceeded);
    UNSEEN.set(0);
    (!is_exceeded).then_some(done)
}

/// Counts steps of the work on this thread, before or after they are done.
#[inline]
pub(crate) fn spend(steps: usize) -> Result<(), Stopped> {
    let unseen = UNSEEN.get().saturating_add(steps);
    UNSEEN.set(unseen);
    if unseen < LOOK_STEPS { Ok(()) } else { look() }
}

/// Looks whether the work on this thread has to end, for work of which one step may take long.
#[cold]
pub(crate) fn look() -> Result<(), Stopped> {
    // so that the next step looks again: what has to end does not go on
    UNSEEN.set(LOOK_STEPS);
    match BRIEF.get() {
        Brief::No => {}
        Brief::Until(end) if Instant::now() < end => {}
        Brief::Until(_) | Brief::Exceeded => {
            BRIEF.set(Brief::Exceeded);
            return Err(Stopped);
        }
    }
    if CANCEL.with_borrow(|cancel| cancel.as_ref().is_some_and(Cancel::is_raised)) {
        return Err(Stopped);
    }
    UNSEEN.set(0);
    Ok(())
}

/// Makes sure that the work on this thread is wanted.
///
/// # Errors
/// `Cancelled`.
pub fn check_wanted() -> Result<()> {
    Ok(look()?)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_is_cancelled_stays_so_and_its_parent_does_not() {
        let cancel = Cancel::default();
        let (child, other) = (cancel.child(), cancel.child());
        child.raise();
        assert!(child.is_raised() && !cancel.is_raised() && !other.is_raised());
        cancel.during(|| assert_eq!(spend(LOOK_STEPS), Ok(())));
        child.during(|| {
            assert_eq!(spend(LOOK_STEPS), Err(Stopped));
            assert_eq!(spend(1), Err(Stopped));
            cancel.during(|| assert_eq!(look(), Ok(())));
            assert_eq!(look(), Err(Stopped));
        });
        assert_eq!(spend(LOOK_STEPS), Ok(()));
        cancel.raise();
        assert!(other.is_raised());
        let panicked = catch_unwind(AssertUnwindSafe(|| other.during(|| panic!("of a test"))));
        assert!(panicked.is_err());
        assert!(check_wanted().is_ok());
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let hour = Duration::from_secs(3600);
        assert_eq!(briefly(hour, look), Some(Ok(())));
        assert_eq!(briefly(Duration::ZERO, look), None);
        let nested = || briefly(Duration::ZERO, || spend(LOOK_STEPS));
        // the outer one goes on
        assert_eq!(briefly(hour, || (nested(), look())), Some((None, Ok(()))));
        assert_eq!(briefly(Duration::ZERO, || (briefly(hour, look), look())), None);
        assert_eq!(look(), Ok(()));
    }
}
