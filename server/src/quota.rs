//! The quotas of users: the requests that are answered at once, and the memory of their answers.
//! More requests wait, in the order in which they came.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::limits::Limits;
use crate::memory::{AnswerMemory, UserMemory};

/// The quotas of the users who have connections.
#[derive(Debug)]
pub(crate) struct Quotas {
    memory: Arc<AnswerMemory>,
    entries: Mutex<HashMap<Arc<str>, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// The quota; all connections of the user hold it.
    quota: Weak<Parts>,
    /// The number of places, without those that are given up when they become free.
    max: usize,
}

/// The quota of one user.
#[derive(Clone, Debug)]
pub(crate) struct Quota(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    places: Arc<Semaphore>,
    /// The number of taken places that are given up when they become free.
    owed: AtomicUsize,
    memory: Arc<UserMemory>,
}

/// The place of a request, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    parts: Arc<Parts>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Quotas {
    /// Makes quotas of users who share `memory` for their answers.
    pub(crate) fn new(memory: Arc<AnswerMemory>) -> Self {
        Self { memory, entries: Mutex::default() }
    }

    /// Returns the quota of a user. A `max` other than before applies to all connections of the
    /// user; places that are taken then are given up as they become free.
    pub(crate) fn of(&self, user: &str, max: usize) -> Quota {
        let max = max.min(Semaphore::MAX_PERMITS);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(user)
            && let Some(parts) = entry.quota.upgrade()
        {
            match max.checked_sub(entry.max) {
                Some(more) => {
                    let kept = parts.owe_less(more);
                    parts.places.add_permits(more - kept);
                }
                None => {
                    let less = entry.max - max;
                    let owed = less - parts.places.forget_permits(less);
                    parts.owed.fetch_add(owed, Ordering::Relaxed);
                }
            }
            entry.max = max;
            return Quota(parts);
        }
        entries.retain(|_, entry| entry.quota.strong_count() > 0);
        let places = Arc::new(Semaphore::new(max));
        let memory = Arc::new(UserMemory::new(Arc::clone(&self.memory)));
        let parts = Arc::new(Parts { places, owed: AtomicUsize::new(0), memory });
        entries.insert(user.into(), Entry { quota: Arc::downgrade(&parts), max });
        Quota(parts)
    }
}

impl Quota {
    /// Returns the memory for the answers of the user.
    pub(crate) fn memory(&self) -> &Arc<UserMemory> {
        &self.0.memory
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// `Queued` after the time to wait.
    pub(crate) async fn place(&self, limits: &Limits) -> Result<Place, Fault> {
        let permit = timeout(limits.queue_time, Arc::clone(&self.0.places).acquire_owned()).await;
        // nobody closes the semaphore
        match permit.ok().and_then(Result::ok) {
            Some(permit) => Ok(Place { parts: Arc::clone(&self.0), permit: Some(permit) }),
            None => Err(Fault::Queued {
                requests: limits.queries_per_user_max.get(),
                seconds: limits.queue_time.as_secs(),
            }),
        }
    }
}

impl Parts {
    /// Gives up at most so many places less. Returns how many fewer they are.
    fn owe_less(&self, less: usize) -> usize {
        let lowered = |owed: usize| Some(owed.saturating_sub(less));
        let before = self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lowered);
        before.unwrap_or(0).min(less)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take()
            && self.parts.owe_less(1) == 1
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sift_proto::message::Status;

    use super::*;

    fn quotas() -> Quotas {
        Quotas::new(Arc::new(AnswerMemory::new(1 << 20)))
    }

    fn limits() -> Limits {
        Limits { queue_time: Duration::from_millis(20), ..Limits::default() }
    }

    #[tokio::test]
    async fn a_request_beyond_the_quota_waits_and_another_user_does_not() {
        let (quotas, limits) = (quotas(), limits());
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
        let (quotas, limits) = (quotas(), limits());
        let one = quotas.of("one", 1);
        let held = one.place(&limits).await.unwrap();
        assert!(one.place(&limits).await.is_err());
        quotas.of("one", 3);
        let more = (one.place(&limits).await.unwrap(), one.place(&limits).await.unwrap());
        // the places that are taken are given up as they become free
        quotas.of("one", 1);
        drop((held, more));
        let _held = one.place(&limits).await.unwrap();
        assert!(one.place(&limits).await.is_err());
    }

    #[test]
    fn a_user_without_connections_is_forgotten() {
        let quotas = quotas();
        for user in 0..100 {
            quotas.of(&user.to_string(), 1);
        }
        assert_eq!(quotas.entries.lock().unwrap().len(), 1);
    }
}
