//! The errors that keep a server from starting.

use std::net::SocketAddr;
use std::path::PathBuf;

use sift_proto::der::DerError;
use sift_proto::identity::IdentityError;
use sift_proto::level::LevelError;

/// The reason why a server does not start. Later faults are reported to the client and in the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of the data files cannot be opened.
    #[error("data root {}: {source}", path.display())]
    DataRoot {
        /// The path of the folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The PEM file with the certificate chain and its key cannot be used.
    #[error("certificate {}: {fault}", path.display())]
    Certificate {
        /// The path of the PEM file.
        path: PathBuf,
        /// The fault of the file.
        fault: CertificateFault,
    },
    /// The PEM file with the authorities of client certificates cannot be used.
    #[error("authorities of client certificates {}: {fault}", path.display())]
    ClientAuthorities {
        /// The path of the PEM file.
        path: PathBuf,
        /// The fault of the file.
        fault: CertificateFault,
    },
    /// A PEM file with revocation lists of client certificates cannot be used.
    #[error("revocation lists of client certificates {}: {fault}", path.display())]
    RevocationList {
        /// The path of the PEM file.
        path: PathBuf,
        /// The fault.
        fault: CertificateFault,
    },
    /// The columns or the row filter of a grant do not fit a file.
    #[error("grant {number} does not fit {file}: {error}")]
    GrantUnfit {
        /// The number of the grant, from 1.
        number: usize,
        /// The name of the file.
        file: String,
        /// The error of the column or the row filter.
        error: sift_select::Error,
    },
    /// There are no random numbers for keys.
    #[error(
        "cannot load random state: the operating system's generator gives none; \
         is /dev/urandom there, or does a sandbox forbid getrandom?"
    )]
    Random,
    /// This build does not have the level.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// The server cannot listen on an address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The control socket cannot be made.
    #[error("control socket {}: {source}", path.display())]
    Control {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the operating system, or what is in the way.
        source: std::io::Error,
    },
    /// The audit log cannot be written.
    #[error("audit log {}: {source}", path.display())]
    Audit {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system, or what the file is.
        source: std::io::Error,
    },
    /// The metrics cannot be made.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// The fault of a PEM file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file does not contain a valid chain and key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The passphrase of its key cannot be read.
    #[error("the passphrase of its private key, {}: {source}", path.display())]
    Passphrase {
        /// The path of the file with the passphrase.
        path: PathBuf,
        /// The error of the operating system, or the fault of the file's contents.
        source: std::io::Error,
    },
    /// There is no CERTIFICATE section where authorities are expected.
    #[error("no certificate in it; the authorities' certificates are expected")]
    NoAuthority,
    /// The certificate of an authority cannot be read, so its dates are unknown.
    #[error("certificate {number} does not parse: {error}")]
    Authority {
        /// The number of the certificate in the file, from 1.
        number: usize,
        /// The fault and its place.
        error: DerError,
    },
    /// A file of revocation lists has no X509 CRL section.
    #[error(
        "no revocation list in it; PEM with BEGIN X509 CRL is expected, which `openssl crl -inform der` \
         makes of another form"
    )]
    NoRevocationList,
    /// A section is not a revocation list.
    #[error("revocation list {number} does not parse: {error}")]
    RevocationList {
        /// The number of the section, from 1.
        number: usize,
        /// The fault and its place.
        error: DerError,
    },
    /// rustls does not accept the key and the certificate.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// Certificates of clients cannot be verified with the file.
    #[error("{0}")]
    ClientVerifier(String),
    /// OpenSSL does not accept the key and the certificate at level 2.
    #[error("{0}")]
    OpenSsl(String),
}
