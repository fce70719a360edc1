//! The audit log: one JSON object in a line for each request, log-in, refusal, reload, start and
//! stop. `docs/audit.schema.json` describes the lines.
//!
//! The line of a request is written before the end marker of its answer is sent. A thread writes
//! the lines, and those of several connections at once. If the file takes no lines, the server
//! says so in its own log, and with `when_full = "stop"` no answer is completed and none begins
//! until the file takes lines again. Then the next line tells how many are missing. Lines are
//! handed to the operating system; they are not forced to the disk.

mod output;
mod record;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;
use tracing::error;

use crate::error::Error;
use crate::fault::Fault;
use output::{Order, Output};
pub use record::KeyChange;
pub(crate) use record::{Asked, Event, Request, Who};

/// The maximal number of lines that wait to be written. More wait in their connections.
const LINES_MAX: usize = 256;

/// The time for a line to be written. After it, the file counts as one that takes no lines.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// The time between two complaints about the file in the server's log.
const COMPLAINT_TIME: Duration = Duration::from_secs(60);

/// The section `[audit]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditOptions {
    /// The file. It is made with the mode 0600, and no symbolic link to it is followed.
    pub file: PathBuf,
    /// The texts of Selects.
    #[serde(default)]
    pub text: AuditText,
    /// The parameters of Selects.
    #[serde(default)]
    pub parameters: AuditParameters,
    /// The effect of a file that takes no lines.
    #[serde(default)]
    pub when_full: WhenFull,
}

/// The form of the text of a Select in the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditText {
    /// The text itself, with its literals.
    #[default]
    Full,
    /// Its SHA-256, which is the same for the same text.
    Hash,
    /// Nothing.
    None,
}

/// The form of the parameters of a Select in the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditParameters {
    /// Their values.
    #[default]
    Full,
    /// Their number.
    Count,
}

/// The effect of an audit log whose file takes no lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// Answers go on. The missing lines are counted.
    #[default]
    Continue,
    /// There are no answers and no log-ins.
    Stop,
}

/// The audit log of a server, or none. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Audit(Arc<RwLock<Option<Arc<Log>>>>);

/// An open file, and the thread that writes to it until this is dropped.
/// The state of an audit file, which its writer and those that send lines share.
#[derive(Debug, Default)]
pub(crate) struct FileState {
    /// The number of lines that are missing in the file.
    lost: AtomicU64,
    /// True from a line that was not written in time to the next that is written.
    hangs: AtomicBool,
}

/// A line that the writer has taken.
#[derive(Debug)]
pub(crate) struct Ordered {
    log: Arc<Log>,
    is_written: oneshot::Receiver<bool>,
    until: Instant,
}

#[derive(Debug)]
pub(crate) struct Log {
    options: AuditOptions,
    orders: mpsc::Sender<Order>,
    state: Arc<FileState>,
    /// The last complaint that the file does not answer.
    complained: Mutex<Option<Instant>>,
}

impl Audit {
    /// Opens the file; `None` is no audit log.
    ///
    /// # Errors
    /// `Audit`.
    pub fn open(options: Option<AuditOptions>) -> Result<Self, Error> {
        let Some(options) = options else { return Ok(Self::default()) };
        let state = Arc::new(FileState::default());
        let failed = |source| Error::Audit { path: options.file.clone(), source };
        let output = Output::open(&options.file, Arc::clone(&state)).map_err(failed)?;
        let (orders, received) = mpsc::channel(LINES_MAX);
        let complained = Mutex::default();
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || output.write_all(received))
            .map_err(failed)?;
        Ok(Self(Arc::new(RwLock::new(Some(Arc::new(Log { options, orders, state, complained }))))))
    }

    /// Writes from now on to the file of `other`. Lines that wait are still written to the earlier
    /// one.
    pub(crate) fn adopt(&self, other: &Self) {
        let log = other.current();
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(before), Some(log)) = (&*current, &log) {
            log.state
                .lost
                .fetch_add(before.state.lost.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
        if let Some(before) = &*current {
            before.leave(log.as_deref());
        }
        *current = log;
    }

    fn current(&self) -> Option<Arc<Log>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether there is an audit log.
    pub(crate) fn is_on(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Returns the forms of texts and parameters; `None` without an audit log.
    pub(crate) fn forms(&self) -> Option<(AuditText, AuditParameters)> {
        self.current().map(|log| (log.options.text, log.options.parameters))
    }

    /// Checks, before an answer begins, that its line can be written. Only `when_full = "stop"`
    /// asks for it.
    ///
    /// # Errors
    /// `Unaudited`.
    pub(crate) async fn ready(&self) -> Result<(), Fault> {
        match self.current() {
            Some(log) if log.stops() && log.state.is_behind() => {
                // without a line of its own, only the number of missing lines is written
                match log.order(Vec::new()).await? {
                    Some(ordered) => ordered.written().await,
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// `Unaudited` if the file does not take it and the configuration says that this stops answers.
    pub(crate) async fn write(&self, event: Event<'_>) -> Result<(), Fault> {
        match self.order(event).await? {
            Some(ordered) => ordered.written().await,
            None => Ok(()),
        }
    }

    /// Hands a line to the writer. If the result is dropped, the line is written all the same.
    /// `None` means that there is nothing to wait for.
    ///
    /// # Errors
    /// The error of [`write`](Self::write).
    pub(crate) async fn order(&self, event: Event<'_>) -> Result<Option<Ordered>, Fault> {
        match self.current() {
            Some(log) => log.order(event.line()).await,
            None => Ok(None),
        }
    }
}

impl FileState {
    fn is_behind(&self) -> bool {
        self.hangs.load(Ordering::Relaxed) || self.lost.load(Ordering::Relaxed) > 0
    }
}

impl Ordered {
    /// Waits until the line is in the file.
    ///
    /// # Errors
    /// The error of [`write`](Audit::write).
    pub(crate) async fn written(self) -> Result<(), Fault> {
        let Self { log, is_written, until } = self;
        match timeout_at(until.into(), is_written).await {
            Ok(Ok(true)) => Ok(()),
            Ok(_) => log.refused(),
            Err(_elapsed) => {
                log.complain();
                log.refused()
            }
        }
    }
}

impl Log {
    /// Tells in the log that the file does not answer, but not for each line.
    fn complain(&self) {
        self.state.hangs.store(true, Ordering::Relaxed);
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|before| before.elapsed() >= COMPLAINT_TIME) {
            *complained = Some(Instant::now());
            let (path, seconds) = (self.options.file.display(), WRITE_TIME_MAX.as_secs());
            error!(%path, seconds, "the audit log takes no lines");
        }
    }

    fn stops(&self) -> bool {
        self.options.when_full == WhenFull::Stop
    }

    /// Returns the consequence of a line that is not in the file.
    fn refused(&self) -> Result<(), Fault> {
        if self.stops() { Err(Fault::Unaudited) } else { Ok(()) }
    }

    /// Hands a line to the writer, and waits for a place in its queue. Nobody waits for a file that
    /// hangs if answers go on without it.
    async fn order(self: Arc<Self>, line: Vec<u8>) -> Result<Option<Ordered>, Fault> {
        let is_line = u64::from(!line.is_empty());
        let waits = self.stops() || !self.state.hangs.load(Ordering::Relaxed);
        let until = Instant::now() + if waits { WRITE_TIME_MAX } else { Duration::ZERO };
        let (done, is_written) = oneshot::channel();
        match timeout_at(until.into(), self.orders.reserve()).await {
            Ok(Ok(place)) => place.send(Order { line, done }),
            Ok(Err(_)) | Err(_) => {
                self.state.lost.fetch_add(is_line, Ordering::Relaxed);
                self.complain();
                return self.refused().map(|()| None);
            }
        }
        Ok(waits.then(|| Ordered { log: self, is_written, until }))
    }

    /// Writes as the last line that the lines to come are elsewhere, or nowhere.
    fn leave(&self, next: Option<&Self>) {
        let path = |log: &Self| log.options.file.display().to_string();
        let (before, after) = (path(self), next.map(path));
        if after.as_ref() == Some(&before) {
            return;
        }
        let key = "audit.file".to_owned();
        let changes = [KeyChange { key, before: Some(before), after }];
        let line = Event::Reload { status: "OK", reason: "", changes: &changes }.line();
        let (done, _) = oneshot::channel();
        if self.orders.try_send(Order { line, done }).is_err() {
            self.complain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(when_full: &str) -> (Arc<Log>, mpsc::Receiver<Order>) {
        let text = format!("file = '/nowhere'\nwhen_full = '{when_full}'");
        let (orders, received) = mpsc::channel(1);
        let (options, state) = (toml::from_str(&text).unwrap(), Arc::default());
        (Arc::new(Log { options, orders, state, complained: Mutex::default() }), received)
    }

    #[tokio::test]
    async fn nobody_waits_for_a_file_that_hangs_and_what_it_loses_is_counted() {
        let (log, mut received) = log("continue");
        log.complain();
        // one line has a place in the queue, and the next has none
        for lost in [0, 1] {
            assert!(Arc::clone(&log).order(vec![b'x']).await.unwrap().is_none());
            assert_eq!(log.state.lost.load(Ordering::Relaxed), lost);
        }
        received.recv().await.unwrap();
        log.state.hangs.store(false, Ordering::Relaxed);
        assert!(Arc::clone(&log).order(vec![b'x']).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn answers_stop_while_a_line_is_not_written() {
        let (log, mut received) = log("stop");
        let ordered = Arc::clone(&log).order(vec![b'x']).await.unwrap().unwrap();
        received.recv().await.unwrap().done.send(false).unwrap();
        assert!(matches!(ordered.written().await, Err(Fault::Unaudited)));
        log.complain();
        assert!(log.state.is_behind());
    }
}
