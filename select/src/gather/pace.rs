//! Work in steps: after some milliseconds it stops, so that other work can run, and continues
//! later.

use std::time::{Duration, Instant};

/// The time limit of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// `None` for no limit.
    end: Option<Instant>,
}

impl Pace {
    /// Starts a step that takes about `time`.
    pub(crate) fn new(time: Duration) -> Self {
        Self { end: Instant::now().checked_add(time) }
    }

    /// Starts a step that takes as long as its work.
    pub(crate) fn unlimited() -> Self {
        Self { end: None }
    }

    /// Returns whether the step has to end. It is called after each piece of work, of less than a
    /// millisecond, so every step does something.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }
}

/// The result of a step of work that makes several things.
#[derive(Debug)]
pub(crate) enum Progress<T> {
    /// The next thing.
    Ready(T),
    /// Nothing yet: the step is over.
    Yielded,
    /// Nothing more.
    Done,
}
