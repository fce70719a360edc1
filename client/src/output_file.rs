//! A file as a shell's `>` would write it, except that it appears when it is whole.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, BufWriter, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::place::{self, Place};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// A file being written.
///
/// Until [`finish`](Self::finish) the bytes are in a file of the same folder whose name nobody can
/// guess; dropped before, that is removed and what was there stays as it was. A file that is replaced
/// leaves its owner, group and mode to the new one, but not its other names (hard links); a new one
/// has the mode that the umask gives. At the end of a link it is the file there that is replaced, or
/// made. A device, FIFO or socket is never replaced: the bytes go into it as they come. So they do
/// into a file in a folder where the caller may not make another one.
#[derive(Debug)]
pub struct OutputFile {
    /// As the caller gave it.
    path: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    InPlace {
        writer: BufWriter<File>,
        /// Its old content is still there.
        is_old: bool,
    },
    Temporary {
        writer: BufWriter<NamedTempFile>,
        /// The end of links.
        path: PathBuf,
        old: Option<Box<Old>>,
    },
}

/// A file that will be replaced.
#[derive(Debug)]
struct Old {
    metadata: Metadata,
    file: File,
}

impl OutputFile {
    /// Opens the place where `path` leads to; a FIFO waits for its reader. What is there stays as it is
    /// until the first byte is written.
    ///
    /// # Errors
    /// `Local`: a folder, or a place where the caller may not write.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match open(&path) {
            Ok(to) => Ok(Self { path, to }),
            Err(error) => Err(Error::local("write", &path, error)),
        }
    }

    /// Tells what [`create`](Self::create) would complain about, without leaving anything behind;
    /// and whether `path` leads to a regular file, or to none yet. A device, FIFO or socket is not
    /// opened.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn is_regular(path: impl Into<PathBuf>) -> Result<bool> {
        let path = path.into();
        match Place::of(&path) {
            Ok(Place::Special(_)) => Ok(false),
            Ok(Place::Regular { .. }) => Self::create(path).map(|_| true),
            Err(error) => Err(Error::local("write", &path, error)),
        }
    }

    /// Whether bytes go to where they stay as they come, and nothing of this machine is left to be
    /// removed.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        matches!(self.to, To::InPlace { .. })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `Local`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match &mut self.to {
            To::InPlace { writer, is_old } => {
                emptied(writer, is_old).and_then(|()| writer.write_all(bytes))
            }
            To::Temporary { writer, .. } => writer.write_all(bytes),
        };
        written.map_err(|error| Error::local("write", &self.path, error))
    }

    /// Hands on what was gathered, to whoever reads at the other end of a FIFO.
    ///
    /// # Errors
    /// `Local`.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.to {
            To::InPlace { writer, .. } => {
                writer.flush().map_err(|error| Error::local("write", &self.path, error))
            }
            To::Temporary { .. } => Ok(()),
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// `Local`; then what was there before is still there.
    pub fn finish(self) -> Result<()> {
        let Self { path, to } = self;
        let finished = match to {
            To::InPlace { mut writer, mut is_old } => {
                emptied(&writer, &mut is_old).and_then(|()| writer.flush())
            }
            To::Temporary { writer, path, old } => writer
                .into_inner()
                .map_err(io::Error::from)
                .and_then(|file| named(file, &path, old)),
        };
        finished.map_err(|error| Error::local("write", &path, error))
    }
}

fn open(path: &Path) -> io::Result<To> {
    let in_place = |file: File| {
        let is_old = file.metadata()?.is_file();
        Ok(To::InPlace { writer: BufWriter::with_capacity(BUFFER_BYTES, file), is_old })
    };
    let (path, old) = match Place::of(path)? {
        Place::Special(path) => return in_place(File::options().write(true).open(path)?),
        Place::Regular { path, old } => (path, old),
    };
    // what may not be written may not be replaced either
    let old = match old {
        Some(metadata) => {
            let file = File::options().write(true).open(&path)?;
            Some(Box::new(Old { metadata, file }))
        }
        None => None,
    };
    let folder = place::folder_of(&path);
    fs::metadata(folder)?;
    let mode = place::mode(old.as_ref().map(|old| &old.metadata));
    let made = tempfile::Builder::new()
        .prefix(".sift-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder);
    match (made, old) {
        (Ok(file), old) => {
            Ok(To::Temporary { writer: BufWriter::with_capacity(BUFFER_BYTES, file), path, old })
        }
        (Err(error), Some(old)) if may_not(&error) => in_place(old.file),
        // without the temporary name, which means nothing to anybody
        (Err(error), _) => Err(error.kind().into()),
    }
}

/// Whether the folder lets nobody make or rename files where one may be written all the same: it
/// is somebody else's, or the file is a mount of its own.
fn may_not(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
    )
}

/// Empties a regular file, once.
fn emptied(writer: &BufWriter<File>, is_old: &mut bool) -> io::Result<()> {
    match std::mem::take(is_old) {
        true => writer.get_ref().set_len(0),
        false => Ok(()),
    }
}

/// Puts a whole temporary file at the place of `path`.
fn named(file: NamedTempFile, path: &Path, old: Option<Box<Old>>) -> io::Result<()> {
    Place::check_regular(path)?;
    if let Some(old) = &old {
        place::take_after(&old.metadata, file.as_file())?;
    }
    match (file.persist(path), old) {
        (Ok(_), _) => Ok(()),
        (Err(failed), Some(mut old)) if may_not(&failed.error) => {
            let mut whole = failed.file.into_file();
            whole.rewind()?;
            old.file.set_len(0)?;
            io::copy(&mut whole, &mut old.file).map(drop)
        }
        (Err(failed), _) => Err(failed.error),
    }
}
