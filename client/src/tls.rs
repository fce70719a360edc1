//! TLS of a security level: exactly its protocols, suites and key exchanges, by rustls on aws-lc-rs.
//!
//! The only file that builds a TLS configuration or reads an error of rustls.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, ProtocolVersion,
    RootCertStore, SupportedProtocolVersion,
};
use sift_proto::ALPN;
use sift_proto::cipher;
use sift_proto::level::{Level, Protocol};

use crate::channel::Negotiated;
use crate::error::{Error, Reason, Result, Usage, printable};
use crate::options::{ConnectOptions, Host, Roots};

/// The configuration that asks for the options' level and trusts their authorities.
///
/// # Errors
/// `Local` or `Usage` about the authorities.
pub(crate) fn config(options: &ConnectOptions) -> Result<Arc<ClientConfig>> {
    let versions: Vec<&'static SupportedProtocolVersion> =
        options.level.protocols().iter().map(|protocol| version(*protocol)).collect();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider(options.level)))
        .with_protocol_versions(&versions)
        .map_err(|error| Usage::NoPlatformRoots(error.to_string()))?
        .with_root_certificates(roots(&options.roots)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    // a configuration serves one connection: nothing to resume
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The name that the certificate has to hold.
///
/// # Errors
/// [`Usage::ServerName`].
pub(crate) fn server_name(options: &ConnectOptions, host: &Host) -> Result<ServerName<'static>> {
    let name = options.server_name.as_ref().unwrap_or(&host.name);
    ServerName::try_from(name.clone()).map_err(|_invalid| Usage::ServerName(name.clone()).into())
}

/// What a finished handshake has settled, if the level permits it.
///
/// # Errors
/// [`Reason::LevelNotMet`] and [`Reason::NotSift`].
pub(crate) fn negotiated(session: &ClientConnection, level: Level) -> Result<Negotiated, Reason> {
    let protocol = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Protocol::Tls13,
        Some(ProtocolVersion::TLSv1_2) => Protocol::Tls12,
        other => return Err(Reason::LevelNotMet { level, got: format!("{other:?}") }),
    };
    let suite = session.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite()));
    let group = session.negotiated_key_exchange_group().map(|group| u16::from(group.name()));
    let cipher = cipher::describe(suite).unwrap_or_default();
    let key_exchange = group.map(cipher::group_name).unwrap_or_default();
    if cipher.is_empty() || !level.permits(protocol, suite, group) {
        let got = format!("{protocol} with suite {suite:#06x} {cipher} and {key_exchange}");
        return Err(Reason::LevelNotMet { level, got });
    }
    if session.alpn_protocol() != Some(ALPN) {
        return Err(Reason::NotSift("it did not agree to the protocol sift/1".to_owned()));
    }
    Ok(Negotiated { protocol, cipher, key_exchange, level })
}

/// Tells a failed handshake by whose fault it is.
pub(crate) fn reason(error: io::Error, level: Level) -> Reason {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Reason::Closed,
            _ => Reason::Io(error),
        };
    };
    match tls {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::IllegalParameter,
        )
        | rustls::Error::PeerIncompatible(_) => nothing_in_common(tls, level),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | rustls::Error::NoApplicationProtocol => {
            Reason::NotSift("it does not know the protocol sift/1".to_owned())
        }
        other => Reason::Handshake(printable(&other.to_string())),
    }
}

fn nothing_in_common(error: &rustls::Error, level: Level) -> Reason {
    let protocols: Vec<String> = level.protocols().iter().map(ToString::to_string).collect();
    let lower = match level {
        Level::Three => "the server needs a newer or a better one",
        _ => "ask for a lower level (--scl), or have the server serve this one",
    };
    let detail = format!(
        "this end asks for level {level} ({}) and the server's level does not meet it ({error}); {lower}",
        protocols.join(" or "),
    );
    Reason::NothingInCommon { level, detail }
}

fn certificate(error: &CertificateError) -> Reason {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Reason::UnknownAuthority
        }
        CertificateError::NotValidForNameContext { expected, presented } => Reason::WrongName {
            expected: format!("`{}`", expected.to_str()),
            presented: match presented.as_slice() {
                [] => "nobody".to_owned(),
                names => {
                    printable(&names.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "))
                }
            },
        },
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

/// What rustls offers, without what the level does not permit.
fn provider(level: Level) -> CryptoProvider {
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
            *id == suite && groups.iter().any(|group| level.permits(*protocol, *id, Some(*group)))
        })
    });
    provider.kx_groups.retain(|group| {
        let group = u16::from(group.name());
        suites.iter().any(|(protocol, id)| level.permits(*protocol, *id, Some(group)))
    });
    provider
}

fn version(protocol: Protocol) -> &'static SupportedProtocolVersion {
    match protocol {
        Protocol::Tls12 => &rustls::version::TLS12,
        Protocol::Tls13 => &rustls::version::TLS13,
    }
}

fn roots(roots: &Roots) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::File(path) => {
            let wrong = |error: rustls::pki_types::pem::Error| {
                let source = match error {
                    rustls::pki_types::pem::Error::Io(source) => source,
                    other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
                };
                Error::local("read certificates", path, source)
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(wrong)? {
                store.add(certificate.map_err(wrong)?).map_err(|error| {
                    let source = io::Error::new(io::ErrorKind::InvalidData, error.to_string());
                    Error::local("use a certificate", path, source)
                })?;
            }
            if store.is_empty() {
                return Err(Usage::NoCertificate(path.clone()).into());
            }
        }
        // rustls-native-certs and not rustls-platform-verifier: the same verifier, and so the same
        // errors, whoever names the authorities; and no Java bridge in the tree
        Roots::Platform => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                let errors =
                    if errors.is_empty() { "none found".into() } else { errors.join(", ") };
                return Err(Usage::NoPlatformRoots(errors).into());
            }
        }
    }
    Ok(store)
}
