//! The lines of the log about certificates and revocation lists that have ended or soon will. They
//! are written when the server starts, after it has loaded new files, and once a day.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use sift_server::{Notice, Reloader};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use super::reload::Certificates;

/// The time between two notices: often enough to be noticed, rarely enough to be read.
const PERIOD: Duration = Duration::from_secs(24 * 3600);

/// Logs the notices now and then once a day.
pub(super) fn tell_daily(certificates: Certificates) {
    tokio::spawn(repeat(PERIOD, move || tell(&certificates)));
}

/// Logs the notices of this moment. A notice that several listeners share is logged once.
pub(super) fn tell(certificates: &Certificates) {
    let reloaders = certificates.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut told = HashSet::new();
    for notice in reloaders.iter().flat_map(Reloader::notices) {
        if told.insert(notice.clone()) {
            match notice {
                Notice::Fault(text) => error!("{text}"),
                Notice::Warning(text) => warn!("{text}"),
            }
        }
    }
}

async fn repeat(period: Duration, tell: impl Fn()) {
    let mut ticks = interval(period);
    // after sleep, the machine logs the missed notices only once
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn it_is_told_at_once_and_again() {
        let (sender, told) = mpsc::channel();
        let telling = tokio::spawn(repeat(Duration::from_millis(1), move || {
            let _ = sender.send(());
        }));
        tokio::task::block_in_place(|| {
            for _ in 0..3 {
                told.recv_timeout(Duration::from_secs(20)).unwrap();
            }
        });
        telling.abort();
    }
}
