//! What a server needs to know, in types that cannot be wrong: nobody checks again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sift_proto::level::Level;
use tokio::net::TcpListener;

use crate::access::protect::Protection;
use crate::access::{Access, Admission};
use crate::catalogue::DataRoot;
use crate::catalogue::keyring::Keyring;
use crate::channel::Security;
use crate::channel::tls::{Acceptor, Reloader, TlsOptions};
use crate::error::Error;
use crate::limits::Limits;

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
