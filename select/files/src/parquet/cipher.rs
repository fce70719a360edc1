//! Modules: the parts of an encrypted file that are encrypted each by itself.
//!
//! A module is its length, in 32 bits, a nonce, and the encrypted bytes, after which GCM has a
//! tag. Additional authenticated data bind it to its file and to its place there, so that none can
//! stand for another. Of the algorithm AES_GCM_CTR_V1 the pages, not their headers, are encrypted
//! without a tag: that they are as they were written is not proved by anything then.
//!
//! Our own, because the parquet crate decrypts with another library than the one that this server
//! encrypts with, and has no AES_GCM_CTR_V1.
//!
//! Source: <https://github.com/apache/parquet-format/blob/master/Encryption.md>

use std::sync::Arc;

use super::keys::{NONCE_BYTES, ParquetKey, TAG_BYTES};

/// Bytes of the length before a module.
pub(super) const LENGTH_BYTES: usize = 4;

/// Bytes of a signature: the nonce and the tag.
pub(super) const SIGNATURE_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Bytes of the module at the start of these, its length included.
pub(super) fn module_bytes(bytes: &[u8]) -> Option<usize> {
    let (length, _) = bytes.split_first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_add(LENGTH_BYTES)
}

/// How the modules of a file are encrypted, and what binds them to the file.
#[derive(Clone, Debug)]
pub(super) struct Scheme {
    /// True if pages are encrypted by the counter mode.
    pub(super) has_unproved_pages: bool,
    /// `None` where the file says nothing, as those of DuckDB do: their modules are bound to
    /// nothing.
    pub(super) file_aad: Option<Arc<[u8]>>,
}

/// The contents of a module; data pages are counted in their column chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    Footer,
    ColumnMetadata,
    DataPage(u16),
    DictionaryPage,
    DataPageHeader(u16),
    DictionaryPageHeader,
    ColumnIndex,
    OffsetIndex,
    FilterHeader,
    FilterBits,
}

/// A column chunk: the numbers of its row group and of its leaf.
pub(super) type Place = (u16, u16);

/// The key that decrypts the modules of one column chunk.
#[derive(Clone, Debug)]
pub(super) struct ChunkCipher {
    pub(super) scheme: Scheme,
    pub(super) key: ParquetKey,
    pub(super) place: Place,
}

impl ChunkCipher {
    /// Decrypts a module of the column chunk as [`Scheme::open`] does.
    pub(super) fn open(&self, module: Module, bytes: &[u8]) -> Option<Vec<u8>> {
        self.scheme.open(&self.key, module, self.place, bytes)
    }
}

impl Scheme {
    /// Bytes that encryption adds to a page and its header does not count.
    pub(super) fn uncounted_bytes(&self) -> usize {
        match self.file_aad {
            // DuckDB tells those of the page as it was
            None => LENGTH_BYTES + NONCE_BYTES + TAG_BYTES,
            Some(_) => 0,
        }
    }

    /// Decrypts the module at the start of `bytes`; `None` if not all of it is there, or if it was
    /// encrypted by another key.
    pub(super) fn open(
        &self,
        key: &ParquetKey,
        module: Module,
        place: Place,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let bytes = bytes.get(LENGTH_BYTES..module_bytes(bytes)?)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let is_page = matches!(module, Module::DataPage(_) | Module::DictionaryPage);
        match is_page && self.has_unproved_pages {
            true => key.open_ctr(*nonce, sealed),
            false => key.open_gcm(*nonce, &self.aad(module, place), sealed),
        }
    }

    /// Returns whether this key signed a footer that is not encrypted; `footer` is without its
    /// signature.
    pub(super) fn has_signed(&self, key: &ParquetKey, footer: &[u8], signature: &[u8]) -> bool {
        let Some((nonce, tag)) = signature.split_first_chunk() else { return false };
        key.has_signed(*nonce, &self.aad(Module::Footer, (0, 0)), footer, tag)
    }

    fn aad(&self, module: Module, (group, leaf): Place) -> Vec<u8> {
        let Some(file_aad) = &self.file_aad else { return Vec::new() };
        let (number, page) = match module {
            Module::Footer => (0, None),
            Module::ColumnMetadata => (1, None),
            Module::DataPage(page) => (2, Some(page)),
            Module::DictionaryPage => (3, None),
            Module::DataPageHeader(page) => (4, Some(page)),
            Module::DictionaryPageHeader => (5, None),
            Module::ColumnIndex => (6, None),
            Module::OffsetIndex => (7, None),
            Module::FilterHeader => (8, None),
            Module::FilterBits => (9, None),
        };
        let mut aad = file_aad.to_vec();
        aad.push(number);
        if module != Module::Footer {
            aad.extend(group.to_le_bytes());
            aad.extend(leaf.to_le_bytes());
            aad.extend(page.into_iter().flat_map(u16::to_le_bytes));
        }
        aad
    }
}
