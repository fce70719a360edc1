//! The server's time for one Select, and what ends its work.
//!
//! Counted is the time that a client waits for the server: planning, opening files included, and then
//! for each batch as long as it is not there. What the client takes to read the answer is not
//! counted; that has a bound of its own for each wait.

use std::time::{Duration, Instant};

use sift_select::Cancel;
use tokio::time::timeout;

use crate::fault::Fault;

/// What one Select may still take. Dropping it ends the work.
#[derive(Debug)]
pub(crate) struct Work {
    max: Duration,
    left: Duration,
    cancel: Cancel,
}

impl Work {
    /// Work that may take so long altogether.
    pub(crate) fn new(max: Duration) -> Self {
        Self { max, left: max, cancel: Cancel::default() }
    }

    /// What ends it.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Waits for a part of the work, as long as there is time.
    pub(crate) async fn within<T>(
        &mut self,
        part: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let started = Instant::now();
        let done = timeout(self.left, part).await;
        self.left = self.left.saturating_sub(started.elapsed());
        done.unwrap_or_else(|_elapsed| {
            self.cancel.raise();
            Err(Fault::OutOfTime { seconds: self.max.as_secs() })
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.cancel.raise();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use sift_proto::message::Status;

    use super::*;

    #[tokio::test]
    async fn work_ends_in_time_or_with_whoever_wants_it() {
        let mut work = Work::new(Duration::from_millis(20));
        assert_eq!(work.within(ready(Ok(7))).await.unwrap(), 7);
        let fault = work.within(pending::<Result<(), Fault>>()).await.unwrap_err();
        assert_eq!(fault.status(), Status::LimitExceeded);
        assert!(work.cancel().is_raised());
        // what is there needs no time
        assert_eq!(work.within(ready(Ok(7))).await.unwrap(), 7);
        let work = Work::new(Duration::MAX);
        let cancel = work.cancel().clone();
        assert!(!cancel.is_raised());
        drop(work);
        assert!(cancel.is_raised());
    }
}
