//! One field that comes out of a copybook, as the table of a descriptor.

use std::fmt;

use super::entry::{SignClause, Usage};
use super::picture::Picture;
use super::{BinarySize, ByteOrder, CopybookOptions, Overpunch};
use crate::problem::copybook::CopybookProblem;

/// The most digits of a packed decimal: those of 19 bytes.
const PACKED_DIGITS_MAX: u8 = 37;

/// The most digits of a binary number: those of 8 bytes.
const BINARY_DIGITS_MAX: u8 = 18;

/// A field with its place in the record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) offset: u32,
    pub(super) coding: Coding,
}

/// How it holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) bytes: u32,
    scale: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Digits,
    Zoned(&'static str),
    Packed,
    UnsignedPacked,
    Integer(ByteOrder),
    Unsigned(ByteOrder),
    Float(ByteOrder),
    HexFloat,
}

impl Coding {
    /// Combines PICTURE, USAGE and SIGN. The error says why they do not fit together.
    pub(super) fn new(
        picture: Option<Picture>,
        usage: Usage,
        sign: Option<SignClause>,
        options: &CopybookOptions,
    ) -> Result<Self, CopybookProblem> {
        let ebcdic = options.encoding.is_ebcdic();
        let machine = if ebcdic { ByteOrder::Big } else { ByteOrder::Little };
        let machine = options.byte_order.unwrap_or(machine);
        let float = if ebcdic { Kind::HexFloat } else { Kind::Float(machine) };
        let unscaled = |kind, bytes| Self { bytes, scale: 0, kind };
        let whole = |order, signed| match signed {
            true => Kind::Integer(order),
            false => Kind::Unsigned(order),
        };
        let (digits, scale, signed) = match (picture, usage) {
            (None, Usage::Float) => return Ok(unscaled(float, 4)),
            (None, Usage::Double) => return Ok(unscaled(float, 8)),
            (None, Usage::Whole { bytes, signed }) => {
                return Ok(unscaled(whole(machine, signed), bytes.into()));
            }
            (None, _) => return Err(CopybookProblem::NoPicture),
            (Some(_), Usage::Float | Usage::Double | Usage::Whole { .. }) => {
                return Err(CopybookProblem::PictureOfUsage);
            }
            (Some(Picture::Text { chars }), Usage::Display) => {
                return Ok(unscaled(Kind::Text, chars));
            }
            (Some(Picture::Text { .. }), _) => {
                return Err(CopybookProblem::UsageOfText);
            }
            (Some(Picture::Number { digits, scale, signed }), _) => (digits, scale, signed),
        };
        let wide = u32::from(digits);
        let (kind, bytes) = match usage {
            Usage::Packed => (Kind::Packed, wide / 2 + 1),
            Usage::UnsignedPacked if signed => return Err(CopybookProblem::SignOfComp6),
            Usage::UnsignedPacked => (Kind::UnsignedPacked, wide.div_ceil(2)),
            Usage::Binary => (whole(ByteOrder::Big, signed), binary_bytes(digits, options)?),
            Usage::Native => (whole(machine, signed), binary_bytes(digits, options)?),
            _ if !signed => (Kind::Digits, wide),
            _ => {
                let clause = sign.unwrap_or(SignClause { leading: false, separate: false });
                (Kind::Zoned(sign_word(clause, options)), wide + u32::from(clause.separate))
            }
        };
        match (usage, kind) {
            (Usage::Packed, _) if digits > PACKED_DIGITS_MAX => {
                Err(CopybookProblem::PackedDigits { digits, digits_max: PACKED_DIGITS_MAX })
            }
            _ => Ok(Self { bytes, scale, kind }),
        }
    }
}

fn sign_word(clause: SignClause, options: &CopybookOptions) -> &'static str {
    let ascii_ebcdic = options.overpunch == Overpunch::Ebcdic && !options.encoding.is_ebcdic();
    match (clause.separate, clause.leading, ascii_ebcdic) {
        (true, false, _) => "separate",
        (true, true, _) => "leading-separate",
        (false, false, false) => "overpunch",
        (false, true, false) => "leading-overpunch",
        (false, false, true) => "ebcdic-overpunch",
        (false, true, true) => "leading-ebcdic-overpunch",
    }
}

fn binary_bytes(digits: u8, options: &CopybookOptions) -> Result<u32, CopybookProblem> {
    match digits {
        0..=2 if options.binary_size == BinarySize::From1 => Ok(1),
        0..=4 => Ok(2),
        5..=9 => Ok(4),
        10..=BINARY_DIGITS_MAX => Ok(8),
        _ => Err(CopybookProblem::BinaryDigits { digits, digits_max: BINARY_DIGITS_MAX }),
    }
}

/// The keys of a `[[field]]`, a line each.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Coding { bytes, scale, kind } = self.coding;
        let order = |order: ByteOrder| match order {
            ByteOrder::Little => "little",
            ByteOrder::Big => "big",
        };
        let (word, more) = match kind {
            Kind::Text => ("text", String::new()),
            Kind::Digits => ("digits", String::new()),
            Kind::Zoned(sign) => ("zoned", format!("sign = \"{sign}\"\n")),
            Kind::Packed => ("packed", String::new()),
            Kind::UnsignedPacked => ("packed", "sign = \"none\"\n".to_owned()),
            Kind::Integer(o) => ("integer", format!("byte_order = \"{}\"\n", order(o))),
            Kind::Unsigned(o) => ("unsigned", format!("byte_order = \"{}\"\n", order(o))),
            Kind::Float(o) => ("float", format!("byte_order = \"{}\"\n", order(o))),
            Kind::HexFloat => ("float", "coding = \"ibm\"\n".to_owned()),
        };
        writeln!(f, "name = \"{}\"\ntype = \"{word}\"", self.name)?;
        write!(f, "offset = {}\nlength = {bytes}\n{more}", self.offset)?;
        if scale > 0 {
            writeln!(f, "scale = {scale}")?;
        }
        Ok(())
    }
}
