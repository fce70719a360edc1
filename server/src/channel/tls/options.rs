//! The options of an encrypted listener: its level, its certificate, and the certificates of
//! clients.

use std::fmt;
use std::path::{Path, PathBuf};

use sift_proto::level::Level;

use super::clock::Clock;

/// The encryption of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    pub(crate) certificate: PathBuf,
    pub(crate) level: Level,
    pub(crate) passphrase: Passphrase,
    pub(crate) clients: Option<(PathBuf, ClientCertificates)>,
    pub(crate) revocation_lists: Vec<PathBuf>,
    pub(crate) clock: Clock,
}

/// The certificates that clients need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A client without a certificate gets no channel.
    Required,
    /// A client without a certificate gets a channel, but has no name. An invalid certificate is
    /// refused.
    Optional,
}

/// The source of the passphrase of a private key.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Passphrase {
    /// The key has no passphrase.
    #[default]
    None,
    /// The passphrase itself.
    Given(String),
    /// The first line of a file, which is read whenever the key is read.
    File(PathBuf),
}

impl TlsOptions {
    /// Makes the options of a listener at `level`. `certificate` is a PEM file with the chain, the
    /// server's own certificate first, and its private key. Clients need no certificate.
    pub fn new(certificate: impl Into<PathBuf>, level: Level) -> Self {
        let certificate = certificate.into();
        Self {
            certificate,
            level,
            passphrase: Passphrase::None,
            clients: None,
            revocation_lists: Vec::new(),
            clock: Clock::default(),
        }
    }

    /// Returns the path of the PEM file with chain and key.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Returns the level of the listener.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Sets the passphrase of the private key.
    #[must_use]
    pub fn passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = passphrase;
        self
    }

    /// Asks clients for a certificate that one of the authorities in a PEM file has signed.
    #[must_use]
    pub fn clients(mut self, authorities: impl Into<PathBuf>, asked: ClientCertificates) -> Self {
        self.clients = Some((authorities.into(), asked));
        self
    }

    /// Refuses the client certificates that revocation lists in PEM files name. Each authority in a
    /// client's chain needs a list that has not ended. Without such a list, the certificates of
    /// this authority are refused.
    #[must_use]
    pub fn revocation_lists(mut self, paths: Vec<PathBuf>) -> Self {
        self.revocation_lists = paths;
        self
    }

    /// Sets the clock for the dates of certificates and tickets. The default is the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn requires_certificate(&self) -> bool {
        matches!(self.clients, Some((_, ClientCertificates::Required)))
    }
}

/// The text never contains the passphrase.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Given(_) => f.write_str("Given(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}
