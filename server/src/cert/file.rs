//! Files with keys and certificates: written whole or not at all, never readable by others for a
//! moment where that matters, and read with a bound.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_lc_rs::rand;
use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sift_proto::identity::{self, IdentityError};
use sift_proto::x509::Certificate;

use super::Error;

/// A chain of ten certificates and an RSA-8192 key are below 40 KiB.
const BYTES_MAX: usize = 1 << 20;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    Everybody,
}

/// The treatment of an existing file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep { hint: &'static str },
    Replace,
}

/// Writes a temporary file beside `path`, with its final mode from the start, and renames it. Only
/// a regular file is ever replaced; with `Existing::Replace`, a text for a device or FIFO is
/// written into it.
pub(crate) fn write(
    path: &Path,
    text: &str,
    readers: Readers,
    existing: Existing,
) -> Result<(), Error> {
    let failed = |source| match existing {
        Existing::Keep { hint } if is_there(&source) => Error::Exists { path: path.into(), hint },
        _ => Error::Io { path: path.into(), source },
    };
    if existing == Existing::Replace && is_special(path) {
        let mut file = File::options().write(true).open(path).map_err(failed)?;
        return file.write_all(text.as_bytes()).map_err(failed);
    }
    let place = match existing {
        Existing::Keep { .. } => path.to_owned(),
        Existing::Replace => sift_server::replaceable(path).map_err(failed)?,
    };
    let folder = folder_of(&place);
    fs::create_dir_all(folder).map_err(failed)?;
    // 0600 from the first moment
    let mut file =
        tempfile::Builder::new().prefix(".siftd-").tempfile_in(folder).map_err(failed)?;
    if readers == Readers::Everybody {
        file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    }
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let moved = match existing {
        Existing::Keep { .. } => file.persist_noclobber(&place),
        Existing::Replace => file.persist(&place),
    };
    moved.map(drop).map_err(|error| failed(error.error))
}

/// Refuses early if [`write()`] would refuse to replace the file.
pub(crate) fn must_be_writable(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Io { path: path.into(), source };
    if is_special(path) {
        return Ok(());
    }
    let place = sift_server::replaceable(path).map_err(failed)?;
    match folder_of(&place) {
        folder if folder.exists() => tempfile::tempfile_in(folder).map(drop).map_err(failed),
        // the folder will be made
        _ => Ok(()),
    }
}

/// Returns whether the path is a device, FIFO or socket.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_there(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AlreadyExists
}

/// Refuses early what [`write()`] would refuse.
pub(crate) fn must_not_exist(path: &Path, hint: &'static str) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(_) => Err(Error::Exists { path: path.into(), hint }),
        Err(_not_there) => Ok(()),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_most(path, BYTES_MAX)
}

/// Reads a file of at most `bytes_max`.
pub(crate) fn read_most(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes))
        .map_err(|source| Error::Io { path: path.into(), source })?;
    if bytes.len() > bytes_max {
        return Err(Error::TooLarge { path: path.into(), got: bytes.len(), bytes_max });
    }
    Ok(bytes)
}

/// Waits until no other process changes files in the folder of `path` by this function. The turn
/// lasts as long as the returned file is open.
pub(crate) fn turn(path: &Path) -> Result<File, Error> {
    let folder = folder_of(path);
    let failed = |source| Error::Io { path: folder.into(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let file = File::open(folder).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// All certificates in a PEM file, one at least.
pub(crate) fn certificates(
    path: &Path,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = identity::certificates(text)
        .map_err(|error| Error::Identity { path: path.into(), error })?;
    if chain.is_empty() {
        return Err(Error::NoCertificate { path: path.into() });
    }
    Ok(chain)
}

/// Reads the first certificate in a PEM file.
pub(crate) fn certificate(path: &Path) -> Result<Certificate, Error> {
    let chain = certificates(path, &read(path)?)?;
    let first = chain.first().ok_or_else(|| Error::NoCertificate { path: path.into() })?;
    Certificate::parse(first).map_err(|error| Error::Certificate {
        path: path.into(),
        number: 1,
        error,
    })
}

/// The first private key in a PEM file, if there is one.
pub(crate) fn private_key(
    path: &Path,
    text: &[u8],
    passphrase: Option<&str>,
) -> Result<Option<PrivateKeyDer<'static>>, Error> {
    identity::private_key(text, passphrase).map_err(|error| match error {
        IdentityError::Pem(_) => Error::Key { path: path.into() },
        error => Error::Identity { path: path.into(), error },
    })
}

/// A new key as PEM, under a passphrase if there is one.
pub(crate) fn key_pem(key: &KeyPair, passphrase: Option<&str>) -> Result<String, Error> {
    let Some(passphrase) = passphrase else { return Ok(key.serialize_pem()) };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rand::fill(&mut salt)
        .and_then(|()| rand::fill(&mut iv))
        .map_err(|_unspecific| Error::Random)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    identity::encrypt_key(&key, passphrase, salt, iv).map_err(Error::Encrypt)
}

/// The first line of a file, which is a passphrase.
pub(crate) fn passphrase(path: &Path) -> Result<String, Error> {
    let text = String::from_utf8(read(path)?);
    let line = text.ok().and_then(|text| text.lines().next().map(str::to_owned));
    match line {
        Some(line) if !line.is_empty() => Ok(line),
        _ => Err(Error::Passphrase { path: path.into() }),
    }
}

/// The mode of a file that others than its owner may read or write.
pub(crate) fn open_mode(path: &Path) -> Result<Option<u32>, Error> {
    let metadata = fs::metadata(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}
