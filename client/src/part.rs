//! The file that a fetch fills: `<path>.part` until it is whole, with its origin beside it.
//!
//! Blocking; the caller keeps it off the runtime's threads.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Usage};

/// Longest origin that is read back.
const ORIGIN_BYTES_MAX: u64 = 64 << 10;

/// What is fetched from where.
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
    path: PathBuf,
    part: PathBuf,
    sidecar: PathBuf,
    file: File,
    origin: Origin,
    identity: String,
    bytes: u64,
}

impl Part {
    /// Opens the part of `path`, with what an earlier fetch of the same origin has left if `resume`.
    ///
    /// # Errors
    /// `Local`; `Usage` when another fetch has it.
    pub(crate) fn open(path: &Path, origin: &Origin, resume: bool) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::local("write", path, io::ErrorKind::IsADirectory.into()));
        }
        let (part, sidecar) = (with_suffix(path, ".part"), with_suffix(path, ".part.origin"));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&part).map_err(|error| Error::local("create", &part, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Usage::Locked(part).into()),
            // a file system without locks: two fetches at once are then the user's to avoid
            Err(TryLockError::Error(_)) => {}
        }
        let identity = if resume { earlier(&sidecar, origin) } else { None }.unwrap_or_default();
        let bytes = file.seek(SeekFrom::End(0)).map_err(|e| Error::local("read", &part, e))?;
        let path = path.to_owned();
        let part = Self { path, part, sidecar, file, origin: origin.clone(), identity, bytes };
        if part.identity.is_empty() { part.restart() } else { Ok(part) }
    }

    /// Bytes that an earlier fetch has left and this one has written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The identity that the server's file had; empty when nothing is left of an earlier fetch.
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

    /// Notes whose bytes will follow.
    pub(crate) fn begin(mut self, identity: &str) -> Result<Self> {
        identity.clone_into(&mut self.identity);
        let sidecar = Sidecar { identity: identity.to_owned(), origin: self.origin.clone() };
        let written = toml::to_string(&sidecar)
            .map_err(io::Error::other)
            .and_then(|text| fs::write(&self.sidecar, text));
        written.map_err(|error| Error::local("write", &self.sidecar, error))?;
        Ok(self)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::local("write", &self.part, error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes the part durable and gives it its name.
    pub(crate) fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(|error| Error::local("sync", &self.part, error))?;
        fs::rename(&self.part, &self.path).map_err(|e| Error::local("rename", &self.part, e))?;
        if let Some(folder) = self.path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // not every system can sync a folder; the file itself is safe
            let _synced = File::open(folder).and_then(|folder| folder.sync_all());
        }
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

/// The identity in the sidecar of an earlier fetch, if that was of the same origin.
fn earlier(sidecar: &Path, origin: &Origin) -> Option<String> {
    let small = fs::metadata(sidecar).ok()?.len() <= ORIGIN_BYTES_MAX;
    let text = if small { fs::read_to_string(sidecar).ok()? } else { return None };
    let sidecar: Sidecar = toml::from_str(&text).ok()?;
    (sidecar.origin == *origin).then_some(sidecar.identity)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
