//! What the columns of one turn read their file by: how much, what of it is in memory, and what went
//! wrong that is no fault of a record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::io::raw_file::RawFile;
use crate::{Error, ErrorKind};

/// The most bytes of pages and buffers that the columns of a turn hold together: a few compressed
/// bytes may become many, in each column.
const HELD_BYTES_MAX: u64 = 512 << 20;

/// A file, and what was read of it.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) file: RawFile,
    bytes: AtomicU64,
    held: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl Input {
    pub(crate) fn new(file: RawFile) -> Self {
        Self { file, bytes: AtomicU64::new(0), held: AtomicU64::new(0), failure: Mutex::new(None) }
    }

    /// Counts bytes that are about to be in memory until they are [released](Self::release), or to
    /// the end of the turn; the error is a complaint, the cause of which is kept.
    pub(crate) fn hold(&self, bytes: u64) -> Result<(), String> {
        if self.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > HELD_BYTES_MAX {
            self.release(bytes);
            return Err(self.refuse(&format!(
                "the columns of some records take more than {HELD_BYTES_MAX} bytes of memory, the \
                 most that is accepted; select fewer columns, or write the file in smaller batches \
                 or pages"
            )));
        }
        Ok(())
    }

    /// Keeps that something is too large, `LimitExceeded`, and gives the complaint.
    pub(crate) fn refuse(&self, complaint: &str) -> String {
        let message = format!("{}: {complaint}", self.file.name());
        self.fail(Error::new(ErrorKind::LimitExceeded, message));
        complaint.to_owned()
    }

    fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Whether the turn fails for what is no fault of a record.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// So many bytes of the file; the error is a complaint, the cause of which is kept.
    pub(crate) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length];
        self.read_into(at, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`read`](Self::read).
    pub(crate) fn read_into(&self, at: u64, bytes: &mut [u8]) -> Result<(), String> {
        if let Err(error) = self.file.read(bytes, at) {
            self.fail(error);
            return Err("the file cannot be read".to_owned());
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// `Io`, `FileChanged` or `LimitExceeded`, once.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
