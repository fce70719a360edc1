//! The progress of a Select on the terminal: how many records and bytes have arrived. A server
//! tells how much of the file it has scanned only at the end.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use tokio::time::timeout;

/// The time after which the progress is shown. Most answers are complete before.
const HIDDEN_TIME: Duration = Duration::from_millis(500);

/// The sequence that clears the line of the terminal.
const CLEAR: &str = "\r\x1b[K";

/// The minimal time between two updates.
const UPDATE_TIME: Duration = Duration::from_millis(100);

/// A line on standard error, if that is a terminal.
pub(super) struct Progress {
    is_shown: bool,
    started: Instant,
    /// The time of the last update; `None` while the line is empty.
    updated: Option<Instant>,
    records: u64,
    bytes: u64,
}

impl Progress {
    pub(super) fn begin(is_quiet: bool) -> Self {
        let is_shown = !is_quiet && io::stderr().is_terminal();
        Self { is_shown, started: Instant::now(), updated: None, records: 0, bytes: 0 }
    }

    /// Does `work`, and updates the line while it waits.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        while self.is_shown {
            match timeout(UPDATE_TIME, work.as_mut()).await {
                Ok(done) => return done,
                Err(_elapsed) => self.show(),
            }
        }
        work.await
    }

    /// Notes what has arrived so far.
    pub(super) fn received(&mut self, records: u64, bytes: u64) {
        self.records = records;
        self.bytes = bytes;
        self.show();
    }

    fn show(&mut self) {
        let elapsed = self.started.elapsed();
        let is_due = self.updated.is_none_or(|last| last.elapsed() >= UPDATE_TIME);
        if self.is_shown && is_due && elapsed >= HIDDEN_TIME {
            let line = told(self.records, self.bytes, elapsed);
            let _gone = write!(io::stderr(), "{CLEAR}{line}");
            self.updated = Some(Instant::now());
        }
    }

    /// Clears the line, so that something else can be written.
    pub(super) fn clear(&mut self) {
        if self.updated.take().is_some() {
            let _gone = write!(io::stderr(), "{CLEAR}");
        }
    }

    /// Clears the line; nothing is shown from now on.
    pub(super) fn end(&mut self) {
        self.clear();
        self.is_shown = false;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn told(records: u64, bytes: u64, elapsed: Duration) -> String {
    let (records, bytes) = (HumanCount(records), HumanBytes(bytes));
    format!("{records} records, {bytes} received, {} s", elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told() {
        let text = told(1_234_567, 5 << 20, Duration::from_millis(12_900));
        assert_eq!(text, "1,234,567 records, 5.00 MiB received, 12 s");
    }

    #[tokio::test]
    async fn nothing_is_shown_without_a_terminal() {
        let mut progress = Progress::begin(true);
        assert_eq!(progress.during(async { 7 }).await, 7);
        progress.received(1, 1);
        assert!(progress.updated.is_none());
    }
}
