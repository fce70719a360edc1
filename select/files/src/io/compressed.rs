//! A compressed file as the bytes that are in it, from first to last.
//!
//! gzip (RFC 1952) with any number of members, and Zstandard (RFC 8878) with any number of frames,
//! skippable ones among them. Checksums are verified to the end of the file; what is cut short,
//! does not match, or is followed by something else, is an error after the bytes that came before
//! it. However the bytes are asked for, they are decompressed in chunks of one size, so that what
//! comes before an error does not depend on who asks.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::raw_file::RawFile;
use crate::cancel::{Stopped, spend};
use crate::damage::Damage;
use crate::{Error, Result};

/// Bytes that are decompressed at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// Compressed bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// The largest window of a Zstandard frame, 8 MiB as in its levels up to 19: it is in memory.
const WINDOW_LOG_MAX: u32 = 23;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// Returns the compression that the ending of a name tells, and the name without it.
    pub(crate) fn of_name(name: &str) -> (Option<Self>, &str) {
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
        let known = match ending {
            Some(ending) if ending.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(ending) if ending.eq_ignore_ascii_case("zst") => Self::Zstd,
            _ => return (None, name),
        };
        let length = ending.map_or(0, str::len) + 1;
        (Some(known), name.get(..name.len() - length).unwrap_or(name))
    }
}

/// The bytes in a compressed file.
pub(crate) struct Stream {
    file: RawFile,
    decoder: Box<dyn Read + Send>,
    /// The position of the decoder in the file.
    position: Arc<AtomicU64>,
    chunk: Vec<u8>,
    /// Bytes of the chunk that have been given out.
    given: usize,
    /// Bytes of all chunks.
    decompressed: u64,
    /// Behind the chunk, if it is the last.
    end: Option<Result<()>>,
}

impl Stream {
    /// From the start of a file.
    ///
    /// # Errors
    /// `Io` when there is no memory for a decoder.
    pub(crate) fn new(file: RawFile, compression: Compression) -> Result<Self> {
        let position = Arc::new(AtomicU64::new(0));
        let bytes = FileBytes { file: file.clone(), position: Arc::clone(&position) };
        let decoder = decoder(BufReader::with_capacity(READ_BYTES, bytes), compression);
        Ok(Self {
            decoder: decoder.map_err(|error| Error::io(file.name(), error))?,
            file,
            position,
            chunk: Vec::new(),
            given: 0,
            decompressed: 0,
            end: None,
        })
    }

    /// Starts like [`new`](Self::new), but with the byte `start` of the text.
    ///
    /// # Errors
    /// `Io` when there is no memory for a decoder.
    pub(crate) fn starting_at(file: RawFile, compression: Compression, start: u64) -> Result<Self> {
        let mut stream = Self::new(file, compression)?;
        stream.skip(start);
        Ok(stream)
    }

    /// Compressed bytes that have been read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Fills `buffer`, as far as there are bytes. The second is how the stream ends, where it does
    /// so after them.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> (usize, Option<Result<()>>) {
        let mut used = 0;
        loop {
            let left = &self.chunk[self.given..];
            let taken = left.len().min(buffer.len() - used);
            buffer[used..used + taken].copy_from_slice(&left[..taken]);
            self.given += taken;
            used += taken;
            if self.given < self.chunk.len() {
                return (used, None);
            }
            if self.end.is_some() {
                return (used, self.end.take());
            }
            if used == buffer.len() {
                return (used, None);
            }
            self.next_chunk();
        }
    }

    /// Passes so many bytes. An end among them is told when bytes are asked for.
    fn skip(&mut self, mut bytes: u64) {
        while bytes > 0 && self.end.is_none() {
            if self.given == self.chunk.len() {
                self.next_chunk();
            }
            let left = self.chunk.len() - self.given;
            let passed = usize::try_from(bytes).unwrap_or(usize::MAX).min(left);
            self.given += passed;
            bytes -= passed as u64;
        }
    }

    fn next_chunk(&mut self) {
        self.chunk.resize(CHUNK_BYTES, 0);
        self.given = 0;
        let mut used = 0;
        while used < CHUNK_BYTES && self.end.is_none() {
            match self.decoder.read(&mut self.chunk[used..]) {
                Ok(0) => self.end = Some(Ok(())),
                Ok(bytes) => used += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.end = Some(Err(self.error(error, used))),
            }
        }
        if spend(used).is_err() {
            self.end = Some(Err(Stopped.into()));
        }
        self.chunk.truncate(used);
        self.decompressed += used as u64;
    }

    /// Makes the error that stopped the decoder after so many bytes of the chunk.
    fn error(&self, error: io::Error, used: usize) -> Error {
        let name = self.file.name();
        match error.downcast::<Unreadable>() {
            Ok(Unreadable(error)) => error,
            Err(error) => {
                let after = self.decompressed + used as u64;
                let why = match error.kind() {
                    io::ErrorKind::UnexpectedEof => "the file ends too early".to_owned(),
                    _ => error.to_string(),
                };
                Error::damaged(name, Damage::Compression { byte: after, why })
            }
        }
    }
}

fn decoder(
    file: BufReader<FileBytes>,
    compression: Compression,
) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(file)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}

/// The bytes of a file as it was when it was opened.
struct FileBytes {
    file: RawFile,
    position: Arc<AtomicU64>,
}

/// The reason why compressed bytes cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unreadable(Error);

impl Read for FileBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let unreadable = |error| io::Error::other(Unreadable(error));
        let position = self.position.load(Ordering::Relaxed);
        let left = usize::try_from(self.file.bytes() - position).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        // a very long file may decompress to nothing, so the steps are counted here
        spend(length).map_err(|stopped| unreadable(stopped.into()))?;
        self.file.read(&mut buffer[..length], position).map_err(unreadable)?;
        self.position.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
