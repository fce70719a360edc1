//! The time limit of one Select, and the flag that stops its work.
//!
//! The counted time is the time in which the client waits for the server: for planning, including
//! opening the files, and then for each batch. The time in which the client reads the answer is not
//! counted. It has its own limit for each wait.

use std::time::{Duration, Instant};

use sift_select::Cancel;
use tokio::time::timeout;

use crate::fault::Fault;

/// The remaining time of one Select. Dropping it stops the work.
#[derive(Debug)]
pub(crate) struct TimeLimit {
    max: Duration,
    left: Duration,
    cancel: Cancel,
}

impl TimeLimit {
    /// Starts the time limit: the work may take `max` altogether.
    pub(crate) fn new(max: Duration) -> Self {
        Self { max, left: max, cancel: Cancel::default() }
    }

    /// Lets the work take `max` altogether, if that is shorter.
    pub(crate) fn shorten(&mut self, max: Duration) {
        self.left = self.left.saturating_sub(self.max.saturating_sub(max));
        self.max = self.max.min(max);
    }

    /// Returns the flag that stops the work.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Waits for a part of the work while there is time left.
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

impl Drop for TimeLimit {
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
        let mut limit = TimeLimit::new(Duration::from_millis(20));
        assert_eq!(limit.within(ready(Ok(7))).await.unwrap(), 7);
        let fault = limit.within(pending::<Result<(), Fault>>()).await.unwrap_err();
        assert_eq!(fault.status(), Status::LimitExceeded);
        assert!(limit.cancel().is_raised());
        // a result that is already there needs no time
        assert_eq!(limit.within(ready(Ok(7))).await.unwrap(), 7);
        let mut limit = TimeLimit::new(Duration::from_secs(60));
        limit.shorten(Duration::from_secs(90));
        assert_eq!((limit.max, limit.left), (Duration::from_secs(60), Duration::from_secs(60)));
        limit.left = Duration::from_secs(50);
        limit.shorten(Duration::from_secs(20));
        // ten seconds are over
        assert_eq!((limit.max, limit.left), (Duration::from_secs(20), Duration::from_secs(10)));
        let cancel = limit.cancel().clone();
        assert!(!cancel.is_raised());
        drop(limit);
        assert!(cancel.is_raised());
    }
}
