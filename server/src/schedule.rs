//! The scan of a Select: the asynchronous side pulls it, and its morsels run on the pool.
//!
//! After its begin, only [`Batches::next`] asks a scan for its next step. It is called when the
//! writer has taken the batch before. So a slow client holds its own outcomes, at most
//! `morsels_in_flight_max` of them, and no thread. Dropping [`Batches`] drops the scan, which stops
//! its morsels wherever they run. A panic in a job becomes a [`Fault`]; the pool continues.
//!
//! A brief scan runs its first steps on the thread that planned it, because waking another thread
//! takes as long. If these steps take too long, the scan starts again on the pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use sift_select::{
    Morsel, Outcome, Plan, Scan, ScanOptions, ScanStatistics, Step, Waiting, WouldBlock, briefly,
};
use tokio::sync::{Semaphore, mpsc};

use crate::blocking::GivesUp;
use crate::fault::Fault;
use crate::pool::Share;

/// The maximal time of the first steps of a brief scan on the thread that planned it.
const BRIEF_TIME: Duration = Duration::from_millis(5);

/// The batches of one Select, in the order of the file.
#[derive(Debug)]
pub(crate) struct Batches {
    scan: Scan,
    share: Arc<Share>,
    run: Arc<AtomicU64>,
    outcomes_max: usize,
    /// `None` until a morsel was submitted.
    outcomes: Option<Outcomes>,
    /// The last step of the scan that nobody has taken yet.
    ahead: Option<Result<Step, Fault>>,
}

/// The channel on which outcomes come back from the pool.
#[derive(Debug)]
struct Outcomes {
    sender: mpsc::Sender<Result<Outcome, Panicked>>,
    receiver: mpsc::Receiver<Result<Outcome, Panicked>>,
}

#[derive(Debug)]
struct Panicked;

impl Batches {
    /// Starts the scan of `plan`, and runs its first morsels here if it is brief. Other morsels run
    /// in its `share` of the threads. `run` counts the morsels that ran.
    ///
    /// # Errors
    /// `WouldBlock` if it may not wait, and would have to.
    pub(crate) fn begin(
        plan: Plan,
        options: ScanOptions,
        share: Arc<Share>,
        run: Arc<AtomicU64>,
        waiting: Waiting,
    ) -> Result<Self, Fault> {
        let new = |plan, options| Self::new(plan, options, Arc::clone(&share), Arc::clone(&run));
        let mut batches = new(plan.clone(), options.clone());
        let ahead = match batches.scan.is_brief() {
            true => briefly(BRIEF_TIME, || batches.run_alone(waiting)),
            // a scan that could not wait for its access path ends at once
            false if waiting == Waiting::Refused => Some(batches.step()),
            false => return Ok(batches),
        };
        match ahead {
            Some(Err(fault)) if fault.would_block() => return Err(fault),
            Some(step) => batches.ahead = Some(step),
            // a thread that may wait does it without a time limit
            None if waiting == Waiting::Refused => return Err(WouldBlock.into()),
            None => batches = new(plan, options),
        }
        Ok(batches)
    }

    fn new(plan: Plan, options: ScanOptions, share: Arc<Share>, run: Arc<AtomicU64>) -> Self {
        let outcomes_max = options.morsels_in_flight_max.clamp(1, Semaphore::MAX_PERMITS);
        let scan = Scan::new(plan, options);
        Self { scan, share, run, outcomes_max, outcomes: None, ahead: None }
    }

    /// Runs morsels on this thread until there is a batch or the end.
    fn run_alone(&mut self, waiting: Waiting) -> Result<Step, Fault> {
        loop {
            match self.step()? {
                Step::Run(morsel) => {
                    self.run.fetch_add(1, Ordering::Relaxed);
                    guarded(|| self.scan.accept(morsel.run_with(waiting)))?;
                }
                step => return Ok(step),
            }
        }
    }

    fn step(&mut self) -> Result<Step, Fault> {
        guarded(|| self.scan.step())?.map_err(Fault::Select)
    }

    /// Returns the next batch, `None` at the end of the answer. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, Fault> {
        loop {
            let step = self.ahead.take().unwrap_or_else(|| self.step())?;
            match step {
                Step::Run(morsel) => self.submit(morsel),
                Step::Batch(batch) => return Ok(Some(batch)),
                Step::Done => return Ok(None),
                Step::Wait => {
                    let Some(outcomes) = &mut self.outcomes else { return Err(PANIC) };
                    let Some(Ok(outcome)) = outcomes.receiver.recv().await else {
                        return Err(PANIC);
                    };
                    guarded(|| self.scan.accept(outcome))?;
                }
            }
        }
    }

    pub(crate) fn statistics(&self) -> ScanStatistics {
        self.scan.statistics()
    }

    fn submit(&mut self, morsel: Morsel) {
        let outcomes = self.outcomes.get_or_insert_with(|| {
            // the channel has room for all morsels in flight, so a job never waits
            let (sender, receiver) = mpsc::channel(self.outcomes_max);
            Outcomes { sender, receiver }
        });
        let sender = outcomes.sender.clone();
        let run = Arc::clone(&self.run);
        self.share.spawn(move || {
            // if the receiving end was dropped, nobody needs the outcome
            if sender.is_closed() {
                return;
            }
            run.fetch_add(1, Ordering::Relaxed);
            let outcome =
                catch_unwind(AssertUnwindSafe(|| morsel.run())).map_err(|_payload| Panicked);
            let _ = sender.try_send(outcome);
        });
    }
}

pub(crate) const PANIC: Fault = Fault::Internal("the scan panicked");

/// Turns a panic into a fault. Unfinished state is dropped with the scan.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_payload| PANIC)
}

#[cfg(test)]
mod tests {
    use sift_proto::message::Status;

    use super::*;

    #[test]
    fn a_panic_becomes_a_fault() {
        let fault = guarded(|| -> () { panic!("of a test") }).unwrap_err();
        assert_eq!(fault.status(), Status::Internal);
        assert_eq!(guarded(|| 7).unwrap(), 7);
    }
}
