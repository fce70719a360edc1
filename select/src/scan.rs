//! The scan: a state machine that hands out morsels and puts their outcomes in order.

use std::time::Duration;

use arrow::record_batch::RecordBatch;

use crate::{Plan, Result};

/// How a scan divides its work.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// Bytes of a morsel, about; default 4 MiB: about a millisecond of work.
    pub morsel_bytes: usize,
    /// Morsels out at once, finished ones that wait for their turn included; at least 1.
    pub morsels_in_flight_max: usize,
}

/// What a scan did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Records that the predicate saw.
    pub records_scanned: u64,
    /// Bytes read from the file.
    pub bytes_scanned: u64,
    /// Records ruled out without being read.
    pub records_pruned: u64,
    /// Records that the predicate kept, within OFFSET and LIMIT.
    pub records_selected: u64,
    /// Time that morsels ran, added up over threads.
    pub scan_time: Duration,
}

/// What the driver of a scan has to do next.
#[derive(Debug)]
pub enum Step {
    /// Run this on some thread and give its outcome to [`Scan::accept`].
    Run(Morsel),
    /// The next batch of the answer.
    Batch(RecordBatch),
    /// Nothing until an outcome comes back.
    Wait,
    /// The answer is whole.
    Done,
}

/// The state of one scan. Dropping it makes morsels that have not started end at once.
#[derive(Debug)]
pub struct Scan {}

/// A unit of parallel work.
#[derive(Debug)]
pub struct Morsel {}

/// What came of a morsel; errors are inside.
#[derive(Debug)]
pub struct Outcome {}

impl Scan {
    /// A scan of `plan` from the start.
    pub fn new(plan: Plan, options: ScanOptions) -> Self {
        let _ = (plan, options);
        unimplemented!()
    }

    /// What to do next.
    ///
    /// # Errors
    /// `Record`, `Computation`, `FileChanged`, `Io`: the answer ends here, after the batches
    /// that came before it in the file's order.
    pub fn step(&mut self) -> Result<Step> {
        unimplemented!()
    }

    /// Takes the outcome of a morsel back, in any order.
    pub fn accept(&mut self, outcome: Outcome) {
        let _ = outcome;
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    /// Drives the scan to its end on the current rayon pool; for local use and tests.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        unimplemented!()
    }
}

impl Morsel {
    /// Reads, filters and projects. Never panics, never waits for a peer.
    pub fn run(self) -> Outcome {
        unimplemented!()
    }
}
