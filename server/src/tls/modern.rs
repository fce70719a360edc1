//! Levels 3 to 5, by rustls on aws-lc-rs: a configuration with exactly a level's protocols, suites
//! and key exchanges, and what a handshake of it came to.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    CertificateError, PeerIncompatible, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use sift_proto::ALPN;
use sift_proto::identity::Identity;
use sift_proto::level::{Level, Protocol};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::pem;
use super::{Accepted, ClientCertificates, Negotiated, Offered, TlsOptions};
use crate::error::{CertificateFault, Error};

/// # Errors
/// `Certificate`, `ClientAuthorities`, `Random`.
pub(super) fn configure(options: &TlsOptions) -> Result<Arc<ServerConfig>, Error> {
    let ticketer = aws_lc_rs::Ticketer::new().map_err(|_unspecific| Error::Random)?;
    let provider = Arc::new(provider(options.level));
    let own = |fault| Error::Certificate { path: options.certificate.clone(), fault };
    let Identity { chain, key } =
        pem::identity(&options.certificate, &options.passphrase).map_err(own)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(options.level))
        .map_err(|error| own(error.into()))?;
    let builder = match &options.clients {
        None => builder.with_no_client_auth(),
        Some((path, asked)) => {
            let verifier = pem::authorities(path)
                .and_then(|authorities| client_verifier(authorities, *asked, provider));
            let theirs = |fault| Error::ClientAuthorities { path: path.clone(), fault };
            builder.with_client_cert_verifier(verifier.map_err(theirs)?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| own(error.into()))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ticketer = ticketer;
    Ok(Arc::new(config))
}

pub(super) async fn accept(
    config: Arc<ServerConfig>,
    tcp: TcpStream,
    level: Level,
    offered: Offered,
) -> Result<Accepted, String> {
    let accepted = TlsAcceptor::from(config).accept(tcp).into_fallible().await;
    let stream = match accepted {
        Ok(stream) => stream,
        Err((error, mut tcp)) => {
            // the alert is written
            super::part(&mut tcp).await;
            return Err(fault(&error, level, offered.protocols.as_deref()));
        }
    };
    let (_, session) = stream.get_ref();
    let suite = session.negotiated_cipher_suite();
    let protocol = session.protocol_version().and_then(protocol);
    let group = session.negotiated_key_exchange_group().map(|group| group.name().into());
    let (Some(suite), Some(protocol)) = (suite, protocol) else {
        return Err("it ended without a cipher".to_owned());
    };
    let negotiated = Negotiated { protocol, suite: suite.suite().into(), group };
    let client_certificate = session
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| certificate.to_vec());
    Ok(Accepted { stream: Box::new(stream), negotiated, client_certificate })
}

fn client_verifier(
    authorities: Vec<CertificateDer<'static>>,
    asked: ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match asked {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| CertificateFault::ClientVerifier(error.to_string()))
}

/// A handshake's error in an administrator's words.
fn fault(error: &io::Error, level: Level, offered: Option<&str>) -> String {
    use PeerIncompatible as Peer;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::PeerIncompatible(
            Peer::ServerTlsVersionIsDisabledByOurConfig
            | Peer::ServerDoesNotSupportTls12Or13
            | Peer::SupportedVersionsExtensionRequired
            | Peer::Tls12NotOffered
            | Peer::Tls12NotOfferedOrEnabled,
        )) => super::no_protocol_in_common(level, offered),
        Some(rustls::Error::PeerIncompatible(Peer::NoCipherSuitesInCommon)) => {
            format!("no cipher in common at level {level}")
        }
        Some(rustls::Error::PeerIncompatible(Peer::NoKxGroupsInCommon)) => {
            format!("no key exchange in common at level {level}")
        }
        Some(rustls::Error::NoCertificatesPresented) => super::NO_CERTIFICATE.to_owned(),
        Some(rustls::Error::InvalidCertificate(error)) => {
            format!("the client's certificate is refused: {}", certificate_fault(error))
        }
        Some(rustls::Error::NoApplicationProtocol) => super::NO_ALPN.to_owned(),
        Some(rustls::Error::AlertReceived(alert)) => super::alert_fault((*alert).into()),
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the client closed the connection".to_owned()
        }
        None => error.to_string(),
    }
}

fn certificate_fault(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            super::UNKNOWN_AUTHORITY.to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for clients".to_owned()
        }
        other => other.to_string(),
    }
}

/// The channel's protocol in the words of `proto`; `None` for one that no level has.
fn protocol(version: rustls::ProtocolVersion) -> Option<Protocol> {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => Some(Protocol::Tls12),
        rustls::ProtocolVersion::TLSv1_3 => Some(Protocol::Tls13),
        _ => None,
    }
}

fn versions(level: Level) -> Vec<&'static SupportedProtocolVersion> {
    level
        .protocols()
        .iter()
        .filter_map(|protocol| match protocol {
            Protocol::Tls11 => None,
            Protocol::Tls12 => Some(&rustls::version::TLS12),
            Protocol::Tls13 => Some(&rustls::version::TLS13),
        })
        .collect()
}

/// What rustls offers, less what the level does not permit.
fn provider(level: Level) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let suites = provider.cipher_suites.clone();
    let permitted = |suite: &SupportedCipherSuite, group: u16| {
        protocol(suite.version().version)
            .is_some_and(|protocol| level.permits(protocol, suite.suite().into(), Some(group)))
    };
    provider
        .kx_groups
        .retain(|group| suites.iter().any(|suite| permitted(suite, group.name().into())));
    let groups: Vec<u16> = provider.kx_groups.iter().map(|group| group.name().into()).collect();
    provider.cipher_suites.retain(|suite| groups.iter().any(|group| permitted(suite, *group)));
    provider
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(level: Level) -> (Vec<u16>, Vec<u16>) {
        let provider = provider(level);
        let suites = provider.cipher_suites.iter().map(|s| s.suite().into()).collect();
        let groups = provider.kx_groups.iter().map(|g| g.name().into()).collect();
        (suites, groups)
    }

    #[test]
    fn level_five_is_narrow() {
        // TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256, X25519MLKEM768
        assert_eq!(names(Level::Five), (vec![0x1302, 0x1303], vec![0x11ec]));
    }

    #[test]
    fn level_four_has_no_older_suites() {
        let (suites, groups) = names(Level::Four);
        assert!(suites.iter().all(|suite| suite >> 8 == 0x13), "{suites:x?}");
        assert!(groups.contains(&0x001d));
    }

    #[test]
    fn level_three_has_both_protocols() {
        let (suites, _) = names(Level::Three);
        assert!(suites.contains(&0x1302) && suites.contains(&0xc030), "{suites:x?}");
        assert_eq!(versions(Level::Three).len(), 2);
    }
}
