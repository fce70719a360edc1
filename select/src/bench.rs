//! The readers below the public API, only for the benchmarks of this crate.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::ArrayRef;

use crate::source::Source;
use crate::{Error, Result};
use sift_files::csv::Structure;
use sift_files::feed::Feed;
use sift_files::io::waiting::Waiting;
use sift_files::record::Rows;

/// Returns the number of fields of CSV records, found in blocks of `block_bytes`.
pub fn structure(bytes: &[u8], block_bytes: usize) -> usize {
    let mut structure = Structure::default();
    let blocks = bytes.chunks(block_bytes);
    blocks
        .map(|block| {
            structure.scan(block, b',');
            structure.fields().len()
        })
        .sum()
}

/// Decodes one column of all records on some threads. Returns the sum of the results of `each`.
///
/// # Errors
/// The errors of a scan.
pub fn decode(
    source: &Arc<Source>,
    column: usize,
    threads: usize,
    each: impl Fn(&ArrayRef) -> u64 + Sync,
) -> Result<u64> {
    let feed = Feed::new(&source.files(), 4 << 20);
    let sum = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let run = || {
            loop {
                let mut result = Ok(());
                let turn = feed.next(Waiting::Allowed, &mut |_, block| match block
                    .decode(&[column], Rows::All)
                {
                    Ok(arrays) => {
                        sum.fetch_add(arrays.iter().map(&each).sum(), Ordering::Relaxed);
                        ControlFlow::Continue(())
                    }
                    Err(fault) => {
                        result = Err(Error::from(fault.to_error(source.name(), 0)));
                        ControlFlow::Break(())
                    }
                });
                result?;
                match turn {
                    Some(turn) => turn.result?,
                    None => return Ok(()),
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        // a thread that panicked has no result
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Result<()>>()
    })?;
    Ok(sum.into_inner())
}
