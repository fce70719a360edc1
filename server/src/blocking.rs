//! Runs work that waits for the file system on threads of its own, so that connections do not wait.

use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use sift_select::{Waiting, at_once};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::timeout;

/// Makes a runtime for a server, with a useful number of blocking threads. If there were many more
/// threads than processors, finished threads would keep others from starting, and each takes some
/// megabytes.
///
/// # Errors
/// An error of the operating system.
pub fn runtime() -> io::Result<Runtime> {
    let threads_max = (4 * processors()).max(16);
    Builder::new_multi_thread().max_blocking_threads(threads_max).enable_all().build()
}

/// Returns the number of processors.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The job panicked, so it has no result.
#[derive(Debug, thiserror::Error)]
#[error("a job panicked")]
pub(crate) struct Panicked;

/// An error of work that may be given up because it would have to wait.
pub(crate) trait GivesUp {
    /// Returns whether the work would have to wait. Then it is done again where it may.
    fn would_block(&self) -> bool;
}

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

/// Threads for one purpose, which work for nothing else can occupy.
#[derive(Debug)]
pub(crate) struct Threads {
    /// `None` if the operating system did not let it be made. Then the threads of all are used.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Makes at most `threads_max` threads, when they are needed.
    pub(crate) fn new(threads_max: usize) -> Self {
        // only its blocking threads are used
        let made = Builder::new_current_thread().max_blocking_threads(threads_max.max(1)).build();
        Self { runtime: made.ok() }
    }

    /// Runs `work` as [`blocking`] does.
    pub(crate) async fn run<T, E>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Panicked> + Send + 'static,
    {
        match &self.runtime {
            Some(runtime) => {
                let job = runtime.handle().spawn_blocking(work);
                job.await.unwrap_or_else(|_panicked| Err(Panicked.into()))
            }
            None => blocking(work).await,
        }
    }
}

impl Drop for Threads {
    /// Lets threads that hang in the file system be, because nothing can end them.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs jobs that usually take less time than waking a thread. A job runs on the caller's thread
/// unless it has to wait for the file system. Then it runs on one of few threads, whose memory is
/// probably in the caches of the processors.
#[derive(Debug)]
pub(crate) struct Jobs {
    slots: Arc<Semaphore>,
}

/// The maximal wait for a slot. After it, for example because of a slow disk, the job gets an
/// additional thread.
const SLOT_WAIT_MAX: Duration = Duration::from_millis(20);

impl Jobs {
    pub(crate) fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(processors())) }
    }

    /// Runs `work`, on this thread if it is [`brief`](Length::Brief) and need not wait. It may be
    /// started twice.
    pub(crate) async fn run<T, E>(
        &self,
        length: Length,
        work: impl Fn(Waiting) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Panicked> + GivesUp + Send + 'static,
    {
        if length == Length::Brief {
            match catch_unwind(AssertUnwindSafe(|| at_once(&work))) {
                Err(_panic) => return Err(Panicked.into()),
                // it took too long
                Ok(None) => {}
                Ok(Some(Err(error))) if error.would_block() => {}
                Ok(Some(done)) => return done,
            }
        }
        let slot = timeout(SLOT_WAIT_MAX, Arc::clone(&self.slots).acquire_owned()).await;
        blocking(move || {
            // the slot is released after the job, even if nobody waits for its result any more
            let _slot = slot;
            work(Waiting::Allowed)
        })
        .await
    }
}

/// The time that a job takes if it need not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// The job is so short that other connections can wait for it.
    Brief,
    Unknown,
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Failure {
        Panicked,
        WouldBlock,
    }

    impl From<Panicked> for Failure {
        fn from(_panicked: Panicked) -> Self {
            Self::Panicked
        }
    }

    impl GivesUp for Failure {
        fn would_block(&self) -> bool {
            *self == Self::WouldBlock
        }
    }

    fn run<T: Send + 'static>(
        length: Length,
        work: impl Fn(Waiting) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        runtime().unwrap().block_on(Jobs::new().run(length, work))
    }

    #[test]
    fn a_panic_is_an_error() {
        for length in [Length::Brief, Length::Unknown] {
            let panicked = run(length, |_| -> Result<(), _> { panic!("of a test") });
            assert_eq!(panicked, Err(Failure::Panicked));
        }
    }

    #[test]
    fn threads_of_their_own_are_free_when_all_others_are_busy() {
        let runtime = runtime().unwrap();
        let (threads, end) = (Threads::new(1), Arc::new(Barrier::new(101)));
        runtime.block_on(async {
            for _ in 0..100 {
                let end = Arc::clone(&end);
                drop(start_blocking(move || Ok::<_, Failure>(end.wait())));
            }
            assert_eq!(threads.run(|| Ok::<_, Failure>(7)).await, Ok(7));
            let panicked = threads.run(|| -> Result<(), _> { panic!("of a test") }).await;
            assert_eq!(panicked, Err(Failure::Panicked));
        });
        drop(threads);
        // the others wait for ever
        runtime.shutdown_background();
    }

    #[test]
    fn a_job_that_has_to_wait_does_so_on_another_thread() {
        let here = std::thread::current().id();
        let thread = |waits: bool| {
            run(Length::Brief, move |waiting| match waiting {
                Waiting::Refused if waits => Err(Failure::WouldBlock),
                _ => Ok(std::thread::current().id()),
            })
        };
        assert_eq!(thread(false), Ok(here));
        assert_ne!(thread(true).unwrap(), here);
    }

    #[test]
    fn jobs_that_wait_for_one_another_all_get_a_thread() {
        let count = 2 * processors() + 2;
        let (jobs, all) = (Arc::new(Jobs::new()), Arc::new(Barrier::new(count)));
        runtime().unwrap().block_on(async {
            let waiting: Vec<_> = (0..count)
                .map(|_| {
                    let (jobs, all) = (Arc::clone(&jobs), Arc::clone(&all));
                    let job = move |_| Ok::<_, Failure>(all.wait());
                    tokio::spawn(async move { jobs.run(Length::Unknown, job).await.map(drop) })
                })
                .collect();
            for job in waiting {
                job.await.unwrap().unwrap();
            }
        });
    }
}
