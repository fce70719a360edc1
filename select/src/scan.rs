//! The scan: a state machine that hands out morsels and puts their outcomes in order.

pub(crate) mod access;
pub(crate) mod batches;
pub(crate) mod failure;
pub(crate) mod final_stage;
pub(crate) mod morsel;
pub(crate) mod prune;
pub(crate) mod selection;
pub(crate) mod visible_types;
pub(crate) mod walk;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;

use crate::budget::MemoryBudget;
use crate::gather::pace::Progress;
use crate::gather::spill::SpillDirectory;
use crate::plan::{MORSEL_OUTPUT_BYTES_MAX, Plan};
use crate::{ErrorKind, Result};
use access::AccessPath;
use batches::Batches;
use final_stage::{FinalStage, GatherJob, Sink};
use morsel::{Done, Morsel, Outcome, Read, ReadOutcome, Work};
use sift_files::cancel::{Cancel, Stopped, check_wanted};
use sift_files::feed::Feed;
use sift_files::turns::Origin;
use walk::{Reads, Walk};

/// The options of a scan: how it divides its work, and what it may take.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Bytes of a morsel, about. The default is 4 MiB, about a millisecond of work.
    pub morsel_bytes: usize,
    /// Most morsels in flight, including finished ones that wait for their turn; at least 1.
    /// Default: twice the threads of the current rayon pool.
    pub morsels_in_flight_max: usize,
    /// Memory for groups, distinct values and rows to be sorted; default 256 MiB.
    pub memory: Arc<MemoryBudget>,
    /// The folder for groups and rows that outgrow the memory; without it, the default, that is an
    /// error.
    pub spill: Option<Arc<SpillDirectory>>,
    /// The time after which a morsel that works on groups or sorted rows lets other work run;
    /// default 4 ms. The answer is the same.
    pub step_time: Duration,
    /// True, the default, if records that an index excludes are not read. The answer is the same.
    pub pruning: bool,
    /// The cost of a seek, in bytes of sequential reading; default 16 KiB. A key is used if reading
    /// its records costs less than reading without it.
    pub apart_bytes: u64,
    /// A flag that stops the scan when it is raised. [`step`](Scan::step) then returns `Cancelled`.
    /// The default is a flag that nobody raises.
    pub cancel: Cancel,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            morsel_bytes: 4 << 20,
            morsels_in_flight_max: 2 * rayon::current_num_threads(),
            memory: Arc::new(MemoryBudget::new("ScanOptions::memory", 256 << 20)),
            spill: None,
            step_time: Duration::from_millis(4),
            pruning: true,
            apart_bytes: 16 << 10,
            cancel: Cancel::default(),
        }
    }
}

/// The counters of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStatistics {
    /// Records that WHERE was evaluated for, without those that a view's row filter hides.
    pub records_scanned: u64,
    /// Bytes read from the file.
    pub bytes_scanned: u64,
    /// Records that were pruned without being read.
    pub records_pruned: u64,
    /// Records that WHERE kept; within OFFSET and LIMIT, unless they were aggregated.
    pub records_selected: u64,
    /// Records that are hidden because the view's row filter has no value for them. The number is
    /// for the administrator, not for the reader.
    pub records_undecided: u64,
    /// Time that morsels ran, added up over threads.
    pub scan_time: Duration,
}

/// The next step of a driver of a scan.
#[derive(Debug)]
pub enum Step {
    /// Run this on some thread and give its outcome to [`Scan::accept`].
    Run(Morsel),
    /// The next batch of the answer.
    Batch(RecordBatch),
    /// Wait until an outcome comes back.
    Wait,
    /// The answer is complete.
    Done,
}

/// The state of one scan. Dropping it stops its morsels: running ones within milliseconds, the
/// others at once.
#[derive(Debug)]
pub struct Scan {
    plan: Plan,
    feed: Arc<Feed>,
    morsel_bytes: usize,
    /// The number of turns of the feeds before this one.
    turns_before: u64,
    /// A flag that is raised when no morsel is wanted any more.
    cancel: Cancel,
    morsels_in_flight_max: u64,
    /// The number of morsels that were handed out for the feed.
    started: u64,
    /// The number of them whose outcome is in the answer, which is also the next turn in order.
    absorbed: u64,
    /// Outcomes of later turns, which wait for an earlier one.
    early: BTreeMap<u64, ReadOutcome>,
    /// The bytes of the largest outcome so far; before the first, as many as one may have.
    outcome_bytes_max: usize,
    /// The number of outcomes so far.
    outcomes: u64,
    batches: Batches,
    sink: Arc<Sink>,
    /// The jobs on gathered rows between two of their steps, and the number of those that run.
    jobs: VecDeque<Box<GatherJob>>,
    jobs_running: usize,
    /// The origin of the records of the next turn.
    origin: Origin,
    /// The origin of the records of each turn, if rows are sorted.
    turns: Vec<Origin>,
    offset_left: u64,
    limit_left: u64,
    state: State,
    /// The walk along a key that the feed is a step of.
    walk: Option<Box<Walk>>,
    statistics: ScanStatistics,
    is_brief: bool,
}

#[derive(Debug)]
enum State {
    Scanning,
    /// The records of a step were read, and the walk goes on. `None` while a morsel does it.
    Walking(Option<Box<Walk>>),
    /// Every record was read; groups and sorted rows are finished. `None` while a morsel does it.
    Finishing(Option<Box<FinalStage>>),
    /// Nothing more is wanted from the file: the ready batches are returned, then this result.
    Ending(Result<()>),
    Ended,
}

impl Scan {
    /// Makes a scan of `plan` from the start.
    pub fn new(plan: Plan, options: ScanOptions) -> Self {
        let bound = plan.bound();
        let morsel_bytes = bound.morsel_bytes(options.morsel_bytes);
        let (path, blocked) = match AccessPath::new(bound, &options) {
            Ok(path) => (path, None),
            Err(would_block) => (AccessPath::all(bound), Some(would_block.into())),
        };
        let records_pruned = if path.walk.is_some() { 0 } else { path.records_pruned() };
        let statistics = ScanStatistics { records_pruned, ..ScanStatistics::default() };
        let offset_left = bound.offset - path.skipped;
        let (walk, Reads { extents, copies }) = Walk::of(&plan, path, &options);
        let records: Option<u64> = extents.iter().flatten().map(|extent| extent.records).sum();
        let files = plan.source().files();
        let feed = Arc::new(Feed::of_extents(&files, extents, &copies, morsel_bytes));
        // it is not known how far a walk goes
        let is_brief =
            walk.is_none() && feed.bytes_max().is_some_and(|bytes| bound.is_brief(bytes, records));
        let (sink, failure) = match Sink::new(&plan, &options) {
            Ok(sink) => (sink, blocked),
            Err(error) => (Sink::none(), Some(error)),
        };
        let mut scan = Self {
            feed,
            morsel_bytes,
            turns_before: 0,
            cancel: options.cancel.child(),
            morsels_in_flight_max: options.morsels_in_flight_max.max(1) as u64,
            started: 0,
            absorbed: 0,
            early: BTreeMap::new(),
            outcome_bytes_max: MORSEL_OUTPUT_BYTES_MAX,
            outcomes: 0,
            batches: Batches::new(plan.view()),
            sink: Arc::new(sink),
            jobs: VecDeque::new(),
            jobs_running: 0,
            origin: Origin::default(),
            turns: Vec::new(),
            offset_left,
            limit_left: bound.limit.unwrap_or(u64::MAX),
            state: State::Scanning,
            walk,
            statistics,
            is_brief,
            plan,
        };
        match failure {
            Some(error) => scan.end(Err(error)),
            None => scan.end_when_complete(),
        }
        scan
    }

    /// Returns whether the whole scan takes about as long as waking another thread: it is known in
    /// advance that it reads and makes little. A scan of a file by columns, or of compressed text,
    /// is never brief.
    pub fn is_brief(&self) -> bool {
        self.is_brief
    }

    /// Sets the most morsels in flight from now on, instead of the number of the options. With
    /// none, no further one starts.
    pub fn set_morsels_in_flight_max(&mut self, max: usize) {
        self.morsels_in_flight_max = max as u64;
    }

    /// Returns whether morsels are in flight or batches wait, so that [`step`](Self::step) need not
    /// start a morsel to go on.
    pub fn holds_some(&self) -> bool {
        let is_finishing = matches!(self.state, State::Walking(None) | State::Finishing(None));
        let is_gathering = is_finishing || self.jobs_running > 0;
        is_gathering || self.started > self.absorbed || self.batches.ready() > 0
    }

    /// Returns whether it gathers groups or rows to be sorted before it has an answer.
    pub fn gathers(&self) -> bool {
        !self.plan.bound().is_streamed()
    }

    /// Returns about how much memory the batches take that wait in this scan, and those that the
    /// morsels under way will make, if each makes as much as the largest so far. A scan that
    /// gathers groups or rows to be sorted takes as much as a large morsel, beside what its budget
    /// counts.
    pub fn memory_bytes(&self) -> usize {
        let early: usize = self.early.values().map(ReadOutcome::memory_bytes).sum();
        let running = (self.started - self.absorbed).saturating_sub(self.early.len() as u64);
        let running = usize::try_from(running).unwrap_or(usize::MAX);
        let is_over = matches!(self.state, State::Ending(_) | State::Ended);
        let coming = match self.plan.bound().is_streamed() {
            true => running.saturating_mul(self.outcome_bytes_max),
            false if is_over => 0,
            false => MORSEL_OUTPUT_BYTES_MAX,
        };
        self.batches.memory_bytes().saturating_add(early).saturating_add(coming)
    }

    /// Returns what to do next.
    ///
    /// # Errors
    /// `Record`, `Computation`, `FileChanged`, `Io`, `Cancelled`: the result ends here, after the
    /// batches that precede the error in the order of the file.
    pub fn step(&mut self) -> Result<Step> {
        self.end_if_cancelled();
        let held = self.started - self.absorbed + (self.jobs_running + self.batches.ready()) as u64;
        let has_room = match self.sink.is_short_of_memory() {
            true => held < self.morsels_in_flight_max.min(1),
            false => held < self.morsels_in_flight_max,
        };
        let has_turns = self.feed.turns().is_none_or(|turns| self.started < turns);
        if has_room && let Some(job) = self.next_job() {
            self.jobs_running += 1;
            return Ok(self.run(Work::Gather(job, Arc::clone(&self.sink))));
        }
        let has_memory = self.jobs_running < self.sink.jobs_max();
        match &mut self.state {
            State::Scanning if has_turns && has_room && has_memory => {
                self.started += 1;
                return Ok(self.run(Work::Read(Read {
                    plan: self.plan.clone(),
                    feed: Arc::clone(&self.feed),
                    sink: Arc::clone(&self.sink),
                    turns_before: self.turns_before,
                })));
            }
            State::Walking(walk) if has_room => {
                if let Some(walk) = walk.take() {
                    return Ok(self.run(Work::Walk(walk)));
                }
            }
            State::Finishing(final_stage) if has_room => {
                if let Some(final_stage) = final_stage.take() {
                    return Ok(self.run(Work::Finish(final_stage)));
                }
            }
            _ => {}
        }
        if let Some(batch) = self.batches.pop() {
            return Ok(Step::Batch(batch));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            waiting @ (State::Scanning | State::Walking(_) | State::Finishing(_)) => {
                self.state = waiting;
                Ok(Step::Wait)
            }
            State::Ending(result) => result.map(|()| Step::Done),
            State::Ended => Ok(Step::Done),
        }
    }

    /// Takes the outcome of a morsel back, in any order.
    pub fn accept(&mut self, outcome: Outcome) {
        // the outcome of a stopped morsel is wrong
        self.end_if_cancelled();
        match outcome.0 {
            Done::Read(outcome) => {
                let Some(turn) = outcome.turn else {
                    self.started -= 1;
                    if matches!(self.state, State::Scanning) {
                        self.end_when_complete();
                    }
                    return;
                };
                // the first outcome replaces the guess
                self.outcome_bytes_max = match self.outcomes {
                    0 => outcome.memory_bytes(),
                    _ => self.outcome_bytes_max.max(outcome.memory_bytes()),
                };
                self.outcomes += 1;
                self.early.insert(turn, outcome);
                while let Some(outcome) = self.early.remove(&self.absorbed) {
                    self.absorbed += 1;
                    if matches!(self.state, State::Scanning) {
                        self.absorb(outcome);
                    }
                }
            }
            Done::Walk { walk, step, time } => {
                self.statistics.scan_time += time;
                if matches!(self.state, State::Walking(_)) {
                    self.walk_on(walk, step);
                }
            }
            Done::Gather { job, result, time } => {
                self.statistics.scan_time += time;
                self.jobs_running -= 1;
                match result {
                    _ if !self.is_reading() => {}
                    Ok(true) => self.end_when_complete(),
                    Ok(false) => self.jobs.push_back(job),
                    Err(error) => self.end(Err(error)),
                }
            }
            Done::Finish { final_stage, result, time } => {
                self.statistics.scan_time += time;
                if !matches!(self.state, State::Finishing(_)) {
                    return;
                }
                match result {
                    Ok(Progress::Ready(batch)) => {
                        self.append(&batch);
                        match self.limit_left {
                            0 => self.end(Ok(())),
                            _ => self.state = State::Finishing(Some(final_stage)),
                        }
                    }
                    Ok(Progress::Yielded) => self.state = State::Finishing(Some(final_stage)),
                    Ok(Progress::Done) => self.end(Ok(())),
                    Err(error) => self.end(Err(error)),
                }
            }
        }
    }

    /// Returns the counters so far.
    pub fn statistics(&self) -> ScanStatistics {
        self.statistics
    }

    /// Drives the scan to its end on the current rayon pool; for local use and tests.
    ///
    /// # Errors
    /// The errors of [`step`](Self::step).
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        self.for_each(|batch| batches.push(batch))?;
        Ok(batches)
    }

    /// Drives the scan as [`collect`](Self::collect) does, and calls `each` with each batch as soon
    /// as it is ready.
    ///
    /// # Errors
    /// The errors of [`step`](Self::step).
    pub fn for_each(mut self, mut each: impl FnMut(RecordBatch)) -> Result<()> {
        let (sender, receiver) = mpsc::channel();
        loop {
            match self.step()? {
                Step::Run(morsel) => {
                    let sender = sender.clone();
                    // The receiver is dropped when the scan ended early: nobody needs the outcome.
                    rayon::spawn(move || drop(sender.send(morsel.run())));
                }
                Step::Batch(batch) => each(batch),
                Step::Wait => {
                    if let Some(outcome) = receive(&receiver) {
                        self.accept(outcome);
                    }
                }
                Step::Done => return Ok(()),
            }
        }
    }

    /// Adds the next outcome in order to the answer.
    fn absorb(&mut self, outcome: ReadOutcome) {
        if let Some(origin) = outcome.origin {
            self.origin = origin;
        }
        let origin = self.origin.clone();
        self.origin.records_before += outcome.records;
        self.statistics.records_scanned += outcome.records;
        self.statistics.records_undecided += outcome.undecided;
        self.statistics.bytes_scanned += outcome.bytes;
        self.statistics.scan_time += outcome.time;
        if self.sink.groups.is_some() {
            self.statistics.records_selected += outcome.selected;
        }
        if let Some(walk) = &mut self.walk {
            walk.count(outcome.selected);
        }
        if self.sink.sorter.is_some() {
            self.turns.push(origin.clone());
        }
        for batch in outcome.batches {
            self.append(&batch);
        }
        self.batches.flush_if_due();
        match outcome.failure {
            Some(failure) if self.limit_left > 0 => {
                let error = failure.into_error(&self.plan, &origin);
                self.end(Err(match error.kind() {
                    // a half-written change of the file may look like this
                    ErrorKind::Record | ErrorKind::Computation => {
                        self.unchanged().err().unwrap_or(error)
                    }
                    _ => error,
                }));
            }
            _ => self.end_when_complete(),
        }
    }

    /// Adds a batch to the answer, as far as OFFSET and LIMIT want it.
    fn append(&mut self, batch: &RecordBatch) {
        let rows = batch.num_rows() as u64;
        let skipped = rows.min(self.offset_left);
        let taken = (rows - skipped).min(self.limit_left);
        self.offset_left -= skipped;
        self.limit_left -= taken;
        if self.sink.groups.is_none() {
            self.statistics.records_selected += taken;
        }
        // Both are at most the rows of one batch.
        let (Ok(skipped), Ok(taken)) = (usize::try_from(skipped), usize::try_from(taken)) else {
            return;
        };
        if taken > 0 {
            self.batches.push(batch.slice(skipped, taken));
        }
    }

    fn end_when_complete(&mut self) {
        if self.feed.turns() != Some(self.absorbed) && self.limit_left > 0 {
            return;
        }
        if self.walk.is_some() && self.limit_left > 0 {
            // morsels for which no turn is left are still to come back
            if self.started == self.absorbed {
                self.state = State::Walking(self.walk.take());
            }
            return;
        }
        if self.jobs_running > 0 || !self.jobs.is_empty() || self.sink.has_job() {
            return;
        }
        match self.unchanged() {
            Err(error) => self.end(Err(error)),
            Ok(()) if self.plan.bound().is_streamed() || self.limit_left == 0 => self.end(Ok(())),
            Ok(()) => {
                let (plan, sink) = (self.plan.clone(), Arc::clone(&self.sink));
                let turns = std::mem::take(&mut self.turns);
                let final_stage = FinalStage::new(plan, sink, turns);
                self.state = State::Finishing(Some(Box::new(final_stage)));
            }
        }
    }

    /// Returns whether records are read, or the jobs that they made are done.
    fn is_reading(&self) -> bool {
        matches!(self.state, State::Scanning | State::Walking(_))
    }

    /// Returns a job whose next step may run. If there is none because of an error, the scan ends.
    fn next_job(&mut self) -> Option<Box<GatherJob>> {
        if !self.is_reading() {
            return None;
        }
        if let Some(job) = self.jobs.pop_front() {
            return Some(job);
        }
        match self.sink.job() {
            Ok(job) => job.map(Box::new),
            Err(error) => {
                self.end(Err(error));
                None
            }
        }
    }

    fn run(&self, work: Work) -> Step {
        Step::Run(Morsel { work, cancel: self.cancel.clone() })
    }

    /// Ends the scan if nobody wants it any more, or if the work on this thread is out of time: its
    /// morsels stop before they begin then, so the scan would never end.
    fn end_if_cancelled(&mut self) {
        let is_under_way = !matches!(self.state, State::Ending(_) | State::Ended);
        if is_under_way && (self.cancel.is_raised() || check_wanted().is_err()) {
            self.end(Err(Stopped.into()));
        }
    }

    fn end(&mut self, result: Result<()>) {
        self.cancel.raise();
        match &result {
            // the work is begun again elsewhere, so nothing of this attempt may be given out
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.batches = Batches::new(self.plan.view());
            }
            _ => self.batches.flush(),
        }
        self.state = State::Ending(result);
    }

    /// Checks that the file has not changed since it was opened.
    fn unchanged(&self) -> Result<()> {
        let source = self.plan.source();
        if source.changed()? { Err(source.changed_while_read()) } else { Ok(()) }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.cancel.raise();
    }
}

/// Receives an outcome; a thread of the pool meanwhile runs other work instead of blocking.
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

#[cfg(test)]
mod tests;
