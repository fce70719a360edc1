//! What the columns of one turn read their file by: how much, and what went wrong that is no fault
//! of a record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::data_file::DataFile;

/// A file, and what was read of it.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) file: Arc<DataFile>,
    bytes: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl Input {
    pub(super) fn new(file: Arc<DataFile>) -> Self {
        Self { file, bytes: AtomicU64::new(0), failure: Mutex::new(None) }
    }

    /// So many bytes of the file; the error is a complaint, the cause of which is kept.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length];
        self.read_into(at, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`read`](Self::read).
    pub(super) fn read_into(&self, at: u64, bytes: &mut [u8]) -> Result<(), String> {
        if let Err(error) = self.file.read(bytes, at) {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            return Err("the file cannot be read".to_owned());
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// `Io` or `FileChanged`, once.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
