//! The only place that builds TLS configurations: a PEM file and a security level in, a rustls
//! configuration with exactly that level's protocols, suites and key exchanges out.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use sift_proto::ALPN;
use sift_proto::level::{Level, Protocol};

use crate::error::{CertificateFault, Error};

/// A chain of ten certificates and an RSA-8192 key are below 40 KiB.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// The configuration of a listener at `level`, with chain and key from one PEM file.
///
/// # Errors
/// `Certificate`, `Random`.
pub(crate) fn server_config(path: &Path, level: Level) -> Result<Arc<ServerConfig>, Error> {
    let ticketer = aws_lc_rs::Ticketer::new().map_err(|_unspecific| Error::Random)?;
    let mut config = configure(path, level)
        .map_err(|fault| Error::Certificate { path: path.to_owned(), fault })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ticketer = ticketer;
    Ok(Arc::new(config))
}

/// The channel's protocol in the words of `proto`; `None` for one that no level has.
pub(crate) fn protocol(version: rustls::ProtocolVersion) -> Option<Protocol> {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => Some(Protocol::Tls12),
        rustls::ProtocolVersion::TLSv1_3 => Some(Protocol::Tls13),
        _ => None,
    }
}

fn configure(path: &Path, level: Level) -> Result<ServerConfig, CertificateFault> {
    let (chain, key) = read_pem(path)?;
    let config = ServerConfig::builder_with_provider(Arc::new(provider(level)))
        .with_protocol_versions(&versions(level))?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(config)
}

fn versions(level: Level) -> Vec<&'static SupportedProtocolVersion> {
    level
        .protocols()
        .iter()
        .map(|protocol| match protocol {
            Protocol::Tls12 => &rustls::version::TLS12,
            Protocol::Tls13 => &rustls::version::TLS13,
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

type Chain = Vec<CertificateDer<'static>>;

fn read_pem(path: &Path) -> Result<(Chain, PrivateKeyDer<'static>), CertificateFault> {
    let mut text = Vec::new();
    File::open(path)?.take(PEM_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > PEM_BYTES_MAX {
        return Err(CertificateFault::TooLarge {
            got: text.len() as u64,
            bytes_max: PEM_BYTES_MAX,
        });
    }
    let chain: Chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error: pem::Error| CertificateFault::Pem(error.to_string()))?;
    if chain.is_empty() {
        return Err(CertificateFault::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if has_section(&text, "ENCRYPTED PRIVATE KEY") => {
            CertificateFault::KeyEncrypted
        }
        pem::Error::NoItemsFound => CertificateFault::NoKey,
        other => CertificateFault::Pem(other.to_string()),
    })?;
    Ok((chain, key))
}

fn has_section(pem: &[u8], name: &str) -> bool {
    let head = format!("-----BEGIN {name}-----");
    pem.windows(head.len()).any(|window| window == head.as_bytes())
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
