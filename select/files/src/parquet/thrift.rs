//! The compact encoding of Thrift, as far as Parquet's headers and footer need it.
//!
//! Structures are written only to leave out what is in others. A reader that never indexes and never allocates: `None` means that the bytes end too soon or are
//! none of that encoding. Every count is checked against the bytes that are left, so whoever
//! allocates by one that was read here takes no more than the file is long.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// Structures within structures are followed so far; Parquet's own are six deep.
const DEPTH_MAX: usize = 32;

/// What stands in the bytes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    True,
    False,
    Byte,
    /// Of 16, 32 or 64 bits.
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
    /// The wire's number of its kind.
    pub(super) wire: u8,
    pub(super) kind: WireType,
    /// Empty where the kind tells the value.
    pub(super) value: &'a [u8],
}

impl<'a> ThriftField<'a> {
    /// The bytes in it, if it has some.
    pub(super) fn binary(&self) -> Option<&'a [u8]> {
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
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes that were not read yet.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next field of a structure: its number and kind, or `Some(None)` at its end. `last` is the
    /// number of the field before, 0 at first.
    pub(super) fn field(&mut self, last: &mut i16) -> Option<Option<WireType>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *last = match i16::from(byte >> 4) {
            0 => i16::try_from(self.integer()?).ok()?,
            delta => last.checked_add(delta)?,
        };
        WireType::of(byte & 0x0f).map(Some)
    }

    /// All fields of a structure, if they are no more than Parquet's have.
    pub(super) fn fields(&mut self) -> Option<Vec<ThriftField<'a>>> {
        let mut fields = Vec::new();
        let mut last = 0;
        loop {
            let wire = *self.bytes.first()? & 0x0f;
            let Some(kind) = self.field(&mut last)? else { return Some(fields) };
            if fields.len() == FIELDS_MAX {
                return None;
            }
            fields.push(ThriftField { number: last, wire, kind, value: self.value(kind)? });
        }
    }

    /// The bytes of a value of a field.
    pub(super) fn value(&mut self, kind: WireType) -> Option<&'a [u8]> {
        let bytes = self.bytes;
        self.skip(kind)?;
        bytes.get(..bytes.len() - self.left())
    }

    /// A list's number of elements and their kind.
    pub(super) fn list(&mut self) -> Option<(usize, WireType)> {
        let byte = self.byte()?;
        if byte == 0 {
            // some writers give no kind to an empty list
            return Some((0, WireType::Byte));
        }
        let count = match byte >> 4 {
            15 => self.count()?,
            count => usize::from(count),
        };
        let kind = WireType::of(byte & 0x0f)?;
        (count <= self.left()).then_some((count, kind))
    }

    /// A whole number, of 16 to 64 bits.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
    }

    pub(super) fn int32(&mut self) -> Option<i32> {
        i32::try_from(self.integer()?).ok()
    }

    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }

    /// Goes past a value of a field.
    pub(super) fn skip(&mut self, kind: WireType) -> Option<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: WireType, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
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
                    let (key, value) = (WireType::of(kinds >> 4)?, WireType::of(kinds & 0x0f)?);
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
        Some(())
    }

    /// In lists and maps a truth value takes a byte of its own.
    fn skip_element(&mut self, kind: WireType, depth: usize) -> Option<()> {
        match kind {
            WireType::True | WireType::False => self.skip_within(WireType::Byte, depth),
            kind => self.skip_within(kind, depth),
        }
    }

    /// A length or count, at most the bytes that are left.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count <= self.left()).then_some(count)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
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
