//! The keys that encrypted files are read with: which there are, and which of them a file means.
//!
//! A file names its keys by bytes, the key metadata, that are taken as text here. What is kept of a
//! key are the tables that the cipher makes of it, which are wiped when the last owner is gone; it
//! is in no error and no `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::iv::FixedLength;

use crate::excerpt::quote;

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 12;

/// Bytes of the tag that proves what GCM has encrypted.
pub(super) const TAG_BYTES: usize = 16;

/// A key of AES, in one of the modes that Parquet has.
#[derive(Clone)]
pub struct ParquetKey(Arc<Modes>);

struct Modes {
    gcm: LessSafeKey,
    ctr: DecryptingKey,
}

impl ParquetKey {
    /// Takes 16, 24 or 32 bytes; `None` where there are others.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let (gcm, ctr) = match bytes.len() {
            16 => (&AES_128_GCM, &AES_128),
            24 => (&AES_192_GCM, &AES_192),
            32 => (&AES_256_GCM, &AES_256),
            _ => return None,
        };
        let gcm = LessSafeKey::new(UnboundKey::new(gcm, bytes).ok()?);
        let ctr = DecryptingKey::ctr(UnboundCipherKey::new(ctr, bytes).ok()?).ok()?;
        Some(Self(Arc::new(Modes { gcm, ctr })))
    }

    /// Decrypts `sealed`, the tag included, by GCM; `None` if the tag does not fit.
    pub(super) fn open_gcm(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = self.0.gcm.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(plain);
        Some(bytes)
    }

    /// Decrypts `sealed` by the counter mode, which proves nothing.
    pub(super) fn open_ctr(&self, nonce: [u8; NONCE_BYTES], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = sealed.to_vec();
        let mut counter = [0; 16];
        counter[..NONCE_BYTES].copy_from_slice(&nonce);
        counter[15] = 1;
        let context = DecryptionContext::Iv128(FixedLength::from(counter));
        self.0.ctr.decrypt(&mut bytes, context).ok()?;
        Some(bytes)
    }

    /// Returns whether `tag` is the tag of `plain`, which is not encrypted.
    pub(super) fn has_signed(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        plain: &[u8],
        tag: &[u8],
    ) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut bytes = plain.to_vec();
        let made = self.0.gcm.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut bytes);
        made.is_ok_and(|made| verify_slices_are_equal(made.as_ref(), tag).is_ok())
    }
}

impl fmt::Debug for ParquetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParquetKey(…)")
    }
}

/// The keys that one file may be encrypted by.
#[derive(Clone, Debug, Default)]
pub struct ParquetKeys {
    /// The keys by name. A key that is not available has the reason instead.
    named: Arc<BTreeMap<String, Result<ParquetKey, String>>>,
    unnamed: Option<String>,
    aad_prefix: Option<Vec<u8>>,
}

impl ParquetKeys {
    /// Keys by the names that files have for them; one that cannot be had tells why, in the words
    /// of an error.
    pub fn new(named: BTreeMap<String, Result<ParquetKey, String>>) -> Self {
        Self { named: Arc::new(named), ..Self::default() }
    }

    /// The same for a file that may name none of its keys, then it is that with the name `unnamed`,
    /// and whose modules may be bound to a prefix of additional authenticated data that the file
    /// does not tell.
    #[must_use]
    pub fn of_file(&self, unnamed: Option<&str>, aad_prefix: Option<&[u8]>) -> Self {
        Self {
            named: Arc::clone(&self.named),
            unnamed: unnamed.map(str::to_owned),
            aad_prefix: aad_prefix.map(<[u8]>::to_vec),
        }
    }

    pub(super) fn aad_prefix(&self) -> Option<&[u8]> {
        self.aad_prefix.as_deref()
    }

    /// The key that is meant by key metadata, and what to call it; the error tells which is
    /// missing.
    pub(super) fn find(&self, metadata: Option<&[u8]>) -> Result<(ParquetKey, String), String> {
        let name = match (metadata, &self.unnamed) {
            (Some(name), _) if !name.is_empty() => name,
            (_, Some(unnamed)) => unnamed.as_bytes(),
            _ => return Err("a key that it does not name, and none is given for it".to_owned()),
        };
        let called = quote(name);
        let known = std::str::from_utf8(name).ok().and_then(|name| self.named.get(name));
        match known {
            Some(Ok(key)) => Ok((key.clone(), called)),
            Some(Err(why)) => Err(format!("the key {called}, which cannot be had: {why}")),
            None => Err(format!("the key {called}, which is not given")),
        }
    }
}
