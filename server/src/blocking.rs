//! Work that waits for the file system, beside the connections.

use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use sift_select::at_once;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::timeout;

/// A runtime for a server, with as many threads beside the connections as are of use. Where there are many
/// more than processors, those that have done their work keep the others from beginning theirs, and
/// each holds some megabytes.
///
/// # Errors
/// Those of the operating system.
pub fn runtime() -> io::Result<Runtime> {
    let threads_max = (4 * processors()).max(16);
    Builder::new_multi_thread().max_blocking_threads(threads_max).enable_all().build()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A job that panicked has no result.
#[derive(Debug, thiserror::Error)]
#[error("a job panicked")]
pub(crate) struct Panicked;

/// Runs `work` on a thread that may wait for the file system.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Panicked> + Send + 'static,
{
    start_blocking(work).await
}

/// Starts `work` now, on a thread that may wait for the file system; the future is its result.
pub(crate) fn start_blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> impl Future<Output = Result<T, E>>
where
    T: Send + 'static,
    E: From<Panicked> + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "all callers open or read files")]
    let job = task::spawn_blocking(work);
    async { job.await.unwrap_or_else(|_panicked| Err(Panicked.into())) }
}

/// Jobs that most often take less time than waking a thread: they run where they are asked for as long as they
/// need not wait for the file system, others on few threads, whose memory is in the caches of the
/// processors then.
#[derive(Debug)]
pub(crate) struct Jobs {
    slots: Arc<Semaphore>,
}

/// A job that has waited so long for others, behind a slow disk, gets a thread more.
const SLOT_WAIT_MAX: Duration = Duration::from_millis(20);

impl Jobs {
    pub(crate) fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(processors())) }
    }

    /// Runs `work`: here if it is [`brief`](Length::Brief) and need not wait. It may be begun twice.
    pub(crate) async fn run<T, E>(
        &self,
        length: Length,
        work: impl Fn() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Panicked> + Send + 'static,
    {
        // one that panics may do so for want of what it could not wait for
        if length == Length::Brief
            && let Ok(Some(done)) = catch_unwind(AssertUnwindSafe(|| at_once(&work)))
        {
            return done;
        }
        let slot = timeout(SLOT_WAIT_MAX, Arc::clone(&self.slots).acquire_owned()).await;
        blocking(move || {
            // given back when the job has ended, whatever has become of who asked for it
            let _slot = slot;
            work()
        })
        .await
    }
}

/// How long a job may take if it need not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// No longer than other connections can wait.
    Brief,
    Unknown,
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use sift_select::may_wait;

    use super::*;

    fn run<T: Send + 'static>(
        length: Length,
        work: impl Fn() -> Result<T, Panicked> + Send + 'static,
    ) -> Result<T, Panicked> {
        runtime().unwrap().block_on(Jobs::new().run(length, work))
    }

    #[test]
    fn a_panic_is_an_error() {
        for length in [Length::Brief, Length::Unknown] {
            let panicked = run(length, || -> Result<(), _> { panic!("of a test") });
            assert!(matches!(panicked, Err(Panicked)));
        }
    }

    #[test]
    fn a_job_that_has_to_wait_does_so_on_another_thread() {
        let here = std::thread::current().id();
        let thread = |waits: bool| {
            run(Length::Brief, move || Ok(((!waits || may_wait()), std::thread::current().id())))
        };
        assert_eq!(thread(false).unwrap(), (true, here));
        let (may_wait, there) = thread(true).unwrap();
        assert!(may_wait);
        assert_ne!(there, here);
    }

    #[test]
    fn jobs_that_wait_for_one_another_all_get_a_thread() {
        let count = 2 * processors() + 2;
        let (jobs, all) = (Arc::new(Jobs::new()), Arc::new(Barrier::new(count)));
        runtime().unwrap().block_on(async {
            let waiting: Vec<_> = (0..count)
                .map(|_| {
                    let (jobs, all) = (Arc::clone(&jobs), Arc::clone(&all));
                    let job = move || Ok::<_, Panicked>(all.wait());
                    tokio::spawn(async move { jobs.run(Length::Unknown, job).await.map(drop) })
                })
                .collect();
            for job in waiting {
                job.await.unwrap().unwrap();
            }
        });
    }
}
