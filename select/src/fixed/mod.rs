//! Fixed-length records: the layout, and a block of them.
//!
//! `record_length` counts the bytes of the fields; a terminator comes on top and is checked in every
//! record that is read, for behind a wrong one everything is shifted. Fields may overlap, as COBOL's
//! REDEFINES do. A field that is NULL is told by `null_when`, a figurative constant of COBOL that
//! fills all of the field; it is compared before anything is decoded. `zeros` is the number zero in
//! the field's own coding: digits '0', packed zeros with a sign, or binary zeros.
//!
//! Zoned and packed decimals without a scale are 64-bit integers up to 18 digits; all other decimals
//! are Decimal128 of the field's digits and scale. Binary integers are the smallest signed type that
//! holds them. Text loses its trailing spaces and has to be UTF-8. Dates are YYYYMMDD.

mod decode;
mod number;

use std::fmt;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field as ArrowField, Schema};

use crate::block::{Fault, Rows, quote};

/// The longest record, without its terminator; also the bound of a block's memory.
pub(crate) const RECORD_BYTES_MAX: u32 = 1 << 20;

/// Bytes behind the records of a block, so that a field at the very end is still loaded eight bytes
/// at a time.
pub(crate) const PADDING_BYTES: usize = 8;

/// How the records of a file are laid out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Bytes from a record to the next, the terminator included.
    pub(crate) stride: usize,
    pub(crate) terminator: Terminator,
    pub(crate) fields: Vec<Field>,
}

/// What stands behind each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminator {
    None,
    Lf,
    CrLf,
}

/// One field of the record.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Bytes before it in the record.
    pub(crate) offset: usize,
    /// Its bytes; it ends within the record.
    pub(crate) length: usize,
    pub(crate) storage: Storage,
    pub(crate) null_when: Option<NullWhen>,
}

/// How a field holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Space-padded UTF-8.
    Text,
    /// Unsigned decimal digits.
    Digits { scale: u8 },
    /// Decimal digits, the sign in the last of them.
    Zoned { sign: Sign, scale: u8 },
    /// COMP-3: two digits a byte, the sign in the last half byte.
    Packed { scale: u8 },
    /// Two's complement.
    Integer { order: ByteOrder, scale: u8 },
    /// Binary without a sign.
    Unsigned { order: ByteOrder, scale: u8 },
    /// IEEE 754.
    Float { order: ByteOrder },
    /// YYYYMMDD.
    Date,
}

/// How the last digit of a zoned decimal tells a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A negative digit has 0x40 added: 'p' to 'y'. Synergy and GnuCOBOL write this.
    Overpunch,
    /// '{', 'A' to 'I' are positive, '}', 'J' to 'R' negative: what EBCDIC's zones become in ASCII.
    EbcdicOverpunch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// The bytes that make a field NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NullWhen {
    Spaces,
    Zeros,
    LowValues,
    HighValues,
}

impl Layout {
    /// `record_length` does not count the terminator.
    pub(crate) fn new(record_length: u32, terminator: Terminator, fields: Vec<Field>) -> Self {
        let stride = record_length as usize + terminator.bytes().len();
        Self { stride, terminator, fields }
    }

    pub(crate) fn schema(&self) -> Schema {
        let fields = self.fields.iter().map(|field| {
            let nullable = field.null_when.is_some();
            ArrowField::new(&field.name, field.storage.data_type(field.length), nullable)
        });
        Schema::new(fields.collect::<Vec<_>>())
    }
}

impl Terminator {
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Terminator::None => b"",
            Terminator::Lf => b"\n",
            Terminator::CrLf => b"\r\n",
        }
    }
}

impl Storage {
    /// Decimal digits that a field of `length` bytes may need; 0 for what is no exact number.
    pub(crate) fn digits(self, length: usize) -> u8 {
        const SIGNED: [u8; 9] = [0, 3, 5, 7, 10, 12, 15, 17, 19];
        const UNSIGNED: [u8; 9] = [0, 3, 5, 8, 10, 13, 15, 17, 20];
        match self {
            Storage::Digits { .. } | Storage::Zoned { .. } => u8::try_from(length).unwrap_or(0),
            Storage::Packed { .. } => u8::try_from(2 * length - 1).unwrap_or(0),
            Storage::Integer { .. } => SIGNED.get(length).copied().unwrap_or(0),
            Storage::Unsigned { .. } => UNSIGNED.get(length).copied().unwrap_or(0),
            Storage::Text | Storage::Float { .. } | Storage::Date => 0,
        }
    }

    /// The type of a field of `length` bytes.
    pub(crate) fn data_type(self, length: usize) -> DataType {
        let digits = self.digits(length);
        match self {
            Storage::Text => DataType::Utf8,
            Storage::Date => DataType::Date32,
            Storage::Float { .. } if length == 4 => DataType::Float32,
            Storage::Float { .. } => DataType::Float64,
            Storage::Digits { scale: 0 }
            | Storage::Zoned { scale: 0, .. }
            | Storage::Packed { scale: 0 }
                if digits <= 18 =>
            {
                DataType::Int64
            }
            Storage::Integer { scale: 0, .. } => match length {
                1 => DataType::Int8,
                2 => DataType::Int16,
                3..=4 => DataType::Int32,
                _ => DataType::Int64,
            },
            Storage::Unsigned { scale: 0, .. } if length <= 7 => match length {
                1 => DataType::Int16,
                2..=3 => DataType::Int32,
                _ => DataType::Int64,
            },
            Storage::Digits { scale }
            | Storage::Zoned { scale, .. }
            | Storage::Packed { scale }
            | Storage::Integer { scale, .. }
            | Storage::Unsigned { scale, .. } => {
                DataType::Decimal128(digits, i8::try_from(scale).unwrap_or(i8::MAX))
            }
        }
    }

    fn scale(self) -> u8 {
        match self {
            Storage::Digits { scale }
            | Storage::Zoned { scale, .. }
            | Storage::Packed { scale }
            | Storage::Integer { scale, .. }
            | Storage::Unsigned { scale, .. } => scale,
            Storage::Text | Storage::Float { .. } | Storage::Date => 0,
        }
    }

    /// What a field has to be, for complaints and for `describe`.
    fn noun(self) -> &'static str {
        match self {
            Storage::Text => "text",
            Storage::Digits { .. } => "digits",
            Storage::Zoned { .. } => "zoned decimal",
            Storage::Packed { .. } => "packed decimal",
            Storage::Integer { order: ByteOrder::Little, .. } => "little-endian integer",
            Storage::Integer { order: ByteOrder::Big, .. } => "big-endian integer",
            Storage::Unsigned { order: ByteOrder::Little, .. } => "little-endian unsigned integer",
            Storage::Unsigned { order: ByteOrder::Big, .. } => "big-endian unsigned integer",
            Storage::Float { order: ByteOrder::Little } => "little-endian float",
            Storage::Float { order: ByteOrder::Big } => "big-endian float",
            Storage::Date => "date YYYYMMDD",
        }
    }
}

/// `zoned decimal, 11 bytes at 32, scale 2`
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = if self.length == 1 { "byte" } else { "bytes" };
        write!(f, "{}, {} {bytes} at {}", self.storage.noun(), self.length, self.offset)?;
        if self.storage.scale() > 0 {
            write!(f, ", scale {}", self.storage.scale())?;
        }
        match self.null_when {
            None => Ok(()),
            Some(NullWhen::Spaces) => f.write_str(", null when spaces"),
            Some(NullWhen::Zeros) => f.write_str(", null when zeros"),
            Some(NullWhen::LowValues) => f.write_str(", null when low-values"),
            Some(NullWhen::HighValues) => f.write_str(", null when high-values"),
        }
    }
}

/// Records in memory.
pub(crate) struct Block<'a> {
    layout: &'a Layout,
    /// The records and [`PADDING_BYTES`] that mean nothing.
    bytes: &'a [u8],
    records: usize,
    /// Where the first record starts in the file.
    start: u64,
    fault: Option<Fault>,
}

impl<'a> Block<'a> {
    /// The records of `bytes`, which are followed by [`PADDING_BYTES`]; `start` is their place in
    /// the file. The block ends before the first record whose terminator is wrong.
    pub(crate) fn new(layout: &'a Layout, bytes: &'a [u8], start: u64) -> Self {
        let records = bytes.len().saturating_sub(PADDING_BYTES) / layout.stride;
        let mut block = Self { layout, bytes, records, start, fault: None };
        if let Some(record) = block.first_unterminated() {
            block.records = record;
            block.fault = Some(block.wrong_terminator(record));
        }
        block
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    pub(crate) fn byte_of(&self, record: usize) -> u64 {
        self.start + record as u64 * self.layout.stride as u64
    }

    /// One column of those rows.
    pub(crate) fn decode(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, Fault> {
        let field = &self.layout.fields[column];
        decode::column(self, field, rows).map_err(|record| {
            let start = record * self.layout.stride + field.offset;
            let bytes = self.bytes.get(start..start + field.length).unwrap_or_default();
            Fault {
                record,
                byte: Some(self.byte_of(record)),
                field: Some(field.name.clone()),
                text: decode::complaint(field, bytes),
            }
        })
    }

    fn first_unterminated(&self) -> Option<usize> {
        let records = self.bytes.chunks_exact(self.layout.stride).take(self.records);
        match self.layout.terminator {
            Terminator::None => None,
            Terminator::Lf => first_without(records, b"\n"),
            Terminator::CrLf => first_without(records, b"\r\n"),
        }
    }

    fn wrong_terminator(&self, record: usize) -> Fault {
        let expected = self.layout.terminator.bytes();
        let end = (record + 1) * self.layout.stride;
        let found = self.bytes.get(end - expected.len()..end).unwrap_or_default();
        let text = format!(
            "{} stands where the terminator {} should; is record_length {} right?",
            quote(found),
            quote(expected),
            self.layout.stride - expected.len()
        );
        Fault { record, byte: Some(self.byte_of(record)), field: None, text }
    }
}

fn first_without<'a, const N: usize>(
    mut records: impl Iterator<Item = &'a [u8]>,
    terminator: &[u8; N],
) -> Option<usize> {
    records.position(|record| record.last_chunk::<N>() != Some(terminator))
}

#[cfg(test)]
mod tests;
