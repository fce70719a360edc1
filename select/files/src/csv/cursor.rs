//! From the bytes of a file to blocks: where a turn's whole records end, and the records in them.
//!
//! A [`TurnCursor`] goes through the file in order, under a lock. It does the least that needs the
//! order: whether the end of the turn is inside of quotes, from their number, and the last line
//! feed outside of them. What comes after is kept for the next turn. The [`TurnBytes`] is then
//! taken apart by whoever has the turn, without the lock.

use std::ops::ControlFlow;

use super::{CsvBlock, CsvLayout, Structure};
use crate::excerpt::Excerpt;
use crate::problem::Problem;
use crate::record::{RECORD_BYTES_MAX, RecordFault, TurnBytes};

/// The state between two turns.
#[derive(Debug, Default)]
pub(super) struct TurnCursor {
    /// Number of the next turn.
    pub(crate) turn: u64,
    /// The start of a record that no turn has seen the end of.
    carry: Vec<u8>,
    /// Nothing can be read any more: a record cannot be delimited, or the file could not be read.
    pub(crate) ended: bool,
}

impl TurnCursor {
    /// Puts what was kept and the `range` of the file, by `read`, at the start of `bytes`. `end` is
    /// where the last turn ends, with a whole record or with the file.
    ///
    /// # Errors
    /// The errors of `read`.
    pub(crate) fn take<E>(
        &mut self,
        bytes: &mut Vec<u8>,
        range: std::ops::Range<u64>,
        end: u64,
        read: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<TurnBytes, E> {
        let kept = self.carry.len();
        let fresh = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut used = kept + fresh;
        // never shortened: to lengthen it again would be to fill it with zeros
        if bytes.len() <= used {
            bytes.resize(used + 1, 0);
        }
        bytes[..kept].copy_from_slice(&self.carry);
        self.carry.clear();
        self.ended = true;
        read(&mut bytes[kept..used])?;
        let last = range.end == end;
        if last && used > 0 && bytes[used - 1] != b'\n' {
            bytes[used] = b'\n';
            used += 1;
        }
        let whole = whole_records(&bytes[..used]);
        self.ended = used - whole > RECORD_BYTES_MAX || last;
        if !self.ended {
            self.carry.extend_from_slice(&bytes[whole..used]);
            used = whole;
        }
        Ok(TurnBytes { start: range.start - kept as u64, whole, used })
    }
}

/// The bytes up to and with the last line feed outside of quotes; `bytes` start with a record.
pub(super) fn whole_records(bytes: &[u8]) -> usize {
    let mut inside = memchr::memchr_iter(b'"', bytes).count() % 2 == 1;
    let mut end = bytes.len();
    while let Some(at) = memchr::memrchr2(b'"', b'\n', &bytes[..end]) {
        match bytes[at] {
            b'\n' if !inside => return at + 1,
            b'\n' => {}
            _ => inside = !inside,
        }
        end = at;
    }
    0
}

impl CsvLayout {
    /// Gives the blocks of a piece, of about `block_bytes`, to `each` until that breaks or one has
    /// a fault.
    pub(super) fn blocks(
        &self,
        piece: &TurnBytes,
        bytes: &[u8],
        block_bytes: usize,
        scratch: &mut Scratch,
        each: &mut dyn FnMut(CsvBlock<'_>) -> ControlFlow<()>,
    ) {
        let mut start = 0;
        let mut length = block_bytes;
        while start < piece.whole {
            let end = piece.whole.min(start + length);
            scratch.structure.scan(&bytes[start..end], self.delimiter);
            let records = scratch.structure.records().last().map_or(0, |&last| last as usize + 1);
            if records == 0 && scratch.structure.misplaced().is_none() && end < piece.whole {
                length *= 2;
                continue;
            }
            length = block_bytes;
            let block = scratch.block(self, &bytes[start..end], piece.start + start as u64);
            let faulty = block.fault.is_some();
            if each(block).is_break() || faulty {
                return;
            }
            start += records;
        }
        if piece.whole < piece.used {
            let rest = &bytes[piece.whole..piece.used];
            scratch.structure.scan(&rest[..rest.len().min(RECORD_BYTES_MAX + 1)], self.delimiter);
            let mut block = scratch.block(self, rest, piece.start + piece.whole as u64);
            if block.fault.is_none() {
                let problem = match rest.len() > RECORD_BYTES_MAX {
                    true => TOO_LONG,
                    false => Problem::UnclosedQuote,
                };
                let byte = Some(block.start);
                block.fault = Some(RecordFault { record: 0, byte, field: None, problem });
            }
            // it is the last anyway
            let _ = each(block);
        }
    }
}

const TOO_LONG: Problem = Problem::TooLongQuoted { bytes_max: RECORD_BYTES_MAX };

/// Memory for taking blocks apart, reused from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) structure: Structure,
    firsts: Vec<u32>,
}

impl Scratch {
    /// The records of `bytes` by the structure of them; one with another number of fields than the
    /// layout has, or with a misplaced quote or carriage return, is the fault that ends the block.
    pub(super) fn block<'a>(
        &'a mut self,
        layout: &'a CsvLayout,
        bytes: &'a [u8],
        start: u64,
    ) -> CsvBlock<'a> {
        self.firsts.clear();
        let ends = self.structure.fields();
        let fields = layout.fields.len();
        let mut first = 0;
        let mut wrong = None;
        for &line_feed in self.structure.records() {
            // as positions ascend, this says that there are exactly as many fields
            if ends.get(first + fields - 1) == Some(&line_feed) {
                // an index of a list of u32 positions without repetition
                self.firsts.push(u32::try_from(first).unwrap_or(u32::MAX));
                first += fields;
                continue;
            }
            let last = first + ends[first..].partition_point(|&end| end < line_feed);
            let from = if first == 0 { 0 } else { ends[first - 1] as usize + 1 };
            if !is_blank(&bytes[from..line_feed as usize]) {
                wrong = Some(last + 1 - first);
                break;
            }
            first = last + 1;
        }
        let mut block = CsvBlock { layout, bytes, ends, firsts: &self.firsts, start, fault: None };
        let from = block.start_of(first);
        block.fault = match (wrong, self.structure.misplaced()) {
            (Some(found), _) => Some((None, wrong_fields(layout, found))),
            (None, Some(at)) if at - from > RECORD_BYTES_MAX => Some((None, TOO_LONG)),
            (None, Some(at)) => {
                let field = layout.fields.get(ends.len() - first);
                Some((field.map(|field| field.name.clone()), misplaced(bytes, at)))
            }
            (None, None) => None,
        }
        .map(|(field, problem)| {
            let byte = start + from as u64;
            RecordFault { record: block.firsts.len(), byte: Some(byte), field, problem }
        });
        if bytes.len() > RECORD_BYTES_MAX {
            cut_too_long(&mut block);
        }
        block
    }
}

/// Ends the block before a record that is too long.
#[cold]
fn cut_too_long(block: &mut CsvBlock<'_>) {
    let fields = block.layout.fields.len();
    let length = |&first: &u32| {
        let first = first as usize;
        block.ends[first + fields - 1] as usize - block.start_of(first)
    };
    if let Some(record) = block.firsts.iter().position(|first| length(first) > RECORD_BYTES_MAX) {
        let byte = block.start + block.start_of(block.firsts[record] as usize) as u64;
        block.firsts = &block.firsts[..record];
        block.fault =
            Some(RecordFault { record, byte: Some(byte), field: None, problem: TOO_LONG });
    }
}

fn wrong_fields(layout: &CsvLayout, found: usize) -> Problem {
    let expected = layout.fields.len();
    let expected_by = if layout.header { "the header" } else { layout.descriptor.as_str() };
    Problem::FieldCount { found, expected, expected_by: expected_by.into() }
}

/// Returns what is wrong with the byte `at` that is misplaced.
pub(super) fn misplaced(bytes: &[u8], at: usize) -> Problem {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    match (before, bytes.get(at)) {
        // inside of quotes it may be followed by anything
        (Some(b'\r'), _) => Problem::StrayCarriageReturn,
        (_, Some(b'"')) => Problem::StrayQuote,
        _ => {
            let from = &bytes[at..];
            let length = from.iter().take(20).take_while(|&&byte| byte != b'\n').count();
            Problem::AfterQuote { found: Excerpt::text(&from[..length]) }
        }
    }
}

/// Returns whether a line has nothing in it: carriage returns before its line feed belong to its
/// end.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|&byte| byte == b'\r')
}
