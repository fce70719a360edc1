//! The file that a fetch fills: `<path>.part` until it is complete, with its origin in a file
//! beside it.
//!
//! A later fetch has to find both, so everybody can guess their names. In a folder where others can
//! make files, such as /tmp, somebody may have put a link, a FIFO or another file there first. It
//! is an error if the name does not belong to a regular file of this user without other names. Such
//! a file is left as it is.
//!
//! The functions block; the caller keeps them off the threads of the runtime.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Usage};
use crate::output_path::{self, OutputPath};

/// The maximal length of a sidecar that is read.
const ORIGIN_BYTES_MAX: u64 = 64 << 10;

/// The source of a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) file: String,
    pub(crate) start: u64,
    pub(crate) end: Option<u64>,
}

/// The file beside the part: its origin, and the identity that the server's file had.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    identity: String,
    origin: Origin,
}

/// A file being fetched, locked against other fetches.
pub(crate) struct Part {
    /// The path after all links.
    path: PathBuf,
    /// The old file at this path.
    old: Option<Metadata>,
    part: PathBuf,
    sidecar: PathBuf,
    file: File,
    origin: Origin,
    identity: String,
    bytes: u64,
}

impl Part {
    /// Opens the part of `path`, with what an earlier fetch of the same origin has left if
    /// `resume`.
    ///
    /// # Errors
    /// `Local`; `Usage` when another fetch has it.
    pub(crate) fn open(path: &Path, origin: &Origin, resume: bool) -> Result<Self> {
        let failed = |error| Error::local("write", path, error);
        let OutputPath::Regular { path, old } = OutputPath::of(path).map_err(failed)? else {
            return Err(Usage::NotRegular(path.to_owned()).into());
        };
        if let Some(old) = &old {
            if output_path::is_protected_by_folder(&path, old).map_err(failed)? {
                return Err(Usage::NotOwn(path).into());
            }
            // a file that may not be written may not be replaced either
            File::options().write(true).open(&path).map_err(failed)?;
        }
        let (part, sidecar) = (with_suffix(&path, ".part"), with_suffix(&path, ".part.origin"));
        // checked before anything is made
        let identity = earlier(&sidecar, origin)?.filter(|_| resume).unwrap_or_default();
        let mut file = own(&part, output_path::mode(old.as_ref()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Usage::Locked(part).into()),
            // a file system without locks: two fetches at once are then the user's to avoid
            Err(TryLockError::Error(_)) => {}
        }
        // one that ended meanwhile has given the file its name
        if !is_at(&file, &part) {
            return Err(Usage::Locked(part).into());
        }
        let bytes = file.seek(SeekFrom::End(0)).map_err(|e| Error::local("read", &part, e))?;
        let origin = origin.clone();
        let part = Self { path, old, part, sidecar, file, origin, identity, bytes };
        if part.identity.is_empty() { part.restart() } else { Ok(part) }
    }

    /// Returns the number of bytes that an earlier fetch left and this one wrote.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the identity that the server's file had. It is empty if an earlier fetch left
    /// nothing.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Throws away what an earlier fetch has left.
    pub(crate) fn restart(mut self) -> Result<Self> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|error| Error::local("empty", &self.part, error))?;
        self.identity.clear();
        self.bytes = 0;
        Ok(self)
    }

    /// Stores the identity of the file whose bytes will follow.
    pub(crate) fn begin(mut self, identity: &str) -> Result<Self> {
        identity.clone_into(&mut self.identity);
        let sidecar = Sidecar { identity: identity.to_owned(), origin: self.origin.clone() };
        let failed = |error| Error::local("write", &self.sidecar, error);
        let text = toml::to_string(&sidecar).map_err(io::Error::other).map_err(failed)?;
        let mut file = own(&self.sidecar, output_path::mode(self.old.as_ref()))?;
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(self)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::local("write", &self.part, error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes the part durable and gives it its name.
    pub(crate) fn finish(self) -> Result<()> {
        if let Some(old) = &self.old {
            let failed = |error| Error::local("set the mode of", &self.part, error);
            output_path::copy_owner_and_mode(old, &self.file).map_err(failed)?;
        }
        self.file.sync_all().map_err(|error| Error::local("sync", &self.part, error))?;
        OutputPath::check_regular(&self.path)
            .and_then(|()| fs::rename(&self.part, &self.path))
            .map_err(|error| Error::local("write", &self.path, error))?;
        // not every system can sync a folder, and the file itself is already safe
        let folder = output_path::folder_of(&self.path);
        let _synced = File::open(folder).and_then(|folder| folder.sync_all());
        match fs::remove_file(&self.sidecar) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::local("remove", &self.sidecar, error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // a fetch that was refused leaves nothing behind
        if self.bytes == 0 {
            let _gone = fs::remove_file(&self.part);
            let _gone = fs::remove_file(&self.sidecar);
        }
    }
}

/// Reads the identity in the sidecar of an earlier fetch, if that fetch had the same origin.
///
/// # Errors
/// `Usage` for a sidecar that is not this user's own regular file.
fn earlier(sidecar: &Path, origin: &Origin) -> Result<Option<String>> {
    let file = match output_path::open_own(sidecar, 0, OFlags::empty()) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(Usage::NotOwn(sidecar.to_owned()).into()),
        Err(_unreadable) => return Ok(None),
    };
    let mut text = String::new();
    let read = file.take(ORIGIN_BYTES_MAX).read_to_string(&mut text).is_ok();
    let sidecar: Option<Sidecar> = toml::from_str(&text).ok().filter(|_| read);
    Ok(sidecar.filter(|sidecar| sidecar.origin == *origin).map(|sidecar| sidecar.identity))
}

/// Returns whether the open file is the one that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    let of = |metadata: Metadata| (metadata.dev(), metadata.ino());
    file.metadata()
        .is_ok_and(|open| fs::symlink_metadata(path).is_ok_and(|named| of(open) == of(named)))
}

/// Opens a file whose name can be guessed, or makes it.
fn own(path: &Path, mode: u32) -> Result<File> {
    match output_path::open_own(path, mode, OFlags::CREATE) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Usage::NotOwn(path.to_owned()).into()),
        Err(error) => Err(Error::local("create", path, error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
