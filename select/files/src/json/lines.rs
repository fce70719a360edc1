//! The records that start in a range of a file: a turn finds its own, whatever the other turns do.
//!
//! A record starts after every line feed, so the byte before the range tells whether one starts
//! with it. The last record of the range is read to its end after it.

use std::ops::Range;

use super::RECORD_BYTES_MAX;
use crate::record::TurnBytes;

/// Bytes that are read after the range at a time.
const TAIL_BYTES: usize = 16 << 10;

/// Reads the records that start in the `range` of a file into `bytes`, and tells where in them they
/// start. The first record of all starts at `first`; the last one ends at `end`, or with the file
/// there.
///
/// # Errors
/// The errors of `read`, which fills a buffer from a position in the file.
pub(super) fn take<E>(
    bytes: &mut Vec<u8>,
    range: Range<u64>,
    first: u64,
    end: u64,
    mut read: impl FnMut(&mut [u8], u64) -> Result<(), E>,
) -> Result<(usize, TurnBytes), E> {
    let from = range.start - u64::from(range.start > first);
    let mut used = length(from..range.end);
    fit(bytes, used);
    read(&mut bytes[..used], from)?;
    // what starts after a line feed that is the last byte starts in another turn
    let before_last = used.saturating_sub(1);
    let skipped = match from < range.start {
        false => Some(0),
        true => memchr::memchr(b'\n', &bytes[..before_last]).map(|line_feed| line_feed + 1),
    };
    let Some(skipped) = skipped else {
        return Ok((0, TurnBytes { start: range.end, whole: 0, used: 0 }));
    };
    let last = memchr::memrchr(b'\n', &bytes[skipped..before_last]);
    let last = last.map_or(skipped, |line_feed| skipped + line_feed + 1);
    let mut whole = bytes[..used].ends_with(b"\n").then_some(used);
    let mut at = range.end;
    while whole.is_none() && used - last <= RECORD_BYTES_MAX {
        let more = length(at..end).min(TAIL_BYTES);
        fit(bytes, used + more);
        read(&mut bytes[used..used + more], at)?;
        at += more as u64;
        let line_feed = memchr::memchr(b'\n', &bytes[used..used + more]);
        used += line_feed.map_or(more, |line_feed| line_feed + 1);
        if more == 0 {
            bytes[used] = b'\n';
            used += 1;
        }
        whole = (line_feed.is_some() || more == 0).then_some(used);
    }
    let whole = whole.unwrap_or(last) - skipped;
    Ok((skipped, TurnBytes { start: from + skipped as u64, whole, used: used - skipped }))
}

/// The bytes up to and with the last line feed; `bytes` start with a record.
pub(super) fn whole_records(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |line_feed| line_feed + 1)
}

fn length(range: Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}

/// Makes room for so many bytes and a line feed. Never shortens: to lengthen it again would be to
/// fill it with zeros.
fn fit(bytes: &mut Vec<u8>, used: usize) {
    if bytes.len() <= used {
        bytes.resize(used + 1, 0);
    }
}
