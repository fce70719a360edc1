//! Levels 3 to 5, by rustls on aws-lc-rs: exactly the protocols, suites and key exchanges that were
//! asked for.

use std::io::{self, Write};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion,
    RootCertStore, SupportedProtocolVersion,
};
use sift_proto::ALPN;
use sift_proto::level::Protocol;
use tokio_rustls::TlsConnector;

use super::{Agreed, Asked, trust};
use crate::channel::Negotiated;
use crate::error::{Error, Reason, Result, Usage, printable};
use crate::options::{ConnectOptions, Host, Roots};
use crate::transport::{FirstBytes, Transport};

/// Makes connections encrypted channels; later ones resume the sessions of earlier ones, unless the
/// options say no.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    asked: Asked,
}

impl Connector {
    /// # Errors
    /// `Local` or `Usage` about suites, authorities, certificate or name.
    pub(super) fn new(options: &ConnectOptions, host: &Host) -> Result<Self> {
        let name = options.server_name.as_ref().unwrap_or(&host.name);
        let name = ServerName::try_from(name.clone())
            .map_err(|_invalid| Usage::ServerName(name.clone()))?;
        let asked = Asked::of(options)?;
        Ok(Self { config: Arc::new(config(options, &asked)?), name, asked })
    }

    pub(super) async fn connect(
        &self,
        first: FirstBytes,
        early: &[u8],
    ) -> Result<(Transport, Negotiated), Reason> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let mut queued = Ok(());
        let connecting = connector.connect_with(self.name.clone(), first, |session| {
            // kept until the handshake is through, the server's certificate verified
            queued = session.writer().write_all(early);
        });
        queued?;
        match connecting.into_fallible().await {
            Ok(mut stream) => {
                let (first, session) = stream.get_mut();
                first.forget();
                let negotiated = negotiated(session, &self.asked)?;
                Ok((Box::new(stream), negotiated))
            }
            Err((error, mut first)) => {
                Err(super::failed(&mut first, reason(error, &self.asked)).await)
            }
        }
    }
}

/// A connector has one server to keep tickets of; rustls keeps the last eight.
const TICKETS_MAX: usize = 8;

fn config(options: &ConnectOptions, asked: &Asked) -> Result<ClientConfig> {
    let versions: Vec<&'static SupportedProtocolVersion> =
        asked.protocols().filter_map(version).collect();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider(asked)))
        .with_protocol_versions(&versions)
        .map_err(|error| Usage::Tls(error.to_string()))?
        .with_root_certificates(roots(&options.roots)?);
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let identity = trust::identity(own)?;
            builder.with_client_auth_cert(identity.chain, identity.key).map_err(|error| {
                Error::local("use a client certificate", &own.path, trust::invalid(error))
            })?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = match options.resume {
        true => Resumption::in_memory_sessions(TICKETS_MAX),
        false => Resumption::disabled(),
    };
    Ok(config)
}

fn negotiated(session: &ClientConnection, asked: &Asked) -> Result<Negotiated, Reason> {
    let protocol = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Protocol::Tls13,
        Some(ProtocolVersion::TLSv1_2) => Protocol::Tls12,
        other => {
            return Err(Reason::LevelNotMet { level: asked.level, got: format!("{other:?}") });
        }
    };
    let suite = session.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite()));
    let group = session.negotiated_key_exchange_group().map(|group| u16::from(group.name()));
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    asked.agreed(Agreed {
        protocol,
        suite,
        group,
        alpn: session.alpn_protocol(),
        server_certificate: certificate.map(|der| &der[..]),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    })
}

/// Tells a failed handshake by whose fault it is.
fn reason(error: io::Error, asked: &Asked) -> Reason {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Reason::Closed,
            _ => Reason::Io(error),
        };
    };
    match tls {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::PeerIncompatible(_) => asked.nothing_in_common(&tls.to_string()),
        rustls::Error::AlertReceived(alert) => asked.alert((*alert).into(), &tls.to_string()),
        rustls::Error::NoApplicationProtocol => {
            Reason::NotSift("it does not know the protocol sift/1".to_owned())
        }
        other => Reason::Handshake(printable(&other.to_string())),
    }
}

fn certificate(error: &CertificateError) -> Reason {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Reason::UnknownAuthority
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().map(|name| bare(name).to_owned()).collect();
            Reason::wrong_name(&expected.to_str(), &names)
        }
        CertificateError::NotValidForName => Reason::WrongName {
            expected: "this server".to_owned(),
            presented: "somebody else".to_owned(),
        },
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Reason::CertificateExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Reason::CertificateNotValidYet
        }
        // webpki's word for it has no variant of its own in rustls.
        other if other.to_string().contains("CaUsedAsEndEntity") => Reason::CertificateRefused(
            "it is an authority's; the server needs one of its own that the authority signed"
                .to_owned(),
        ),
        other => Reason::CertificateRefused(printable(&other.to_string())),
    }
}

/// The name in what rustls shows of one: `DnsName("h")` or `IpAddress(192.0.2.1)`.
fn bare(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

/// What rustls offers, without what was not asked for.
fn provider(asked: &Asked) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let groups: Vec<u16> = provider.kx_groups.iter().map(|group| u16::from(group.name())).collect();
    let suites: Vec<(Protocol, u16)> = provider
        .cipher_suites
        .iter()
        .map(|suite| {
            let protocol = if suite.tls13().is_some() { Protocol::Tls13 } else { Protocol::Tls12 };
            (protocol, u16::from(suite.suite()))
        })
        .collect();
    provider.cipher_suites.retain(|suite| {
        let suite = u16::from(suite.suite());
        suites.iter().any(|(protocol, id)| {
            *id == suite && groups.iter().any(|group| asked.permits(*protocol, *id, Some(*group)))
        })
    });
    provider.kx_groups.retain(|group| {
        let group = u16::from(group.name());
        suites.iter().any(|(protocol, id)| asked.permits(*protocol, *id, Some(group)))
    });
    provider
}

fn version(protocol: Protocol) -> Option<&'static SupportedProtocolVersion> {
    match protocol {
        Protocol::Tls11 => None,
        Protocol::Tls12 => Some(&rustls::version::TLS12),
        Protocol::Tls13 => Some(&rustls::version::TLS13),
    }
}

fn roots(roots: &Roots) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let authorities = trust::authorities(roots)?;
    match roots {
        Roots::File(path) => {
            for authority in authorities {
                store.add(authority).map_err(|error| {
                    Error::local("use a certificate", path, trust::invalid(error))
                })?;
            }
        }
        // some of a platform's are such that nobody could verify with them
        Roots::Platform => {
            store.add_parsable_certificates(authorities);
        }
    }
    Ok(store)
}
