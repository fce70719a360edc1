//! The open sessions of a server and their requests, for `siftd status` and `siftd kill`.
//!
//! A session registers itself after Hello, and each request when it begins. While an answer is
//! sent, only atomic numbers change. Texts are kept cut: long literals, and the end of a long text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sift_proto::frame::Kind;

use crate::channel::Facts;
use crate::interrupt::Interrupt;
use crate::shutdown::{Shutdown, Trigger, shutdown};

/// The maximal length of a text that is kept of a request.
const TEXT_CHARS_MAX: usize = 1000;

/// The maximal length of a literal or a file name in that text.
const LITERAL_CHARS_MAX: usize = 60;

/// The maximal length of the client's own name, which nobody has verified.
const CLIENT_CHARS_MAX: usize = 100;

/// The maximal number of sessions in one report.
const REPORTED_MAX: usize = 10_000;

/// The registry of sessions. There are at most as many as open connections.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// The last number that a session or a request has got.
    last_id: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Session>>>,
}

/// One connection after its Hello.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    user: String,
    client: String,
    peer: SocketAddr,
    level: u8,
    protocol: String,
    cipher: String,
    key_exchange: &'static str,
    since: SystemTime,
    request: Mutex<Option<Arc<Running>>>,
    trigger: Trigger,
    ending: Shutdown,
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) started: Instant,
    text: OnceLock<String>,
    records: AtomicU64,
    bytes: AtomicU64,
    progress: Arc<Progress>,
    waits_for: AtomicU8,
    pub(crate) interrupt: Interrupt,
}

/// The bytes that a scan has read so far.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU64);

/// The thing that a request waits for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// The file system: for planning, listing, and opening or reading a file.
    File,
    /// The threads that scan, or its turn there.
    Pool,
    /// The client, which has to take what was sent.
    Peer,
    /// Other requests of its user, of which there are as many as may be.
    Queue,
}

/// The sessions of a server at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// The name and version of the server.
    pub server: String,
    /// The sessions in the order of their begin, at most 10,000.
    pub sessions: Vec<SessionReport>,
    /// The number of sessions that are not in the list.
    pub more: usize,
}

/// A session at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionReport {
    /// The number by which it can be ended.
    pub id: u64,
    /// The name of the user.
    pub user: String,
    /// The name of the client's software, as the client says it.
    pub client: String,
    /// The address of the client.
    pub peer: String,
    /// The security level that the channel meets; 0 for a plain one.
    pub level: u8,
    /// The protocol; empty for a plain channel.
    pub protocol: String,
    /// The cipher suite; empty for a plain channel.
    pub cipher: String,
    /// The key exchange group; empty for a plain channel.
    pub key_exchange: String,
    /// The time of Hello, in RFC 3339.
    pub since: String,
    /// The request that is being answered.
    pub request: Option<RequestReport>,
}

/// A request at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestReport {
    /// The number by which it can be ended.
    pub id: u64,
    /// The kind of the request.
    pub kind: String,
    /// The text of a Select, a file, or a pattern, with long literals cut.
    pub text: String,
    /// The seconds since it began.
    pub seconds: f64,
    /// The records that were made for the answer.
    pub records: u64,
    /// The bytes that were sent.
    pub bytes: u64,
    /// The bytes that were read of files.
    pub bytes_scanned: u64,
    /// The thing that it waits for.
    pub waits_for: Wait,
}

impl Sessions {
    /// Registers a session until the result is dropped.
    pub(crate) fn open(self: &Arc<Self>, facts: &Facts, user: &str, client: &str) -> Registered {
        let (trigger, ending) = shutdown();
        let session = Arc::new(Session {
            id: self.next_id(),
            user: user.to_owned(),
            client: client.chars().take(CLIENT_CHARS_MAX).collect(),
            peer: facts.peer,
            level: facts.level_met(),
            protocol: facts.protocol(),
            // the first word is the name of the suite
            cipher: facts.cipher().split(' ').next().unwrap_or_default().to_owned(),
            key_exchange: facts.key_exchange(),
            since: SystemTime::now(),
            request: Mutex::default(),
            trigger,
            ending,
        });
        self.all().insert(session.id, Arc::clone(&session));
        Registered { sessions: Arc::clone(self), session }
    }

    /// Returns the next number of a session or a request.
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the sessions of this moment.
    pub(crate) fn report(&self) -> StatusReport {
        let sessions: Vec<_> = self.all().values().cloned().collect();
        StatusReport {
            server: concat!("siftd ", env!("CARGO_PKG_VERSION")).to_owned(),
            more: sessions.len().saturating_sub(REPORTED_MAX),
            sessions: sessions.iter().take(REPORTED_MAX).map(|session| session.report()).collect(),
        }
    }

    /// Ends all sessions.
    pub(crate) fn end_all(&self) {
        let ids: Vec<u64> = self.all().keys().copied().collect();
        for id in ids {
            // a session may have ended meanwhile
            let _ended = self.end(id);
        }
    }

    /// Ends the session or the request with this number. Returns what is ended, in words; `None` if
    /// there is no such number.
    pub(crate) fn end(&self, id: u64) -> Option<String> {
        let sessions: Vec<_> = self.all().values().cloned().collect();
        for session in sessions {
            let running = session.running();
            let request = running.filter(|running| session.id == id || running.id == id);
            let Session { user, peer, .. } = &*session;
            if session.id == id {
                session.trigger.begin();
                if let Some(request) = request {
                    request.interrupt.end_session();
                }
                return Some(format!("session {id} of `{user}` from {peer}"));
            }
            if let Some(request) = request {
                request.interrupt.end_request();
                let kind = request.kind;
                return Some(format!("{kind} {id} of `{user}` from {peer}"));
            }
        }
        None
    }
}

/// A session in the registry, until it is dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    sessions: Arc<Sessions>,
    pub(crate) session: Arc<Session>,
}

impl Registered {
    /// Registers a request until the result is dropped.
    pub(crate) fn begin(&self, kind: Kind) -> Begun<'_> {
        let running = Arc::new(Running {
            id: self.sessions.next_id(),
            kind,
            started: Instant::now(),
            text: OnceLock::new(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            progress: Arc::default(),
            waits_for: AtomicU8::new(0),
            interrupt: Interrupt::default(),
        });
        self.session.set_running(Some(Arc::clone(&running)));
        Begun { session: &self.session, running }
    }

    /// Returns the signal that an administrator ends the session.
    pub(crate) fn ending(&self) -> Shutdown {
        self.session.ending.clone()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sessions.all().remove(&self.session.id);
    }
}

/// The request of a session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Begun<'a> {
    session: &'a Session,
    pub(crate) running: Arc<Running>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.session.set_running(None);
    }
}

impl Session {
    fn running(&self) -> Option<Arc<Running>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_running(&self, running: Option<Arc<Running>>) {
        *self.request.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn report(&self) -> SessionReport {
        SessionReport {
            id: self.id,
            user: self.user.clone(),
            client: self.client.clone(),
            peer: self.peer.to_string(),
            level: self.level,
            protocol: self.protocol.clone(),
            cipher: self.cipher.clone(),
            key_exchange: self.key_exchange.to_owned(),
            since: rfc3339(self.since),
            request: self.running().map(|running| running.report()),
        }
    }
}

impl Running {
    /// Sets the text of the request.
    pub(crate) fn tell(&self, text: &str) {
        let _ = self.text.set(abridged(text));
    }

    pub(crate) fn waits_for(&self, wait: Wait) {
        self.waits_for.store(wait as u8, Ordering::Relaxed);
    }

    pub(crate) fn add_records(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Sets the bytes that were sent so far.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Returns the counter of the scan of this request.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    fn report(&self) -> RequestReport {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        RequestReport {
            id: self.id,
            kind: self.kind.to_string(),
            text: self.text.get().cloned().unwrap_or_default(),
            seconds: self.started.elapsed().as_secs_f64(),
            records: count(&self.records),
            bytes: count(&self.bytes),
            bytes_scanned: count(&self.progress.0),
            waits_for: match self.waits_for.load(Ordering::Relaxed) {
                wait if wait == Wait::Peer as u8 => Wait::Peer,
                wait if wait == Wait::Pool as u8 => Wait::Pool,
                wait if wait == Wait::Queue as u8 => Wait::Queue,
                _ => Wait::File,
            },
        }
    }
}

impl Progress {
    pub(crate) fn set(&self, bytes_scanned: u64) {
        self.0.store(bytes_scanned, Ordering::Relaxed);
    }
}

/// Returns a time in RFC 3339, in UTC with microseconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Cuts long literals, and the end of a long text.
fn abridged(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(TEXT_CHARS_MAX));
    // the number of characters in the literal that the text is in
    let mut literal = None;
    for (number, c) in text.chars().enumerate() {
        if number == TEXT_CHARS_MAX {
            kept.push('…');
            break;
        }
        literal = match (literal, c) {
            (None, '\'') => Some(0),
            (Some(chars), '\'') => {
                if chars > LITERAL_CHARS_MAX {
                    kept.push('…');
                }
                None
            }
            (Some(chars), _) => Some(chars + 1),
            (None, _) => None,
        };
        if literal.is_none_or(|chars| chars <= LITERAL_CHARS_MAX) {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_literals_and_long_texts_are_cut() {
        let text = "SELECT a FROM 'b.csv' WHERE c = 'it''s'";
        assert_eq!(abridged(text), text);
        let long = |chars| format!("SELECT '{}', 1", "é".repeat(chars));
        assert_eq!(abridged(&long(LITERAL_CHARS_MAX)), long(LITERAL_CHARS_MAX));
        let cut = format!("SELECT '{}…', 1", "é".repeat(LITERAL_CHARS_MAX));
        assert_eq!(abridged(&long(LITERAL_CHARS_MAX + 1)), cut);
        assert_eq!(abridged(&"1,".repeat(TEXT_CHARS_MAX)).chars().count(), TEXT_CHARS_MAX + 1);
        // a literal that does not end
        assert!(abridged(&long(1 << 16)).chars().count() <= TEXT_CHARS_MAX + 1);
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(1_700_000_000_000_042);
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20.000042Z");
    }
}
