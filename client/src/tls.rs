//! Makes an encrypted stream from options, and reports what was negotiated.
//!
//! Only this file and the files below it know which library makes the channels of which level, and
//! read the errors of these libraries.

#[cfg(feature = "legacy-tls")]
mod legacy;
mod modern;
mod refused;
mod trust;
mod verifier;

use std::io;

use rustls::AlertDescription;
use sift_proto::cipher;
use sift_proto::level::{Level, Protocol};
use sift_proto::x509::Certificate;
#[cfg(feature = "legacy-tls")]
use tokio::io::AsyncWriteExt;

use crate::channel::Negotiated;
use crate::error::{Reason, Result, Usage};
use crate::options::{ConnectOptions, Host};
use crate::transport::{FirstBytes, Transport};
use crate::wrong_peer;

/// The levels that this build supports, the weakest first.
pub const LEVELS: &[Level] = if cfg!(feature = "legacy-tls") {
    Level::ALL
} else {
    &[Level::Three, Level::Four, Level::Five]
};

/// Encrypts connections with the protocols and suites of a level.
pub(crate) enum Connector {
    Rustls(modern::Connector),
    #[cfg(feature = "legacy-tls")]
    OpenSsl(legacy::Connector),
}

/// The requested security: a handshake offers it, and its result is checked against it.
#[derive(Clone, Debug)]
struct Asked {
    level: Level,
    /// The suites of the level, or only those that the options name.
    suites: Vec<u16>,
}

/// The result of a handshake, with the numbers of IANA.
struct Agreed<'a> {
    protocol: Protocol,
    suite: u16,
    /// `None` for a resumed session below TLS 1.3.
    group: Option<u16>,
    alpn: Option<&'a [u8]>,
    /// DER.
    server_certificate: Option<&'a [u8]>,
    resumed: bool,
}

impl Connector {
    /// # Errors
    /// `Local` or `Usage` about level, suites, authorities, certificate or name.
    pub(crate) fn new(options: &ConnectOptions, host: &Host) -> Result<Self> {
        match options.level.among(LEVELS)? {
            #[cfg(feature = "legacy-tls")]
            Level::Two => legacy::Connector::new(options, host).map(Self::OpenSsl),
            _ => modern::Connector::new(options, host).map(Self::Rustls),
        }
    }

    /// Does the handshake. If it fails, the reason also says whether the peer speaks TLS at all.
    /// `early` is sent as soon as the server's certificate is verified, together with the end of
    /// the handshake if the library can do that. At that time it is not known yet whether the
    /// server speaks Sift.
    pub(crate) async fn connect(
        &self,
        stream: FirstBytes,
        early: &[u8],
    ) -> Result<(Transport, Negotiated), Reason> {
        match self {
            Self::Rustls(connector) => connector.connect(stream, early).await,
            #[cfg(feature = "legacy-tls")]
            Self::OpenSsl(connector) => {
                let (mut transport, negotiated) = connector.connect(stream).await?;
                transport.write_all(early).await?;
                transport.flush().await?;
                Ok((transport, negotiated))
            }
        }
    }
}

impl Asked {
    /// # Errors
    /// `Usage` about a suite.
    fn of(options: &ConnectOptions) -> Result<Self> {
        let level = options.level;
        let mut asked = Self { level, suites: suites_of(level) };
        if !options.suites.is_empty() {
            let named = options.suites.iter().map(|name| {
                let is_it = |suite: &&u16| cipher::suite_name(**suite) == Some(name);
                asked.suites.iter().find(is_it).copied().ok_or_else(|| {
                    let (name, known) = (name.clone(), names(&asked.suites));
                    Usage::Suite { level, name, known }
                })
            });
            asked.suites = named.collect::<Result<_, Usage>>()?;
        }
        Ok(asked)
    }

    /// Returns the protocols that have one of the requested suites, the best first.
    fn protocols(&self) -> impl Iterator<Item = Protocol> {
        let has_one = |protocol: &Protocol| {
            self.level.suites(*protocol).iter().any(|suite| self.suites.contains(suite))
        };
        self.level.protocols().iter().copied().filter(has_one)
    }

    fn permits(&self, protocol: Protocol, suite: u16, group: Option<u16>) -> bool {
        self.suites.contains(&suite) && self.level.permits(protocol, suite, group)
    }

    /// Returns the negotiated channel, if it is one of the requested ones and the other end speaks
    /// Sift.
    fn agreed(&self, agreed: Agreed<'_>) -> Result<Negotiated, Reason> {
        let Agreed { protocol, suite, group, alpn, server_certificate, resumed } = agreed;
        let level = self.level;
        let cipher = cipher::describe(suite).unwrap_or_default();
        let key_exchange = group.map(cipher::group_name).unwrap_or_default();
        if cipher.is_empty() || !self.permits(protocol, suite, group) {
            let got = format!("{protocol} with suite {suite:#06x} {cipher} and {key_exchange}");
            return Err(Reason::LevelNotMet { level, got });
        }
        if alpn != Some(sift_proto::ALPN) {
            return Err(Reason::NotSift("it did not agree to the protocol sift/1".to_owned()));
        }
        let parsed = server_certificate.and_then(|der| Certificate::parse(der).ok());
        let peer_names = parsed.map(|certificate| certificate.names()).unwrap_or_default();
        let peer_names = peer_names.iter().map(ToString::to_string).collect();
        // a channel that the level allows has at least this level
        let met = Level::of_channel(protocol, suite, group).unwrap_or(level);
        Ok(Negotiated { protocol, cipher, key_exchange, level, met, peer_names, resumed })
    }

    /// Translates an alert of the server, by its number. `text` is the library's name for the
    /// alert.
    fn alert(&self, number: u8, text: &str) -> Reason {
        match AlertDescription::from(number) {
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::IllegalParameter => self.nothing_in_common(text),
            AlertDescription::NoApplicationProtocol => {
                Reason::NotSift("it does not know the protocol sift/1".to_owned())
            }
            _ => about_client_certificate(number)
                .unwrap_or_else(|| Reason::Handshake(crate::error::printable(text))),
        }
    }

    fn nothing_in_common(&self, text: &str) -> Reason {
        let level = self.level;
        let protocols: Vec<String> = self.protocols().map(|one| one.to_string()).collect();
        let narrowed = if self.suites == suites_of(level) {
            String::new()
        } else {
            format!(" with {}", names(&self.suites))
        };
        let advice = match level {
            Level::Two => {
                "the server needs a newer one; ask for the default level or a higher one \
                           (--scl)"
            }
            Level::Three => "the server needs a newer or a better one",
            Level::Four | Level::Five => {
                "ask for a lower level (--scl), or have the server serve this one"
            }
        };
        let detail = format!(
            "this end asks for level {level} ({}{narrowed}) and the server's level does not meet it ({text}); \
             {advice}",
            protocols.join(" or "),
        );
        Reason::NothingInCommon { level, detail }
    }
}

/// Returns the suites of a level, the best of each protocol first.
fn suites_of(level: Level) -> Vec<u16> {
    let mut suites = Vec::new();
    for suite in level.protocols().iter().flat_map(|protocol| level.suites(*protocol)) {
        if !suites.contains(suite) {
            suites.push(*suite);
        }
    }
    suites
}

fn names(suites: &[u16]) -> String {
    let names = suites.iter().filter_map(|suite| cipher::suite_name(*suite));
    names.collect::<Vec<_>>().join(", ")
}

/// Translates an alert about the client certificate, or about a missing one.
fn about_client_certificate(number: u8) -> Option<Reason> {
    let refused = |why: &str| Some(Reason::ClientCertificateRefused(why.to_owned()));
    match AlertDescription::from(number) {
        AlertDescription::CertificateRequired => Some(Reason::ClientCertificateRequired),
        // the server knows another authority with the same name, so the signature is wrong
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            refused("it does not know the authority that signed it")
        }
        AlertDescription::CertificateExpired => refused("it is out of its time"),
        AlertDescription::CertificateRevoked => refused("it is revoked"),
        AlertDescription::CertificateUnknown => refused(
            "it cannot tell whether it is good, since a revocation list has ended perhaps; the \
             server's log says why",
        ),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => refused("it is not one for clients, or not a good one"),
        _ => None,
    }
}

/// Translates an error on an established channel, if it is about the client certificate. In TLS
/// 1.3, a server checks this certificate after the client has finished its handshake.
pub(crate) fn late_alert(error: &io::Error) -> Option<Reason> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => about_client_certificate((*alert).into()),
        _ => None,
    }
}

/// Returns `reason` for a failed handshake, or another reason if the peer does not speak TLS.
async fn failed(first: &mut FirstBytes, reason: Reason) -> Reason {
    let said = first.take_first();
    wrong_peer::identify(first, said).await.unwrap_or(reason)
}
