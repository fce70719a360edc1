//! How a field holds its value, and the type that makes it.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

use super::date::Moment;

/// How a field holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Space-padded characters.
    Text,
    /// Unsigned decimal digits.
    Digits { scale: u8 },
    /// Decimal digits with a sign.
    Zoned { sign: Sign, scale: u8 },
    /// COMP-3: two digits a byte, the sign in the last half byte.
    Packed { scale: u8 },
    /// COMP-6: two digits a byte and no sign.
    UnsignedPacked { scale: u8 },
    /// Two's complement.
    Integer { order: ByteOrder, scale: u8 },
    /// Binary without a sign.
    Unsigned { order: ByteOrder, scale: u8 },
    /// IEEE 754.
    Float { order: ByteOrder },
    /// IBM hexadecimal.
    HexFloat { order: ByteOrder },
    /// A day by a format.
    Date(Moment),
    /// A day and a time of it by a format.
    Timestamp(Moment),
    /// One character for true and one for false, as bytes.
    Boolean { yes: u8, no: u8 },
}

/// How a zoned decimal tells its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) kind: SignKind,
    pub(crate) place: Place,
}

/// The form of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignKind {
    /// Part of a digit. In ASCII a negative one has 0x40 added, 'p' to 'y': Synergy and GnuCOBOL
    /// write this. In EBCDIC its zone is C or F when positive, D when negative.
    Overpunch,
    /// In ASCII, '{', 'A' to 'I' are positive, '}', 'J' to 'R' negative: what EBCDIC's zones become
    /// there.
    EbcdicOverpunch,
    /// '+' or '-', beside the digits.
    Separate,
}

/// The place of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Leading,
    Trailing,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The lowest first.
    Little,
    /// The highest first.
    Big,
}

impl Sign {
    /// The default.
    pub(crate) const OVERPUNCH: Self = Self { kind: SignKind::Overpunch, place: Place::Trailing };

    /// The words of a descriptor.
    pub(crate) const WORDS: [(&str, Self); 6] = [
        ("overpunch", Self::OVERPUNCH),
        ("ebcdic-overpunch", Self { kind: SignKind::EbcdicOverpunch, place: Place::Trailing }),
        ("separate", Self { kind: SignKind::Separate, place: Place::Trailing }),
        ("leading-overpunch", Self { kind: SignKind::Overpunch, place: Place::Leading }),
        (
            "leading-ebcdic-overpunch",
            Self { kind: SignKind::EbcdicOverpunch, place: Place::Leading },
        ),
        ("leading-separate", Self { kind: SignKind::Separate, place: Place::Leading }),
    ];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, sign)| *sign == self).map_or("", |(word, _)| word)
    }
}

impl Storage {
    /// Decimal digits that a field of `length` bytes may need; 0 if it is not an exact number.
    pub(crate) fn digits(self, length: usize) -> u8 {
        const SIGNED: [u8; 9] = [0, 3, 5, 7, 10, 12, 15, 17, 19];
        const UNSIGNED: [u8; 9] = [0, 3, 5, 8, 10, 13, 15, 17, 20];
        let count = |digits: usize| u8::try_from(digits).unwrap_or(0);
        match self {
            Storage::Zoned { sign: Sign { kind: SignKind::Separate, .. }, .. } => {
                count(length.saturating_sub(1))
            }
            Storage::Digits { .. } | Storage::Zoned { .. } => count(length),
            Storage::Packed { .. } => count((2 * length).saturating_sub(1)),
            Storage::UnsignedPacked { .. } => count(2 * length),
            Storage::Integer { .. } => SIGNED.get(length).copied().unwrap_or(0),
            Storage::Unsigned { .. } => UNSIGNED.get(length).copied().unwrap_or(0),
            Storage::Text
            | Storage::Float { .. }
            | Storage::HexFloat { .. }
            | Storage::Date(_)
            | Storage::Timestamp(_)
            | Storage::Boolean { .. } => 0,
        }
    }

    /// The type of a field of `length` bytes.
    pub(crate) fn data_type(self, length: usize) -> DataType {
        let digits = self.digits(length);
        match self {
            Storage::Text => DataType::Utf8,
            Storage::Date(_) => DataType::Date32,
            Storage::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Storage::Boolean { .. } => DataType::Boolean,
            Storage::Float { .. } if length == 4 => DataType::Float32,
            // even the short ones reach beyond the range of Float32
            Storage::Float { .. } | Storage::HexFloat { .. } => DataType::Float64,
            Storage::Digits { scale: 0 }
            | Storage::Zoned { scale: 0, .. }
            | Storage::Packed { scale: 0 }
            | Storage::UnsignedPacked { scale: 0 }
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
            | Storage::UnsignedPacked { scale }
            | Storage::Integer { scale, .. }
            | Storage::Unsigned { scale, .. } => {
                DataType::Decimal128(digits, i8::try_from(scale).unwrap_or(i8::MAX))
            }
        }
    }

    /// Digits after the implied point.
    pub(crate) fn scale(self) -> u8 {
        match self {
            Storage::Digits { scale }
            | Storage::Zoned { scale, .. }
            | Storage::Packed { scale }
            | Storage::UnsignedPacked { scale }
            | Storage::Integer { scale, .. }
            | Storage::Unsigned { scale, .. } => scale,
            _ => 0,
        }
    }

    /// Returns whether its bytes are characters, so that they depend on the encoding.
    pub(crate) fn is_characters(self) -> bool {
        match self {
            Storage::Text
            | Storage::Digits { .. }
            | Storage::Zoned { .. }
            | Storage::Boolean { .. } => true,
            Storage::Date(moment) | Storage::Timestamp(moment) => moment.is_characters(),
            _ => false,
        }
    }
}

/// The name of the storage, for errors and for `describe`.
impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = |order| match order {
            ByteOrder::Little => "little-endian",
            ByteOrder::Big => "big-endian",
        };
        match *self {
            Storage::Text => f.write_str("text"),
            Storage::Digits { .. } => f.write_str("digits"),
            Storage::Zoned { sign: Sign::OVERPUNCH, .. } => f.write_str("zoned decimal"),
            Storage::Zoned { sign, .. } => write!(f, "zoned decimal, sign {}", sign.word()),
            Storage::Packed { .. } => f.write_str("packed decimal"),
            Storage::UnsignedPacked { .. } => f.write_str("packed decimal without sign"),
            Storage::Integer { order: o, .. } => write!(f, "{} integer", order(o)),
            Storage::Unsigned { order: o, .. } => write!(f, "{} unsigned integer", order(o)),
            Storage::Float { order: o } => write!(f, "{} float", order(o)),
            Storage::HexFloat { order: o } => write!(f, "{} IBM float", order(o)),
            Storage::Date(moment) => write!(f, "date {moment}"),
            Storage::Timestamp(moment) => write!(f, "timestamp {moment}"),
            Storage::Boolean { .. } => f.write_str("boolean"),
        }
    }
}
