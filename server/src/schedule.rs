//! The scan of a Select: the asynchronous side pulls it, and its morsels run on the pool.
//!
//! After its begin, only [`Batches::next`] asks a scan for its next step. It is called when the
//! writer has taken the batch before. So a slow client holds its own outcomes, at most
//! `morsels_in_flight_max` of them, and no thread. It holds fewer while it has read little, and
//! while the memory for answers is short. Dropping [`Batches`] drops the scan, which stops
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
use tokio::time::timeout;

use crate::blocking::GivesUp;
use crate::fault::Fault;
use crate::memory::{AnswerBytes, Room, UserMemory};
use crate::pool::{self, Share};
use crate::sessions::Progress;

/// The maximal time of the first steps of a brief scan on the thread that planned it.
const BRIEF_TIME: Duration = Duration::from_millis(5);

/// The most morsels and batches under way at first: an answer that nobody reads must not take more.
const AHEAD_FIRST: usize = 2;

/// The batches of one Select, in the order of the file.
#[derive(Debug)]
pub(crate) struct Batches {
    scan: Scan,
    resources: Resources,
    memory: AnswerBytes,
    /// The most morsels and batches under way: few until the client has read some.
    ahead_max: usize,
    outcomes_max: usize,
    /// `None` until a morsel was submitted.
    outcomes: Option<Outcomes>,
    /// The last step of the scan that nobody has taken yet.
    ahead: Option<Result<Step, Fault>>,
    /// The counters in which others see how far the scan is.
    progress: Option<Arc<Progress>>,
}

/// The share of threads and memory that a Select may use.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    pub(crate) share: Arc<Share>,
    pub(crate) memory: Arc<UserMemory>,
    /// The maximal wait for memory.
    pub(crate) queue_time: Duration,
    /// Counts the morsels that ran.
    pub(crate) run: Arc<AtomicU64>,
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
    /// in the share of the Select.
    ///
    /// # Errors
    /// `WouldBlock` if it may not wait, and would have to.
    pub(crate) fn begin(
        plan: Plan,
        options: ScanOptions,
        resources: Resources,
        waiting: Waiting,
    ) -> Result<Self, Fault> {
        let mut batches = Self::new(plan.clone(), options.clone(), resources.clone());
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
            None => batches = Self::new(plan, options, resources),
        }
        Ok(batches)
    }

    fn new(plan: Plan, options: ScanOptions, resources: Resources) -> Self {
        let outcomes_max = options.morsels_in_flight_max.clamp(1, Semaphore::MAX_PERMITS);
        let scan = Scan::new(plan, options);
        let memory = AnswerBytes::new(Arc::clone(&resources.memory));
        let ahead_max = AHEAD_FIRST;
        Self {
            scan,
            resources,
            memory,
            ahead_max,
            outcomes_max,
            outcomes: None,
            ahead: None,
            progress: None,
        }
    }

    /// Runs morsels on this thread until there is a batch or the end.
    fn run_alone(&mut self, waiting: Waiting) -> Result<Step, Fault> {
        loop {
            match self.step()? {
                Step::Run(morsel) => {
                    self.resources.run.fetch_add(1, Ordering::Relaxed);
                    guarded(|| self.scan.accept(morsel.run_with(waiting)))?;
                }
                step => return Ok(step),
            }
        }
    }

    fn step(&mut self) -> Result<Step, Fault> {
        guarded(|| self.scan.step())?.map_err(Fault::Select)
    }

    /// Returns whether [`next`](Self::next) has something to do before more of the `unsent`
    /// batches, which were taken before, have been sent.
    pub(crate) fn goes_on(&self, unsent: usize) -> bool {
        self.scan.holds_some() || unsent == 0 || self.room(unsent) > 0
    }

    /// Notes that the client takes the batches.
    pub(crate) fn sent(&mut self) {
        self.ahead_max = self.ahead_max.saturating_add(1);
    }

    /// Returns the next batch, `None` at the end of the answer. Batches that were taken before may
    /// be `unsent`. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self, unsent: usize) -> Result<Option<RecordBatch>, Fault> {
        loop {
            let step = match self.ahead.take() {
                Some(step) => step?,
                None => {
                    // what gathers keeps its memory to its end: if some waited for each other
                    // meanwhile, none would end
                    let may_wait = !(self.scan.gathers() && self.memory.has_begun());
                    if may_wait && unsent == 0 && !self.scan.holds_some() {
                        has_memory(&self.memory, self.resources.queue_time).await?;
                    }
                    // what holds nothing would wait for nothing
                    let least = usize::from(!self.scan.holds_some());
                    self.scan.set_morsels_in_flight_max(self.room(unsent).max(least));
                    self.step()?
                }
            };
            self.memory.set(self.scan.memory_bytes());
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
                    if let Some(progress) = &self.progress {
                        progress.set(self.scan.statistics().bytes_scanned);
                    }
                }
            }
        }
    }

    /// Returns how many morsels may be under way beside the batches that are not sent yet.
    fn room(&self, unsent: usize) -> usize {
        let room = match self.memory.room() {
            Room::Many => self.ahead_max.min(self.outcomes_max + pool::threads()),
            Room::One => 1,
            Room::None => 0,
        };
        room.saturating_sub(unsent).min(self.outcomes_max)
    }

    /// Lets others see from now on how far the scan is.
    pub(crate) fn tell(&mut self, progress: Arc<Progress>) {
        self.progress = Some(progress);
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
        let run = Arc::clone(&self.resources.run);
        self.resources.share.spawn(move || {
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

/// Waits until there is memory for another morsel.
async fn has_memory(memory: &AnswerBytes, queue_time: Duration) -> Result<(), Fault> {
    let waited = timeout(queue_time, memory.has_room()).await;
    waited.map_err(|_elapsed| Fault::MemoryFull { seconds: queue_time.as_secs() })
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
