//! Cancellation: work that stops early, because nobody wants its result any more or because it
//! takes longer than its time limit.
//!
//! All work on a Select counts its steps with [`spend`]. One step takes about as long as one byte
//! of a text: some nanoseconds. Every `LOOK_STEPS` steps, `spend` checks whether the work has to
//! stop. If so, the work stops at once, and everything that it has computed is wrong. Whoever
//! cancelled the work, or limited its time, throws the result away. So a stop is not an error of a
//! record, and nothing from stopped work may be kept after the Select.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind};

/// The number of steps between two checks: about a tenth of a millisecond.
const LOOK_STEPS: usize = 64 << 10;

/// A flag that stops work on any thread. Clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    is_raised: AtomicBool,
    parent: Option<Cancel>,
    /// For tests: how often work looked at the flag, and the number of looks that raises it.
    looks: AtomicUsize,
    looks_max: Option<usize>,
}

impl Cancel {
    /// Stops the work soon. This cannot be undone.
    pub fn raise(&self) {
        self.0.is_raised.store(true, Ordering::Relaxed);
    }

    /// Returns whether this flag, or a flag that it is a [child](Self::child) of, was raised.
    pub fn is_raised(&self) -> bool {
        let Flag { is_raised, parent, .. } = &*self.0;
        is_raised.load(Ordering::Relaxed) || parent.as_ref().is_some_and(Self::is_raised)
    }

    /// Makes a flag that raises itself when work has looked at it so often.
    #[doc(hidden)]
    #[must_use]
    pub fn after(looks: usize) -> Self {
        Self(Arc::new(Flag { looks_max: Some(looks), ..Flag::default() }))
    }

    /// Returns how often work has looked at the flag.
    #[doc(hidden)]
    pub fn looks(&self) -> usize {
        self.0.looks.load(Ordering::Relaxed)
    }

    /// Counts a look of work at the flag.
    fn look(&self) -> bool {
        let Flag { parent, looks, looks_max, .. } = &*self.0;
        if looks_max.is_some_and(|max| looks.fetch_add(1, Ordering::Relaxed) >= max) {
            self.raise();
        }
        parent.as_ref().is_some_and(Self::look) | self.is_raised()
    }

    /// Returns a flag for a part of the work. It is raised with this flag, and can also be raised
    /// alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Flag { parent: Some(self.clone()), ..Flag::default() }))
    }

    /// Does work that this flag can stop. After the flag is raised, the result is wrong.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = CANCEL.replace(Some(self.clone()));
        let _restored = Restore(|| drop(CANCEL.replace(outer.clone())));
        UNSEEN.set(0);
        work()
    }
}

/// The work has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl From<Stopped> for Error {
    fn from(_stopped: Stopped) -> Self {
        ErrorKind::Cancelled.into()
    }
}

/// The time limit of the work on this thread.
#[derive(Clone, Copy)]
enum Brief {
    No,
    Until(Instant),
    Exceeded,
}

thread_local! {
    static CANCEL: RefCell<Option<Cancel>> = const { RefCell::new(None) };
    static BRIEF: Cell<Brief> = const { Cell::new(Brief::No) };
    /// The number of steps since the last check.
    static UNSEEN: Cell<usize> = const { Cell::new(0) };
}

/// Runs a function when it is dropped, also after a panic.
struct Restore<F: FnMut()>(F);

impl<F: FnMut()> Drop for Restore<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Does work with a time limit of about `time`. Returns `None` if the work takes longer: then some
/// of it was done, and its result is thrown away.
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
pub fn spend(steps: usize) -> Result<(), Stopped> {
    let unseen = UNSEEN.get().saturating_add(steps);
    UNSEEN.set(unseen);
    if unseen < LOOK_STEPS { Ok(()) } else { check_wanted() }
}

/// Checks that the work on this thread is still wanted, and within its time limit. Call it directly
/// where one step may take long.
#[cold]
pub fn check_wanted() -> Result<(), Stopped> {
    // the next step checks again, so stopped work cannot continue
    UNSEEN.set(LOOK_STEPS);
    match BRIEF.get() {
        Brief::No => {}
        Brief::Until(end) if Instant::now() < end => {}
        Brief::Until(_) | Brief::Exceeded => {
            BRIEF.set(Brief::Exceeded);
            return Err(Stopped);
        }
    }
    if CANCEL.with_borrow(|cancel| cancel.as_ref().is_some_and(Cancel::look)) {
        return Err(Stopped);
    }
    UNSEEN.set(0);
    Ok(())
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
            cancel.during(|| assert_eq!(check_wanted(), Ok(())));
            assert_eq!(check_wanted(), Err(Stopped));
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
        assert_eq!(briefly(hour, check_wanted), Some(Ok(())));
        assert_eq!(briefly(Duration::ZERO, check_wanted), None);
        let nested = || briefly(Duration::ZERO, || spend(LOOK_STEPS));
        // the outer work continues
        assert_eq!(briefly(hour, || (nested(), check_wanted())), Some((None, Ok(()))));
        assert_eq!(briefly(Duration::ZERO, || (briefly(hour, check_wanted), check_wanted())), None);
        assert_eq!(check_wanted(), Ok(()));
    }
}
