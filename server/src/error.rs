//! What keeps a server from starting.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// No random numbers, so no keys.
    #[error(
        "cannot load random state: the operating system's generator gives none; \
         is /dev/urandom there, or does a sandbox forbid getrandom?"
    )]
    Random,
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
    /// The file is no certificate and key at all.
    #[error("{got} bytes, at most {bytes_max} are read")]
    TooLarge {
        /// Its length.
        got: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// A section does not parse.
    #[error("not PEM: {0}")]
    Pem(String),
    /// There is no CERTIFICATE section.
    #[error(
        "no certificate in it; chain and key belong in this one file, the server's own certificate first"
    )]
    NoCertificate,
    /// There is no CERTIFICATE section where authorities are expected.
    #[error("no certificate in it; the authorities' certificates are expected")]
    NoAuthority,
    /// There is no PRIVATE KEY section.
    #[error("no private key in it; chain and key belong in this one file")]
    NoKey,
    /// The key is under a passphrase.
    #[error(
        "its private key has a passphrase, which this version cannot open; store it without one, readable by the server alone"
    )]
    KeyEncrypted,
    /// Key and certificate do not serve.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}
