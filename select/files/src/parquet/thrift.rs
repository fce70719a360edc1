//! The compact encoding of Thrift, as far as Parquet's headers and footer need it.
//!
//! Structures are written only to leave out what is in others. The reader never indexes and never
//! allocates by what it reads. Every count is checked against the bytes that are left, so whoever
//! allocates by a count takes no more than the file is long.
//!
//! Our own, because the parquet crate reads headers without a bound on counts and depth.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

use crate::io::cursor::{ByteCursor, NoVarint, Truncated};
use crate::problem::thrift::{ThriftError, ThriftProblem};

/// A result of a reader.
pub(super) type Result<T> = std::result::Result<T, ThriftError>;

/// Structures within structures are followed so far; Parquet's own are six deep.
const DEPTH_MAX: usize = 32;

/// The type of a value, as the encoding tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    True,
    False,
    Byte,
    /// A number of 16, 32 or 64 bits.
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

/// The most fields of a structure that is taken apart; the largest of Parquet's has 17.
const FIELDS_MAX: usize = 64;

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThriftField<'a> {
    pub(super) number: i16,
    /// The encoding's number for its type.
    pub(super) wire: u8,
    pub(super) kind: WireType,
    /// Empty if the type tells the value.
    pub(super) value: &'a [u8],
}

impl<'a> ThriftField<'a> {
    /// Returns the bytes in a binary value.
    pub(super) fn binary(&self) -> Result<&'a [u8]> {
        Reader::new(self.value).binary()
    }

    /// Appends it as it was.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_field(out, self.number, self.wire);
        out.extend_from_slice(self.value);
    }
}

/// Appends the start of a field, whatever was before it.
pub(super) fn put_field(out: &mut Vec<u8>, number: i16, wire: u8) {
    let number = i64::from(number);
    out.push(wire);
    put_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends the start of a list of so many structures.
pub(super) fn put_list(out: &mut Vec<u8>, count: usize) {
    out.push(0xfc);
    put_varint(out, count as u64);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while let [low, ..] = value.to_le_bytes()
        && value >= 0x80
    {
        out.push(low | 0x80);
        value >>= 7;
    }
    out.extend(value.to_le_bytes().first());
}

/// Reads one value after the other.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a>(ByteCursor<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(ByteCursor::new(bytes))
    }

    /// Returns the number of bytes that were read.
    pub(super) fn position(&self) -> usize {
        self.0.position()
    }

    /// Makes the error of a problem at the current position.
    pub(super) fn error(&self, problem: ThriftProblem) -> ThriftError {
        ThriftError { byte: self.0.position(), problem }
    }

    /// Reads the start of the next field of a structure. Returns its type; `None` at the end.
    /// `last` becomes the number of the field: it is the number of the field before, 0 at first.
    pub(super) fn field(&mut self, last: &mut i16) -> Result<Option<WireType>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let number = match i16::from(byte >> 4) {
            0 => i16::try_from(self.integer()?).ok(),
            delta => last.checked_add(delta),
        };
        *last = number.ok_or_else(|| self.error(ThriftProblem::OutOfRange))?;
        self.wire_type(byte & 0x0f).map(Some)
    }

    /// Reads all fields of a structure.
    pub(super) fn fields(&mut self) -> Result<Vec<ThriftField<'a>>> {
        let mut fields = Vec::new();
        let mut last = 0;
        loop {
            let wire = self.0.rest().first().copied().unwrap_or_default() & 0x0f;
            let Some(kind) = self.field(&mut last)? else { return Ok(fields) };
            if fields.len() == FIELDS_MAX {
                return Err(self.error(ThriftProblem::TooMany(FIELDS_MAX)));
            }
            fields.push(ThriftField { number: last, wire, kind, value: self.value(kind)? });
        }
    }

    /// Reads the bytes of a value of a field.
    pub(super) fn value(&mut self, kind: WireType) -> Result<&'a [u8]> {
        let bytes = self.0.rest();
        self.skip(kind)?;
        // what is left is the end of what was left
        Ok(bytes.get(..bytes.len() - self.0.left()).unwrap_or_default())
    }

    /// Reads a list's number of elements and their type.
    pub(super) fn list(&mut self) -> Result<(usize, WireType)> {
        let byte = self.byte()?;
        if byte == 0 {
            // some writers give no type to an empty list
            return Ok((0, WireType::Byte));
        }
        let count = match byte >> 4 {
            15 => self.count()?,
            count => usize::from(count),
        };
        let kind = self.wire_type(byte & 0x0f)?;
        match count <= self.0.left() {
            true => Ok((count, kind)),
            false => Err(self.error(ThriftProblem::Truncated)),
        }
    }

    /// Reads the number of elements of a list whose elements have this type.
    pub(super) fn list_of(&mut self, expected: WireType) -> Result<usize> {
        match self.list()? {
            (count, kind) if count == 0 || kind == expected => Ok(count),
            _ => Err(self.error(ThriftProblem::OtherType)),
        }
    }

    /// Reads a whole number of 16 to 64 bits.
    pub(super) fn integer(&mut self) -> Result<i64> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
    }

    pub(super) fn int32(&mut self) -> Result<i32> {
        self.integer_as()
    }

    /// Reads a whole number that a type has.
    pub(super) fn integer_as<T: TryFrom<i64>>(&mut self) -> Result<T> {
        let integer = T::try_from(self.integer()?);
        integer.map_err(|_beyond| self.error(ThriftProblem::OutOfRange))
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }

    /// Goes past a value of a field.
    pub(super) fn skip(&mut self, kind: WireType) -> Result<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: WireType, depth: usize) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error(ThriftProblem::TooDeep));
        };
        match kind {
            WireType::True | WireType::False => {}
            WireType::Byte => drop(self.byte()?),
            WireType::Integer => drop(self.varint()?),
            WireType::Double => drop(self.take(8)?),
            WireType::Uuid => drop(self.take(16)?),
            WireType::Binary => drop(self.binary()?),
            WireType::List => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    self.skip_element(kind, depth)?;
                }
            }
            WireType::Map => {
                let count = self.count()?;
                if count > 0 {
                    let kinds = self.byte()?;
                    let (key, value) = (self.wire_type(kinds >> 4)?, self.wire_type(kinds & 0x0f)?);
                    for _ in 0..count {
                        self.skip_element(key, depth)?;
                        self.skip_element(value, depth)?;
                    }
                }
            }
            WireType::Struct => {
                let mut last = 0;
                while let Some(kind) = self.field(&mut last)? {
                    self.skip_within(kind, depth)?;
                }
            }
        }
        Ok(())
    }

    /// Goes past an element: in lists and maps a truth value takes a byte of its own.
    fn skip_element(&mut self, kind: WireType, depth: usize) -> Result<()> {
        match kind {
            WireType::True | WireType::False => self.skip_within(WireType::Byte, depth),
            kind => self.skip_within(kind, depth),
        }
    }

    /// Reads a length or count, at most the bytes that are left.
    fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        match count <= self.0.left() {
            true => Ok(count),
            false => Err(self.error(ThriftProblem::Truncated)),
        }
    }

    fn varint(&mut self) -> Result<u64> {
        self.0.varint().map_err(|error| match error {
            NoVarint::Truncated => self.error(ThriftProblem::Truncated),
            NoVarint::TooLong => self.error(ThriftProblem::LongNumber),
        })
    }

    fn byte(&mut self) -> Result<u8> {
        self.0.byte().map_err(|Truncated| self.error(ThriftProblem::Truncated))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        self.0.take(length).map_err(|Truncated| self.error(ThriftProblem::Truncated))
    }

    fn wire_type(&self, nibble: u8) -> Result<WireType> {
        WireType::of(nibble).ok_or_else(|| self.error(ThriftProblem::UnknownType(nibble)))
    }
}

impl WireType {
    fn of(nibble: u8) -> Option<Self> {
        Some(match nibble {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return None,
        })
    }
}
