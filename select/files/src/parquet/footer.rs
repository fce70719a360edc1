//! The footer of a Parquet file: found, bounded and checked, then decoded by the parquet crate.
//!
//! The parquet crate reserves memory by counts in the footer and follows nested groups by
//! recursion. Both end a process if they go too far, so the counts and the depth are looked at here
//! first, by a walk that allocates nothing.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use parquet::file::reader::{ChunkReader, Length};

use super::cipher::{ChunkCipher, Module};
use super::encryption::{Coverage, Encryption, FooterError, open_columns, open_footer};
use super::keys::ParquetKeys;
use super::thrift::{Reader, Result as ThriftResult, WireType};
use crate::damage::Damage;
use crate::error::Limit;
use crate::io::raw_file::{RawFile, read};
use crate::io::waiting::Waiting;
use crate::problem::column::ColumnProblem;
use crate::problem::thrift::ThriftProblem;
use crate::{Error, ErrorKind, Result};

/// The length of the metadata and the magic.
const TAIL_BYTES: usize = 8;

/// The longest metadata, and page index; those of ten thousand columns in a thousand row groups.
const METADATA_BYTES_MAX: u64 = 256 << 20;

/// The most elements of a schema, groups included.
const ELEMENTS_MAX: usize = 32 << 10;

/// The deepest nesting of groups.
const DEPTH_MAX: usize = 64;

/// The most bytes of the names of all columns, each with those of the groups that it is in.
const NAMES_BYTES_MAX: usize = 16 << 20;

/// The most row groups: Parquet numbers them in 16 bits.
const ROW_GROUPS_MAX: usize = 32 << 10;

/// The magic bytes of a file with an encrypted footer.
const ENCRYPTED: &[u8; 4] = b"PARE";

/// Returns whether the footer of a Parquet file is encrypted, which protects the whole file. It
/// reads only the last bytes of the file.
///
/// # Errors
/// `FileChanged` when the file ends before `bytes`, `Io`.
pub fn has_encrypted_footer(name: &str, file: &File, bytes: u64) -> Result<bool> {
    let mut magic = [0; 4];
    match bytes.checked_sub(magic.len() as u64) {
        None => Ok(false),
        Some(start) => {
            read(name, file, &mut magic, start, Waiting::Allowed).map(|()| magic == *ENCRYPTED)
        }
    }
}

/// The contents of a footer.
pub(super) struct Footer {
    pub(super) metadata: ParquetMetaData,
    /// `None` where nothing is encrypted.
    pub(super) encryption: Option<Encryption>,
}

/// Reads the footer of `file`, with its page index where it has one.
///
/// # Errors
/// `Record` when it is not a Parquet file, its metadata is damaged, or a key is another; `KeyMissing`
/// when its metadata is encrypted and its key is missing; `LimitExceeded`; `Io`.
pub(super) fn read_footer(file: &RawFile, keys: &ParquetKeys) -> Result<Footer> {
    let (name, bytes) = (file.name(), file.bytes());
    let damaged = |damage: Damage| Error::damaged(name, damage);
    let Some(tail_start) = bytes.checked_sub(TAIL_BYTES as u64) else {
        return Err(damaged(Damage::ShortParquet { bytes }));
    };
    let mut tail = [0; TAIL_BYTES];
    file.read(&mut tail, tail_start)?;
    let [l0, l1, l2, l3, magic @ ..] = tail;
    let coverage = match &magic {
        b"PAR1" => Coverage::Columns,
        ENCRYPTED => Coverage::Footer,
        _ => return Err(damaged(Damage::NotParquet)),
    };
    let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
    let Some(start) = tail_start.checked_sub(length) else {
        return Err(damaged(Damage::LongParquetMetadata { length, bytes }));
    };
    if length > METADATA_BYTES_MAX {
        let limit = Limit::Metadata { bytes: length, bytes_max: METADATA_BYTES_MAX };
        return Err(ErrorKind::LimitExceeded { file: name.to_owned(), limit }.into());
    }
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read(&mut buffer, start)?;
    let bounded = |metadata: &[u8]| {
        check(metadata).map_err(|error| {
            // an offset would tell something about metadata that are encrypted in the file
            let shown = (coverage == Coverage::Columns).then_some(error);
            damaged(Damage::ParquetBounds(shown))
        })
    };
    let opened = match coverage {
        Coverage::Footer => open_footer(&buffer, keys).map(Some),
        Coverage::Columns => {
            bounded(&buffer)?;
            open_columns(&buffer, keys)
        }
    };
    let opened = opened.map_err(|fault| match fault {
        FooterError::Damaged(damage) => damaged(damage),
        FooterError::KeyMissing(key) => {
            ErrorKind::KeyMissing { file: name.to_owned(), column: None, key }.into()
        }
    })?;
    let mut encryption = None;
    if let Some(opened) = opened {
        bounded(&opened.metadata)?;
        (buffer, encryption) = (opened.metadata, Some(opened.encryption));
    }
    let decode = || {
        let metadata = contained(|| ParquetMetaDataReader::decode_metadata(&buffer));
        // statistics only save reading, so a file without good ones is read without
        let metadata = metadata.or_else(|complaint| without_statistics(&buffer).ok_or(complaint));
        metadata.map_err(|complaint| match coverage {
            // what a complaint quotes is encrypted in the file
            Coverage::Footer => damaged(Damage::ParquetMetadata),
            Coverage::Columns => {
                damaged(Damage::ParquetDecoder { complaint: complaint.to_string() })
            }
        })
    };
    // an index only saves reading, so a file without a good one is read without
    let metadata = match with_page_index(decode()?, encryption.as_ref(), file) {
        Some(metadata) => metadata,
        None => decode()?,
    };
    Ok(Footer { metadata, encryption })
}

fn without_statistics(metadata: &[u8]) -> Option<ParquetMetaData> {
    let skip = ParquetStatisticsPolicy::SkipAll;
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(skip.clone())
        .with_size_stats_policy(skip.clone())
        .with_encoding_stats_policy(skip);
    let decode = || ParquetMetaDataReader::decode_metadata_with_options(metadata, Some(&options));
    contained(decode).ok()
}

fn with_page_index(
    metadata: ParquetMetaData,
    encryption: Option<&Encryption>,
    file: &RawFile,
) -> Option<ParquetMetaData> {
    let mut places = Vec::new();
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        for (leaf, chunk) in row_group.columns().iter().enumerate() {
            let of_pages = chunk.offset_index_offset().zip(chunk.offset_index_length());
            let of_values = chunk.column_index_offset().zip(chunk.column_index_length());
            for (place, module) in
                [(of_pages, Module::OffsetIndex), (of_values, Module::ColumnIndex)]
            {
                let Some((offset, length)) = place else { continue };
                let cipher = encryption.map(|encryption| encryption.cipher(group, leaf));
                let cipher = cipher.transpose().ok()?.flatten();
                places.push(IndexPlace { offset, length, module, cipher });
            }
        }
    }
    let source = Indexes { file, places };
    let with_index = contained(|| {
        let reader = ParquetMetaDataReader::new_with_metadata(metadata);
        let mut reader = reader.with_page_index_policy(PageIndexPolicy::Optional);
        reader.read_page_indexes(&source)?;
        reader.finish()
    });
    with_index.ok()
}

/// Calls the parquet crate to decode what may be damaged: a panic in that crate is a problem like
/// others. Problems that pages have given to that crate come back as they were.
pub(super) fn contained<T>(decode: impl FnOnce() -> ParquetResult<T>) -> Result<T, ColumnProblem> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ParquetError::General(text) | ParquetError::EOF(text))) => {
            Err(ColumnProblem::decoder(text))
        }
        Ok(Err(ParquetError::External(error))) => match error.downcast::<ColumnProblem>() {
            Ok(problem) => Err(*problem),
            Err(other) => Err(ColumnProblem::decoder(ParquetError::External(other))),
        },
        Ok(Err(error)) => Err(ColumnProblem::decoder(error)),
        Err(_panic) => Err(ColumnProblem::DecoderPanicked),
    }
}

/// Gives a problem to the parquet crate, which hands it on to [`contained`].
pub(super) fn external(problem: ColumnProblem) -> ParquetError {
    ParquetError::External(Box::new(problem))
}

/// Checks that the parquet crate may decode these metadata.
fn check(metadata: &[u8]) -> ThriftResult<()> {
    let mut reader = Reader::new(metadata);
    let mut last = 0;
    while let Some(kind) = reader.field(&mut last)? {
        match (last, kind) {
            (2, WireType::List) => check_schema(&mut reader)?,
            (4, WireType::List) => {
                let count = reader.clone().list_of(WireType::Struct)?;
                if count > ROW_GROUPS_MAX {
                    return Err(reader.error(ThriftProblem::TooMany(ROW_GROUPS_MAX)));
                }
                reader.skip(WireType::List)?;
            }
            (_, other) => reader.skip(other)?,
        }
    }
    Ok(())
}

/// Checks the elements, which come depth first, each with its number of children.
fn check_schema(reader: &mut Reader<'_>) -> ThriftResult<()> {
    let (count, kind) = reader.list()?;
    if kind != WireType::Struct {
        return Err(reader.error(ThriftProblem::OtherType));
    }
    if count > ELEMENTS_MAX {
        return Err(reader.error(ThriftProblem::TooMany(ELEMENTS_MAX)));
    }
    // for each open group the children that are missing, and the bytes of its path
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut names_bytes = 0_usize;
    for _ in 0..count {
        let (name_bytes, children) = check_element(reader)?;
        let path = open.last().map_or(0, |(_, path)| path + 1) + name_bytes;
        if let Some((missing, _)) = open.last_mut() {
            *missing -= 1;
        }
        names_bytes = names_bytes.saturating_add(path);
        if names_bytes > NAMES_BYTES_MAX {
            return Err(reader.error(ThriftProblem::LongNames(NAMES_BYTES_MAX)));
        }
        if children > count {
            return Err(reader.error(ThriftProblem::NoTree));
        }
        if children > 0 {
            open.push((children, path));
        }
        while open.last().is_some_and(|(missing, _)| *missing == 0) {
            open.pop();
        }
        if open.len() > DEPTH_MAX {
            return Err(reader.error(ThriftProblem::TooDeep));
        }
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(reader.error(ThriftProblem::NoTree)),
    }
}

/// Returns the bytes of an element's name, and its number of children.
fn check_element(reader: &mut Reader<'_>) -> ThriftResult<(usize, usize)> {
    let (mut name_bytes, mut children) = (0, 0);
    let mut last = 0;
    while let Some(kind) = reader.field(&mut last)? {
        match (last, kind) {
            (4, WireType::Binary) => name_bytes = reader.binary()?.len(),
            (5, WireType::Integer) => {
                let count = usize::try_from(reader.int32()?);
                children = count.map_err(|_negative| reader.error(ThriftProblem::OutOfRange))?;
            }
            (_, other) => reader.skip(other)?,
        }
    }
    Ok((name_bytes, children))
}

/// The page index, as the parquet crate asks for it: all of it at once.
struct Indexes<'a> {
    file: &'a RawFile,
    places: Vec<IndexPlace>,
}

/// The position of an index of a column chunk.
struct IndexPlace {
    offset: i64,
    length: i32,
    module: Module,
    /// The key that decrypts it, if it is encrypted.
    cipher: Option<ChunkCipher>,
}

impl Indexes<'_> {
    /// Decrypts what is encrypted of these bytes from `start`, in its place; `None` where the
    /// parquet crate may not decode them.
    fn open(&self, bytes: &mut [u8], start: u64) -> Option<()> {
        for IndexPlace { offset, length, module, cipher } in &self.places {
            let offset = usize::try_from(u64::try_from(*offset).ok()?.checked_sub(start)?).ok()?;
            let end = offset.checked_add(usize::try_from(*length).ok()?)?;
            let index = bytes.get_mut(offset..end)?;
            if let Some(cipher) = cipher {
                let plain = cipher.open(*module, index)?;
                // what is left after the structure is not looked at
                index.split_at_mut_checked(plain.len())?.0.copy_from_slice(&plain);
            }
            Reader::new(index).skip(WireType::Struct).ok()?;
        }
        Some(())
    }
}

impl Length for Indexes<'_> {
    fn len(&self) -> u64 {
        self.file.bytes()
    }
}

impl ChunkReader for Indexes<'_> {
    type T = std::io::Empty;

    fn get_read(&self, _start: u64) -> ParquetResult<Self::T> {
        Err(ParquetError::General("a page index is read at once".to_owned()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let is_inside =
            start.checked_add(length as u64).is_some_and(|end| end <= self.file.bytes());
        if !is_inside || length as u64 > METADATA_BYTES_MAX {
            return Err(ParquetError::General("a page index out of bounds".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.file
            .read(&mut bytes, start)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        match self.open(&mut bytes, start) {
            Some(()) => Ok(bytes.into()),
            None => Err(ParquetError::General("a page index is damaged".to_owned())),
        }
    }
}
