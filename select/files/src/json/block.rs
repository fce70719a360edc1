//! Records in memory: where each starts, and where the values of its known members are.

use std::ops::{ControlFlow, Range};

use arrow::array::ArrayRef;

use super::decode::Cell;
use super::infer::JsonSample;
use super::syntax::{Cursor, Wrong, unescaped};
use super::walk::Unlisted;
use super::{JsonLayout, RECORD_BYTES_MAX, decode, walk};
use crate::block::Block;
use crate::excerpt::Excerpt;
use crate::field_type::FieldType;
use crate::problem::{Problem, TypeOrigin};
use crate::record::{RecordFault, Rows, TurnBytes};
use crate::sample::Sample;

/// The places that a block holds at most: records of many members come in blocks of fewer records.
const PLACES_MAX: usize = 1 << 20;

/// Bytes of a record in a complaint.
const SHOWN_BYTES: usize = 20;

/// Records in memory.
pub(super) struct JsonBlock<'a> {
    pub(super) layout: &'a JsonLayout,
    pub(super) bytes: &'a [u8],
    /// Positions in `bytes` where records start.
    starts: &'a [u32],
    /// For each record the positions of the values of all members of the tree, 0 where there is
    /// none.
    places: &'a [u32],
    /// The records, ascending, with members that are no columns though columns are all that there
    /// is.
    unlisted: &'a [u32],
    /// The position of `bytes` in the file.
    start: u64,
    fault: Option<RecordFault>,
}

/// Memory for taking blocks apart, reused from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    starts: Vec<u32>,
    places: Vec<u32>,
    unlisted: Vec<u32>,
}

impl JsonLayout {
    /// Gives the blocks of a piece, of about `block_bytes`, to `each` until that breaks or one has
    /// a fault.
    pub(super) fn blocks(
        &self,
        piece: &TurnBytes,
        bytes: &[u8],
        block_bytes: usize,
        scratch: &mut Scratch,
        each: &mut dyn FnMut(JsonBlock<'_>) -> ControlFlow<()>,
    ) {
        let mut start = 0;
        while start < piece.whole {
            let bytes = &bytes[start..piece.whole];
            let (block, used) = scratch.block(self, bytes, block_bytes, piece.start + start as u64);
            let faulty = block.fault.is_some();
            if each(block).is_break() || faulty {
                return;
            }
            start += used;
        }
        if piece.whole < piece.used {
            let (mut block, _) = scratch.block(self, b"", 0, piece.start + piece.whole as u64);
            let byte = Some(block.start);
            block.fault = Some(RecordFault { record: 0, byte, field: None, problem: TOO_LONG });
            // it is the last anyway
            let _ = each(block);
        }
    }
}

impl Scratch {
    /// The records of the lines that `bytes` start with, as many as there are in about
    /// `block_bytes`, and the bytes that they take. A record that is not JSON is the fault that ends
    /// the block.
    fn block<'a>(
        &'a mut self,
        layout: &'a JsonLayout,
        bytes: &'a [u8],
        block_bytes: usize,
        start: u64,
    ) -> (JsonBlock<'a>, usize) {
        let members = layout.tree.len();
        let records_max = (PLACES_MAX / members.max(1)).max(1);
        self.starts.clear();
        self.places.clear();
        self.unlisted.clear();
        let (mut at, mut fault) = (0, None);
        while at < bytes.len().min(block_bytes) && self.starts.len() < records_max {
            let Some(length) = memchr::memchr(b'\n', &bytes[at..]) else { break };
            let end = at + length;
            if !is_blank(&bytes[at..end]) {
                let places = self.places.len();
                self.places.resize(places + members, 0);
                // a block is far below 4 GiB
                let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                match check(layout, bytes, at..end, &mut self.places[places..]) {
                    Ok(Some(_)) if layout.is_inferred => {
                        self.unlisted.push(position(self.starts.len()));
                    }
                    Ok(_) => {}
                    Err(problem) => {
                        self.places.truncate(places);
                        let byte = Some(start + at as u64);
                        fault = Some(RecordFault {
                            record: self.starts.len(),
                            byte,
                            field: None,
                            problem: *problem,
                        });
                        break;
                    }
                }
                self.starts.push(position(at));
            }
            at = end + 1;
        }
        let Self { starts, places, unlisted } = self;
        (JsonBlock { layout, bytes, starts, places, unlisted, start, fault }, at)
    }
}

#[inline(always)]
fn is_blank(line: &[u8]) -> bool {
    line.first() != Some(&b'{') && line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// Checks the record, after which a line feed comes, and notes the places of its members.
#[inline(always)]
fn check(
    layout: &JsonLayout,
    bytes: &[u8],
    record: Range<usize>,
    places: &mut [u32],
) -> Result<Option<Unlisted>, Box<Problem>> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(Box::new(TOO_LONG));
    }
    let text = &bytes[record.clone()];
    if !text.is_ascii()
        && let Err(error) = std::str::from_utf8(text)
    {
        return Err(Box::new(Problem::RecordNotUtf8 { byte: error.valid_up_to() }));
    }
    walk::record(bytes, record.clone(), &layout.tree, places)
        .map_err(|wrong| complaint(wrong, bytes, record))
}

#[cold]
fn complaint(wrong: Wrong, bytes: &[u8], record: Range<usize>) -> Box<Problem> {
    let Wrong { at, what } = wrong;
    let found = bytes.get(at..record.end).filter(|rest| !rest.is_empty());
    let found = found.map(|rest| Excerpt::text(&rest[..rest.len().min(SHOWN_BYTES)]));
    Box::new(Problem::Json { expected: what, found, byte: at - record.start })
}

const TOO_LONG: Problem = Problem::TooLong { bytes_max: RECORD_BYTES_MAX };

impl Block for JsonBlock<'_> {
    fn records(&self) -> usize {
        self.starts.len()
    }

    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        let field = &self.layout.fields[column];
        decode::column(self, field, rows).map_err(|record| {
            let problem = match decode::cell(self, record, field, &mut Vec::new()) {
                Cell::NoObject(name) => {
                    let descriptor = self.layout.descriptor.as_str().into();
                    Problem::NotObject { name: name.into(), descriptor }
                }
                _ => self.misfit(record, column),
            };
            let byte = self.byte_of(record);
            RecordFault { record, byte, field: Some(field.name.clone()), problem }
        })
    }

    fn fault(&self) -> Option<&RecordFault> {
        self.fault.as_ref()
    }

    fn byte_of(&self, record: usize) -> Option<u64> {
        Some(self.start + self.starts.get(record).map_or(0, |&start| u64::from(start)))
    }

    fn check_listed(&self, rows: Rows<'_>) -> Result<(), RecordFault> {
        let is_asked = |record: &&u32| match rows {
            Rows::All => true,
            Rows::Selected(rows) => rows.binary_search(record).is_ok(),
        };
        match self.unlisted.iter().find(is_asked) {
            None => Ok(()),
            Some(record) => Err(self.unlisted_member(*record as usize)),
        }
    }

    fn sample(&self, records: &[usize], sample: &mut Sample) {
        let Some(sample) = sample.values_mut::<JsonSample>() else { return };
        for record in records {
            let start = self.starts[*record] as usize;
            let end = memchr::memchr(b'\n', &self.bytes[start..]).map_or(start, |end| start + end);
            // a record of a block has already been parsed, so there is no error
            let _ = sample.record(&self.bytes[start..end]);
        }
    }
}

impl JsonBlock<'_> {
    /// Returns the position of a member's value; `None` if the record does not have the member.
    #[inline(always)]
    pub(super) fn place(&self, record: usize, member: usize) -> Option<usize> {
        match self.places[record * self.layout.tree.len() + member] {
            0 => None,
            place => Some(place as usize),
        }
    }

    /// The fault of a record that has a member which is not a column.
    #[cold]
    fn unlisted_member(&self, record: usize) -> RecordFault {
        let start = self.starts[record] as usize;
        let end = memchr::memchr(b'\n', &self.bytes[start..]).map_or(start, |end| start + end);
        let tree = &self.layout.tree;
        let member = walk::record(self.bytes, start..end, tree, &mut vec![0; tree.len()]);
        let mut path = Vec::new();
        if let Ok(Some(Unlisted { at, object })) = member {
            let mut scratch = Vec::new();
            let name = Cursor::new(self.bytes, at).name();
            let name = name.map_or(&b""[..], |name| unescaped(name, &mut scratch));
            let names = tree.path_into(object).into_iter().chain([name]);
            path = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        }
        let problem =
            Problem::UnlistedMember { descriptor: self.layout.descriptor.as_str().into() };
        RecordFault { record, byte: self.byte_of(record), field: Some(path.join(".")), problem }
    }

    /// Returns why a value does not have the type of its column.
    fn misfit(&self, record: usize, column: usize) -> Problem {
        let field = &self.layout.fields[column];
        let value = self.place(record, field.member).map(|place| decode::raw(self.bytes, place));
        let value = value.unwrap_or_default();
        let origin = match (field.declared, field.kind, value.first()) {
            (true, ..) => TypeOrigin::Declared,
            (false, FieldType::Text, _) | (false, _, Some(b'[' | b'{')) => {
                TypeOrigin::InferredFromJson
            }
            (false, ..) => TypeOrigin::Inferred,
        };
        Problem::NotOfType {
            value: Excerpt::text(value),
            field_type: field.kind,
            origin,
            descriptor: self.layout.descriptor.as_str().into(),
        }
    }
}
