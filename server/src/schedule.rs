//! The only file that joins tokio to rayon: a scan is pulled from the asynchronous side, its
//! morsels run on the pool.
//!
//! Only [`Batches::next`] asks the scan for its next step, and it is called when the writer has
//! taken the batch before. So a slow client holds its own outcomes, at most
//! `morsels_in_flight_max` of them, and no thread. Dropping [`Batches`] drops the scan, and morsels
//! that have not started end at once. A panic in a job becomes a [`Fault`]; the pool goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;
use sift_select::{Morsel, Outcome, Plan, Scan, ScanOptions, Statistics, Step};
use tokio::sync::{Semaphore, mpsc};

use crate::fault::Fault;

/// Threads of the pool that all Selects share.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// The batches of one Select, in the file's order.
#[derive(Debug)]
pub(crate) struct Batches {
    scan: Scan,
    run: Arc<AtomicU64>,
    sender: mpsc::Sender<Result<Outcome, Panicked>>,
    outcomes: mpsc::Receiver<Result<Outcome, Panicked>>,
}

#[derive(Debug)]
struct Panicked;

impl Batches {
    /// The scan of `plan`. `run` counts the morsels that ran.
    pub(crate) fn new(plan: Plan, options: ScanOptions, run: Arc<AtomicU64>) -> Self {
        // room for all that can be out at once: a job never waits
        let (sender, outcomes) =
            mpsc::channel(options.morsels_in_flight_max.clamp(1, Semaphore::MAX_PERMITS));
        Self { scan: Scan::new(plan, options), run, sender, outcomes }
    }

    /// The next batch, `None` at the end of the answer. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, Fault> {
        loop {
            match guarded(|| self.scan.step())?? {
                Step::Run(morsel) => self.submit(morsel),
                Step::Batch(batch) => return Ok(Some(batch)),
                Step::Done => return Ok(None),
                Step::Wait => {
                    let Some(Ok(outcome)) = self.outcomes.recv().await else { return Err(PANIC) };
                    guarded(|| self.scan.accept(outcome))?;
                }
            }
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.scan.statistics()
    }

    fn submit(&self, morsel: Morsel) {
        let sender = self.sender.clone();
        let run = Arc::clone(&self.run);
        rayon::spawn(move || {
            // whoever dropped the receiving end wants no outcome, and no work
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

const PANIC: Fault = Fault::Internal("the scan panicked");

/// A panic as a fault. What it left half done is dropped with the scan.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
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
