//! TLS for a listener: options in, channels out, and a new certificate without a new listener.
//!
//! Only this file and the files in `tls/` know which library serves a level.

mod clients;
mod clock;
#[cfg(feature = "legacy-tls")]
mod legacy;
mod modern;
mod options;
mod pem;
mod session;
mod validity;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::AlertDescription;
use sift_proto::level::{Level, Protocol};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client_hello::Offered;
use super::stream::{self, Stream};
use crate::error::Error;

pub use clock::Clock;
pub use options::{ClientCertificates, Passphrase, TlsOptions};
use validity::Dates;
pub use validity::Notice;

/// The levels that this build serves, the weakest first.
pub const LEVELS: &[Level] = if cfg!(feature = "legacy-tls") {
    Level::ALL
} else {
    &[Level::Three, Level::Four, Level::Five]
};

/// Performs the handshakes of a listener, with the certificate that was loaded last.
#[derive(Debug)]
pub(crate) struct Acceptor {
    options: TlsOptions,
    loaded: RwLock<Loaded>,
}

/// A TLS library, configured with the files of a listener, and the dates in these files. Cheap to
/// clone.
#[derive(Clone, Debug)]
struct Loaded {
    library: Library,
    dates: Arc<Dates>,
}

/// A TLS library, configured for one level. Cheap to clone.
#[derive(Clone, Debug)]
enum Library {
    Rustls(Arc<modern::Server>),
    #[cfg(feature = "legacy-tls")]
    OpenSsl(openssl::ssl::SslContext),
}

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) negotiated: Negotiated,
    /// The client's own certificate in DER, verified.
    pub(crate) client_certificate: Option<Vec<u8>>,
}

/// The parameters on which both ends agreed. Suite and group are IANA's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiated {
    pub(crate) protocol: Protocol,
    pub(crate) suite: u16,
    /// The key exchange group; `None` for a resumed session before TLS 1.3.
    pub(crate) group: Option<u16>,
}

impl TlsOptions {
    /// Opens every file that the options name, and returns what an administrator should know about
    /// them.
    ///
    /// # Errors
    /// `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`.
    pub fn check(&self) -> Result<Vec<Notice>, Error> {
        Ok(Loaded::load(self)?.dates.notices(self.clock.date()))
    }
}

impl Acceptor {
    /// # Errors
    /// `Level`, `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`.
    pub(crate) fn new(options: TlsOptions) -> Result<Self, Error> {
        let loaded = RwLock::new(Loaded::load(&options)?);
        Ok(Self { options, loaded })
    }

    pub(crate) fn options(&self) -> &TlsOptions {
        &self.options
    }

    fn loaded(&self) -> Loaded {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reload(&self) -> Result<(), Error> {
        let fresh = Loaded::load(&self.options)?;
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Performs a handshake. `offered` is from the client's first message.
    ///
    /// # Errors
    /// The reason, for an administrator, why there is no channel. The client has already received
    /// an alert.
    pub(crate) async fn accept(
        &self,
        tcp: TcpStream,
        offered: Offered,
    ) -> Result<Accepted, String> {
        let level = self.options.level;
        let Loaded { library, .. } = self.loaded();
        match library {
            Library::Rustls(server) => modern::accept(&server, tcp, level, offered).await,
            #[cfg(feature = "legacy-tls")]
            Library::OpenSsl(context) => {
                let now = self.options.clock.now();
                legacy::accept(context, tcp, now, offered).await
            }
        }
    }
}

/// Reads the certificate and the other files of a listener again, while it serves.
#[derive(Clone, Debug)]
pub struct Reloader(Arc<Acceptor>);

impl Reloader {
    pub(crate) fn new(acceptor: Arc<Acceptor>) -> Self {
        Self(acceptor)
    }

    /// Returns the path of the PEM file with the listener's chain and key.
    pub fn certificate(&self) -> &Path {
        &self.0.options.certificate
    }

    /// Loads the files again for new connections. Open connections stay as they are, and no earlier
    /// session is resumed. If the files cannot be used, the files that were loaded last stay in
    /// use.
    ///
    /// # Errors
    /// `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`.
    pub fn reload(&self) -> Result<(), Error> {
        self.0.reload()
    }

    /// Returns what an administrator should know now about the files that were loaded last.
    pub fn notices(&self) -> Vec<Notice> {
        self.0.loaded().dates.notices(self.0.options.clock.date())
    }

    /// Returns when the first certificate of the listener's own chain ends, in Unix time.
    pub(crate) fn first_end(&self) -> Option<i64> {
        self.0.loaded().dates.first_end()
    }
}

impl Loaded {
    fn load(options: &TlsOptions) -> Result<Self, Error> {
        let library = match options.level.among(LEVELS)? {
            #[cfg(feature = "legacy-tls")]
            Level::Two => Library::OpenSsl(legacy::configure(options)?),
            _ => Library::Rustls(Arc::new(modern::Server::load(options)?)),
        };
        Ok(Self { library, dates: Arc::new(Dates::read(options)?) })
    }
}

/// Closes a connection after an alert, so that a reset does not overtake the alert.
async fn close(tcp: &mut TcpStream) {
    // it fails if the peer is gone
    let _ = tcp.shutdown().await;
    stream::drain(tcp, &mut [0; 1024]).await;
}

/// Returns the reason why there is no common protocol.
fn no_protocol_in_common(level: Level, offered: Option<&str>) -> String {
    let ours: Vec<String> = level.protocols().iter().map(ToString::to_string).collect();
    format!(
        "no protocol in common: the client offers {}, level {level} has {}",
        offered.unwrap_or("an unknown one"),
        ours.join(", ")
    )
}

pub(crate) const NO_CERTIFICATE: &str =
    "the client shows no certificate, and this listener requires one";
const UNKNOWN_AUTHORITY: &str = "none of the authorities in client_ca has signed it";
const AUTHORITY_OUT_OF_TIME: &str = "the authority that signed it is out of its time";
const REVOKED: &str = "it is revoked";
const NO_ALPN: &str = "the client offers other protocols than sift/1";

/// Returns an explanation, for an administrator, of an alert that ended a handshake.
fn alert_fault(number: u8) -> String {
    let alert = AlertDescription::from(number);
    match alert {
        // if an authority only has the name of a known one, the signature is wrong
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "the client does not know the authority of this server's certificate".to_owned()
        }
        AlertDescription::CertificateExpired => {
            "the client finds this server's certificate out of its time".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown => {
            format!("the client refuses this server's certificate, {alert:?}")
        }
        _ => format!("the client gives up, {alert:?}"),
    }
}
