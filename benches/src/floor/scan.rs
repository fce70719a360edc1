//! The floor of a scan: several threads read a file and do almost nothing with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A range of one field of fixed-length records, compared as a number.
#[derive(Clone, Copy, Debug)]
pub enum Probe {
    /// A date in eight digits. As big-endian numbers they have the order of the dates.
    Date {
        /// The offset in the record.
        offset: usize,
        /// The first date, as digits.
        low: [u8; 8],
        /// The last date, as digits.
        high: [u8; 8],
    },
    /// A number of eight bytes, little-endian.
    Integer {
        /// The offset in the record.
        offset: usize,
        /// The first value.
        low: i64,
        /// The last value.
        high: i64,
    },
}

/// Counts the records of `record_bytes` whose field is in the range of `probe`, with one read and
/// one comparison a record.
///
/// # Errors
/// An error of the operating system about the file.
pub fn count(path: &Path, record_bytes: usize, probe: Probe, threads: usize) -> io::Result<u64> {
    let block_bytes = (BLOCK_BYTES / record_bytes).max(1) * record_bytes;
    each_block(path, block_bytes, threads, |block| {
        let records = block.chunks_exact(record_bytes);
        let kept = match probe {
            Probe::Date { offset, low, high } => {
                let low = u64::from_be_bytes(low);
                let span = u64::from_be_bytes(high) - low;
                let field = |record| u64::from_be_bytes(eight(record, offset));
                records.filter(|record| field(record).wrapping_sub(low) <= span).count()
            }
            Probe::Integer { offset, low, high } => {
                let span = low.abs_diff(high);
                let field = |record| i64::from_le_bytes(eight(record, offset));
                let distance = |record| field(record).wrapping_sub(low).cast_unsigned();
                records.filter(|record| distance(record) <= span).count()
            }
        };
        kept as u64
    })
}

/// Counts the newlines of a text file.
///
/// # Errors
/// An error of the operating system about the file.
pub fn newlines(path: &Path, threads: usize) -> io::Result<u64> {
    each_block(path, BLOCK_BYTES, threads, |block| memchr::memchr_iter(b'\n', block).count() as u64)
}

/// The length of a read, in bytes. It fits in a second-level cache and makes the cost of the system
/// call small.
const BLOCK_BYTES: usize = 256 << 10;

fn each_block(
    path: &Path,
    block_bytes: usize,
    threads: usize,
    work: impl Fn(&[u8]) -> u64 + Sync,
) -> io::Result<u64> {
    let file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let turn = AtomicU64::new(0);
    let sum = AtomicU64::new(0);
    let worker = || {
        let mut buffer = vec![0; block_bytes];
        loop {
            let offset = turn.fetch_add(1, Ordering::Relaxed) * block_bytes as u64;
            let left = file_bytes.saturating_sub(offset);
            if left == 0 {
                return io::Result::Ok(());
            }
            let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(block_bytes);
            let block = &mut buffer[..bytes];
            file.read_exact_at(block, offset)?;
            sum.fetch_add(work(block), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        running.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(_) => Err(io::Error::other("a thread of the floor panicked")),
        })
    })?;
    Ok(sum.into_inner())
}

fn eight(record: &[u8], offset: usize) -> [u8; 8] {
    let mut field = [0; 8];
    field.copy_from_slice(&record[offset..offset + 8]);
    field
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn counts_what_is_in_the_range_whatever_the_threads() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for day in 1..=28_i64 {
            for _ in 0..1000 {
                file.write_all(&day.to_le_bytes()).unwrap();
                write!(file, "202402{day:02}..").unwrap();
            }
        }
        let date = Probe::Date { offset: 8, low: *b"20240203", high: *b"20240210" };
        let integer = Probe::Integer { offset: 0, low: 3, high: 10 };
        for threads in [1, 2, 3] {
            assert_eq!(count(file.path(), 18, date, threads).unwrap(), 8000);
            assert_eq!(count(file.path(), 18, integer, threads).unwrap(), 8000);
        }
    }

    #[test]
    fn counts_newlines_across_blocks() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("seven..\n".repeat(100_000).as_bytes()).unwrap();
        assert_eq!(newlines(file.path(), 2).unwrap(), 100_000);
    }
}
