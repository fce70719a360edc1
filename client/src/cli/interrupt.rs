//! Ctrl-C and the other signals that end a command: what it has half written is removed before.
//!
//! Only a command that has such a file catches them; any other one ends at once, as the system has it.

use std::fs;
use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::{Fault, Result};

/// Does `work`, or drops it half done at a signal.
///
/// # Errors
/// Those of `work`, and [`Fault::Interrupted`].
pub(super) async fn or<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let caught = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [interrupt, terminate, hangup] = caught.map(raised);
    tokio::select! {
        // they are caught before the work begins
        biased;
        kind = interrupt => Err(Fault::Interrupted(kind.as_raw_value())),
        kind = terminate => Err(Fault::Interrupted(kind.as_raw_value())),
        kind = hangup => Err(Fault::Interrupted(kind.as_raw_value())),
        done = work => done,
    }
}

/// Waits for a signal; for ever if it cannot be caught, or whoever started the command has it
/// ignored, as nohup does.
async fn raised(kind: SignalKind) -> SignalKind {
    if !is_ignored(kind)
        && let Ok(mut signal) = signal(kind)
    {
        signal.recv().await;
        return kind;
    }
    std::future::pending().await
}

/// Whether the process ignores a signal, as the kernel tells it.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    // bit 0 is signal 1
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
