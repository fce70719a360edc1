//! The PEM files of a listener: its own chain and key, and the authorities of its clients.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::CertificateFault;

/// A chain of ten certificates and an RSA-8192 key are below 40 KiB; a platform's list of
/// authorities is a quarter of this.
const BYTES_MAX: u64 = 1 << 20;

/// A chain, the owner's certificate first, and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

pub(super) fn identity(path: &Path) -> Result<Identity, CertificateFault> {
    let text = read(path)?;
    let chain = certificates(&text)?;
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
    Ok(Identity { chain, key })
}

/// The certificates in a file, one at least.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let found = certificates(&read(path)?)?;
    if found.is_empty() { Err(CertificateFault::NoAuthority) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    let mut text = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    match text.len() as u64 {
        got if got > BYTES_MAX => Err(CertificateFault::TooLarge { got, bytes_max: BYTES_MAX }),
        _ => Ok(text),
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error: pem::Error| CertificateFault::Pem(error.to_string()))
}

fn has_section(pem: &[u8], name: &str) -> bool {
    let head = format!("-----BEGIN {name}-----");
    pem.windows(head.len()).any(|window| window == head.as_bytes())
}
