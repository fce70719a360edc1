//! Levels 3 to 5, by rustls on aws-lc-rs: a configuration with exactly the protocols, suites and
//! key exchanges of a level, and the result of a handshake.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, PeerIncompatible, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use sift_proto::ALPN;
use sift_proto::identity::Identity;
use sift_proto::level::{Level, Protocol};
use sift_proto::x509::time_text;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::clients::{self, Clients};
use super::clock::Clock;
use super::pem;
use super::session::Session;
use super::{Accepted, Negotiated, Offered, TlsOptions};
use crate::error::Error;

/// The parts of a TLS configuration. Each connection has its own configuration, because its tickets
/// and its client's certificate belong together.
#[derive(Debug)]
pub(super) struct Server {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    certificate: Arc<dyn ResolvesServerCert>,
    clients: Option<Arc<Clients>>,
    tickets: Arc<dyn ProducesTickets>,
    clock: Clock,
    /// The end of the server's own chain, in seconds since 1970.
    own_end: u64,
}

impl Server {
    /// # Errors
    /// `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`.
    pub(super) fn load(options: &TlsOptions) -> Result<Self, Error> {
        let tickets = aws_lc_rs::Ticketer::new().map_err(|_unspecific| Error::Random)?;
        let provider = Arc::new(provider(options.level));
        let own = |fault| Error::Certificate { path: options.certificate.clone(), fault };
        let Identity { chain, key } =
            pem::identity(&options.certificate, &options.passphrase).map_err(own)?;
        let own_end = chain.iter().map(|der| clients::span(der).map_or(0, |(_, end)| end)).min();
        let certificate = CertifiedKey::from_der(chain, key, &provider);
        let certificate = certificate.map_err(|error| own(error.into()))?;
        let server = Self {
            versions: versions(options.level),
            certificate: Arc::new(SingleCertAndKey::from(certificate)),
            clients: Clients::load(options, &provider)?.map(Arc::new),
            provider,
            tickets,
            clock: options.clock.clone(),
            own_end: own_end.unwrap_or(0),
        };
        // a fault in one configuration would be in every configuration
        server.config().map_err(|error| own(error.into()))?;
        Ok(server)
    }

    /// Returns the configuration of one connection.
    fn config(&self) -> Result<ServerConfig, rustls::Error> {
        let clients = self.clients.clone();
        let (tickets, clock) = (Arc::clone(&self.tickets), self.clock.clone());
        let session = Arc::new(Session::new(clients, tickets, clock, self.own_end));
        let (provider, clock) = (Arc::clone(&self.provider), Arc::new(self.clock.clone()));
        let builder = ServerConfig::builder_with_details(provider, clock)
            .with_protocol_versions(&self.versions)?;
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(_) => builder.with_client_cert_verifier(Arc::clone(&session) as _),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&self.certificate));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.ticketer = session;
        // sessions are resumed by tickets only: rustls does not limit the age of sessions that a
        // server stores
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }
}

pub(super) async fn accept(
    server: &Server,
    tcp: TcpStream,
    level: Level,
    offered: Offered,
) -> Result<Accepted, String> {
    let config = server.config().map_err(|error| error.to_string())?;
    let accepted = TlsAcceptor::from(Arc::new(config)).accept(tcp).into_fallible().await;
    let stream = match accepted {
        Ok(stream) => stream,
        Err((error, mut tcp)) => {
            // the alert has been written
            super::close(&mut tcp).await;
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

/// Returns an explanation of a handshake's error for an administrator.
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
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it has expired, on {}", time_text(not_after.as_secs()))
        }
        // rustls reports the end of a certificate with its date, so this error comes from
        // `Clients::verify`
        CertificateError::Expired => super::AUTHORITY_OUT_OF_TIME.to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid yet, but from {} on", time_text(not_before.as_secs()))
        }
        CertificateError::Revoked => super::REVOKED.to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for clients".to_owned()
        }
        CertificateError::Other(other) => other.to_string(),
        other => other.to_string(),
    }
}

/// Returns the channel's protocol; `None` if no level has it.
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

/// Returns rustls' suites and key exchanges that the level permits.
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
