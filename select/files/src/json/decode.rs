//! One column of a block of JSON records as an Arrow array.

use arrow::array::ArrayRef;

use super::syntax::{Cursor, DEPTH_MAX, PlainNumber, unescaped};
use super::{JsonBlock, JsonField, number};
use crate::block::Block;
use crate::field_type::FieldType;
use crate::record::Rows;
use crate::text;
use crate::text::{Cells, Numbers};

/// The column of those rows; the error is the first record that does not decode.
pub(super) fn column(
    block: &JsonBlock<'_>,
    field: &JsonField,
    rows: Rows<'_>,
) -> Result<ArrayRef, usize> {
    match rows {
        Rows::All => {
            let records = 0..block.records();
            text::column(&JsonCells { block, field, records }, field.kind)
        }
        Rows::Selected(rows) => {
            let records = rows.iter().map(|&row| row as usize);
            text::column(&JsonCells { block, field, records }, field.kind)
        }
    }
}

/// A field of some records of a block.
struct JsonCells<'a, R> {
    block: &'a JsonBlock<'a>,
    field: &'a JsonField,
    records: R,
}

impl<R: ExactSizeIterator<Item = usize> + Clone> Cells for JsonCells<'_, R> {
    fn len(&self) -> usize {
        self.records.len()
    }

    #[inline(always)]
    fn each(&self, mut push: impl FnMut(Option<&[u8]>) -> Option<()>) -> Result<(), usize> {
        let mut scratch = Vec::new();
        for record in self.records.clone() {
            let pushed = match cell(self.block, record, self.field, &mut scratch) {
                Cell::Null => push(None),
                Cell::Text(text) => push(Some(text)),
                Cell::Misfit | Cell::NoObject(_) => None,
            };
            pushed.ok_or(record)?;
        }
        Ok(())
    }

    fn record(&self, place: usize) -> usize {
        self.records.clone().nth(place).unwrap_or(0)
    }

    /// The grammar has no others, but for strings in a declared field.
    #[inline(always)]
    fn numbers(&self) -> Numbers {
        Numbers::Any
    }
}

/// The value that a record has for a field.
pub(super) enum Cell<'a> {
    Null,
    /// A value of the right kind, as the text of its type.
    Text(&'a [u8]),
    /// A value of another kind.
    Misfit,
    /// The member of that name should have been an object.
    NoObject(String),
}

/// The cell of a record; `scratch` keeps its text where it is not as the record has it.
#[inline(always)]
pub(super) fn cell<'s>(
    block: &'s JsonBlock<'_>,
    record: usize,
    field: &JsonField,
    scratch: &'s mut Vec<u8>,
) -> Cell<'s> {
    let Some(place) = block.place(record, field.member) else {
        return missing(block, record, field);
    };
    let value = &block.bytes[place..];
    let text = match (value.first(), field.kind) {
        (Some(b'n'), _) => return Cell::Null,
        (_, FieldType::Json) => Some(raw(block.bytes, place)),
        (Some(b'"'), kind) => {
            let is_string =
                matches!(kind, FieldType::Text | FieldType::Date | FieldType::Timestamp);
            (is_string || field.declared).then(|| string(block.bytes, place, scratch))
        }
        (Some(b't' | b'f'), FieldType::Boolean) => Some(raw(block.bytes, place)),
        (Some(b'-' | b'0'..=b'9'), kind) => match (kind, PlainNumber::of(value)) {
            (FieldType::Int64, Some(PlainNumber { length, fraction: 0 }))
            | (FieldType::Float64, Some(PlainNumber { length, .. })) => value.get(..length),
            (FieldType::Decimal { scale, .. }, Some(PlainNumber { length, fraction }))
                if fraction <= usize::from(scale) =>
            {
                value.get(..length)
            }
            (FieldType::Int64, _) => number::exact(digits(value), 0, scratch),
            (FieldType::Decimal { scale, .. }, _) => number::exact(digits(value), scale, scratch),
            (FieldType::Float64, None) => {
                Some(digits(value)).filter(|number| number::is_finite(number))
            }
            _ => None,
        },
        _ => None,
    };
    text.map_or(Cell::Misfit, Cell::Text)
}

/// A record that does not have the member: NULL, unless what should hold it is not an object.
#[cold]
fn missing<'s>(block: &JsonBlock<'_>, record: usize, field: &JsonField) -> Cell<'s> {
    let tree = &block.layout.tree;
    let mut around = tree.around(field.member);
    while let Some(member) = around {
        if let Some(place) = block.place(record, member) {
            return match block.bytes.get(place) {
                Some(b'{' | b'n') => Cell::Null,
                _ => {
                    let path = tree.path(member);
                    let path = path.iter().map(|name| String::from_utf8_lossy(name));
                    Cell::NoObject(path.collect::<Vec<_>>().join("."))
                }
            };
        }
        around = tree.around(member);
    }
    Cell::Null
}

/// The text of the value at `place`, which was checked.
pub(super) fn raw(bytes: &[u8], place: usize) -> &[u8] {
    let mut cursor = Cursor::new(bytes, place);
    match cursor.value(DEPTH_MAX) {
        Ok(()) => &bytes[place..cursor.at],
        Err(_) => b"",
    }
}

/// The text of the string at `place`.
#[inline(always)]
fn string<'s>(bytes: &'s [u8], place: usize, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    let mut cursor = Cursor::new(bytes, place);
    cursor.string().map_or(b"", |text| unescaped(text, scratch))
}

/// The number that `value` starts with.
#[inline(always)]
fn digits(value: &[u8]) -> &[u8] {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    &value[..value.iter().take_while(is_part).count()]
}
