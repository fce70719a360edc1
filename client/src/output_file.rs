//! An output file that behaves like a shell's `>`, except that it appears only when it is complete.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, BufWriter, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::output_path::{self, OutputPath};

/// The size of the write buffer.
const BUFFER_BYTES: usize = 64 << 10;

/// A file that is being written.
///
/// Until [`finish`](Self::finish), the bytes are in a file in the same folder, with a name that
/// nobody can guess. If the `OutputFile` is dropped before, this file is removed, and the old file
/// stays as it was. A new file takes the owner, group and mode of the file that it replaces, but
/// not its other names (hard links). Without an old file, it has the mode that the umask gives. If
/// the path is a link, the file at its end is replaced or made. A device, FIFO or socket is never
/// replaced: the bytes are written into it directly. The same is true for a file in a folder where
/// the caller may not make another file.
#[derive(Debug)]
pub struct OutputFile {
    /// The path that the caller gave.
    path: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    InPlace {
        writer: BufWriter<File>,
        /// Says whether the old content is still there.
        is_old: bool,
    },
    Temporary {
        writer: BufWriter<NamedTempFile>,
        /// The path after all links.
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
    /// Opens the output at `path`. Opening a FIFO waits for its reader. An old file does not change
    /// before the first byte is written.
    ///
    /// # Errors
    /// `Local`: a folder, or a path where the caller may not write.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match open(&path) {
            Ok(to) => Ok(Self { path, to }),
            Err(error) => Err(Error::local("write", &path, error)),
        }
    }

    /// Checks whether [`create`](Self::create) would fail, and leaves nothing behind. Returns
    /// whether `path` leads to a regular file or to no file yet. A device, FIFO or socket is not
    /// opened.
    ///
    /// # Errors
    /// The errors of [`create`](Self::create).
    pub fn is_regular(path: impl Into<PathBuf>) -> Result<bool> {
        let path = path.into();
        match OutputPath::of(&path) {
            Ok(OutputPath::Special(_)) => Ok(false),
            Ok(OutputPath::Regular { .. }) => Self::create(path).map(|_| true),
            Err(error) => Err(Error::local("write", &path, error)),
        }
    }

    /// Returns whether bytes are written directly to their final place. Then there is no temporary
    /// file to be removed.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        matches!(self.to, To::InPlace { .. })
    }

    /// Writes bytes.
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

    /// Writes the buffered bytes, so that a reader at the other end of a FIFO receives them.
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

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// `Local`. A file that is replaced by a new one then stays as it was; a file that is written
    /// directly may be incomplete.
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
    let (path, old) = match OutputPath::of(path)? {
        OutputPath::Special(path) => return in_place(File::options().write(true).open(path)?),
        OutputPath::Regular { path, old } => (path, old),
    };
    // a file that may not be written may not be replaced either
    let old = match old {
        Some(metadata) => {
            let file = File::options().write(true).open(&path)?;
            Some(Box::new(Old { metadata, file }))
        }
        None => None,
    };
    let folder = output_path::folder_of(&path);
    fs::metadata(folder)?;
    let mode = output_path::mode(old.as_ref().map(|old| &old.metadata));
    let made = tempfile::Builder::new()
        .prefix(".sift-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder);
    match (made, old) {
        (Ok(file), old) => {
            Ok(To::Temporary { writer: BufWriter::with_capacity(BUFFER_BYTES, file), path, old })
        }
        (Err(error), Some(old)) if may_not(&error) => in_place(old.file),
        // without the temporary name, which means nothing to the user
        (Err(error), _) => Err(error.kind().into()),
    }
}

/// Returns whether the error means that no file may be made or renamed here, although an existing
/// file may still be writable. That is so in somebody else's folder, or if the file is a mount of
/// its own.
fn may_not(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
    )
}

/// Empties a regular file before its first new byte.
fn emptied(writer: &BufWriter<File>, is_old: &mut bool) -> io::Result<()> {
    match std::mem::take(is_old) {
        true => writer.get_ref().set_len(0),
        false => Ok(()),
    }
}

/// Moves a complete temporary file to `path`.
fn named(file: NamedTempFile, path: &Path, old: Option<Box<Old>>) -> io::Result<()> {
    OutputPath::check_regular(path)?;
    if let Some(old) = &old {
        output_path::copy_owner_and_mode(&old.metadata, file.as_file())?;
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
