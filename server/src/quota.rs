//! The requests of one user that are answered at once. More wait, in the order in which they came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::limits::Limits;

/// The quotas of the users who have connections.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<HashMap<Arc<str>, Entry>>);

#[derive(Debug)]
struct Entry {
    /// The places; all connections of the user hold them.
    places: Weak<Semaphore>,
    /// The number of places, also of those that are taken.
    max: usize,
}

/// The places of one user for requests.
#[derive(Clone, Debug)]
pub(crate) struct Quota(Arc<Semaphore>);

impl Quotas {
    /// Returns the quota of a user. A `max` other than before applies to all connections of the
    /// user; places that are taken then are given up as they become free.
    pub(crate) fn of(&self, user: &str, max: usize) -> Quota {
        let max = max.min(Semaphore::MAX_PERMITS);
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(user)
            && let Some(places) = entry.places.upgrade()
        {
            match max.checked_sub(entry.max) {
                Some(more) => {
                    places.add_permits(more);
                    entry.max = max;
                }
                None => entry.max -= places.forget_permits(entry.max - max),
            }
            return Quota(places);
        }
        entries.retain(|_, entry| entry.places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(max));
        entries.insert(user.into(), Entry { places: Arc::downgrade(&places), max });
        Quota(places)
    }
}

impl Quota {
    /// Waits for a place. The place is free again when the result is dropped.
    ///
    /// # Errors
    /// `Queued` after the time to wait.
    pub(crate) async fn place(&self, limits: &Limits) -> Result<OwnedSemaphorePermit, Fault> {
        let place = timeout(limits.queue_time, Arc::clone(&self.0).acquire_owned()).await;
        // nobody closes the semaphore
        place.ok().and_then(Result::ok).ok_or(Fault::Queued {
            requests: limits.queries_per_user_max.get(),
            seconds: limits.queue_time.as_secs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sift_proto::message::Status;

    use super::*;

    fn limits() -> Limits {
        Limits { queue_time: Duration::from_millis(20), ..Limits::default() }
    }

    #[tokio::test]
    async fn a_request_beyond_the_quota_waits_and_another_user_does_not() {
        let (quotas, limits) = (Quotas::default(), limits());
        let (one, again, other) = (quotas.of("one", 2), quotas.of("one", 2), quotas.of("other", 2));
        let first = one.place(&limits).await.unwrap();
        let _second = again.place(&limits).await.unwrap();
        let fault = one.place(&limits).await.unwrap_err();
        assert_eq!((fault.status(), fault.is_fatal()), (Status::ServerBusy, false));
        let _other = other.place(&limits).await.unwrap();
        let waiting = tokio::spawn({
            let limits = Limits { queue_time: Duration::MAX, ..limits.clone() };
            async move { again.place(&limits).await.map(drop) }
        });
        drop(first);
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn another_number_of_places_holds_for_all_connections() {
        let (quotas, limits) = (Quotas::default(), limits());
        let one = quotas.of("one", 1);
        let held = one.place(&limits).await.unwrap();
        assert!(one.place(&limits).await.is_err());
        quotas.of("one", 3);
        let more = (one.place(&limits).await.unwrap(), one.place(&limits).await.unwrap());
        // the places that are taken cannot be given up yet
        quotas.of("one", 1);
        drop((held, more));
        quotas.of("one", 1);
        let _held = one.place(&limits).await.unwrap();
        assert!(one.place(&limits).await.is_err());
    }

    #[test]
    fn a_user_without_connections_is_forgotten() {
        let quotas = Quotas::default();
        for user in 0..100 {
            quotas.of(&user.to_string(), 1);
        }
        assert_eq!(quotas.0.lock().unwrap().len(), 1);
    }
}
