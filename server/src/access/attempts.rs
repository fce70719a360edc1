//! Limits failed log-ins with two leaky buckets: one for each peer address and one for each user
//! name.
//!
//! A failure fills the bucket, and time empties it. If a bucket is full, the attempt is refused
//! before a hash is computed. A successful log-in does not empty a bucket, because an attacker may
//! have an account, too. Checks that run at the same time may each find room, so a few more
//! failures than the limit are possible. Both tables are bounded: if one is full, the bucket with
//! the fewest failures is removed.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// The maximal number of addresses, and of names, in the tables.
const BUCKETS_MAX: usize = 10_000;

/// The failed log-ins of addresses and of users.
#[derive(Debug)]
pub(crate) struct Attempts {
    addresses: Buckets<IpAddr>,
    users: Buckets<String>,
}

impl Attempts {
    pub(crate) fn new(per_address: u32, per_user: u32, forgiven_after: Duration) -> Self {
        Self {
            addresses: Buckets::new(per_address, forgiven_after),
            users: Buckets::new(per_user, forgiven_after),
        }
    }

    /// Checks that an attempt may be made.
    ///
    /// # Errors
    /// The time to wait, if there were too many failures.
    pub(crate) fn check(&self, address: IpAddr, user: &str, now: Instant) -> Result<(), Duration> {
        self.addresses.check(&network(address), now)?;
        self.users.check(user, now)
    }

    /// Counts a failed attempt.
    pub(crate) fn failed(&mut self, address: IpAddr, user: &str, now: Instant) {
        self.addresses.put(network(address), now);
        self.users.put(user.to_owned(), now);
    }
}

/// Returns the /64 network of an IPv6 address, because one client usually has the whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        v4 => v4,
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

    fn failures(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.failures - since / self.forgiven_after.as_secs_f64()).max(0.0)
    }

    fn check<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> Result<(), Duration>
    where
        K: Borrow<Q>,
    {
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
    fn an_address_that_fails_too_often_waits() {
        let mut attempts = Attempts::new(3, 100, MINUTE);
        let start = Instant::now();
        for user in ["a", "b", "c"] {
            assert_eq!(attempts.check(address(1), user, start), Ok(()));
            attempts.failed(address(1), user, start);
        }
        assert_eq!(attempts.check(address(1), "d", start), Err(MINUTE));
        assert_eq!(attempts.check(address(1), "d", start + MINUTE / 2), Err(MINUTE / 2));
        assert_eq!(attempts.check(address(2), "d", start), Ok(()));
        assert_eq!(attempts.check(address(1), "d", start + MINUTE), Ok(()));
        attempts.failed(address(1), "d", start + MINUTE);
        assert_eq!(attempts.check(address(1), "d", start + MINUTE), Err(MINUTE));
        assert_eq!(attempts.check(address(1), "d", start + 9 * MINUTE), Ok(()));
    }

    #[test]
    fn a_name_that_is_guessed_at_from_many_addresses_waits() {
        let mut attempts = Attempts::new(100, 3, MINUTE);
        let start = Instant::now();
        for last in 0..3 {
            attempts.failed(address(last), "ann", start);
        }
        assert_eq!(attempts.check(address(9), "ann", start), Err(MINUTE));
        assert_eq!(attempts.check(address(9), "bob", start), Ok(()));
    }

    #[test]
    fn one_network_of_ipv6_is_one_peer() {
        let mut attempts = Attempts::new(1, 100, MINUTE);
        let start = Instant::now();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        attempts.failed(ip("2001:db8::1"), "a", start);
        assert!(attempts.check(ip("2001:db8::2"), "b", start).is_err());
        assert!(attempts.check(ip("2001:db8:0:1::1"), "c", start).is_ok());
        attempts.failed(ip("::ffff:192.0.2.1"), "d", start);
        assert!(attempts.check(address(1), "e", start).is_err());
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
