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
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
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
#[derive(Debug)]
pub(crate) struct Log {
    options: AuditOptions,
    orders: mpsc::Sender<Order>,
    /// The number of lines that are missing in the file.
    lost: Arc<AtomicU64>,
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
        let lost = Arc::new(AtomicU64::new(0));
        let failed = |source| Error::Audit { path: options.file.clone(), source };
        let output = Output::open(&options.file, Arc::clone(&lost)).map_err(failed)?;
        let (orders, received) = mpsc::channel(LINES_MAX);
        let complained = Mutex::default();
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || output.write_all(received))
            .map_err(failed)?;
        Ok(Self(Arc::new(RwLock::new(Some(Arc::new(Log { options, orders, lost, complained }))))))
    }

    /// Writes from now on to the file of `other`. Lines that wait are still written to the earlier
    /// one.
    pub(crate) fn adopt(&self, other: &Self) {
        let log = other.current();
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(before), Some(log)) = (&*current, &log) {
            log.lost.fetch_add(before.lost.swap(0, Ordering::Relaxed), Ordering::Relaxed);
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
            Some(log) if log.stops() && log.lost.load(Ordering::Relaxed) > 0 => {
                // without a line of its own, only the number of missing lines is written
                log.write(Vec::new()).await
            }
            _ => Ok(()),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// `Unaudited` if the file does not take it and the configuration says that this stops answers.
    pub(crate) async fn write(&self, event: Event<'_>) -> Result<(), Fault> {
        match self.current() {
            Some(log) => log.write(event.line()).await,
            None => Ok(()),
        }
    }
}

impl Log {
    /// Tells in the log that the file does not answer, but not for each line.
    fn complain(&self) {
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

    async fn write(&self, line: Vec<u8>) -> Result<(), Fault> {
        let (done, is_written) = oneshot::channel();
        let writing = async {
            self.orders.send(Order { line, done }).await.ok()?;
            is_written.await.ok()
        };
        let written = timeout(WRITE_TIME_MAX, writing).await.unwrap_or_else(|_elapsed| {
            self.complain();
            None
        });
        match written {
            Some(true) => Ok(()),
            _ if self.stops() => Err(Fault::Unaudited),
            _ => Ok(()),
        }
    }
}
