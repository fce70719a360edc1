//! What a server needs to know, in types that cannot be wrong: nobody checks again.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sift_proto::level::Level;
use tokio::net::TcpListener;

use crate::access::protect::Protection;
use crate::access::{Access, Admission};
use crate::catalogue::keyring::Keyring;
use crate::channel::Security;
use crate::channel::tls::{Acceptor, Reloader, TlsOptions};
use crate::error::Error;

pub use crate::catalogue::DataRoot;

/// What a server serves and within which bounds.
#[derive(Debug)]
pub struct Config {
    /// The folder of the data files.
    pub data: DataRoot,
    /// Who comes in, and what each may read.
    pub access: Access,
    /// The bounds.
    pub limits: Limits,
    /// What may leave on good channels only, beside what descriptors say.
    pub protection: Protection,
    /// The keys of encrypted Parquet files.
    pub keyring: Keyring,
    /// The folder where records are sorted that outgrow memory, without which that is
    /// `LIMIT_EXCEEDED`, and where the indexes of the files are.
    pub state: Option<PathBuf>,
}

impl Config {
    /// Serves `data` within the default bounds, protected as descriptors say, without keys.
    pub fn new(data: DataRoot, access: Access) -> Self {
        let (limits, protection) = (Limits::default(), Protection::default());
        Self { data, access, limits, protection, keyring: Keyring::default(), state: None }
    }
}

/// Bounds of a server. Each tells its default and what a client sees where it is hit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; 256. One more is told `SERVER_BUSY`.
    pub connections_max: NonZeroUsize,
    /// Connections that have not said Hello yet; 64. More wait in the kernel's queue.
    pub handshakes_max: NonZeroUsize,
    /// From the connection to the end of Hello; 10 s. Then the connection is closed.
    pub handshake_time: Duration,
    /// Log-ins by password that may fail from one address, for IPv6 from one /64; 10. One more is
    /// `LOGIN_REJECTED`, with the time to wait.
    pub login_failures_max: NonZeroU32,
    /// As above for one user name from all addresses; 50: more, so that who guesses at one does
    /// not lock him out at once.
    pub login_failures_per_user_max: NonZeroU32,
    /// For one failed log-in to be forgiven; 30 s.
    pub login_forgiven_time: Duration,
    /// Passwords that are checked at once, at 19 MiB and a thread each; 4. More wait, within the
    /// time for Hello.
    pub password_checks_max: NonZeroUsize,
    /// From one answer to the whole next request; 10 min. Then `IDLE_TIMEOUT`.
    pub idle_time: Duration,
    /// For a client to take any byte of an answer; 60 s. Then the connection is closed.
    pub write_stall_time: Duration,
    /// The maximal time for the server's work on one Select: for planning, and for waiting for each
    /// batch; 600 s. A longer Select ends with `LIMIT_EXCEEDED`. The time in which a client reads
    /// the answer is not counted.
    pub query_time: Duration,
    /// For answers under way when the server shuts down; 30 s. Then they are cut off.
    pub grace_time: Duration,
    /// Text of a Select; 64 KiB. A longer one is `LIMIT_EXCEEDED`.
    pub sql_bytes_max: NonZeroU32,
    /// Bytes of a file that one job of the pool works on; 4 MiB: about a millisecond.
    pub morsel_bytes: NonZeroUsize,
    /// Morsels of one Select that run or wait to be sent; twice the pool's threads. Times
    /// `morsel_bytes`, about, this is what a slow client costs.
    pub morsels_in_flight_max: NonZeroUsize,
    /// Files in the answer to List; 10,000. More are `LIMIT_EXCEEDED`.
    pub list_files_max: NonZeroUsize,
    /// Entries that List looks at; 100,000. More are `LIMIT_EXCEEDED`.
    pub list_entries_max: NonZeroUsize,
    /// Folders within folders that List goes down; 32. Deeper ones are `LIMIT_EXCEEDED`.
    pub list_depth_max: NonZeroUsize,
    /// Files that are kept open, with what is known of their columns; 64. The least recently used
    /// is opened anew.
    pub sources_max: NonZeroUsize,
    /// Files that one Select reads by a pattern, each of which is open while it does; 256. More are
    /// `LIMIT_EXCEEDED`.
    pub pattern_files_max: NonZeroUsize,
    /// Memory for the groups and the sorted records of one Select; 256 MiB. Groups beyond it are
    /// `LIMIT_EXCEEDED`; records are sorted on disk.
    pub query_memory_bytes_max: NonZeroUsize,
    /// The same for all Selects together; 1 GiB.
    pub memory_bytes_max: NonZeroUsize,
    /// Disk for records that are sorted there, of all Selects together; 64 GiB. More are
    /// `LIMIT_EXCEEDED`.
    pub spill_bytes_max: NonZeroU64,
}

impl Default for Limits {
    fn default() -> Self {
        fn count(count: usize) -> NonZeroUsize {
            NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
        }
        Self {
            connections_max: count(256),
            handshakes_max: count(64),
            handshake_time: Duration::from_secs(10),
            login_failures_max: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
            login_failures_per_user_max: NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN),
            login_forgiven_time: Duration::from_secs(30),
            password_checks_max: count(4),
            idle_time: Duration::from_secs(600),
            write_stall_time: Duration::from_secs(60),
            query_time: Duration::from_secs(600),
            grace_time: Duration::from_secs(30),
            sql_bytes_max: NonZeroU32::new(64 << 10).unwrap_or(NonZeroU32::MIN),
            morsel_bytes: count(4 << 20),
            morsels_in_flight_max: count(2 * crate::schedule::threads()),
            list_files_max: count(10_000),
            list_entries_max: count(100_000),
            list_depth_max: count(32),
            sources_max: count(64),
            pattern_files_max: count(256),
            query_memory_bytes_max: count(256 << 20),
            memory_bytes_max: count(1 << 30),
            spill_bytes_max: NonZeroU64::new(64 << 30).unwrap_or(NonZeroU64::MIN),
        }
    }
}

/// A socket that clients connect to, and what it demands of their channels.
#[derive(Debug)]
pub struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) security: Security,
    /// `None`: as the server's access says.
    pub(crate) admission: Option<Admission>,
    address: SocketAddr,
}

impl Listener {
    /// Listens for clients that speak TLS at `level`. `certificate` is a PEM file with the chain,
    /// the server's own certificate first, and its private key. Port 0 is any free one.
    ///
    /// # Errors
    /// `Certificate`, `Random`, `Listen`.
    pub async fn encrypted(
        address: SocketAddr,
        certificate: &Path,
        level: Level,
    ) -> Result<Self, Error> {
        Self::with_tls(address, TlsOptions::new(certificate, level)).await
    }

    /// Listens for clients with TLS, as `options` describe it. Port 0 means any free port.
    ///
    /// # Errors
    /// `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`, `Listen`.
    pub async fn with_tls(address: SocketAddr, options: TlsOptions) -> Result<Self, Error> {
        let acceptor = Arc::new(Acceptor::new(options)?);
        Self::bind(address, Security::Encrypted(acceptor)).await
    }

    /// Listens for clients in the clear. Port 0 is any free one.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn plain(address: SocketAddr) -> Result<Self, Error> {
        Self::bind(address, Security::Plain).await
    }

    async fn bind(address: SocketAddr, security: Security) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        Ok(Self { tcp, security, admission: None, address })
    }

    /// How whoever connects here becomes a user, whatever the server's access says.
    #[must_use]
    pub fn admit(mut self, admission: Admission) -> Self {
        self.admission = Some(admission);
        self
    }

    /// The address with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What reads its certificate again; `None` on a plain one.
    pub fn reloader(&self) -> Option<Reloader> {
        match &self.security {
            Security::Plain => None,
            Security::Encrypted(acceptor) => Some(Reloader::new(Arc::clone(acceptor))),
        }
    }

    /// The level of its channels; `None` on a plain one.
    pub fn level(&self) -> Option<Level> {
        match &self.security {
            Security::Plain => None,
            Security::Encrypted(acceptor) => Some(acceptor.options().level),
        }
    }
}
