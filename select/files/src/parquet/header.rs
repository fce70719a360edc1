//! The header before each page of a column chunk.
//!
//! Source: `PageHeader` in <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>

use parquet::basic::Encoding;

use super::thrift::{Reader, WireType};

/// What a page says of itself.
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
    /// Of the values; levels never are.
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
    /// The header at the start of `bytes` and its length; `None` where there is none, or not all of it.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut reader = Reader::new(bytes);
        let (mut kind, mut stored, mut size, mut checksum) = (None, None, None, None);
        let (mut data, mut data_v2, mut dictionary) = (None, None, None);
        let mut last = 0;
        while let Some(field) = reader.field(&mut last)? {
            match (last, field) {
                (1, WireType::Integer) => kind = Some(reader.int32()?),
                (2, WireType::Integer) => size = Some(usize::try_from(reader.int32()?).ok()?),
                (3, WireType::Integer) => stored = Some(usize::try_from(reader.int32()?).ok()?),
                (4, WireType::Integer) => checksum = Some(reader.int32()?.cast_unsigned()),
                (5, WireType::Struct) => data = Some(data_page(&mut reader)?),
                (7, WireType::Struct) => dictionary = Some(dictionary_page(&mut reader)?),
                (8, WireType::Struct) => data_v2 = Some(data_page_v2(&mut reader)?),
                (_, other) => reader.skip(other)?,
            }
        }
        let page = match kind? {
            0 => data?,
            2 => dictionary?,
            3 => data_v2?,
            _ => PageKind::Other,
        };
        let header = Self { page, stored_bytes: stored?, bytes: size?, checksum };
        Some((header, bytes.len() - reader.left()))
    }
}

fn data_page(reader: &mut Reader<'_>) -> Option<PageKind> {
    let (mut values, mut encodings) = (None, [None; 3]);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match (last, field) {
            (1, WireType::Integer) => values = Some(u32::try_from(reader.int32()?).ok()?),
            (2, WireType::Integer) => encodings[0] = Some(encoding(reader)?),
            (3, WireType::Integer) => encodings[1] = Some(encoding(reader)?),
            (4, WireType::Integer) => encodings[2] = Some(encoding(reader)?),
            (_, other) => reader.skip(other)?,
        }
    }
    let [encoding, definition, repetition] = encodings;
    Some(PageKind::Data {
        values: values?,
        encoding: encoding?,
        definition: definition?,
        repetition: repetition?,
    })
}

fn data_page_v2(reader: &mut Reader<'_>) -> Option<PageKind> {
    let mut counts = [None; 6];
    let (mut encoding, mut compressed) = (None, true);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match (last, field) {
            (4, WireType::Integer) => encoding = Some(self::encoding(reader)?),
            (number @ (1..=3 | 5..=6), WireType::Integer) => {
                let count = counts.get_mut(usize::try_from(number - 1).ok()?)?;
                *count = Some(u32::try_from(reader.int32()?).ok()?);
            }
            (7, WireType::True) => compressed = true,
            (7, WireType::False) => compressed = false,
            (_, other) => reader.skip(other)?,
        }
    }
    let [values, nulls, rows, _, definition_bytes, repetition_bytes] = counts;
    Some(PageKind::DataV2(DataV2 {
        values: values?,
        nulls: nulls?,
        rows: rows?,
        encoding: encoding?,
        definition_bytes: definition_bytes?,
        repetition_bytes: repetition_bytes?,
        compressed,
    }))
}

fn dictionary_page(reader: &mut Reader<'_>) -> Option<PageKind> {
    let (mut values, mut encoding) = (None, None);
    let mut last = 0;
    while let Some(field) = reader.field(&mut last)? {
        match (last, field) {
            (1, WireType::Integer) => values = Some(u32::try_from(reader.int32()?).ok()?),
            (2, WireType::Integer) => encoding = Some(self::encoding(reader)?),
            (_, other) => reader.skip(other)?,
        }
    }
    Some(PageKind::Dictionary { values: values?, encoding: encoding? })
}

fn encoding(reader: &mut Reader<'_>) -> Option<Encoding> {
    Some(match reader.int32()? {
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
        _ => return None,
    })
}
