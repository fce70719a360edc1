//! The bytes that make a field NULL: figurative constants of COBOL that fill all of it.
//!
//! Spaces are those of the field's encoding. Zeros are the number zero in the field's own coding:
//! a zoned or packed decimal with any sign, a date of zeros, binary zeros, else the digit.

use std::fmt;

use super::storage::{Sign, Storage};
use super::{Encoding, FixedField, number};
use crate::digits;

/// A constant that makes a field NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NullWhen {
    Spaces,
    Zeros,
    LowValues,
    HighValues,
}

impl NullWhen {
    /// The words of a descriptor.
    pub(crate) const WORDS: [(&str, Self); 4] = [
        ("spaces", Self::Spaces),
        ("zeros", Self::Zeros),
        ("low-values", Self::LowValues),
        ("high-values", Self::HighValues),
    ];

    /// Returns whether the field is this constant.
    #[inline]
    pub(super) fn is(self, bytes: &[u8], field: &FixedField) -> bool {
        match self {
            Self::Spaces => is_all(bytes, field.encoding.space()),
            Self::Zeros => is_zero(bytes, field),
            Self::LowValues => is_all(bytes, 0),
            Self::HighValues => is_all(bytes, 0xFF),
        }
    }

    /// Returns the word of a descriptor.
    pub(super) fn word(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(_, constant)| *constant == self);
        word.map_or("", |(word, _)| word)
    }

    /// The constant that the bytes of a field are.
    pub(super) fn of(bytes: &[u8], field: &FixedField) -> Option<Self> {
        let words = Self::WORDS.iter().map(|(_, constant)| *constant);
        words.into_iter().find(|constant| constant.is(bytes, field))
    }
}

/// The word of a descriptor.
impl fmt::Display for NullWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn is_zero(bytes: &[u8], field: &FixedField) -> bool {
    match field.storage {
        Storage::Packed { .. } => number::packed_wide(bytes, bytes.len()) == Some(0),
        Storage::Zoned { sign, .. } => is_zoned_zero(bytes, sign, field.encoding),
        Storage::Date(moment) | Storage::Timestamp(moment) => moment.is_zero(bytes),
        Storage::UnsignedPacked { .. }
        | Storage::Integer { .. }
        | Storage::Unsigned { .. }
        | Storage::Float { .. }
        | Storage::HexFloat { .. } => is_all(bytes, 0),
        Storage::Text | Storage::Digits { .. } | Storage::Boolean { .. } => {
            is_all(bytes, field.encoding.zero())
        }
    }
}

fn is_zoned_zero(bytes: &[u8], sign: Sign, encoding: Encoding) -> bool {
    let value = match encoding.is_ebcdic() {
        true => number::zoned_wide::<{ digits::EBCDIC }>(bytes, bytes.len(), sign),
        false => number::zoned_wide::<{ digits::ASCII }>(bytes, bytes.len(), sign),
    };
    value == Some(0)
}

#[inline]
fn is_all(bytes: &[u8], byte: u8) -> bool {
    bytes.iter().all(|&b| b == byte)
}
