//! The load on a server: many sessions, each with one request at a time, in a closed loop or at a
//! given rate.
//!
//! At a rate, each request has an intended start, even if no session is free then. Its latency
//! counts from this time, so that a stall of the server delays every request that would have waited
//! (no coordinated omission). Requests that were never sent are counted as missed.

pub mod assertion;
pub mod mix;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};
use serde::{Deserialize, Serialize};
use sift_client::Query;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::Result;
use mix::Mix;

/// A client that sends one request at a time.
pub trait Session: Send + 'static {
    /// Sends a request and waits for the complete answer.
    ///
    /// # Errors
    /// The kind of the failure. Failures are counted by their kinds.
    fn ask(&mut self, query: Query) -> impl Future<Output = Result<(), String>> + Send;
}

/// The times at which requests are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// A closed loop: a session sends its next request after each answer.
    Closed,
    /// An open loop: so many requests a second, over all sessions.
    PerSecond(f64),
}

/// The duration and the pace of a load.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The times at which requests are due.
    pub pace: Pace,
    /// The time of the warm-up, which is not counted.
    pub warm_up: Duration,
    /// The time that is counted.
    pub measured: Duration,
    /// The seed of the random parameters.
    pub seed: u64,
}

/// The connection of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connections {
    /// The connection of its session, which is opened before.
    #[default]
    Kept,
    /// A new connection with a full handshake.
    Full,
    /// A new connection that resumes the TLS session of the previous one.
    Resumed,
}

impl Connections {
    const ALL: [(&str, Self); 3] =
        [("kept", Self::Kept), ("full", Self::Full), ("resumed", Self::Resumed)];
}

impl FromStr for Connections {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, one)| one).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("`{text}` is not {names}")
        })
    }
}

/// The numbers of opened connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshakes {
    /// The connections with a full handshake.
    pub full: u64,
    /// The connections that resumed a session.
    pub resumed: u64,
}

/// The result of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The number of sessions.
    pub sessions: usize,
    /// The intended requests a second; absent in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_intended: Option<f64>,
    /// The counted time in seconds.
    pub seconds: f64,
    /// The number of complete answers.
    pub answers: u64,
    /// The number of failures of each kind.
    pub failures: BTreeMap<String, u64>,
    /// The number of requests that were due and never sent.
    pub missed: u64,
    /// The latency of complete answers in microseconds, by percentile; `100` is the maximum.
    pub latency_micros: BTreeMap<String, u64>,
}

impl Outcome {
    /// Returns the complete answers a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    /// Returns the microseconds at a percentile of [`PERCENTILES`].
    pub fn percentile(&self, percentile: &str) -> Option<u64> {
        self.latency_micros.get(percentile).copied()
    }
}

/// The reported percentiles of a latency distribution, with their names.
pub const PERCENTILES: [(&str, f64); 6] =
    [("50", 50.0), ("90", 90.0), ("99", 99.0), ("99.9", 99.9), ("99.99", 99.99), ("100", 100.0)];

/// The maximal latency, 71 minutes. A larger one counts as this.
const LATENCY_MICROS_MAX: u64 = u32::MAX as u64;

/// The number of significant digits of a latency: it is rounded up by at most a thousandth.
const LATENCY_DIGITS: u8 = 3;

/// Sends requests of `mix` from all `sessions`, until the end of `plan` or until `stop` is true. It
/// waits for the requests that are running at the end, and returns the result.
///
/// # Errors
/// A session that panicked.
pub async fn drive<S: Session>(
    sessions: Vec<S>,
    mix: Mix,
    plan: Plan,
    stop: watch::Receiver<bool>,
) -> Result<Outcome> {
    let (count, start) = (sessions.len(), Instant::now());
    let counted_from = start + plan.warm_up;
    let end = counted_from + plan.measured;
    let due = Arc::new(AtomicU64::new(0));
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let mut running = JoinSet::new();
    for (session, seed) in sessions.into_iter().zip(plan.seed..) {
        let random = fastrand::Rng::with_seed(seed);
        let (mix, due, stop) = (mix.clone(), Arc::clone(&due), stop.clone());
        let tally = Arc::clone(&tally);
        let pace = plan.pace;
        let worker =
            Worker { session, mix, random, pace, due, stop, start, counted_from, end, tally };
        running.spawn(worker.run());
    }
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    let stopped = Instant::now().min(end);
    let seconds = stopped.saturating_duration_since(counted_from).as_secs_f64();
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(tally.outcome(count, plan, seconds))
}

struct Worker<S> {
    session: S,
    mix: Mix,
    random: fastrand::Rng,
    pace: Pace,
    /// The number of the next request of an open loop, over all sessions.
    due: Arc<AtomicU64>,
    stop: watch::Receiver<bool>,
    start: Instant,
    counted_from: Instant,
    end: Instant,
    /// The counts of all sessions.
    tally: Arc<Mutex<Tally>>,
}

impl<S: Session> Worker<S> {
    async fn run(mut self) {
        while let Some(intended) = self.turn().await {
            if Instant::now() >= self.end {
                // an open loop that is late does not send the requests that were due before the end
                let due = self.pace != Pace::Closed && intended >= self.counted_from;
                self.tally().missed += u64::from(due);
                continue;
            }
            let answer = self.session.ask(self.mix.pick(&mut self.random)).await;
            if intended >= self.counted_from {
                self.tally().count(intended.elapsed(), answer);
            }
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next request is due and returns its intended start; `None` at the end.
    async fn turn(&mut self) -> Option<Instant> {
        let intended = match self.pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => {
                let number = self.due.fetch_add(1, Ordering::Relaxed);
                #[expect(clippy::cast_precision_loss, reason = "far below 2 to the 53rd")]
                let after = Duration::from_secs_f64(number as f64 / rate);
                self.start + after
            }
        };
        if intended >= self.end || *self.stop.borrow() {
            return None;
        }
        if intended <= Instant::now() {
            // a sleep ends at a whole millisecond, even if there is nothing to wait for
            return Some(intended);
        }
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => None,
            () = sleep_until(intended) => Some(intended),
        }
    }
}

struct Tally {
    /// The latencies in microseconds.
    latency: Histogram<u64>,
    failures: BTreeMap<String, u64>,
    missed: u64,
}

impl Tally {
    fn new() -> Result<Self, CreationError> {
        let latency = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, LATENCY_DIGITS)?;
        Ok(Self { latency, failures: BTreeMap::new(), missed: 0 })
    }

    fn count(&mut self, latency: Duration, answer: Result<(), String>) {
        match answer {
            Ok(()) => {
                self.latency
                    .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
            }
            Err(kind) => *self.failures.entry(kind).or_default() += 1,
        }
    }

    fn outcome(&self, sessions: usize, plan: Plan, seconds: f64) -> Outcome {
        let at = |(name, percentile): (&str, f64)| {
            (name.to_owned(), self.latency.value_at_percentile(percentile))
        };
        let answers = self.latency.len();
        let rate_intended = match plan.pace {
            Pace::Closed => None,
            Pace::PerSecond(rate) => Some(rate),
        };
        Outcome {
            sessions,
            rate_intended,
            seconds,
            answers,
            latency_micros: PERCENTILES.map(at).into(),
            failures: self.failures.clone(),
            missed: self.missed,
        }
    }
}

#[cfg(test)]
mod tests;
