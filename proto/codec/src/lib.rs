//! Arrow batches as few bytes.
//!
//! [`encode`] writes each column of a batch in the narrowest form that costs about as much as
//! copying it: integers, decimals, dates and times as differences from their minimum, texts with
//! narrow lengths, and columns of few values by a dictionary. [`decode`] makes the batch again, in
//! the types of its schema. [`decode_column`] makes a single column, and keeps a dictionary of
//! texts.
//!
//! A decoder trusts nothing: all bytes may be an attacker's. A batch takes at most
//! [`BATCH_BYTES_MAX`] bytes of memory, and the decoder knows how many before it allocates them.
//!
//! # Format
//!
//! Numbers are little-endian. A *varint* is unsigned LEB128; a *signed varint* is a varint of the
//! zigzag form, as in Protocol Buffers, with up to 128 bits.
//!
//! ```text
//! batch      = records: varint, then one section for each column of the schema
//! section    = tag: u8 (form + 16 * nulls), [validity], values; a column without values has no more
//! nulls      = 0: no value is NULL; 1: validity follows, one bit a record, 1 is a value;
//!              2: all are NULL
//! form       = 0 plain: fixed width: each value in the width of its type; boolean: one bit each;
//!                text: the lengths as narrow, then the bytes
//!              1 narrow: base: signed varint, width: u8 (0 to 8), differences from the base
//!              2 dictionary: count: varint, values as in the form plain, codes: one byte each if
//!                there are at most 256 values, else two bytes each
//!              3 decimal: exponent: u8 (0 to 15), then a section of 64-bit integers without NULL:
//!                divided by 10^exponent, as floats of 64 bits, they are the floats
//!              4 delta: base: signed varint, width: u8 (0 to 8): as narrow, but each difference is
//!                to the value before, and the first one to the base
//!              5 prefix: prefix: length: varint and bytes, then as plain: texts without their prefix
//! ```
//!
//! A value that is NULL is written as an empty text, or as zero: nothing stands under a NULL.

mod decode;
mod dictionary;
mod encode;
mod float;
mod integer;
mod pack;
pub mod property;
mod reader;
mod text;
mod varint;

pub use decode::{DecodeError, decode, decode_column};
pub use encode::{EncodeError, arrow_bytes, encode};

/// The maximal memory of a decoded batch, in bytes, without the metadata of its arrays: 16 MiB.
/// An encoder does not write larger batches.
pub const BATCH_BYTES_MAX: usize = 16 << 20;

/// The maximal number of records of a batch.
pub const BATCH_RECORDS_MAX: usize = 1 << 20;

/// The forms of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    Plain = 0,
    Narrow = 1,
    Dictionary = 2,
    Decimal = 3,
    Delta = 4,
    Prefix = 5,
}

/// The NULLs of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Nulls {
    None = 0,
    Some = 1,
    All = 2,
}

impl Form {
    fn tag(self, nulls: Nulls) -> u8 {
        self as u8 + 16 * nulls as u8
    }

    fn from_tag(tag: u8) -> Option<(Self, Nulls)> {
        let form = match tag % 16 {
            0 => Self::Plain,
            1 => Self::Narrow,
            2 => Self::Dictionary,
            3 => Self::Decimal,
            4 => Self::Delta,
            5 => Self::Prefix,
            _ => return None,
        };
        let nulls = match tag / 16 {
            0 => Nulls::None,
            1 => Nulls::Some,
            2 => Nulls::All,
            _ => return None,
        };
        Some((form, nulls))
    }
}
