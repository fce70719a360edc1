//! An opened file by its name, and reads of its bytes.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::identity::{Identity, Look};
use super::waiting::{Waiting, WouldBlock, read_exact_at};
use crate::cancel::spend;
use crate::{Error, ErrorKind, Result};

/// The number of bytes of a file that are read in about the time of one step.
const BYTES_PER_STEP: usize = 16;

/// An opened file, the name that errors call it, and what identifies it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RawFile {
    opened: Arc<Opened>,
    waiting: Waiting,
}

#[derive(Debug)]
struct Opened {
    name: String,
    file: File,
    /// Taken before the first byte was read.
    look: Look,
}

impl RawFile {
    /// Takes an opened file that `look` was taken of.
    pub(crate) fn new(name: &str, file: File, look: Look) -> Self {
        let opened = Opened { name: name.to_owned(), file, look };
        Self { opened: Arc::new(opened), waiting: Waiting::Allowed }
    }

    /// Returns the same file for reads that may wait or may not.
    #[must_use]
    pub fn with_waiting(&self, waiting: Waiting) -> Self {
        Self { waiting, ..self.clone() }
    }

    /// Returns the name that errors call the file.
    pub(crate) fn name(&self) -> &str {
        &self.opened.name
    }

    /// Returns what the file was when it was opened.
    pub(crate) fn identity(&self) -> Identity {
        self.opened.look.identity()
    }

    /// Returns the look at the file that was taken when it was opened.
    pub fn look(&self) -> &Look {
        &self.opened.look
    }

    /// Returns the length of the file in bytes, as it was when it was opened.
    pub(crate) fn bytes(&self) -> u64 {
        self.identity().bytes
    }

    /// Returns what identifies the file now.
    ///
    /// # Errors
    /// `Io`
    pub(crate) fn identity_now(&self) -> Result<Identity> {
        Ok(Identity::from(&self.opened.file.metadata().map_err(|error| self.error(error))?))
    }

    /// Returns whether the file is certainly unchanged since it was opened.
    ///
    /// # Errors
    /// `Io`
    pub(crate) fn is_unchanged(&self) -> Result<bool> {
        self.opened.look.holds(&self.opened.file).map_err(|error| self.error(error))
    }

    /// Has the kernel write back what others have stored into mappings of the file: it stamps the
    /// next store into a page only then.
    ///
    /// # Errors
    /// `Io`
    pub fn write_back(&self) -> Result<()> {
        use io::ErrorKind::{InvalidInput, ReadOnlyFilesystem};
        match self.opened.file.sync_data() {
            // a file system that nobody can write to has nothing to write back
            Err(error) if matches!(error.kind(), InvalidInput | ReadOnlyFilesystem) => Ok(()),
            synced => synced.map_err(|error| self.error(error)),
        }
    }

    /// Fills `buffer` with the file's bytes from `at` on.
    ///
    /// # Errors
    /// `FileChanged` when the file ends before; `Io`.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        read(self.name(), &self.opened.file, buffer, at, self.waiting)
    }

    fn error(&self, error: io::Error) -> Error {
        Error::io(self.name(), error)
    }
}

/// Fills `buffer` with the bytes from `at` on of the file that errors call `name`.
///
/// # Errors
/// `FileChanged` if the file ends before; `WouldBlock` if it may not wait for them; `Io`.
pub(crate) fn read(
    name: &str,
    file: &File,
    buffer: &mut [u8],
    at: u64,
    waiting: Waiting,
) -> Result<()> {
    spend(1 + buffer.len() / BYTES_PER_STEP)?;
    read_exact_at(file, buffer, at, waiting).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ErrorKind::FileChanged { file: name.to_owned() }.into(),
        io::ErrorKind::WouldBlock => WouldBlock.into(),
        _ => Error::io(name, error),
    })
}
