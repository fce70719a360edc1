//! Levels 3 to 5 by rustls on aws-lc-rs, with exactly the requested protocols, suites and key
//! exchanges.

use std::io::{self, Write};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion,
    RootCertStore, SupportedProtocolVersion,
};
use sift_proto::ALPN;
use sift_proto::level::Protocol;
use tokio_rustls::TlsConnector;

use super::refused::{self, Cause};
use super::verifier::{Refused, Verifier};
use super::{Agreed, Asked, trust};
use crate::channel::Negotiated;
use crate::error::{Error, Reason, Result, Usage, printable};
use crate::options::{ConnectOptions, Host, Roots};
use crate::transport::{FirstBytes, Transport};

/// Encrypts connections. Later connections resume the sessions of earlier ones, unless the options
/// forbid it.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
    roots: Roots,
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
        let (config, verifier) = config(options, &asked)?;
        let roots = options.roots.clone();
        Ok(Self { config: Arc::new(config), verifier, roots, name, asked })
    }

    pub(super) async fn connect(
        &self,
        first: FirstBytes,
        early: &[u8],
    ) -> Result<(Transport, Negotiated), Reason> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let mut queued = Ok(());
        let connecting = connector.connect_with(self.name.clone(), first, |session| {
            // rustls sends this after it has verified the server's certificate
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
                let reason = self.reason(error);
                Err(super::failed(&mut first, reason).await)
            }
        }
    }

    /// Translates the error of a failed handshake into a reason.
    fn reason(&self, error: io::Error) -> Reason {
        let asked = &self.asked;
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        else {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Reason::Closed,
                _ => Reason::Io(error),
            };
        };
        match tls {
            rustls::Error::InvalidCertificate(error) => match self.verifier.take_refused() {
                Some(Refused { certificate, error }) => {
                    refused::reason(self.cause(&error), &certificate, &self.roots)
                }
                // the error is about a signature of the handshake, not about a certificate
                None => refused::reason(self.cause(error), &[], &self.roots),
            },
            rustls::Error::PeerIncompatible(_) => asked.nothing_in_common(&tls.to_string()),
            rustls::Error::AlertReceived(alert) => asked.alert((*alert).into(), &tls.to_string()),
            rustls::Error::NoApplicationProtocol => {
                Reason::NotSift("it does not know the protocol sift/1".to_owned())
            }
            other => Reason::Handshake(printable(&other.to_string())),
        }
    }

    fn cause(&self, error: &CertificateError) -> Cause {
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Cause::UnknownAuthority
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Cause::WrongName(self.name.to_str().into_owned())
            }
            CertificateError::Expired => Cause::Expired(None),
            CertificateError::ExpiredContext { not_after, .. } => {
                Cause::Expired(Some(not_after.as_secs()))
            }
            CertificateError::NotValidYet => Cause::NotValidYet(None),
            CertificateError::NotValidYetContext { not_before, .. } => {
                Cause::NotValidYet(Some(not_before.as_secs()))
            }
            // rustls has no variant for this error of webpki
            other if other.to_string().contains("CaUsedAsEndEntity") => Cause::Authority,
            other => Cause::Other(other.to_string()),
        }
    }
}

/// The maximal number of session tickets. A connector has one server, and rustls stores at most the
/// last eight tickets of a server.
const TICKETS_MAX: usize = 8;

fn config(options: &ConnectOptions, asked: &Asked) -> Result<(ClientConfig, Arc<Verifier>)> {
    let setup = |error: &dyn ToString| Usage::Tls(error.to_string());
    let versions: Vec<&'static SupportedProtocolVersion> =
        asked.protocols().filter_map(version).collect();
    let provider = Arc::new(provider(asked));
    let roots = Arc::new(roots(&options.roots)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let verifier = verifier.build().map_err(|error| setup(&error))?;
    let verifier = Arc::new(Verifier::new(verifier));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| setup(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as _);
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
    Ok((config, verifier))
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

/// Returns the provider of rustls with only the requested suites and key exchanges.
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
        // the platform's list has certificates that cannot verify anything
        Roots::Platform => {
            store.add_parsable_certificates(authorities);
        }
    }
    Ok(store)
}
