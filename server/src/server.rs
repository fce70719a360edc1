//! Listeners, the accept loop and the way down.
//!
//! A connection takes a place on the doorstep before it is accepted and keeps it until its Hello
//! is through; then it needs one of the places inside, or it is told that the server is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sift_select::{Cancel, IndexFolder, MemoryBudget, ScanOptions, SpillDirectory};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::access::grant::Grants;
use crate::access::login::Login;
use crate::access::{Access, Admission};
use crate::blocking::Jobs;
use crate::catalogue::Catalogue;
use crate::catalogue::statements::Statements;
use crate::config::{Config, Limits, Listener};
use crate::connection::{self, Port};
use crate::error::Error;
use crate::fault::Fault;

/// Serves until `shutdown` is ready, then lets answers under way end, for the grace time at most.
/// Connections are served on the runtime that this is called on, best one that
/// [`runtime`](crate::runtime) makes.
pub async fn serve(listeners: Vec<Listener>, config: Config, shutdown: impl Future<Output = ()>) {
    Server::new(config).serve(listeners, shutdown).await;
}

/// A server that is looked at while it serves.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

/// What a server has done so far. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    connections: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    files: Arc<AtomicU64>,
    morsels: Arc<AtomicU64>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) statements: Arc<Statements>,
    pub(crate) jobs: Jobs,
    pub(crate) login: Login,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Limits,
    pub(crate) activity: Activity,
    admission: Admission,
    /// Memory of all Selects for what grows with the data.
    memory: Arc<MemoryBudget>,
    spill: Option<Arc<SpillDirectory>>,
    doorstep: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Activity {
    /// Connections that were accepted.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Requests that were read.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Data files that were opened; descriptors are none.
    pub fn files_opened(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Morsels that ran.
    pub fn morsels_run(&self) -> u64 {
        self.morsels.load(Ordering::Relaxed)
    }

    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn morsels(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.morsels)
    }
}

impl Shared {
    /// Returns the options for the scan of one Select, which `cancel` stops.
    pub(crate) fn scan_options(&self, cancel: &Cancel) -> ScanOptions {
        let bytes_max = self.limits.query_memory_bytes_max.get();
        let memory = MemoryBudget::new("query_memory_bytes_max", bytes_max);
        ScanOptions {
            morsel_bytes: self.limits.morsel_bytes.get(),
            morsels_in_flight_max: self.limits.morsels_in_flight_max.get(),
            memory: Arc::new(memory.within(Arc::clone(&self.memory))),
            spill: self.spill.clone(),
            cancel: cancel.clone(),
            ..ScanOptions::default()
        }
    }

    /// One of the places inside.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_full| Fault::Busy(self.limits.connections_max.get()))
    }
}

impl Server {
    /// A server that has yet to serve.
    pub fn new(config: Config) -> Self {
        let Config { data, access, limits, protection, keyring, state } = config;
        let Access { admission, users, grants } = access;
        let activity = Activity::default();
        let files_opened = Arc::clone(&activity.files);
        let spill_bytes_max = limits.spill_bytes_max.get();
        let indexes = state.as_deref().map(IndexFolder::new);
        let spill = state.map(|folder| {
            Arc::new(SpillDirectory::new(folder, "spill_bytes_max", spill_bytes_max))
        });
        let memory = MemoryBudget::new("memory_bytes_max", limits.memory_bytes_max.get());
        let shared = Shared {
            login: Login::new(users, &limits),
            grants: Arc::new(Grants::new(grants)),
            admission,
            catalogue: Arc::new(
                Catalogue::new(data, limits.clone(), protection, files_opened)
                    .with_indexes(indexes)
                    .with_keys(keyring),
            ),
            statements: Arc::new(Statements::new()),
            jobs: Jobs::new(),
            activity,
            doorstep: Arc::new(Semaphore::new(
                limits.handshakes_max.get().min(Semaphore::MAX_PERMITS),
            )),
            places: Arc::new(Semaphore::new(
                limits.connections_max.get().min(Semaphore::MAX_PERMITS),
            )),
            memory: Arc::new(memory),
            spill,
            limits,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Whether the columns and row filters of the grants fit every file that there is and that they
    /// can reach. Blocks on the file system; a file that comes later and does not fit is refused.
    ///
    /// # Errors
    /// `GrantUnfit`.
    pub fn check_grants(&self) -> Result<(), Error> {
        self.shared.catalogue.check_grants(&self.shared.grants)
    }

    /// What it has done, now and later.
    pub fn activity(&self) -> Activity {
        self.shared.activity.clone()
    }

    /// As [`serve`](serve()).
    pub async fn serve(self, listeners: Vec<Listener>, shutdown: impl Future<Output = ()>) {
        let (down, told) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let shared = Arc::clone(&self.shared);
            accepting.spawn(accept_all(shared, listener, told.clone()));
        }
        shutdown.await;
        info!("shutting down");
        // the receivers are in the tasks, if any is left
        let _ = down.send(true);
        let ending = async { while accepting.join_next().await.is_some() {} };
        let grace = self.shared.limits.grace_time;
        if timeout(grace, ending).await.is_err() {
            warn!(grace_seconds = grace.as_secs(), "answers under way are cut off");
        }
    }
}

/// Accepts until the server goes down, then waits for its connections. Dropping it ends them.
async fn accept_all(shared: Arc<Shared>, listener: Listener, mut down: watch::Receiver<bool>) {
    let Listener { tcp, security, admission, .. } = listener;
    let port = Port { security, admission: admission.unwrap_or_else(|| shared.admission.clone()) };
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = down.wait_for(|down| *down) => break,
            accepted = accept(&shared, &tcp) => accepted,
            Some(ended) = connections.join_next() => {
                report_panic(ended);
                continue;
            }
        };
        let (stream, peer, doorstep) = accepted;
        shared.activity.connections.fetch_add(1, Ordering::Relaxed);
        let (shared, port, down) = (Arc::clone(&shared), port.clone(), down.clone());
        connections.spawn(async move {
            connection::run(&shared, stream, peer, port, doorstep, down).await;
        });
    }
    drop(tcp);
    while let Some(ended) = connections.join_next().await {
        report_panic(ended);
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection panicked");
    }
}

type Accepted = (TcpStream, std::net::SocketAddr, OwnedSemaphorePermit);

/// How long to wait after a failure to accept: without file descriptors the next try fails too,
/// and trying at once would take a whole core.
const BACK_OFF: std::ops::Range<Duration> = Duration::from_millis(10)..Duration::from_secs(1);

async fn accept(shared: &Shared, tcp: &TcpListener) -> Accepted {
    let mut back_off = BACK_OFF.start;
    loop {
        let Ok(doorstep) = Arc::clone(&shared.doorstep).acquire_owned().await else {
            // nobody closes it
            return std::future::pending().await;
        };
        match tcp.accept().await {
            Ok((stream, peer)) => {
                // an answer's last piece must not wait for the acknowledgement of the one before;
                // without it the connection is slower, not wrong
                let _ = stream.set_nodelay(true);
                return (stream, peer, doorstep);
            }
            Err(error) => {
                drop(doorstep);
                warn!(%error, "cannot accept");
                sleep(back_off).await;
                back_off = BACK_OFF.end.min(back_off * 2);
            }
        }
    }
}
