//! How a field of a fixed-length record holds its value, by the keys of its table.

use std::ops::RangeInclusive;

use super::{Defaults, parse_order, parse_pivot};
use crate::descriptor::keys::Keys;
use crate::fixed::{ByteOrder, Coding, Format, Moment, Sign, SignKind, Storage};
use crate::problem::descriptor::{DescriptorProblem, FieldLength, FieldProblem};
use crate::{Result, fixed};

/// The `type` of a field.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Text,
    Digits,
    Zoned,
    Packed,
    Integer,
    Unsigned,
    Float,
    Date,
    Timestamp,
    Boolean,
}

const WORDS: [(&str, Word); 10] = [
    ("text", Word::Text),
    ("digits", Word::Digits),
    ("zoned", Word::Zoned),
    ("packed", Word::Packed),
    ("integer", Word::Integer),
    ("unsigned", Word::Unsigned),
    ("float", Word::Float),
    ("date", Word::Date),
    ("timestamp", Word::Timestamp),
    ("boolean", Word::Boolean),
];

/// The `coding` of a date; floats have their own.
const CODINGS: [(&str, Coding); 4] = [
    ("digits", Coding::Digits),
    ("packed", Coding::Packed),
    ("unsigned-packed", Coding::UnsignedPacked),
    // the order comes with its own key
    ("integer", Coding::Integer(ByteOrder::Big)),
];

/// The storage of the field `name` of `length` bytes, its encoding being `defaults.encoding`.
pub(super) fn parse(
    keys: &Keys<'_>,
    name: &str,
    length: usize,
    defaults: Defaults,
) -> Result<Storage> {
    let word = keys.required("type", keys.choice("type", &WORDS)?)?;
    let field = ParsedField { keys, name, length, defaults };
    field.check_keys(word)?;
    let storage = match word {
        Word::Text => {
            field.check_length(1..=fixed::RECORD_BYTES_MAX as usize)?;
            Storage::Text
        }
        Word::Digits => {
            field.check_length(1..=38)?;
            Storage::Digits { scale: field.scale()? }
        }
        Word::Zoned => field.zoned()?,
        Word::Packed => field.packed()?,
        Word::Integer | Word::Unsigned => field.integer(word)?,
        Word::Float => field.float()?,
        Word::Date => Storage::Date(field.moment(word, Format::DATE)?),
        Word::Timestamp => Storage::Timestamp(field.moment(word, Format::TIMESTAMP)?),
        Word::Boolean => field.boolean()?,
    };
    let digits = storage.digits(length);
    if storage.scale() > digits {
        let scale = storage.scale();
        return Err(field.error("scale", FieldProblem::Scale { scale, digits }));
    }
    if keys.has("encoding") && !storage.is_characters() {
        let uses = "text, digits, zoned, boolean and dates in digits";
        return Err(field.unused_key("encoding", uses));
    }
    Ok(storage)
}

/// The context in which the keys of one field are read.
struct ParsedField<'a> {
    keys: &'a Keys<'a>,
    name: &'a str,
    length: usize,
    defaults: Defaults,
}

impl ParsedField<'_> {
    fn error(&self, key: &str, problem: FieldProblem) -> crate::Error {
        let problem = DescriptorProblem::Field { name: self.name.to_owned(), problem };
        self.keys.error(key, problem)
    }

    fn unused_key(&self, key: &'static str, uses: &'static str) -> crate::Error {
        self.error(key, FieldProblem::UnusedKey { key, uses })
    }

    /// Refuses keys that mean nothing in a field of this type.
    fn check_keys(&self, word: Word) -> Result<()> {
        let is = |words: &[Word]| words.contains(&word);
        let dates = is(&[Word::Date, Word::Timestamp]);
        let whole = is(&[Word::Integer, Word::Unsigned]);
        let decimal = is(&[Word::Digits, Word::Zoned, Word::Packed]);
        let fits = [
            ("byte_order", whole || dates || is(&[Word::Float]), "integer, unsigned and float"),
            ("scale", whole || decimal, "digits, zoned, packed, integer and unsigned"),
            ("sign", is(&[Word::Zoned, Word::Packed]), "zoned and packed"),
            ("coding", dates || is(&[Word::Float]), "date, timestamp and float"),
            ("format", dates, "date and timestamp"),
            ("century_pivot", dates, "date and timestamp"),
            ("true_when", is(&[Word::Boolean]), "boolean"),
            ("false_when", is(&[Word::Boolean]), "boolean"),
        ];
        match fits.iter().find(|(key, fits, _)| !fits && self.keys.has(key)) {
            Some((key, _, types)) => Err(self.unused_key(key, types)),
            None => Ok(()),
        }
    }

    fn check_length(&self, accepted: RangeInclusive<usize>) -> Result<()> {
        if accepted.contains(&self.length) {
            return Ok(());
        }
        Err(self.wrong_length(FieldLength::Range(accepted)))
    }

    fn wrong_length(&self, expected: FieldLength) -> crate::Error {
        self.error("length", FieldProblem::Length { bytes: self.length, expected })
    }

    fn scale(&self) -> Result<u8> {
        let scale = self.keys.number("scale", 0..39)?.unwrap_or(0);
        Ok(u8::try_from(scale).unwrap_or(u8::MAX))
    }

    fn order(&self) -> Result<ByteOrder> {
        match parse_order(self.keys)?.or(self.defaults.order) {
            Some(order) => Ok(order),
            None if self.length == 1 => Ok(ByteOrder::Little),
            None => Err(self.error("type", FieldProblem::ByteOrderMissing)),
        }
    }

    fn zoned(&self) -> Result<Storage> {
        let sign = self.keys.choice("sign", &Sign::WORDS)?.unwrap_or(Sign::OVERPUNCH);
        if sign.kind == SignKind::EbcdicOverpunch && self.defaults.encoding.is_ebcdic() {
            return Err(self.error("sign", FieldProblem::EbcdicSign));
        }
        self.check_length(match sign.kind {
            SignKind::Separate => 2..=39,
            SignKind::Overpunch | SignKind::EbcdicOverpunch => 1..=38,
        })?;
        Ok(Storage::Zoned { sign, scale: self.scale()? })
    }

    fn packed(&self) -> Result<Storage> {
        let words = [("trailing", true), ("none", false)];
        let signed = self.keys.choice("sign", &words)?.unwrap_or(true);
        self.check_length(1..=19)?;
        let scale = self.scale()?;
        Ok(if signed { Storage::Packed { scale } } else { Storage::UnsignedPacked { scale } })
    }

    fn integer(&self, word: Word) -> Result<Storage> {
        self.check_length(1..=8)?;
        let (order, scale) = (self.order()?, self.scale()?);
        Ok(match word {
            Word::Unsigned => Storage::Unsigned { order, scale },
            _ => Storage::Integer { order, scale },
        })
    }

    fn float(&self) -> Result<Storage> {
        if !matches!(self.length, 4 | 8) {
            return Err(self.wrong_length(FieldLength::Float));
        }
        let ibm = self.keys.choice("coding", &[("ieee", false), ("ibm", true)])?.unwrap_or(false);
        if ibm {
            let order = parse_order(self.keys)?.or(self.defaults.order);
            return Ok(Storage::HexFloat { order: order.unwrap_or(ByteOrder::Big) });
        }
        Ok(Storage::Float { order: self.order()? })
    }

    fn boolean(&self) -> Result<Storage> {
        self.check_length(1..=1)?;
        let byte = |key: &'static str| {
            let word = self.keys.required(key, self.keys.string(key)?)?;
            match *word.as_bytes() {
                [char] if char.is_ascii() => Ok(self.defaults.encoding.byte(char)),
                _ => Err(self.error(key, FieldProblem::NotCharacter { key })),
            }
        };
        let (yes, no) = (byte("true_when")?, byte("false_when")?);
        if yes == no {
            return Err(self.error("false_when", FieldProblem::SameBooleans));
        }
        Ok(Storage::Boolean { yes, no })
    }

    fn moment(&self, word: Word, default: &str) -> Result<Moment> {
        let text = self.keys.string("format")?.unwrap_or(default);
        let format = Format::parse(text).map_err(|problem| self.error("format", problem.into()))?;
        match (word, format.has_time()) {
            (Word::Date, true) => {
                return Err(self.error("format", FieldProblem::HasTime { format: text.to_owned() }));
            }
            (Word::Timestamp, false) => {
                let problem = FieldProblem::HasNoTime { format: text.to_owned() };
                return Err(self.error("format", problem));
            }
            _ => {}
        }
        let coding = self.keys.choice("coding", &CODINGS)?.unwrap_or(Coding::Digits);
        let coding = self.check_coding(coding, &format)?;
        let pivot = self.pivot(&format)?;
        Ok(Moment::new(format, coding, pivot, self.defaults.encoding))
    }

    /// The coding with its byte order, where the field is long enough for the format.
    fn check_coding(&self, coding: Coding, format: &Format) -> Result<Coding> {
        /// Digits of the largest power of ten that fits.
        const WHOLE: [usize; 9] = [0, 2, 4, 7, 9, 12, 14, 16, 19];
        if coding != Coding::Digits && format.has_separators() {
            let problem = FieldProblem::Separators { format: format.to_string() };
            return Err(self.error("format", problem));
        }
        if !matches!(coding, Coding::Integer(_)) && self.keys.has("byte_order") {
            return Err(self.unused_key("byte_order", "`coding = \"integer\"`"));
        }
        let digits = format.digits();
        let (bytes, stored) = match coding {
            Coding::Digits => (format.chars()..=format.chars(), ""),
            Coding::Packed => (digits / 2 + 1..=19, " packed"),
            Coding::UnsignedPacked => (digits.div_ceil(2)..=19, " packed"),
            Coding::Integer(_) => {
                let least = WHOLE.iter().position(|&whole| whole >= digits);
                let Some(least) = least else {
                    let format = format.to_string();
                    return Err(
                        self.error("format", FieldProblem::TooManyDigits { format, digits })
                    );
                };
                (least..=8, " in binary")
            }
        };
        if !bytes.contains(&self.length) {
            let format = format.to_string();
            return Err(self.wrong_length(FieldLength::Date { bytes, format, stored }));
        }
        match coding {
            Coding::Integer(_) => Ok(Coding::Integer(self.order()?)),
            coding => Ok(coding),
        }
    }

    fn pivot(&self, format: &Format) -> Result<u8> {
        let own = parse_pivot(self.keys)?;
        match (format.needs_pivot(), own.or(self.defaults.pivot)) {
            (false, _) if own.is_some() => {
                let problem = FieldProblem::PivotUnused { format: format.to_string() };
                Err(self.error("century_pivot", problem))
            }
            (false, _) => Ok(0),
            (true, Some(pivot)) => Ok(pivot),
            (true, None) => Err(self.error("format", FieldProblem::PivotMissing)),
        }
    }
}
