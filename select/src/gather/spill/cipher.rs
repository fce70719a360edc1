//! Encrypts frames with AES-256-GCM, by a key that only this process has and that no disk gets.
//!
//! The nonce of a frame is the number of its file and its place there. Both are used once, so no
//! nonce is used twice. A frame opens only at its place in its file: frames cannot be exchanged,
//! repeated or cut without an error.
//!
//! Source: NIST SP 800-38D, 8.2.1 (deterministic nonces).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;

/// Bytes of the tag after a frame.
pub(super) const TAG_BYTES: usize = 16;

/// The bits of a nonce for the number of a file and for the place of a frame.
const FILE_BITS: u32 = 40;
const START_BITS: u32 = 56;

/// A key, and the algorithm.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    /// Makes a cipher with a new key from the system's random generator.
    pub(super) fn new() -> Result<Self, Unspecified> {
        let mut key = [0; 32];
        rand::fill(&mut key)?;
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?)))
    }

    /// Encrypts a frame and appends its tag.
    pub(super) fn seal(
        &self,
        file: u64,
        start: u64,
        frame: &mut Vec<u8>,
    ) -> Result<(), Unspecified> {
        self.0.seal_in_place_append_tag(nonce(file, start)?, Aad::empty(), frame)
    }

    /// Decrypts a frame and removes its tag.
    pub(super) fn open(
        &self,
        file: u64,
        start: u64,
        frame: &mut Vec<u8>,
    ) -> Result<(), Unspecified> {
        let bytes = self.0.open_in_place(nonce(file, start)?, Aad::empty(), frame)?.len();
        frame.truncate(bytes);
        Ok(())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

fn nonce(file: u64, start: u64) -> Result<Nonce, Unspecified> {
    if start >> START_BITS != 0 || file >> FILE_BITS != 0 {
        return Err(Unspecified);
    }
    let bytes = (u128::from(file) << START_BITS | u128::from(start)).to_le_bytes();
    Nonce::try_assume_unique_for_key(&bytes[..NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_opens_only_as_it_was_and_where_it_was() {
        let cipher = Cipher::new().unwrap();
        let plain = b"some rows of somebody".to_vec();
        let mut sealed = plain.clone();
        cipher.seal(3, 70, &mut sealed).unwrap();
        assert_eq!(sealed.len(), plain.len() + TAG_BYTES);
        assert!(!sealed.windows(4).any(|part| part == b"rows"));
        let open = |cipher: &Cipher, file, start, mut frame: Vec<u8>| {
            cipher.open(file, start, &mut frame).map(|()| frame).ok()
        };
        assert_eq!(open(&cipher, 3, 70, sealed.clone()), Some(plain));
        assert_eq!(open(&cipher, 4, 70, sealed.clone()), None);
        assert_eq!(open(&cipher, 3, 71, sealed.clone()), None);
        assert_eq!(open(&Cipher::new().unwrap(), 3, 70, sealed.clone()), None);
        assert_eq!(open(&cipher, 3, 70, sealed[..sealed.len() - 1].to_vec()), None);
        assert_eq!(open(&cipher, 3, 70, sealed[..TAG_BYTES - 1].to_vec()), None);
        for byte in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[byte] ^= 1;
            assert_eq!(open(&cipher, 3, 70, damaged), None, "{byte}");
        }
    }

    #[test]
    fn no_nonce_is_used_twice() {
        assert!(nonce(1 << 40, 0).is_err() && nonce(0, 1 << 56).is_err());
        let bytes = |file, start| *nonce(file, start).unwrap().as_ref();
        assert_ne!(bytes(1, 0), bytes(0, (1 << 56) - 1));
        assert_ne!(bytes((1 << 40) - 1, 5), bytes((1 << 39) - 1, 5));
    }
}
