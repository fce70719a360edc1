//! Work that waits for the file system, beside the connections.

use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::timeout;

use crate::fault::Fault;

/// A runtime for a server, with as many threads beside the connections as are of use. Where there are many
/// more than processors, those that have done their work keep the others from beginning theirs, and
/// each holds some megabytes.
///
/// # Errors
/// Those of the operating system.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().max_blocking_threads(threads_max()).enable_all().build()
}

/// Beside those of the connections.
fn threads_max() -> usize {
    (4 * processors()).max(16)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

const PANIC: Fault = Fault::Internal("a job panicked");

/// Runs `work` on a thread that may wait for the file system.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    start_blocking(work).await
}

/// As [`blocking`]; the work starts now, not when it is waited for.
pub(crate) fn start_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> impl Future<Output = Result<T, Fault>> {
    let under_way = UnderWay::new();
    #[expect(clippy::disallowed_methods, reason = "all callers open or read files")]
    let job = task::spawn_blocking(move || {
        let _under_way = under_way;
        work()
    });
    async { job.await.unwrap_or(Err(PANIC)) }
}

/// Jobs on threads of their own that have not ended, those that wait for a thread included.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Counted as one of them.
struct UnderWay;

impl UnderWay {
    fn new() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Jobs that most often take less time than waking a thread: where few are under way they run where they
/// are asked for, others on few threads, whose memory is in the caches of the processors then. While one runs
/// where it was asked for its client is not heard.
#[derive(Debug)]
pub(crate) struct Jobs {
    here: Semaphore,
    elsewhere: Arc<Semaphore>,
}

/// Places for jobs that run where they are asked for.
const HERE_PER_PROCESSOR: usize = 2;

/// A job that has waited so long for others, behind a slow disk, gets a thread more.
const TURN_TIME_MAX: Duration = Duration::from_millis(20);

impl Jobs {
    pub(crate) fn new() -> Self {
        let processors = processors();
        Self {
            here: Semaphore::new(HERE_PER_PROCESSOR * processors),
            elsewhere: Arc::new(Semaphore::new(processors)),
        }
    }

    /// Runs `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        // the runtime goes on with the connections on another thread meanwhile, so one has to be left
        let others_max = threads_max() - HERE_PER_PROCESSOR * processors();
        let has_threads = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
            && UNDER_WAY.load(Ordering::Relaxed) <= others_max;
        if has_threads && let Ok(_place) = self.here.try_acquire() {
            return task::block_in_place(|| {
                catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(PANIC))
            });
        }
        let turn = timeout(TURN_TIME_MAX, Arc::clone(&self.elsewhere).acquire_owned()).await;
        blocking(move || {
            // given back when the job has ended, whatever has become of who asked for it
            let _turn = turn;
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_panic_is_a_fault_on_every_runtime() {
        for runtime in
            [runtime().unwrap(), Builder::new_current_thread().enable_all().build().unwrap()]
        {
            let panicked =
                runtime.block_on(Jobs::new().run(|| -> Result<(), _> { panic!("of a test") }));
            assert!(matches!(panicked, Err(Fault::Internal(_))));
        }
    }

    #[test]
    fn jobs_that_wait_for_one_another_all_get_a_thread() {
        let count = 2 * processors() + 2;
        let (jobs, all) = (Arc::new(Jobs::new()), Arc::new(Barrier::new(count)));
        runtime().unwrap().block_on(async {
            let waiting: Vec<_> = (0..count)
                .map(|_| {
                    let (jobs, all) = (Arc::clone(&jobs), Arc::clone(&all));
                    let job = move || Ok(all.wait());
                    tokio::spawn(async move { jobs.run(job).await.map(drop) })
                })
                .collect();
            for job in waiting {
                job.await.unwrap().unwrap();
            }
        });
    }
}
