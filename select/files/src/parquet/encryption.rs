//! The encryption that the metadata describe, and the metadata without it: for the parquet crate as
//! if the file were not encrypted, and beside it which key decrypts which column chunk.
//!
//! Metadata of column chunks that are encrypted apart take the place that they have in a file
//! without encryption. Of a chunk whose key is missing nothing is known, so it gets metadata that
//! tell nothing; whoever touches its column is refused.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/Encryption.md> and
//! `FileCryptoMetaData`, `FileMetaData`, `ColumnChunk` in parquet.thrift.

use std::sync::Arc;

use super::cipher::{ChunkCipher, Module, Place, SIGNATURE_BYTES, Scheme};
use super::keys::{ParquetKey, ParquetKeys};
use super::thrift::{Reader, ThriftField, WireType, put_field, put_list};
use crate::damage::Damage;
use crate::excerpt::quote;
use crate::problem::column::ColumnProblem;
use crate::problem::thrift::ThriftError;

/// Who opens what of a file.
#[derive(Debug)]
pub(super) struct Encryption {
    scheme: Scheme,
    pub(super) coverage: Coverage,
    /// The keys of each row group, one for each leaf.
    groups: Vec<Vec<ChunkKey>>,
}

/// The part of the metadata that is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All, so that not even the names of the columns can be told.
    Footer,
    /// The metadata of some columns.
    Columns,
}

/// The key of a column chunk.
#[derive(Clone, Debug)]
enum ChunkKey {
    /// It is not encrypted.
    None,
    Key(ParquetKey),
    /// The key is missing: what to call it.
    Missing(Arc<str>),
}

/// The reason why the metadata cannot be read.
#[derive(Debug)]
pub(super) enum FooterError {
    Damaged(Damage),
    /// A key is missing: what to call it.
    KeyMissing(String),
}

impl From<ThriftError> for FooterError {
    /// Leaves out where: an offset would tell something about metadata that are encrypted.
    fn from(_error: ThriftError) -> Self {
        damaged()
    }
}

/// Metadata without encryption.
pub(super) struct Opened {
    pub(super) metadata: Vec<u8>,
    pub(super) encryption: Encryption,
}

impl Encryption {
    /// Returns what decrypts the column chunk, if it is encrypted.
    ///
    /// # Errors
    /// `KeyMissing`, `BeyondEncryption`
    pub(super) fn cipher(
        &self,
        group: usize,
        leaf: usize,
    ) -> Result<Option<ChunkCipher>, ColumnProblem> {
        let key = self.groups.get(group).and_then(|leaves| leaves.get(leaf));
        match key {
            None | Some(ChunkKey::None) => Ok(None),
            Some(ChunkKey::Missing(which)) => {
                Err(ColumnProblem::KeyMissing { key: which.as_ref().into() })
            }
            Some(ChunkKey::Key(key)) => {
                let place = place(group, leaf).ok_or(ColumnProblem::BeyondEncryption)?;
                Ok(Some(ChunkCipher { scheme: self.scheme.clone(), key: key.clone(), place }))
            }
        }
    }

    /// Returns whether a part of the column is encrypted.
    pub(super) fn covers(&self, leaf: usize) -> bool {
        self.keys_of(leaf).any(|key| !matches!(key, ChunkKey::None))
    }

    /// The key that is missing of the column.
    pub(super) fn missing(&self, leaf: usize) -> Option<&str> {
        self.keys_of(leaf).find_map(|key| match key {
            ChunkKey::Missing(which) => Some(which.as_ref()),
            _ => None,
        })
    }

    fn keys_of(&self, leaf: usize) -> impl Iterator<Item = &ChunkKey> {
        self.groups.iter().filter_map(move |leaves| leaves.get(leaf))
    }
}

/// Places are told in 16 bits, of which the first is a sign.
fn place(group: usize, leaf: usize) -> Option<Place> {
    let number = |index: usize| i16::try_from(index).ok().map(i16::cast_unsigned);
    Some((number(group)?, number(leaf)?))
}

/// Opens an encrypted footer: `FileCryptoMetaData` and the metadata as a module.
pub(super) fn open_footer(footer: &[u8], keys: &ParquetKeys) -> Result<Opened, FooterError> {
    let mut reader = Reader::new(footer);
    let (mut algorithm, mut key) = (None, None);
    for field in reader.fields().map_err(in_the_clear)? {
        match (field.number, field.kind) {
            (1, WireType::Struct) => algorithm = Some(field.value),
            (2, WireType::Binary) => key = Some(field.binary().map_err(in_the_clear)?),
            _ => {}
        }
    }
    let module = footer.get(reader.position()..).unwrap_or_default();
    let scheme = scheme(algorithm.ok_or_else(damaged)?, keys)?;
    let (key, called) = keys.find(key).map_err(FooterError::KeyMissing)?;
    let metadata = scheme
        .open(&key, Module::Footer, (0, 0), module)
        .ok_or_else(|| FooterError::Damaged(Damage::MetadataUndecrypted { key: called.clone() }))?;
    let coverage = Coverage::Footer;
    without_encryption(&metadata, Context { scheme, coverage, footer_key: Ok((key, called)), keys })
}

/// Opens what is encrypted of a footer in the clear; `None` where nothing is.
pub(super) fn open_columns(
    footer: &[u8],
    keys: &ParquetKeys,
) -> Result<Option<Opened>, FooterError> {
    let mut reader = Reader::new(footer);
    let (mut algorithm, mut key) = (None, None);
    for field in reader.fields().map_err(in_the_clear)? {
        match (field.number, field.kind) {
            (8, WireType::Struct) => algorithm = Some(field.value),
            (9, WireType::Binary) => key = Some(field.binary().map_err(in_the_clear)?),
            _ => {}
        }
    }
    let Some(algorithm) = algorithm else { return Ok(None) };
    let (metadata, signature) = footer.split_at(reader.position());
    let scheme = scheme(algorithm, keys)?;
    let footer_key = keys.find(key);
    // who has not the key reads it as one without encryption, which nobody signs either
    if let Ok((key, called)) = &footer_key
        && (signature.len() != SIGNATURE_BYTES || !scheme.has_signed(key, metadata, signature))
    {
        return Err(FooterError::Damaged(Damage::MetadataUnsigned { key: called.clone() }));
    }
    let coverage = Coverage::Columns;
    without_encryption(metadata, Context { scheme, coverage, footer_key, keys }).map(Some)
}

fn damaged() -> FooterError {
    FooterError::Damaged(Damage::ParquetMetadata)
}

/// The error of bytes that are not encrypted, which tells where.
fn in_the_clear(error: ThriftError) -> FooterError {
    FooterError::Damaged(Damage::ParquetEncryption(error))
}

/// Reads an `EncryptionAlgorithm`.
fn scheme(algorithm: &[u8], keys: &ParquetKeys) -> Result<Scheme, FooterError> {
    let fields = Reader::new(algorithm).fields().map_err(in_the_clear)?;
    let [ThriftField { number, kind: WireType::Struct, value, .. }] = fields.as_slice() else {
        return Err(damaged());
    };
    let has_unproved_pages = match number {
        1 => false,
        2 => true,
        other => {
            return Err(FooterError::Damaged(Damage::Algorithm { algorithm: *other }));
        }
    };
    let (mut prefix, mut unique, mut is_untold) = (None, None, false);
    for field in Reader::new(value).fields().map_err(in_the_clear)? {
        match (field.number, field.kind) {
            (1, WireType::Binary) => prefix = Some(field.binary().map_err(in_the_clear)?),
            (2, WireType::Binary) => unique = Some(field.binary().map_err(in_the_clear)?),
            (3, kind) => is_untold = kind == WireType::True,
            _ => {}
        }
    }
    let prefix = keys.aad_prefix().or(prefix);
    if is_untold && prefix.is_none() {
        return Err(FooterError::KeyMissing(
            "a key and a prefix of additional authenticated data that it does not tell, and none is \
             given for it"
                .to_owned(),
        ));
    }
    let file_aad = match (prefix, unique) {
        (None, None) => None,
        (prefix, unique) => {
            Some([prefix.unwrap_or_default(), unique.unwrap_or_default()].concat().into())
        }
    };
    Ok(Scheme { has_unproved_pages, file_aad })
}

/// The keys that decrypt the metadata of column chunks.
struct Context<'a> {
    scheme: Scheme,
    coverage: Coverage,
    footer_key: Result<(ParquetKey, String), String>,
    keys: &'a ParquetKeys,
}

fn without_encryption(metadata: &[u8], context: Context<'_>) -> Result<Opened, FooterError> {
    let mut out = Vec::with_capacity(metadata.len());
    let mut groups = Vec::new();
    for field in Reader::new(metadata).fields()? {
        match (field.number, field.kind) {
            (8 | 9, _) => {}
            (4, WireType::List) => {
                let mut reader = Reader::new(field.value);
                let count = reader.list_of(WireType::Struct)?;
                put_field(&mut out, field.number, field.wire);
                put_list(&mut out, count);
                for group in 0..count {
                    groups.push(context.row_group(&mut reader, group, &mut out)?);
                }
            }
            _ => field.put(&mut out),
        }
    }
    out.push(0);
    let Context { scheme, coverage, .. } = context;
    Ok(Opened { metadata: out, encryption: Encryption { scheme, coverage, groups } })
}

impl Context<'_> {
    fn row_group(
        &self,
        reader: &mut Reader<'_>,
        group: usize,
        out: &mut Vec<u8>,
    ) -> Result<Vec<ChunkKey>, FooterError> {
        let mut chunks = Vec::new();
        for field in reader.fields()? {
            if (field.number, field.kind) != (1, WireType::List) {
                field.put(out);
                continue;
            }
            let mut reader = Reader::new(field.value);
            let count = reader.list_of(WireType::Struct)?;
            put_field(out, field.number, field.wire);
            put_list(out, count);
            for leaf in 0..count {
                chunks.push(self.column_chunk(&mut reader, (group, leaf), out)?);
            }
        }
        out.push(0);
        Ok(chunks)
    }

    fn column_chunk(
        &self,
        reader: &mut Reader<'_>,
        (group, leaf): (usize, usize),
        out: &mut Vec<u8>,
    ) -> Result<ChunkKey, FooterError> {
        let fields = reader.fields()?;
        let of_number = |number| fields.iter().find(|field| field.number == number);
        let crypto = match of_number(8) {
            Some(field) => Some(Crypto::parse(field.value)?),
            // DuckDB encrypts all, and does not say so of each
            None if self.coverage == Coverage::Footer && self.scheme.file_aad.is_none() => {
                Some(Crypto::FooterKey)
            }
            None => None,
        };
        let found = crypto.as_ref().map(|crypto| match crypto {
            Crypto::FooterKey => self.footer_key.clone(),
            Crypto::ColumnKey { metadata, .. } => self.keys.find(*metadata),
        });
        let sealed = of_number(9).map(ThriftField::binary).transpose()?;
        let (key, metadata) = match (found, sealed) {
            (None, _) => (ChunkKey::None, None),
            (Some(Err(which)), _) => (ChunkKey::Missing(which.into()), Some(NOTHING.to_vec())),
            (Some(Ok((key, _))), None) => (ChunkKey::Key(key), None),
            (Some(Ok((key, called))), Some(sealed)) => {
                let place = place(group, leaf).ok_or_else(damaged)?;
                let opened = self.scheme.open(&key, Module::ColumnMetadata, place, sealed);
                let wrong = || {
                    let column = crypto.as_ref().map(Crypto::column).unwrap_or_default();
                    FooterError::Damaged(Damage::ColumnUndecrypted { column, key: called.clone() })
                };
                (ChunkKey::Key(key), Some(opened.ok_or_else(wrong)?))
            }
        };
        let is_told = |number| match key {
            // the rest leads to modules that nobody opens
            ChunkKey::Missing(_) => (1..=2).contains(&number),
            _ => !(8..=9).contains(&number) && (number != 3 || metadata.is_none()),
        };
        fields.iter().filter(|field| is_told(field.number)).for_each(|field| field.put(out));
        if let Some(metadata) = &metadata {
            // without what may stand after the structure
            let metadata = Reader::new(metadata).value(WireType::Struct)?;
            put_field(out, 3, STRUCT);
            out.extend_from_slice(metadata);
        }
        out.push(0);
        Ok(key)
    }
}

/// The key that a column chunk says that it is encrypted by.
enum Crypto<'a> {
    FooterKey,
    ColumnKey { path: Vec<&'a [u8]>, metadata: Option<&'a [u8]> },
}

impl<'a> Crypto<'a> {
    /// Reads a `ColumnCryptoMetaData`.
    fn parse(bytes: &'a [u8]) -> Result<Self, FooterError> {
        let fields = Reader::new(bytes).fields()?;
        let [ThriftField { number, kind: WireType::Struct, value, .. }] = fields.as_slice() else {
            return Err(damaged());
        };
        if *number == 1 {
            return Ok(Self::FooterKey);
        }
        let (mut path, mut metadata) = (Vec::new(), None);
        for field in Reader::new(value).fields()? {
            match (field.number, field.kind) {
                (1, WireType::List) => {
                    let mut reader = Reader::new(field.value);
                    let count = reader.list_of(WireType::Binary)?;
                    for _ in 0..count {
                        path.push(reader.binary()?);
                    }
                }
                (2, WireType::Binary) => metadata = Some(field.binary()?),
                _ => {}
            }
        }
        (*number == 2).then_some(Self::ColumnKey { path, metadata }).ok_or_else(damaged)
    }

    /// Returns what to call the column.
    fn column(&self) -> String {
        match self {
            Self::FooterKey => "a column".to_owned(),
            Self::ColumnKey { path, .. } => format!("column {}", quote(&path.join(&b'.'))),
        }
    }
}

/// The wire's number of a structure.
const STRUCT: u8 = 12;

/// `ColumnMetaData` of a chunk that nobody reads: no type, encodings, path or codec to speak of,
/// and nothing in it.
const NOTHING: &[u8] = &[
    0x15, 0, // type
    0x19, 0x05, // encodings: none
    0x19, 0x08, // path: none
    0x15, 0, // codec
    0x16, 0, // values
    0x16, 0, // bytes
    0x16, 0, // stored bytes
    0x26, 0, // where its pages are
    0, // the end
];
