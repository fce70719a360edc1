//! The files of a listener: its own chain and key, the key's passphrase, the authorities of its
//! clients, and their revocation lists.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use sift_proto::crl::{self, RevocationList};
use sift_proto::identity::{self, Identity, PEM_BYTES_MAX};

use super::{ClientCertificates, Passphrase, TlsOptions};
use crate::error::{CertificateFault, Error};

/// The maximal size of a passphrase file.
const PASSPHRASE_BYTES_MAX: usize = 1 << 10;

/// The maximal size of a revocation list. A list of 200,000 certificates fits.
const LISTS_BYTES_MAX: usize = 16 << 20;

type Lists = Vec<CertificateRevocationListDer<'static>>;

/// The contents of the files about clients.
pub(super) struct ClientFiles {
    /// The file of the authorities.
    pub(super) path: PathBuf,
    pub(super) authorities: Vec<CertificateDer<'static>>,
    /// The revocation lists of each file.
    pub(super) lists: Vec<(PathBuf, Lists)>,
    pub(super) asked: ClientCertificates,
}

impl ClientFiles {
    /// Reads the files; `None` if clients are not asked for a certificate.
    ///
    /// # Errors
    /// `ClientAuthorities`, `RevocationList`.
    pub(super) fn read(options: &TlsOptions) -> Result<Option<Self>, Error> {
        let Some((path, asked)) = options.clients.clone() else { return Ok(None) };
        let authorities = authorities(&path)
            .map_err(|fault| Error::ClientAuthorities { path: path.clone(), fault })?;
        let read = |path: &PathBuf| match lists(path) {
            Ok(lists) => Ok((path.clone(), lists)),
            Err(fault) => Err(Error::RevocationList { path: path.clone(), fault }),
        };
        let lists = options.revocation_lists.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Some(Self { path, authorities, lists, asked }))
    }
}

pub(super) fn identity(path: &Path, passphrase: &Passphrase) -> Result<Identity, CertificateFault> {
    let text = read(path)?;
    let passphrase = passphrase.reveal()?;
    Ok(Identity::parse(&text, passphrase.as_deref())?)
}

/// Reads the certificates in a file; there must be at least one.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let found = identity::certificates(&read(path)?)?;
    if found.is_empty() { Err(CertificateFault::NoAuthority) } else { Ok(found) }
}

/// Reads the revocation lists in a file; there must be at least one.
fn lists(path: &Path) -> Result<Lists, CertificateFault> {
    let found = crl::lists(&bounded(path, LISTS_BYTES_MAX)?)?;
    if found.is_empty() {
        return Err(CertificateFault::NoRevocationList);
    }
    for (list, number) in found.iter().zip(1..) {
        RevocationList::parse(list)
            .map_err(|error| CertificateFault::RevocationList { number, error })?;
    }
    Ok(found)
}

/// Returns the seconds since 1970; 0 for an earlier time.
pub(super) fn seconds(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or(0)
}

impl Passphrase {
    /// Reads the passphrase, if there is one.
    ///
    /// # Errors
    /// `Passphrase`, if its file cannot be read or is not one line.
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
        // the bytes may be another secret, so they are not in the error
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
        let text = format!("more than {bytes_max} bytes, too long for such a file");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}
