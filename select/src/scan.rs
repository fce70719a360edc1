//! The scan: a state machine that hands out morsels and puts their outcomes in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;

use crate::aggregate::Partial;
use crate::eval::{self, Input, Problem};
use crate::feed::Feed;
use crate::morsel::{BATCH_RECORDS_MIN, Failure, Morsel, Outcome};
use crate::plan::{Output, Plan};
use crate::{Error, ErrorKind, Result};

/// So long may selected records wait for others before they are given out as they are.
const BATCH_WAIT_MAX: Duration = Duration::from_millis(20);

/// How a scan divides its work.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// Bytes of a morsel, about; default 4 MiB: about a millisecond of work.
    pub morsel_bytes: usize,
    /// Morsels out at once, finished ones that wait for their turn included; at least 1. Default:
    /// twice the threads of the current rayon pool.
    pub morsels_in_flight_max: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { morsel_bytes: 4 << 20, morsels_in_flight_max: 2 * rayon::current_num_threads() }
    }
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
    /// Records that the predicate kept; within OFFSET and LIMIT, unless they were aggregated.
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
pub struct Scan {
    plan: Plan,
    feed: Arc<Feed>,
    cancelled: Arc<AtomicBool>,
    morsels_in_flight_max: u64,
    /// Morsels handed out.
    started: u64,
    /// Morsels whose outcome is in the answer; the turn that is next in order.
    absorbed: u64,
    /// Outcomes that wait for an earlier turn.
    early: BTreeMap<u64, Outcome>,
    batches: Batches,
    partials: Vec<Partial>,
    offset_left: u64,
    limit_left: u64,
    state: State,
    statistics: Statistics,
}

#[derive(Debug)]
enum State {
    Scanning,
    /// Nothing more is wanted of the file: give out what is there, then end so.
    Ending(Result<()>),
    Ended,
}

impl Scan {
    /// A scan of `plan` from the start.
    pub fn new(plan: Plan, options: ScanOptions) -> Self {
        let bound = plan.bound();
        let (partials, offset_left, limit_left) = match &bound.output {
            Output::Records { .. } => (Vec::new(), bound.offset, bound.limit.unwrap_or(u64::MAX)),
            Output::Aggregates { aggregates, .. } => {
                (aggregates.iter().map(|aggregate| aggregate.start()).collect(), 0, u64::MAX)
            }
        };
        let feed = Arc::new(plan.source().feed(bound.morsel_bytes(options.morsel_bytes)));
        let mut scan = Self {
            feed,
            cancelled: Arc::default(),
            morsels_in_flight_max: options.morsels_in_flight_max.max(1) as u64,
            started: 0,
            absorbed: 0,
            early: BTreeMap::new(),
            batches: Batches::default(),
            partials,
            offset_left,
            limit_left,
            state: State::Scanning,
            statistics: Statistics::default(),
            plan,
        };
        scan.end_when_through();
        scan
    }

    /// What to do next.
    ///
    /// # Errors
    /// `Record`, `Computation`, `FileChanged`, `Io`: the answer ends here, after the batches
    /// that came before it in the file's order.
    pub fn step(&mut self) -> Result<Step> {
        if matches!(self.state, State::Scanning) {
            let held = self.started - self.absorbed + self.batches.ready.len() as u64;
            if self.started < self.feed.turns() && held < self.morsels_in_flight_max {
                self.started += 1;
                return Ok(Step::Run(Morsel {
                    plan: self.plan.clone(),
                    feed: Arc::clone(&self.feed),
                    cancelled: Arc::clone(&self.cancelled),
                }));
            }
        }
        if let Some(batch) = self.batches.ready.pop_front() {
            return Ok(Step::Batch(batch));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Scanning => {
                self.state = State::Scanning;
                Ok(Step::Wait)
            }
            State::Ending(result) => result.map(|()| Step::Done),
            State::Ended => Ok(Step::Done),
        }
    }

    /// Takes the outcome of a morsel back, in any order.
    pub fn accept(&mut self, outcome: Outcome) {
        let Some(turn) = outcome.turn else { return };
        self.early.insert(turn, outcome);
        while let Some(outcome) = self.early.remove(&self.absorbed) {
            self.absorbed += 1;
            if matches!(self.state, State::Scanning) {
                self.absorb(outcome);
            }
        }
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Drives the scan to its end on the current rayon pool; for local use and tests.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let (sender, receiver) = mpsc::channel();
        let mut batches = Vec::new();
        loop {
            match self.step()? {
                Step::Run(morsel) => {
                    let sender = sender.clone();
                    // The receiver is gone when the scan ended early: nobody needs the outcome.
                    rayon::spawn(move || drop(sender.send(morsel.run())));
                }
                Step::Batch(batch) => batches.push(batch),
                Step::Wait => {
                    if let Some(outcome) = receive(&receiver) {
                        self.accept(outcome);
                    }
                }
                Step::Done => return Ok(batches),
            }
        }
    }

    /// Puts an outcome that is next in order into the answer.
    fn absorb(&mut self, outcome: Outcome) {
        let records_before = self.statistics.records_scanned;
        self.statistics.records_scanned += outcome.records;
        self.statistics.bytes_scanned += outcome.bytes;
        self.statistics.scan_time += outcome.time;
        if let Output::Aggregates { .. } = self.plan.bound().output {
            self.statistics.records_selected += outcome.selected;
        }
        for batch in outcome.batches {
            self.append(&batch);
        }
        for (partial, later) in self.partials.iter_mut().zip(outcome.partials) {
            if let Err(problem) = partial.merge(later) {
                self.state = State::Ending(Err(computation(&self.plan, &problem)));
                return;
            }
        }
        self.batches.flush_if_due();
        match outcome.failure {
            Some(failure) if self.limit_left > 0 => {
                self.batches.flush();
                self.state = State::Ending(Err(self.error(failure, records_before)));
            }
            _ => self.end_when_through(),
        }
    }

    /// Adds a batch of selected records, as far as OFFSET and LIMIT want it.
    fn append(&mut self, batch: &RecordBatch) {
        let rows = batch.num_rows() as u64;
        let skipped = rows.min(self.offset_left);
        let taken = (rows - skipped).min(self.limit_left);
        self.offset_left -= skipped;
        self.limit_left -= taken;
        self.statistics.records_selected += taken;
        // Both are at most the rows of one batch.
        let (Ok(skipped), Ok(taken)) = (usize::try_from(skipped), usize::try_from(taken)) else {
            return;
        };
        if taken > 0 {
            self.batches.push(batch.slice(skipped, taken));
        }
    }

    fn end_when_through(&mut self) {
        if self.absorbed < self.feed.turns() && self.limit_left > 0 {
            return;
        }
        self.cancelled.store(true, Ordering::Relaxed);
        let result = self.whole();
        self.batches.flush();
        self.state = State::Ending(result);
    }

    /// Makes sure that the file was one file all the time, and adds what comes of all records.
    fn whole(&mut self) -> Result<()> {
        let source = self.plan.source();
        if source.changed()? {
            let message = format!("{}: changed while it was read; try again", source.name());
            return Err(Error::new(ErrorKind::FileChanged, message));
        }
        let aggregated = aggregated(&self.plan, &self.partials)
            .map_err(|problem| computation(&self.plan, &problem))?;
        if let Some(batch) = aggregated {
            self.batches.push(batch);
        }
        Ok(())
    }

    fn error(&self, failure: Failure, records_before: u64) -> Error {
        match failure {
            Failure::File(error) => error,
            Failure::Record { kind, fault } => {
                fault.to_error(self.plan.source().name(), records_before).with_kind(kind)
            }
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

fn computation(plan: &Plan, problem: &Problem) -> Error {
    Error::new(ErrorKind::Computation, format!("{}: {}", plan.source().name(), problem.0))
}

/// Receives an outcome; a thread of the pool works meanwhile instead of waiting for itself.
fn receive(outcomes: &mpsc::Receiver<Outcome>) -> Option<Outcome> {
    loop {
        if let Ok(outcome) = outcomes.try_recv() {
            return Some(outcome);
        }
        if rayon::yield_now() != Some(rayon::Yield::Executed) {
            return outcomes.recv().ok();
        }
    }
}

/// The one record that aggregates come to, within OFFSET and LIMIT.
fn aggregated(plan: &Plan, partials: &[Partial]) -> Result<Option<RecordBatch>, Problem> {
    let bound = plan.bound();
    let Output::Aggregates { aggregates, items, .. } = &bound.output else { return Ok(None) };
    if bound.offset > 0 || bound.limit == Some(0) {
        return Ok(None);
    }
    let values = aggregates
        .iter()
        .zip(partials)
        .map(|(aggregate, partial)| aggregate.finish(partial).map(Some))
        .collect::<Result<Vec<Option<ArrayRef>>, _>>()?;
    let input = Input { columns: &values, rows: 1 };
    let columns = items
        .iter()
        .map(|item| eval::evaluate(&item.expr, input))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(RecordBatch::try_new(Arc::clone(&bound.schema), columns)?))
}

/// Batches on their way out: small ones are put together.
#[derive(Debug, Default)]
struct Batches {
    ready: VecDeque<RecordBatch>,
    pending: Vec<RecordBatch>,
    pending_records: usize,
    /// When records last became ready; `None` before the first.
    last: Option<Instant>,
}

impl Batches {
    fn push(&mut self, batch: RecordBatch) {
        if batch.num_rows() >= BATCH_RECORDS_MIN {
            self.flush();
        }
        self.pending_records += batch.num_rows();
        self.pending.push(batch);
        if self.pending_records >= BATCH_RECORDS_MIN {
            self.flush();
        }
    }

    /// Gives out what has waited long enough, the first records at once.
    fn flush_if_due(&mut self) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= BATCH_WAIT_MAX);
        if is_due && !self.pending.is_empty() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.pending_records = 0;
        self.last = Some(Instant::now());
        if let [first, _, ..] = pending.as_slice()
            && let Ok(batch) = concat_batches(&first.schema(), &pending)
        {
            self.ready.push_back(batch);
        } else {
            // One batch, or batches too large for one.
            self.ready.extend(pending);
        }
    }
}

#[cfg(test)]
mod tests;
