//! The configuration of a server, in types that are valid by construction.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sift_proto::level::Level;
use tokio::net::{TcpListener, TcpSocket};

use crate::access::protect::Protection;
use crate::access::{Access, Admission};
use crate::audit::Audit;
use crate::catalogue::DataRoot;
use crate::catalogue::keyring::Keyring;
use crate::channel::Security;
use crate::channel::tls::{Acceptor, Reloader, TlsOptions};
use crate::error::Error;
use crate::limits::Limits;
use crate::link::CompressionChoice;
use crate::shutdown::{Shutdown, Trigger, shutdown};

/// The configuration of a server.
#[derive(Debug)]
pub struct Config {
    /// The folder of the data files.
    pub data: DataRoot,
    /// The users and their grants.
    pub access: Access,
    /// The limits.
    pub limits: Limits,
    /// The protection of files and columns, in addition to that of descriptors.
    pub protection: Protection,
    /// The keys of encrypted Parquet files.
    pub keyring: Keyring,
    /// The folder with the indexes, in which records are sorted and grouped if they need more than
    /// the memory. Without it such a Select ends with `LIMIT_EXCEEDED`.
    pub state: Option<PathBuf>,
    /// Encrypts what a Select writes in that folder, by a key that only this process has.
    pub spill_encrypt: bool,
    /// The compression of answers.
    pub compression: CompressionChoice,
    /// Compresses answers from protected files and columns, too, and those of users who may not see
    /// all of a file. The lengths of such answers tell a listener more about what is in them.
    pub compress_protected: bool,
    /// The audit log.
    pub audit: Audit,
    /// The time from which on a Select is slow. The log tells the text and the plan of a slow one.
    pub slow_query_time: Option<Duration>,
}

impl Config {
    /// Makes a configuration with the default limits, the protection of descriptors, and no keys.
    pub fn new(data: DataRoot, access: Access) -> Self {
        let (limits, protection) = (Limits::default(), Protection::default());
        Self {
            data,
            access,
            limits,
            protection,
            keyring: Keyring::default(),
            state: None,
            spill_encrypt: true,
            compression: CompressionChoice::default(),
            compress_protected: false,
            audit: Audit::default(),
            slow_query_time: None,
        }
    }
}

/// A socket to which clients connect, with its terms for them.
#[derive(Debug)]
pub struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) handle: ListenerHandle,
}

/// The terms of a listener for its clients, and the signal that closes it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ListenerHandle {
    address: SocketAddr,
    terms: Arc<RwLock<Terms>>,
    trigger: Arc<Trigger>,
    closing: Shutdown,
}

/// The requirements of a listener for its clients.
#[derive(Clone, Debug)]
pub struct Terms {
    pub(crate) security: Security,
    /// `None` means the admission of the server's [`Access`].
    pub(crate) admission: Option<Admission>,
}

impl Terms {
    /// Makes the terms of a listener without encryption.
    pub fn plain() -> Self {
        Self { security: Security::Plain, admission: None }
    }

    /// Makes the terms of a listener with TLS, and reads the files that `options` name.
    ///
    /// # Errors
    /// `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`.
    pub fn encrypted(options: TlsOptions) -> Result<Self, Error> {
        let security = Security::Encrypted(Arc::new(Acceptor::new(options)?));
        Ok(Self { security, admission: None })
    }

    /// Sets how clients become users. It replaces the admission of the server's access.
    #[must_use]
    pub fn admit(self, admission: Admission) -> Self {
        Self { admission: Some(admission), ..self }
    }
}

impl Listener {
    /// Listens for clients with TLS at `level`. `certificate` is a PEM file with the certificate
    /// chain, the server's own certificate first, and its private key. Port 0 means any free port.
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
        Self::bind(address, Terms::encrypted(options)?).await
    }

    /// Listens for clients without encryption. Port 0 means any free port.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn plain(address: SocketAddr) -> Result<Self, Error> {
        Self::bind(address, Terms::plain()).await
    }

    /// Listens for clients on these terms. Port 0 means any free port.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn bind(address: SocketAddr, terms: Terms) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let tcp = listen_at(address).map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        let (trigger, closing) = shutdown();
        let (terms, trigger) = (Arc::new(RwLock::new(terms)), Arc::new(trigger));
        Ok(Self { tcp, handle: ListenerHandle { address, terms, trigger, closing } })
    }

    /// Sets how clients of this listener become users. It replaces the admission of the server's
    /// access.
    #[must_use]
    pub fn admit(self, admission: Admission) -> Self {
        self.handle.replace(self.handle.terms().admit(admission));
        self
    }

    /// Returns the address, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.handle.address
    }

    /// Returns the handle that changes the terms, and closes the listener.
    pub fn handle(&self) -> ListenerHandle {
        self.handle.clone()
    }

    /// Returns a handle that reads the certificate again; `None` for a plain listener.
    pub fn reloader(&self) -> Option<Reloader> {
        self.handle.reloader()
    }

    /// Returns the level of the channels; `None` for a plain listener.
    pub fn level(&self) -> Option<Level> {
        self.handle.level()
    }
}

impl ListenerHandle {
    /// Returns the address, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the terms for later connections.
    pub fn replace(&self, terms: Terms) {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// Closes the listener for newcomers. Open connections stay.
    pub fn close(&self) {
        self.trigger.begin();
    }

    /// Returns a handle that reads the certificate again; `None` for a plain listener.
    pub fn reloader(&self) -> Option<Reloader> {
        match self.terms().security {
            Security::Plain => None,
            Security::Encrypted(acceptor) => Some(Reloader::new(acceptor)),
        }
    }

    /// Returns the level of the channels; `None` for a plain listener.
    pub fn level(&self) -> Option<Level> {
        match self.terms().security {
            Security::Plain => None,
            Security::Encrypted(acceptor) => Some(acceptor.options().level),
        }
    }

    /// Returns the terms of this moment.
    pub(crate) fn terms(&self) -> Terms {
        self.terms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the signal that closes the listener.
    pub(crate) fn closing(&self) -> Shutdown {
        self.closing.clone()
    }

    /// Returns whether the handles are of one listener.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.terms, &other.terms)
    }
}

/// The connections that the kernel takes before the server does; `sysctl net.core.somaxconn` may
/// allow fewer. A client that comes while there are more tries again after a second.
const BACKLOG: u32 = 4096;

/// Listens for connections. A server that has just ended does not keep the address.
fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
