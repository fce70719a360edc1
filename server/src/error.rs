//! What keeps a server from starting.

use std::net::SocketAddr;
use std::path::PathBuf;

use sift_proto::identity::IdentityError;
use sift_proto::level::LevelError;

/// Why a server could not be set up. What goes wrong later is told to the client it concerns,
/// and to the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of the data files.
    #[error("data root {}: {source}", path.display())]
    DataRoot {
        /// The folder as it was given.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The PEM file with the certificate chain and its key.
    #[error("certificate {}: {fault}", path.display())]
    Certificate {
        /// The PEM file as it was given.
        path: PathBuf,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// The PEM file with the authorities of client certificates.
    #[error("authorities of client certificates {}: {fault}", path.display())]
    ClientAuthorities {
        /// The PEM file as it was given.
        path: PathBuf,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// A PEM file with revocation lists of client certificates is faulty.
    #[error("revocation lists of client certificates {}: {fault}", path.display())]
    RevocationList {
        /// The path of the PEM file as it was given.
        path: PathBuf,
        /// The fault.
        fault: CertificateFault,
    },
    /// A grant whose columns or row filter a file does not have.
    #[error("grant {number} does not fit {file}: {error}")]
    GrantUnfit {
        /// Which, from 1.
        number: usize,
        /// A file that it is about.
        file: String,
        /// What does not fit.
        error: sift_select::Error,
    },
    /// No random numbers, so no keys.
    #[error(
        "cannot load random state: the operating system's generator gives none; \
         is /dev/urandom there, or does a sandbox forbid getrandom?"
    )]
    Random,
    /// A level that this build does not have.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as it was given.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// What is wrong with a PEM file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Chain and key are not in it as they should be.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The passphrase of its key cannot be read.
    #[error("the passphrase of its private key, {}: {source}", path.display())]
    Passphrase {
        /// The file that should hold it.
        path: PathBuf,
        /// What the operating system said, or what is wrong with it.
        source: std::io::Error,
    },
    /// There is no CERTIFICATE section where authorities are expected.
    #[error("no certificate in it; the authorities' certificates are expected")]
    NoAuthority,
    /// A file of revocation lists has no X509 CRL section.
    #[error(
        "no revocation list in it; PEM with BEGIN X509 CRL is expected, which `openssl crl -inform der` \
         makes of another form"
    )]
    NoRevocationList,
    /// A section is not a revocation list.
    #[error("revocation list {number} does not parse")]
    RevocationList {
        /// The number of the section, from 1.
        number: usize,
    },
    /// Key and certificate do not serve.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// No certificate of a client could be verified with it.
    #[error("{0}")]
    ClientVerifier(String),
    /// Key and certificate do not serve at level 2.
    #[error("{0}")]
    OpenSsl(String),
}
