//! Record batches in files, each in a frame of its own.
//!
//! A file has no name: it is anonymous (`O_TMPFILE`), or removed as soon as it is open if the file
//! system has no anonymous files. So nobody else can open it, and it disappears with the process,
//! however the process ends. Where its frames are is only in memory. Frames may be
//! [encrypted](cipher).

mod cipher;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;

use crate::{Error, ErrorKind, Result};
use cipher::{Cipher, TAG_BYTES};

/// A folder for data that outgrows memory, with a limit for its disk space.
#[derive(Debug)]
pub struct SpillDirectory {
    path: PathBuf,
    /// The name of the setting, for the message at the limit.
    key: &'static str,
    bytes_max: u64,
    bytes: AtomicU64,
    is_encrypted: bool,
    /// Made with the first file.
    cipher: Mutex<Option<Arc<Cipher>>>,
    /// The number of files that were made.
    files: AtomicU64,
}

/// The work that writes data, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spilling {
    Sort,
    Group,
}

impl SpillDirectory {
    /// Makes a spill folder at `path`, for at most `bytes_max` at a time. The error at this limit
    /// names the setting `key`.
    pub fn new(path: impl Into<PathBuf>, key: &'static str, bytes_max: u64) -> Self {
        Self {
            path: path.into(),
            key,
            bytes_max,
            bytes: AtomicU64::new(0),
            is_encrypted: false,
            cipher: Mutex::default(),
            files: AtomicU64::new(0),
        }
    }

    /// Encrypts what is written from now on, with a key that is only in the memory of this process.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { is_encrypted: true, ..self }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes that are on disk now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the cipher of a new file; the first call makes the key.
    fn cipher(&self) -> io::Result<Option<Arc<Cipher>>> {
        if !self.is_encrypted {
            return Ok(None);
        }
        let mut cipher = self.cipher.lock().unwrap_or_else(PoisonError::into_inner);
        if cipher.is_none() {
            let made = Cipher::new()
                .map_err(|_unspecific| io::Error::other("the system has no random numbers"))?;
            *cipher = Some(Arc::new(made));
        }
        Ok(cipher.clone())
    }
}

/// A file of record batches. Its disk space is released when it is dropped.
#[derive(Debug)]
pub(crate) struct SpillFile {
    file: File,
    directory: Arc<SpillDirectory>,
    spilling: Spilling,
    bytes: AtomicU64,
    cipher: Option<Arc<Cipher>>,
    /// The number of the file in this process.
    number: u64,
}

/// The place of a record batch in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    start: u64,
    bytes: usize,
}

impl SpillFile {
    /// Makes an empty file.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn new(directory: &Arc<SpillDirectory>, spilling: Spilling) -> Result<Self> {
        let directory = Arc::clone(directory);
        let made =
            tempfile::tempfile_in(&directory.path).and_then(|file| Ok((file, directory.cipher()?)));
        let (file, cipher) = made.map_err(|error| io_error(&directory, spilling, &error))?;
        let number = directory.files.fetch_add(1, Ordering::Relaxed);
        Ok(Self { file, directory, spilling, bytes: AtomicU64::new(0), cipher, number })
    }

    /// Appends a batch; several threads may do this at a time.
    ///
    /// # Errors
    /// `LimitExceeded` if the disk space is used up; `Io`.
    pub(crate) fn write(&self, batch: &RecordBatch) -> Result<Frame> {
        let mut bytes = encode(batch).map_err(|error| self.arrow_error(error))?;
        let tag_bytes = if self.cipher.is_some() { TAG_BYTES } else { 0 };
        let frame = self.reserve(bytes.len() + tag_bytes)?;
        if let Some(cipher) = &self.cipher {
            let sealed = cipher.seal(self.number, frame.start, &mut bytes);
            sealed.map_err(|_unspecific| self.error(&io::Error::other("encryption failed")))?;
        }
        self.file.write_all_at(&bytes, frame.start).map_err(|error| self.error(&error))?;
        Ok(frame)
    }

    /// Reads a batch of this file.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn read(&self, frame: Frame) -> Result<RecordBatch> {
        let mut bytes = vec![0; frame.bytes];
        self.file.read_exact_at(&mut bytes, frame.start).map_err(|error| self.error(&error))?;
        if let Some(cipher) = &self.cipher {
            let opened = cipher.open(self.number, frame.start, &mut bytes);
            opened.map_err(|_unspecific| self.error(&io::ErrorKind::InvalidData.into()))?;
        }
        decode(bytes).map_err(|error| self.arrow_error(error))
    }

    /// Returns the place of the next frame.
    fn reserve(&self, bytes: usize) -> Result<Frame> {
        let more = bytes as u64;
        let start = self.bytes.fetch_add(more, Ordering::Relaxed);
        let all = self.directory.bytes.fetch_add(more, Ordering::Relaxed) + more;
        let SpillDirectory { bytes_max, key, .. } = &*self.directory;
        if all > *bytes_max {
            let what = match self.spilling {
                Spilling::Sort => "sorting",
                Spilling::Group => "grouping",
            };
            let message = format!(
                "{what} takes more than the {bytes_max} bytes of disk that all Selects may; \
                 select less, add a LIMIT, or raise `{key}`"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(Frame { start, bytes })
    }

    fn error(&self, error: &io::Error) -> Error {
        io_error(&self.directory, self.spilling, error)
    }

    fn arrow_error(&self, error: ArrowError) -> Error {
        self.error(&match error {
            ArrowError::IoError(_, error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.directory.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

/// Makes the error for a fault of a file. Only the administrator's log has the path of the folder.
fn io_error(directory: &SpillDirectory, spilling: Spilling, error: &io::Error) -> Error {
    let what = match spilling {
        Spilling::Sort => "sorted",
        Spilling::Group => "grouped",
    };
    let message = format!("records cannot be {what} on the server's disk: {}", error.kind());
    let details = format!("a file in {}: {error}", directory.path.display());
    Error::new(ErrorKind::Io, message).withholding(details)
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let bytes = Vec::with_capacity(memory_bytes(batch) + (4 << 10));
    let mut writer = StreamWriter::try_new(bytes, batch.schema_ref())?;
    writer.write(batch)?;
    writer.into_inner()
}

fn decode(bytes: Vec<u8>) -> Result<RecordBatch, ArrowError> {
    let mut bytes = Buffer::from_vec(bytes);
    let mut decoder = StreamDecoder::new();
    while !bytes.is_empty() {
        if let Some(batch) = decoder.decode(&mut bytes)? {
            return Ok(batch);
        }
    }
    Err(ArrowError::IpcError("a frame without a batch".to_owned()))
}

/// Returns the bytes of the rows of a batch; of a shared buffer only the batch's part counts.
pub(crate) fn memory_bytes(batch: &RecordBatch) -> usize {
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
    batch.columns().iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};

    use arrow::array::StringArray;

    use super::*;

    fn batch(text: &str) -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text; 100]));
        RecordBatch::try_from_iter([("t", texts)]).unwrap()
    }

    /// A change of a file is told; without encryption, only some are.
    #[test]
    fn frames_come_back_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let plain = SpillDirectory::new(folder.path(), "test", 1 << 20);
        let encrypted = SpillDirectory::new(folder.path(), "test", 1 << 20).encrypted();
        for (directory, is_encrypted) in [(plain, false), (encrypted, true)] {
            let directory = Arc::new(directory);
            let file = SpillFile::new(&directory, Spilling::Sort).unwrap();
            let batches = [batch("first"), batch("other")];
            let [first, second] = batches.each_ref().map(|batch| file.write(batch).unwrap());
            assert_eq!(file.read(second).unwrap(), batches[1]);
            assert_eq!(file.read(first).unwrap(), batches[0]);
            let mut all = vec![0; first.bytes + second.bytes];
            file.file.read_exact_at(&mut all, 0).unwrap();
            assert_eq!(all.windows(5).any(|part| part == b"first"), !is_encrypted);
            assert_eq!(directory.bytes(), all.len() as u64);

            let told = |frame, kind: io::ErrorKind| {
                let error = file.read(frame).unwrap_err();
                let text = format!("records cannot be sorted on the server's disk: {kind}");
                assert_eq!((error.kind(), error.to_string()), (ErrorKind::Io, text));
            };
            if is_encrypted {
                // one frame in place of the other
                file.file.write_all_at(&all[first.bytes..], 0).unwrap();
                told(first, InvalidData);
                file.file.write_all_at(&all, 0).unwrap();
                assert_eq!(file.read(first).unwrap(), batches[0]);
            }
            file.file.set_len(all.len() as u64 - 1).unwrap();
            told(second, UnexpectedEof);
            drop(file);
            assert_eq!(directory.bytes(), 0);
        }
    }
}
