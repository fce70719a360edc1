//! Bounds on what happens at once: one for all together, and a smaller one for each user or
//! address.
//!
//! A waiter gets the permit of its own key first, then one of all. So the many waiters of one key
//! hold as many permits as one key may, and all others pass them by. Both queues are first in,
//! first out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits of which all keys together, and each key, have a number at most.
#[derive(Debug)]
pub(crate) struct Permits<K> {
    all: Arc<Semaphore>,
    all_max: AtomicUsize,
    /// The permits that are still taken, and are to be given up because the number was lowered.
    owed: AtomicUsize,
    each_max: AtomicUsize,
    keys: Mutex<Keys<K>>,
}

/// The semaphores of the keys. One without permits and waiters is dropped.
#[derive(Debug)]
struct Keys<K> {
    semaphores: HashMap<K, Weak<Semaphore>>,
    /// The length at which the dropped ones are removed.
    sweep_at: usize,
}

/// A permit for one thing at once; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// The bound that has no permit left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Own,
    All,
}

impl<K: Eq + Hash> Permits<K> {
    /// Makes `all_max` permits, of which each key has `each_max` at most.
    pub(crate) fn new(all_max: usize, each_max: usize) -> Self {
        let keys = Keys { semaphores: HashMap::new(), sweep_at: SWEEP_MIN };
        Self {
            all: Arc::new(Semaphore::new(all_max.min(Semaphore::MAX_PERMITS))),
            all_max: AtomicUsize::new(all_max.min(Semaphore::MAX_PERMITS)),
            owed: AtomicUsize::new(0),
            each_max: AtomicUsize::new(each_max.min(Semaphore::MAX_PERMITS)),
            keys: Mutex::new(keys),
        }
    }

    /// Changes the numbers. Permits that are taken stay taken. A key with permits keeps its number
    /// until it has none.
    pub(crate) fn set_max(&self, all_max: usize, each_max: usize) {
        self.each_max.store(each_max.min(Semaphore::MAX_PERMITS), Ordering::Relaxed);
        let all_max = all_max.min(Semaphore::MAX_PERMITS);
        let before = self.all_max.swap(all_max, Ordering::Relaxed);
        let more = all_max.saturating_sub(before);
        let paid = |owed: usize| Some(owed.saturating_sub(more));
        let owed = self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid).unwrap_or(0);
        self.all.add_permits(more.saturating_sub(owed));
        self.owed.fetch_add(before.saturating_sub(all_max), Ordering::Relaxed);
        self.settle();
    }

    /// Gives up owed permits that are free now.
    fn settle(&self) {
        if self.owed.load(Ordering::Relaxed) > 0 {
            let owed = self.owed.swap(0, Ordering::Relaxed);
            self.owed.fetch_add(owed - self.all.forget_permits(owed), Ordering::Relaxed);
        }
    }

    /// Waits for a permit. Dropping the future gives up the place in the queue.
    pub(crate) async fn acquire(&self, key: K) -> Permit {
        self.settle();
        let own = acquire(self.of(key)).await;
        Permit { _own: own, _all: acquire(Arc::clone(&self.all)).await }
    }

    /// Returns a permit if there is one now.
    ///
    /// # Errors
    /// The bound that is reached.
    pub(crate) fn try_acquire(&self, key: K) -> Result<Permit, Full> {
        self.settle();
        let own = self.of(key).try_acquire_owned().map_err(|_none| Full::Own)?;
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_none| Full::All)?;
        Ok(Permit { _own: own, _all: all })
    }

    fn of(&self, key: K) -> Arc<Semaphore> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.semaphores.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if keys.semaphores.len() >= keys.sweep_at {
            keys.semaphores.retain(|_, semaphore| semaphore.strong_count() > 0);
            // the next sweep comes after as many new keys as this one has kept
            keys.sweep_at = SWEEP_MIN.max(2 * keys.semaphores.len());
        }
        let made = Arc::new(Semaphore::new(self.each_max.load(Ordering::Relaxed)));
        keys.semaphores.insert(key, Arc::downgrade(&made));
        made
    }
}

/// The number of keys that are kept without a look at who needs them.
const SWEEP_MIN: usize = 64;

async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    match semaphore.acquire_owned().await {
        Ok(permit) => permit,
        // nobody closes the semaphore
        Err(_closed) => std::future::pending().await,
    }
}

/// Returns the peer to which an address belongs: the /64 network of an IPv6 address, because one
/// client usually has the whole network.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[test]
    fn each_and_all_are_bounded() {
        let permits = Permits::new(3, 2);
        let first = permits.try_acquire("a").unwrap();
        let _second = permits.try_acquire("a").unwrap();
        assert_eq!(permits.try_acquire("a").unwrap_err(), Full::Own);
        let _third = permits.try_acquire("b").unwrap();
        assert_eq!(permits.try_acquire("b").unwrap_err(), Full::All);
        drop(first);
        permits.try_acquire("b").unwrap();
    }

    #[tokio::test]
    async fn the_waiters_of_one_key_are_passed_by() {
        let permits = Permits::new(2, 1);
        let held = permits.acquire("a").await;
        {
            let mut waiting = pin!(permits.acquire("a"));
            poll_fn(|cx| {
                assert!(waiting.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(permits.acquire("b").await);
            drop(held);
            waiting.await;
        }
        // a waiter that was dropped holds nothing
        permits.try_acquire("a").unwrap();
    }

    #[test]
    fn keys_that_nobody_uses_are_forgotten() {
        let permits = Permits::new(10, 1);
        let held = permits.try_acquire(0).unwrap();
        for key in 1..10_000 {
            permits.try_acquire(key).unwrap();
        }
        assert!(permits.keys.lock().unwrap().semaphores.len() <= SWEEP_MIN);
        assert_eq!(permits.try_acquire(0).unwrap_err(), Full::Own);
        drop(held);
    }

    #[test]
    fn one_network_of_ipv6_is_one_peer() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn another_number_of_permits_counts_as_they_become_free() {
        let permits = Permits::new(2, 2);
        let (one, _two) = (permits.try_acquire(1).unwrap(), permits.try_acquire(2).unwrap());
        permits.set_max(1, 1);
        assert_eq!(permits.try_acquire(3).unwrap_err(), Full::All);
        drop(one);
        assert_eq!(permits.try_acquire(3).unwrap_err(), Full::All);
        permits.set_max(3, 1);
        let _more = (permits.try_acquire(3).unwrap(), permits.try_acquire(4).unwrap());
        assert_eq!(permits.try_acquire(5).unwrap_err(), Full::All);
        assert_eq!(permits.try_acquire(4).unwrap_err(), Full::Own);
    }
}
