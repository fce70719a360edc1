//! The files of a listener: its own chain and key, the key's passphrase, and the authorities of its
//! clients.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::pki_types::CertificateDer;
use sift_proto::identity::{self, Identity, PEM_BYTES_MAX};

use super::Passphrase;
use crate::error::CertificateFault;

/// Longer than anybody types.
const PASSPHRASE_BYTES_MAX: usize = 1 << 10;

pub(super) fn identity(path: &Path, passphrase: &Passphrase) -> Result<Identity, CertificateFault> {
    let text = read(path)?;
    let passphrase = passphrase.reveal()?;
    Ok(Identity::parse(&text, passphrase.as_deref())?)
}

/// The certificates in a file, one at least.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let found = identity::certificates(&read(path)?)?;
    if found.is_empty() { Err(CertificateFault::NoAuthority) } else { Ok(found) }
}

impl Passphrase {
    /// The passphrase itself, if there is one.
    ///
    /// # Errors
    /// `Passphrase`, where its file cannot be read or is not one line.
    pub(super) fn reveal(&self) -> Result<Option<String>, CertificateFault> {
        match self {
            Self::None => Ok(None),
            Self::Given(text) => Ok(Some(text.clone())),
            Self::File(path) => first_line(path)
                .map(Some)
                .map_err(|source| CertificateFault::Passphrase { path: path.clone(), source }),
        }
    }
}

fn first_line(path: &Path) -> io::Result<String> {
    let bytes = bounded(path, PASSPHRASE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_binary| {
        // the bytes are a secret even where they are not what was meant
        io::Error::new(io::ErrorKind::InvalidData, "not text in UTF-8")
    })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "its first line is empty")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    Ok(bounded(path, PEM_BYTES_MAX)?)
}

fn bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        let text = format!("more than {bytes_max} bytes, which is no such file");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}
