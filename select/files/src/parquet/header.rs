//! The header before each page of a column chunk.
//!
//! Source: `PageHeader` in
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>

use parquet::basic::Encoding;

use super::thrift::{Reader, Result, WireType};
use crate::problem::thrift::ThriftProblem;

/// The description of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) page: PageKind,
    /// Bytes of the page in the file, the header not counted.
    pub(super) stored_bytes: usize,
    /// Bytes that they become.
    pub(super) bytes: usize,
    /// CRC-32 of the stored bytes.
    pub(super) checksum: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Data {
        values: u32,
        encoding: Encoding,
        definition: Encoding,
        repetition: Encoding,
    },
    DataV2(DataV2),
    Dictionary {
        values: u32,
        encoding: Encoding,
    },
    /// Nothing that anybody reads.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataV2 {
    pub(super) values: u32,
    pub(super) nulls: u32,
    pub(super) rows: u32,
    pub(super) encoding: Encoding,
    pub(super) definition_bytes: u32,
    pub(super) repetition_bytes: u32,
    /// True if the values are compressed; levels never are.
    pub(super) compressed: bool,
}

impl PageKind {
    /// Values of a page of data, nulls included.
    pub(super) fn values(&self) -> Option<u32> {
        match self {
            Self::Data { values, .. } => Some(*values),
            Self::DataV2(page) => Some(page.values),
            Self::Dictionary { .. } | Self::Other => None,
        }
    }

    /// How the values of a page of data are written.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        match self {
            Self::Data { encoding, .. } | Self::DataV2(DataV2 { encoding, .. }) => Some(*encoding),
            Self::Dictionary { .. } | Self::Other => None,
        }
    }
}

impl Header {
    /// Reads the header at the start of `bytes`. Also returns its length. The error is `Truncated`
    /// if not all of the header is there.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut reader = Reader::new(bytes);
        let (mut kind, mut stored, mut size, mut checksum) = (None, None, None, None);
        let (mut data, mut data_v2, mut dictionary) = (None, None, None);
        let mut last = 0;
        while let Some(field) = reader.field(&mut last)? {
            match (last, field) {
                (1, WireType::Integer) => kind = Some(reader.int32()?),
                (2, WireType::Integer) => size = Some(usize_of(&mut reader)?),
                (3, WireType::Integer) => stored = Some(usize_of(&mut reader)?),
                (4, WireType::Integer) => checksum = Some(reader.int32()?.cast_unsigned()),
                (5, WireType::Struct) => data = Some(data_page(&mut reader)?),
                (7, WireType::Struct) => dictionary = Some(dictionary_page(&mut reader)?),
                (8, WireType::Struct) => data_v2 = Some(data_page_v2(&mut reader)?),
                (_, other) => reader.skip(other)?,
            }
        }
        let page = match required(&reader, 1, kind)? {
            0 => required(&reader, 5, data)?,
            2 => required(&reader, 7, dictionary)?,
            3 => required(&reader, 8, data_v2)?,
            _ => PageKind::Other,
        };
        let (stored_bytes, bytes) = (required(&reader, 3, stored)?, required(&reader, 2, size)?);
        Ok((Self { page, stored_bytes, bytes, checksum }, reader.position()))
    }
}

fn data_page(reader: &mut Reader<'_>) -> Result<PageKind> {
    let (mut values, mut encodings) = (None, [None; 3]);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match (last, field) {
            (1, WireType::Integer) => values = Some(count(reader)?),
            (2, WireType::Integer) => encodings[0] = Some(encoding(reader)?),
            (3, WireType::Integer) => encodings[1] = Some(encoding(reader)?),
            (4, WireType::Integer) => encodings[2] = Some(encoding(reader)?),
            (_, other) => reader.skip(other)?,
        }
    }
    let [encoding, definition, repetition] = encodings;
    Ok(PageKind::Data {
        values: required(reader, 1, values)?,
        encoding: required(reader, 2, encoding)?,
        definition: required(reader, 3, definition)?,
        repetition: required(reader, 4, repetition)?,
    })
}

fn data_page_v2(reader: &mut Reader<'_>) -> Result<PageKind> {
    let (mut values, mut nulls, mut rows) = (None, None, None);
    let (mut definition_bytes, mut repetition_bytes) = (None, None);
    let (mut encoding, mut compressed) = (None, true);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match (last, field) {
            (1, WireType::Integer) => values = Some(count(reader)?),
            (2, WireType::Integer) => nulls = Some(count(reader)?),
            (3, WireType::Integer) => rows = Some(count(reader)?),
            (4, WireType::Integer) => encoding = Some(self::encoding(reader)?),
            (5, WireType::Integer) => definition_bytes = Some(count(reader)?),
            (6, WireType::Integer) => repetition_bytes = Some(count(reader)?),
            (7, WireType::True) => compressed = true,
            (7, WireType::False) => compressed = false,
            (_, other) => reader.skip(other)?,
        }
    }
    Ok(PageKind::DataV2(DataV2 {
        values: required(reader, 1, values)?,
        nulls: required(reader, 2, nulls)?,
        rows: required(reader, 3, rows)?,
        encoding: required(reader, 4, encoding)?,
        definition_bytes: required(reader, 5, definition_bytes)?,
        repetition_bytes: required(reader, 6, repetition_bytes)?,
        compressed,
    }))
}

fn dictionary_page(reader: &mut Reader<'_>) -> Result<PageKind> {
    let (mut values, mut encoding) = (None, None);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match (last, field) {
            (1, WireType::Integer) => values = Some(count(reader)?),
            (2, WireType::Integer) => encoding = Some(self::encoding(reader)?),
            (_, other) => reader.skip(other)?,
        }
    }
    let (values, encoding) = (required(reader, 1, values)?, required(reader, 2, encoding)?);
    Ok(PageKind::Dictionary { values, encoding })
}

/// Returns the value of a field that a structure must have.
fn required<T>(reader: &Reader<'_>, field: u8, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| reader.error(ThriftProblem::Missing(field)))
}

/// Reads a number of 32 bits that is not negative.
fn count(reader: &mut Reader<'_>) -> Result<u32> {
    let count = u32::try_from(reader.int32()?);
    count.map_err(|_negative| reader.error(ThriftProblem::OutOfRange))
}

fn usize_of(reader: &mut Reader<'_>) -> Result<usize> {
    count(reader).map(|count| count as usize)
}

fn encoding(reader: &mut Reader<'_>) -> Result<Encoding> {
    Ok(match reader.int32()? {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated, reason = "old files have it")]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        other => return Err(reader.error(ThriftProblem::UnknownEncoding(other))),
    })
}
