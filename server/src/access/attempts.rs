//! Limits failed log-ins with leaky buckets: one for each pair of peer address and user name, and
//! one for each peer address.
//!
//! A failure fills both buckets, and time empties them. If the bucket of the pair is full, an
//! attempt is refused before a hash is computed. So nobody is locked out by failures of others: of
//! other users at the same address, or with the same name at another address. If the bucket of the
//! address is full, somebody there is trying many names, and each attempt from there is slowed
//! down. A successful log-in does not empty a bucket, because an attacker may have an account, too.
//! Checks that run at the same time may each find room, so a few more failures than the limit are
//! possible. Both tables are bounded: if one is full, the bucket with the fewest failures is
//! removed.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::permits::network;

/// The maximal number of addresses, and of pairs, in the tables.
const BUCKETS_MAX: usize = 10_000;

/// The failed log-ins of users at addresses.
#[derive(Debug)]
pub(crate) struct Attempts {
    pairs: Buckets<(IpAddr, String)>,
    addresses: Buckets<IpAddr>,
}

impl Attempts {
    pub(crate) fn new(per_pair: u32, per_address: u32, forgiven_after: Duration) -> Self {
        Self {
            pairs: Buckets::new(per_pair, forgiven_after),
            addresses: Buckets::new(per_address, forgiven_after),
        }
    }

    /// Changes the limits.
    pub(crate) fn set_limits(&mut self, per_pair: u32, per_address: u32, forgiven_after: Duration) {
        self.pairs.set_limits(per_pair, forgiven_after);
        self.addresses.set_limits(per_address, forgiven_after);
    }

    /// Checks that an attempt may be made.
    ///
    /// # Errors
    /// The time to wait, if there were too many failures.
    pub(crate) fn check(&self, address: IpAddr, user: &str, now: Instant) -> Result<(), Duration> {
        self.pairs.check(&(network(address), user.to_owned()), now)
    }

    /// Returns whether attempts from an address are slowed down.
    pub(crate) fn is_slowed(&self, address: IpAddr, now: Instant) -> bool {
        self.addresses.check(&network(address), now).is_err()
    }

    /// Counts a failed attempt.
    pub(crate) fn failed(&mut self, address: IpAddr, user: &str, now: Instant) {
        let address = network(address);
        self.pairs.put((address, user.to_owned()), now);
        self.addresses.put(address, now);
    }
}

#[derive(Debug)]
struct Buckets<K> {
    failures_max: f64,
    forgiven_after: Duration,
    buckets: HashMap<K, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    failures: f64,
    at: Instant,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(failures_max: u32, forgiven_after: Duration) -> Self {
        Self { failures_max: failures_max.into(), forgiven_after, buckets: HashMap::new() }
    }

    fn set_limits(&mut self, failures_max: u32, forgiven_after: Duration) {
        self.failures_max = failures_max.into();
        self.forgiven_after = forgiven_after;
    }

    fn failures(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.failures - since / self.forgiven_after.as_secs_f64()).max(0.0)
    }

    fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let failures = self.buckets.get(key).map_or(0.0, |bucket| self.failures(*bucket, now));
        match failures + 1.0 - self.failures_max {
            too_many if too_many > 0.0 => Err(self.forgiven_after.mul_f64(too_many)),
            _ => Ok(()),
        }
    }

    fn put(&mut self, key: K, now: Instant) {
        let failures = self.buckets.get(&key).map_or(0.0, |bucket| self.failures(*bucket, now));
        if self.buckets.len() >= BUCKETS_MAX && !self.buckets.contains_key(&key) {
            self.make_room(now);
        }
        self.buckets.insert(key, Bucket { failures: failures + 1.0, at: now });
    }

    fn make_room(&mut self, now: Instant) {
        let least = self.buckets.iter().min_by(|(_, one), (_, other)| {
            self.failures(**one, now).total_cmp(&self.failures(**other, now))
        });
        if let Some(key) = least.map(|(key, _)| key.clone()) {
            self.buckets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_user_who_fails_too_often_at_an_address_waits() {
        let mut attempts = Attempts::new(3, 100, MINUTE);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(attempts.check(address(1), "ann", start), Ok(()));
            attempts.failed(address(1), "ann", start);
        }
        let check = |attempts: &Attempts, at| attempts.check(address(1), "ann", at);
        assert_eq!(check(&attempts, start), Err(MINUTE));
        assert_eq!(check(&attempts, start + MINUTE / 2), Err(MINUTE / 2));
        assert_eq!(attempts.check(address(2), "ann", start), Ok(()), "at another address");
        assert_eq!(attempts.check(address(1), "bob", start), Ok(()), "another user");
        assert_eq!(check(&attempts, start + MINUTE), Ok(()));
        attempts.failed(address(1), "ann", start + MINUTE);
        assert_eq!(check(&attempts, start + MINUTE), Err(MINUTE));
        assert_eq!(check(&attempts, start + 9 * MINUTE), Ok(()));
    }

    #[test]
    fn an_address_that_tries_many_names_is_slowed_and_not_locked_out() {
        let mut attempts = Attempts::new(3, 5, MINUTE);
        let start = Instant::now();
        for number in 0..50 {
            assert_eq!(attempts.is_slowed(address(1), start), number >= 5);
            attempts.failed(address(1), &number.to_string(), start);
        }
        assert_eq!(attempts.check(address(1), "ann", start), Ok(()));
        assert!(!attempts.is_slowed(address(2), start));
        assert!(!attempts.is_slowed(address(1), start + 46 * MINUTE));
    }

    #[test]
    fn one_network_of_ipv6_is_one_peer() {
        let mut attempts = Attempts::new(1, 100, MINUTE);
        let start = Instant::now();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        attempts.failed(ip("2001:db8::1"), "a", start);
        assert!(attempts.check(ip("2001:db8::2"), "a", start).is_err());
        assert!(attempts.check(ip("2001:db8:0:1::1"), "a", start).is_ok());
    }

    #[test]
    fn the_tables_are_bounded_and_keep_who_fails_most() {
        let mut buckets = Buckets::new(3, MINUTE);
        let start = Instant::now();
        for _ in 0..3 {
            buckets.put(0_usize, start);
        }
        for key in 1..BUCKETS_MAX + 50 {
            buckets.put(key, start);
        }
        assert_eq!(buckets.buckets.len(), BUCKETS_MAX);
        assert_eq!(buckets.check(&0, start), Err(MINUTE));
    }
}
