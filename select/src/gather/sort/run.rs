//! Sorted runs in files, as Arrow IPC streams.
//!
//! A run has no name: its file is anonymous (`O_TMPFILE`), or removed as soon as it is open if the
//! file system has no anonymous files. So nobody else can open it, and it disappears with the
//! process, however the process ends.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::merge::BatchSource;
use super::{RUNS_MAX, SORTED_ROWS_MAX};
use crate::{Error, ErrorKind, Result};

const BUFFER_BYTES: usize = 64 << 10;

/// A folder for data that outgrows memory, with a limit for its disk space.
#[derive(Debug)]
pub struct SpillDirectory {
    path: PathBuf,
    /// The name of the setting, for the message at the limit.
    key: &'static str,
    bytes_max: u64,
    bytes: AtomicU64,
}

impl SpillDirectory {
    /// Makes a spill folder at `path`, for at most `bytes_max` at a time. The error at this limit
    /// names the setting `key`.
    pub fn new(path: impl Into<PathBuf>, key: &'static str, bytes_max: u64) -> Self {
        Self { path: path.into(), key, bytes_max, bytes: AtomicU64::new(0) }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes that are on disk now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Makes the error for a fault of a run. Only the administrator's log has the path of the run.
    fn error(&self, error: &io::Error) -> Error {
        let cause = error.kind();
        let message = format!("records cannot be sorted on the server's disk: {cause}");
        let details = format!("a sorted run in {}: {error}", self.path.display());
        Error::new(ErrorKind::Io, message).withholding(details)
    }

    fn arrow_error(&self, error: ArrowError) -> Error {
        self.error(&match error {
            ArrowError::IoError(_, error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }
}

/// Returns the number of rows in a batch of a run. With it, all runs that are merged at once take a
/// quarter of the memory.
pub(super) fn batch_rows(row_bytes: usize, memory_bytes_max: usize) -> usize {
    (memory_bytes_max / 4 / RUNS_MAX / row_bytes.max(1)).clamp(1, SORTED_ROWS_MAX)
}

/// A run that is being written.
pub(super) struct RunWriter {
    directory: Arc<SpillDirectory>,
    writer: StreamWriter<BufWriter<File>>,
    /// The disk space of the run, released when the run is dropped.
    taken: DiskReservation,
}

/// The disk space that a run takes.
#[derive(Debug)]
struct DiskReservation {
    directory: Arc<SpillDirectory>,
    bytes: u64,
}

impl DiskReservation {
    fn add(&mut self, bytes: u64) -> Result<()> {
        self.bytes += bytes;
        let all = self.directory.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let SpillDirectory { bytes_max, key, .. } = &*self.directory;
        if all > *bytes_max {
            let message = format!(
                "sorting takes more than the {bytes_max} bytes of disk that all Selects may; \
                 select less, add a LIMIT, or raise `{key}`"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(())
    }
}

impl Drop for DiskReservation {
    fn drop(&mut self) {
        self.directory.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl RunWriter {
    pub(super) fn new(directory: &Arc<SpillDirectory>, schema: &Schema) -> Result<Self> {
        let file =
            tempfile::tempfile_in(&directory.path).map_err(|error| directory.error(&error))?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let writer =
            StreamWriter::try_new(file, schema).map_err(|error| directory.arrow_error(error))?;
        let taken = DiskReservation { directory: Arc::clone(directory), bytes: 0 };
        Ok(Self { directory: Arc::clone(directory), writer, taken })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.taken.add(super::memory_bytes(batch) as u64)?;
        self.writer.write(batch).map_err(|error| self.directory.arrow_error(error))
    }

    pub(super) fn finish(mut self) -> Result<Run> {
        let error = |error: ArrowError| self.directory.arrow_error(error);
        self.writer.finish().map_err(error)?;
        let file = self.writer.into_inner().map_err(error)?;
        let file = file.into_inner().map_err(|e| self.directory.error(e.error()))?;
        Ok(Run { file, taken: self.taken })
    }
}

/// A run in its file.
#[derive(Debug)]
pub(super) struct Run {
    file: File,
    taken: DiskReservation,
}

impl Run {
    /// Reads the run from the start.
    pub(super) fn read(mut self) -> Result<BatchSource> {
        let directory = Arc::clone(&self.taken.directory);
        self.file.seek(SeekFrom::Start(0)).map_err(|error| directory.error(&error))?;
        let file = BufReader::with_capacity(BUFFER_BYTES, self.file);
        let reader =
            StreamReader::try_new(file, None).map_err(|error| directory.arrow_error(error))?;
        Ok(BatchSource::File(Box::new(RunReader { reader, taken: self.taken })))
    }
}

/// A run that is being read.
#[derive(Debug)]
pub(super) struct RunReader {
    reader: StreamReader<BufReader<File>>,
    taken: DiskReservation,
}

impl RunReader {
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.reader.next().transpose().map_err(|error| self.taken.directory.arrow_error(error))
    }
}
