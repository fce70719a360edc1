//! Ctrl-C and the other signals that end a command: half-written files are removed first.
//!
//! Only a command with such a file catches the signals. Any other command ends at once, which is
//! the default of the system.

use std::fs;
use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::fault::{Fault, Result};

/// Does `work`, or drops it when a signal arrives.
///
/// # Errors
/// The errors of `work`, and [`Fault::Interrupted`].
pub(super) async fn or<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let caught = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [interrupt, terminate, hangup] = caught.map(raised);
    tokio::select! {
        // polled in this order, so the signals are caught before the work begins
        biased;
        kind = interrupt => Err(Fault::Interrupted(kind.as_raw_value())),
        kind = terminate => Err(Fault::Interrupted(kind.as_raw_value())),
        kind = hangup => Err(Fault::Interrupted(kind.as_raw_value())),
        done = work => done,
    }
}

/// Waits for a signal. It waits for ever if the signal cannot be caught, or if it is ignored
/// because the command was started so, for example with nohup.
async fn raised(kind: SignalKind) -> SignalKind {
    if !is_ignored(kind)
        && let Ok(mut signal) = signal(kind)
    {
        signal.recv().await;
        return kind;
    }
    std::future::pending().await
}

/// Returns whether the process ignores a signal, according to the kernel.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    // bit 0 is signal 1
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
