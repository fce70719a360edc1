//! Tells whether a server still moves: its listeners, and the threads of its Selects.
//!
//! A listener moves if it answers a question until the next one, also while it waits for clients.
//! The threads of a lane move if one of their jobs ends while others wait. So a server that is only
//! busy always moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::pool::{Pool, Progress};

/// The question to all listeners of a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<Question>);

#[derive(Debug, Default)]
struct Question {
    asked: watch::Sender<()>,
    answers: AtomicUsize,
    /// True if a listener has panicked. It takes no connections any more.
    has_panicked: AtomicBool,
}

/// A listener's side of the question.
#[derive(Debug)]
pub(crate) struct Beat {
    asked: watch::Receiver<()>,
    question: Arc<Question>,
}

impl Pulse {
    /// Adds a listener until the result is dropped.
    pub(crate) fn listener(&self) -> Beat {
        Beat { asked: self.0.asked.subscribe(), question: Arc::clone(&self.0) }
    }
}

impl Beat {
    /// Waits for the next question, and answers it. Dropping the future loses nothing.
    pub(crate) async fn answer(&mut self) {
        match self.asked.changed().await {
            Ok(()) => {
                self.question.answers.fetch_add(1, Ordering::Relaxed);
            }
            // this side holds the question, so its sender is never dropped
            Err(_dropped) => std::future::pending().await,
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.question.has_panicked.store(true, Ordering::Relaxed);
        } else if self.asked.has_changed().unwrap_or_default() {
            // nobody waits for the answer of a listener that is closed
            self.question.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells whether a server has moved since it was last asked.
#[derive(Debug)]
pub struct Watchdog {
    pulse: Pulse,
    pool: Pool,
    /// The number of listeners that were asked.
    asked: usize,
    progress: Progress,
}

/// The part of a server that does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stalled {
    /// A listener does not answer, or it has panicked.
    #[error("a listener accepts no connections")]
    Listener,
    /// All threads for the work of Selects are in a job that has not ended.
    #[error("no job of the Selects ends, and others wait")]
    Selects,
}

impl Watchdog {
    pub(crate) fn new(pulse: Pulse, pool: Pool) -> Self {
        let progress = pool.progress();
        Self { pulse, pool, asked: 0, progress }
    }

    /// Checks what has happened since the last call. The time between two calls is what a listener
    /// and a job may take at most.
    ///
    /// # Errors
    /// The part of the server that has not moved.
    pub fn check(&mut self) -> Result<(), Stalled> {
        let Question { asked, answers, has_panicked } = &*self.pulse.0;
        let have_answered = answers.swap(0, Ordering::Relaxed) >= self.asked;
        self.asked = asked.receiver_count();
        asked.send_replace(());
        let before = std::mem::replace(&mut self.progress, self.pool.progress());
        if !have_answered || has_panicked.load(Ordering::Relaxed) {
            return Err(Stalled::Listener);
        }
        if self.progress.has_stalled_since(&before) { Err(Stalled::Selects) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn watchdog(pulse: &Pulse) -> Watchdog {
        Watchdog::new(pulse.clone(), Pool::new(usize::MAX))
    }

    #[tokio::test]
    async fn listeners_move_while_they_answer() {
        let pulse = Pulse::default();
        let mut watchdog = watchdog(&pulse);
        assert_eq!(watchdog.check(), Ok(()));
        let (mut one, mut two) = (pulse.listener(), pulse.listener());
        // they have not been asked yet
        assert_eq!(watchdog.check(), Ok(()));
        one.answer().await;
        assert_eq!(watchdog.check(), Err(Stalled::Listener));
        one.answer().await;
        two.answer().await;
        assert_eq!(watchdog.check(), Ok(()));
        // a listener that is closed is not missed, and a new one is not asked for an old answer
        drop(two);
        let mut three = pulse.listener();
        one.answer().await;
        assert_eq!(watchdog.check(), Ok(()));
        one.answer().await;
        three.answer().await;
        assert_eq!(watchdog.check(), Ok(()));
    }

    #[tokio::test]
    async fn nobody_answers_twice() {
        let pulse = Pulse::default();
        let mut watchdog = watchdog(&pulse);
        let mut beat = pulse.listener();
        assert_eq!(watchdog.check(), Ok(()));
        beat.answer().await;
        let again = tokio::time::timeout(Duration::from_millis(1), beat.answer()).await;
        assert!(again.is_err());
    }

    #[tokio::test]
    async fn a_listener_that_panics_is_missed_for_ever() {
        let pulse = Pulse::default();
        let mut watchdog = watchdog(&pulse);
        let beat = pulse.listener();
        let listener = tokio::spawn(async move {
            let _beat = beat;
            panic!("of a test");
        });
        assert!(listener.await.unwrap_err().is_panic());
        for _ in 0..2 {
            assert_eq!(watchdog.check(), Err(Stalled::Listener));
        }
    }

    #[test]
    fn a_lane_in_which_no_job_ends_does_not_move() {
        let pool = Pool::new(1);
        let mut watchdog = Watchdog::new(Pulse::default(), pool.clone());
        let share = pool.share("ann");
        let (begun, has_begun) = mpsc::channel();
        // one job runs, and one waits
        let ends = [(); 2].map(|()| {
            let (end, ended) = mpsc::channel::<()>();
            let begun = begun.clone();
            share.spawn(move || {
                begun.send(()).unwrap();
                ended.recv().unwrap();
            });
            end
        });
        has_begun.recv().unwrap();
        assert_eq!(watchdog.check(), Ok(()));
        assert_eq!(watchdog.check(), Err(Stalled::Selects));
        ends[0].send(()).unwrap();
        has_begun.recv().unwrap();
        // the last job runs, and nothing waits for it
        for _ in 0..2 {
            assert_eq!(watchdog.check(), Ok(()));
        }
        ends[1].send(()).unwrap();
    }
}
