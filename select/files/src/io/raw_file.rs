//! An opened file by its name, and reads of its bytes.

use std::fs::File;
use std::io;

use super::identity::{Identity, Look};
use super::waiting;
use crate::cancel::spend;
use crate::{Error, ErrorKind, Result};

/// The number of bytes of a file that are read in about the time of one step.
const BYTES_PER_STEP: usize = 16;

/// An opened file, the name that errors call it, and what identifies it.
#[derive(Debug)]
pub struct RawFile {
    name: String,
    file: File,
    /// Taken before the first byte was read.
    look: Look,
}

impl RawFile {
    /// Takes an opened file that `look` was taken of.
    pub(crate) fn new(name: &str, file: File, look: Look) -> Self {
        Self { name: name.to_owned(), file, look }
    }

    /// Returns the name that errors call the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the file was when it was opened.
    pub(crate) fn identity(&self) -> Identity {
        self.look.identity()
    }

    /// Returns the look at the file that was taken when it was opened.
    pub fn look(&self) -> &Look {
        &self.look
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
        Ok(Identity::from(&self.file.metadata().map_err(|error| self.error(error))?))
    }

    /// Returns whether the file is certainly unchanged since it was opened.
    ///
    /// # Errors
    /// `Io`
    pub(crate) fn is_unchanged(&self) -> Result<bool> {
        self.look.holds(&self.file).map_err(|error| self.error(error))
    }

    /// Has the kernel write back what others have stored into mappings of the file: it stamps the
    /// next store into a page only then.
    ///
    /// # Errors
    /// `Io`
    pub fn write_back(&self) -> Result<()> {
        use io::ErrorKind::{InvalidInput, ReadOnlyFilesystem};
        match self.file.sync_data() {
            // a file system that nobody can write to has nothing to write back
            Err(error) if matches!(error.kind(), InvalidInput | ReadOnlyFilesystem) => Ok(()),
            synced => synced.map_err(|error| self.error(error)),
        }
    }

    /// Fills `buffer` with the file's bytes from `at` on.
    ///
    /// # Errors
    /// `FileChanged` when the file ends before; `Io`.
    pub(crate) fn read(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        read(&self.name, &self.file, buffer, at)
    }

    fn error(&self, error: io::Error) -> Error {
        Error::io(&self.name, error)
    }
}

/// Fills `buffer` with the bytes from `at` on of the file that errors call `name`.
///
/// # Errors
/// `FileChanged` when the file ends before; `Io`.
pub(crate) fn read(name: &str, file: &File, buffer: &mut [u8], at: u64) -> Result<()> {
    spend(1 + buffer.len() / BYTES_PER_STEP)?;
    waiting::read_exact_at(file, buffer, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            let message = format!("{name}: was truncated while it was read");
            Error::new(ErrorKind::FileChanged, message)
        }
        _ => Error::io(name, error),
    })
}
