//! The control socket: a Unix socket in the folder of the state, through which `siftd status`,
//! `siftd kill` and other commands of this machine talk to a server that runs.
//!
//! A connection has one request and one answer, each a JSON object in a line. Only root and the
//! server's user are answered, whatever the mode of the socket lets others do. A peer that is slow
//! is dropped. `siftd.lock` beside the socket is locked as long as the server lives, so a socket
//! without a lock is left from an earlier one and is replaced.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::audit::{Event, KeyChange};
use crate::error::Error;
use crate::sessions::StatusReport;
use crate::shared::Shared;

/// The name of the socket in the folder of the state.
pub const SOCKET: &str = "siftd.sock";

/// The name of the file whose lock says that a server lives.
const LOCK: &str = "siftd.lock";

/// The most peers that are answered at once. Others wait.
const CONNECTIONS_MAX: usize = 8;

/// The maximal size of a request.
const REQUEST_BYTES_MAX: u64 = 4 << 10;

/// The time for a peer to send its request, and the time to take the answer.
const PEER_TIME_MAX: Duration = Duration::from_secs(5);

/// The time for the owner of the configuration to answer: it may read files of a slow disk.
const ORDER_TIME_MAX: Duration = Duration::from_secs(60);

/// The wait after a failure to accept.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A request of a command to a server on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlRequest {
    /// Asks for the sessions and their requests.
    Status,
    /// Ends the session or the request with this number.
    End(u64),
    /// Lets the server read its configuration again.
    Reload,
    /// Asks for the configuration that is in use.
    Settings,
}

/// The answer of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlAnswer {
    /// The sessions.
    Status(StatusReport),
    /// The session or request that is ended, in words.
    Ended(String),
    /// The keys that a reload has changed.
    Reloaded(Vec<KeyChange>),
    /// The configuration that is in use.
    Settings(SettingsReport),
    /// The reason why there is no other answer.
    Error(String),
}

/// The configuration that a server uses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsReport {
    /// The path of siftd.toml, without symbolic links; `None` without such a file.
    pub path: Option<PathBuf>,
    /// The keys of the file with their values, as texts.
    pub keys: BTreeMap<String, String>,
}

/// A request that the owner of the configuration answers.
#[derive(Debug)]
pub enum ControlOrder {
    /// Reads the configuration again. The answer is what has changed, or why nothing has.
    Reload(oneshot::Sender<Result<Vec<KeyChange>, String>>),
    /// Tells the configuration.
    Settings(oneshot::Sender<SettingsReport>),
}

/// The most orders that wait for the owner of the configuration. More wait in their connections.
const ORDERS_MAX: usize = 4;

/// A control socket that nobody answers yet. Dropping it removes the socket.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The user of the server, who owns the socket.
    owner: u32,
    orders: mpsc::Sender<ControlOrder>,
    _lock: File,
}

impl ControlSocket {
    /// Makes the socket in the folder `state`, and returns with it the orders for the owner of the
    /// configuration. Needs the context of a runtime.
    ///
    /// # Errors
    /// `Control`, also if another server lives with this folder.
    pub fn bind(state: &Path) -> Result<(Self, mpsc::Receiver<ControlOrder>), Error> {
        let path = state.join(SOCKET);
        let failed = |source| Error::Control { path: path.clone(), source };
        let lock = lock(&state.join(LOCK)).map_err(failed)?;
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(&path).map_err(failed)?;
            }
            Ok(_) => {
                let text = "there is something that is not a socket; remove it";
                return Err(failed(io::Error::other(text)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        let owner = fs::symlink_metadata(&path).map_err(failed)?.uid();
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        Ok((Self { listener, path, owner, orders, _lock: lock }, received))
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // the next server replaces a socket that stays
        let _ = fs::remove_file(&self.path);
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let file = options.open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server runs with this folder; name another as `state` in siftd.toml",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Answers peers until the future is dropped.
pub(crate) async fn answer_all(socket: ControlSocket, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        // the results of those that have ended
        while connections.try_join_next().is_some() {}
        match socket.listener.accept().await {
            Ok((stream, _)) => {
                let (shared, owner) = (Arc::clone(&shared), socket.owner);
                let orders = socket.orders.clone();
                connections.spawn(async move {
                    // a peer that is slow or gone gets no answer
                    let _ = answer_one(stream, owner, &orders, &shared).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept at the control socket");
                sleep(BACK_OFF).await;
            }
        }
    }
}

async fn answer_one(
    stream: UnixStream,
    owner: u32,
    orders: &mpsc::Sender<ControlOrder>,
    shared: &Shared,
) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    let (reader, mut writer) = stream.into_split();
    let answer = match peer.uid() {
        uid if uid == 0 || uid == owner => {
            let mut line = String::new();
            let mut reader = BufReader::new(reader.take(REQUEST_BYTES_MAX));
            timeout(PEER_TIME_MAX, reader.read_line(&mut line)).await??;
            match serde_json::from_str(&line) {
                Ok(request) => answer(request, uid, orders, shared).await,
                Err(error) => ControlAnswer::Error(format!("not a request: {error}")),
            }
        }
        uid => {
            warn!(uid, "a user who is neither root nor the server's asks at the control socket");
            let text = "only root and the user of the server are answered";
            ControlAnswer::Error(text.to_owned())
        }
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    timeout(PEER_TIME_MAX, writer.write_all(&line)).await??;
    writer.shutdown().await
}

async fn answer(
    request: ControlRequest,
    uid: u32,
    orders: &mpsc::Sender<ControlOrder>,
    shared: &Shared,
) -> ControlAnswer {
    match request {
        ControlRequest::Status => ControlAnswer::Status(shared.sessions.report()),
        ControlRequest::End(id) => match shared.sessions.end(id) {
            Some(what) => {
                info!(%what, uid, "ended by the administrator");
                // a line that cannot be written is told in the log
                let _ = shared.audit.write(Event::Kill { uid, id, what: &what }).await;
                ControlAnswer::Ended(what)
            }
            None => ControlAnswer::Error(format!("there is no session and no request {id}")),
        },
        ControlRequest::Reload => match ordered(orders, ControlOrder::Reload).await {
            Ok(Ok(changes)) => ControlAnswer::Reloaded(changes),
            Ok(Err(error)) => ControlAnswer::Error(error),
            Err(why) => ControlAnswer::Error(why.to_owned()),
        },
        ControlRequest::Settings => match ordered(orders, ControlOrder::Settings).await {
            Ok(settings) => ControlAnswer::Settings(settings),
            Err(why) => ControlAnswer::Error(why.to_owned()),
        },
    }
}

const NO_OWNER: &str = "the server does not read a configuration now";

const UNDER_WAY: &str =
    "the server is still reading its configuration; its log will tell the outcome";

/// Sends an order, and waits for its answer.
///
/// # Errors
/// The reason why there is none.
async fn ordered<T>(
    orders: &mpsc::Sender<ControlOrder>,
    order: impl FnOnce(oneshot::Sender<T>) -> ControlOrder,
) -> Result<T, &'static str> {
    let (sender, answer) = oneshot::channel();
    let answered = timeout(ORDER_TIME_MAX, async {
        orders.send(order(sender)).await.ok()?;
        answer.await.ok()
    });
    answered.await.map_err(|_elapsed| UNDER_WAY)?.ok_or(NO_OWNER)
}
