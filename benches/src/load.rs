//! Load: many sessions that ask, one request at a time each, at their own pace or at a given rate.
//!
//! At a rate, each request has an intended start, whether or not a session is free by then, and its
//! latency counts from there: a server that stalls is charged for everybody who would have waited
//! (no coordinated omission). Requests whose turn never came are counted, not forgotten.

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

/// Somebody who asks, one request at a time.
pub trait Session: Send + 'static {
    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// The kind of failure, by which failures are counted.
    fn ask(&mut self, query: Query) -> impl Future<Output = Result<(), String>> + Send;
}

/// When the next request is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the session has its answer: a closed loop.
    Closed,
    /// This often a second, over all sessions: an open loop.
    PerSecond(f64),
}

/// How long to ask, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// When requests are due.
    pub pace: Pace,
    /// Asked first, and not counted.
    pub warm_up: Duration,
    /// Counted.
    pub measured: Duration,
    /// Of the random parameters.
    pub seed: u64,
}

/// Whose connection a request has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connections {
    /// Its session's, which is opened before.
    #[default]
    Kept,
    /// One of its own, with a full handshake.
    Full,
    /// One of its own, which resumes the TLS session of the one before.
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

/// How many connections were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshakes {
    /// With a full handshake.
    pub full: u64,
    /// With one that resumed a session.
    pub resumed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Sessions that asked.
    pub sessions: usize,
    /// Requests a second that were meant to be; absent in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_intended: Option<f64>,
    /// Counted time.
    pub seconds: f64,
    /// Whole answers.
    pub answers: u64,
    /// Failures, by their kind.
    pub failures: BTreeMap<String, u64>,
    /// Requests that were due and whose turn never came.
    pub missed: u64,
    /// Latency of whole answers in microseconds, by percentile; `100` is the largest.
    pub latency_micros: BTreeMap<String, u64>,
}

impl Outcome {
    /// Whole answers a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    /// Microseconds at a percentile of [`PERCENTILES`].
    pub fn percentile(&self, percentile: &str) -> Option<u64> {
        self.latency_micros.get(percentile).copied()
    }
}

/// What is told of every latency distribution.
pub const PERCENTILES: [(&str, f64); 6] =
    [("50", 50.0), ("90", 90.0), ("99", 99.0), ("99.9", 99.9), ("99.99", 99.99), ("100", 100.0)];

/// A larger latency counts as this one, 71 minutes.
const LATENCY_MICROS_MAX: u64 = u32::MAX as u64;

/// The significant digits of a latency: it is rounded up by at most a thousandth.
const LATENCY_DIGITS: u8 = 3;

/// Lets every one of `sessions` ask what `mix` gives, until `plan` is done or `stop` is true; then
/// tells what there is. Requests under way at the end are waited for.
///
/// # Errors
/// That a session panicked.
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
    /// Of all sessions.
    tally: Arc<Mutex<Tally>>,
}

impl<S: Session> Worker<S> {
    async fn run(mut self) {
        while let Some(intended) = self.turn().await {
            if Instant::now() >= self.end {
                // an open loop that is behind does not ask any more what was due before the end
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

    /// Waits until the next request is due and gives its intended start; nothing at the end.
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
            // a sleep ends at a whole millisecond, even one that has nothing to wait for
            return Some(intended);
        }
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => None,
            () = sleep_until(intended) => Some(intended),
        }
    }
}

struct Tally {
    /// In microseconds.
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
