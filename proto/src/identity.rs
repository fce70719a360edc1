//! The PEM file with the certificate chain and the private key of a server or a user. The key may
//! be encrypted with a passphrase (PKCS #8, PBES2 with AES).
//!
//! This module takes text and returns DER; the caller reads the file. No error contains a byte of a
//! key. RFC 7468, RFC 5958, RFC 8018.

use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The maximal length of a PEM file, in bytes. A chain of ten certificates and an RSA-8192 key have
/// less than 40 KiB; the list of authorities of a platform has a quarter of this.
pub const PEM_BYTES_MAX: usize = 1 << 20;

/// A certificate chain and a private key.
#[derive(Debug)]
pub struct Identity {
    /// The certificates, the owner's first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key. Nobody has checked that it belongs to the first certificate.
    pub key: PrivateKeyDer<'static>,
}

/// A fault in a PEM file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A section is not base64 between its lines.
    #[error("not PEM: {0}")]
    Pem(String),
    /// There is no CERTIFICATE section.
    #[error(
        "no certificate in it; chain and key belong in this one file, the owner's own certificate first"
    )]
    NoCertificate,
    /// There is no PRIVATE KEY section.
    #[error("no private key in it; chain and key belong in this one file")]
    NoKey,
    /// The key is encrypted with a passphrase, and none is given.
    #[error("its private key has a passphrase, and none is given")]
    NoPassphrase,
    /// The key is encrypted with another passphrase.
    #[error("its private key does not open with the passphrase that is given")]
    WrongPassphrase,
    /// The key is encrypted by an algorithm that is not supported.
    #[error(
        "its private key is encrypted in a way that is not supported: PKCS #8 with PBES2, AES and \
         PBKDF2 or scrypt is expected; `openssl pkcs8 -topk8 -v2 aes256` writes it"
    )]
    Encryption,
    /// Trying a passphrase takes too much time or memory.
    #[error("its private key asks for more work to try a passphrase than is done here: {0}")]
    TooCostly(String),
}

impl Identity {
    /// Reads the chain and the first key of a PEM text.
    ///
    /// # Errors
    /// Every [`IdentityError`].
    pub fn parse(text: &[u8], passphrase: Option<&str>) -> Result<Self, IdentityError> {
        let chain = certificates(text)?;
        if chain.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let key = private_key(text, passphrase)?.ok_or(IdentityError::NoKey)?;
        Ok(Self { chain, key })
    }
}

/// Returns all certificates in a PEM text, in their order.
///
/// # Errors
/// `Pem`.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error: pem::Error| IdentityError::Pem(error.to_string()))
}

/// Returns the first private key in a PEM text, if there is one.
///
/// # Errors
/// Every [`IdentityError`] about a key, and `Pem`.
pub fn private_key(
    text: &[u8],
    passphrase: Option<&str>,
) -> Result<Option<PrivateKeyDer<'static>>, IdentityError> {
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(Some(key)),
        Err(pem::Error::NoItemsFound) => match encrypted_section(text) {
            None => Ok(None),
            Some(section) => {
                let passphrase = passphrase.ok_or(IdentityError::NoPassphrase)?;
                decrypt(section, passphrase).map(Some)
            }
        },
        // the library's error may contain parts of the key
        Err(_may_quote_the_key) => Err(IdentityError::Pem("the private key".to_owned())),
    }
}

/// Encrypts the key of a PKCS #8 document with a passphrase and returns it as PEM. The algorithm is
/// PBES2 with AES-256-CBC and PBKDF2 with HMAC-SHA-256, which every tool of the last ten years
/// reads. `salt` and `iv` must be random.
///
/// # Errors
/// `Encryption` if `key` is not PKCS #8.
pub fn encrypt_key(
    key: &PrivatePkcs8KeyDer<'_>,
    passphrase: &str,
    salt: [u8; 16],
    iv: [u8; 16],
) -> Result<String, IdentityError> {
    let encrypted = || {
        let cost = Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv).ok()?;
        let key = PrivateKeyInfoRef::try_from(key.secret_pkcs8_der()).ok()?;
        let document = key.encrypt_with_params(cost, passphrase).ok()?;
        document.to_pem(ENCRYPTED, LineEnding::LF).ok()
    };
    encrypted().map(|pem| pem.to_string()).ok_or(IdentityError::Encryption)
}

/// The iterations of PBKDF2, as OWASP recommends for HMAC-SHA-256 (2023): a quarter of a second.
const ITERATIONS: u32 = 600_000;

/// The maximal iterations of PBKDF2 in a file: some seconds.
const ITERATIONS_MAX: u32 = 10_000_000;

/// The maximal memory of scrypt, in bytes. The limit of OpenSSL is an eighth of it.
const SCRYPT_BYTES_MAX: u64 = 256 << 20;

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

fn decrypt(section: &str, passphrase: &str) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let (label, der) = pkcs8::SecretDocument::from_pem(section)
        .map_err(|_may_quote_the_key| IdentityError::Pem("the private key".to_owned()))?;
    if label != ENCRYPTED {
        return Err(IdentityError::Encryption);
    }
    let info = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes())
        .map_err(|_unsupported| IdentityError::Encryption)?;
    let scheme = info.encryption_algorithm.pbes2().ok_or(IdentityError::Encryption)?;
    affordable(&scheme.kdf)?;
    let key = info.decrypt(passphrase).map_err(|_unpadding| IdentityError::WrongPassphrase)?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// Checks the cost of one passphrase. A file must not keep a server busy for an hour before the
/// server can say that it does not open.
fn affordable(kdf: &Kdf) -> Result<(), IdentityError> {
    match kdf {
        Kdf::Pbkdf2(cost) if cost.iteration_count > ITERATIONS_MAX => {
            let got = cost.iteration_count;
            let text = format!("{got} iterations, at most {ITERATIONS_MAX} are done");
            Err(IdentityError::TooCostly(text))
        }
        Kdf::Scrypt(cost) => {
            let bytes = u64::from(cost.block_size)
                .saturating_mul(128)
                .saturating_mul(cost.cost_parameter)
                .saturating_mul(cost.parallelization.into());
            if bytes <= SCRYPT_BYTES_MAX {
                return Ok(());
            }
            let text = format!("{bytes} bytes for scrypt, at most {SCRYPT_BYTES_MAX} are taken");
            Err(IdentityError::TooCostly(text))
        }
        _ => Ok(()),
    }
}

/// Returns the first encrypted key, from its first dash to its last.
fn encrypted_section(text: &[u8]) -> Option<&str> {
    let [begin, end] =
        ["BEGIN", "END"].map(|line| format!("-----{line} {ENCRYPTED}-----").into_bytes());
    let find = |text: &[u8], line: &[u8]| text.windows(line.len()).position(|part| part == line);
    let text = text.get(find(text, &begin)?..)?;
    let length = find(text, &end)? + end.len();
    std::str::from_utf8(text.get(..length)?).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// The output of `openssl pkcs8 -topk8 -v2 aes-128-cbc -scrypt` and
    /// `-v2 aes-256-cbc -v2prf hmacWithSHA256` for the same P-256 key; the passphrase is
    /// `open sesame`.
    const SCRYPT: &str = include_str!("../tests/key-scrypt.pem");
    const PBKDF2: &str = include_str!("../tests/key-pbkdf2.pem");
    const PLAIN: &str = include_str!("../tests/key-plain.pem");

    fn key(text: &str, passphrase: Option<&str>) -> Result<Vec<u8>, IdentityError> {
        Ok(private_key(text.as_bytes(), passphrase)?.unwrap().secret_der().to_vec())
    }

    #[test]
    fn keys_that_openssl_has_encrypted_open() {
        let plain = key(PLAIN, None).unwrap();
        for text in [SCRYPT, PBKDF2] {
            assert_eq!(key(text, Some("open sesame")).unwrap(), plain);
            assert_eq!(key(text, Some("open barley")), Err(IdentityError::WrongPassphrase));
            assert_eq!(key(text, None), Err(IdentityError::NoPassphrase));
        }
    }

    #[test]
    fn what_is_encrypted_here_opens_here() {
        let pair = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&pair).unwrap();
        let der = PrivatePkcs8KeyDer::from(pair.serialize_der());
        let encrypted = encrypt_key(&der, "ünï", [1; 16], [2; 16]).unwrap();
        assert!(encrypted.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{encrypted}");
        let file = format!("for people\n{}{encrypted}", certificate.pem());
        let identity = Identity::parse(file.as_bytes(), Some("ünï")).unwrap();
        assert_eq!(identity.key.secret_der(), pair.serialize_der());
        assert_eq!(identity.chain, [certificate.der().clone()]);
        let error = Identity::parse(encrypted.as_bytes(), Some("ünï")).unwrap_err();
        assert_eq!(error, IdentityError::NoCertificate);
        let error = Identity::parse(certificate.pem().as_bytes(), None).unwrap_err();
        assert_eq!(error, IdentityError::NoKey);
    }

    #[test]
    fn nothing_costs_more_than_it_may() {
        let salt = [0; 16];
        let slow =
            Parameters::generate_pbkdf2_sha256_aes256cbc(10_000_001, &salt, [0; 16]).unwrap();
        let error = affordable(&slow.kdf).unwrap_err().to_string();
        assert!(error.ends_with("10000001 iterations, at most 10000000 are done"), "{error}");
    }

    #[test]
    fn no_part_and_no_changed_byte_is_a_panic() {
        let text = PBKDF2.as_bytes();
        for end in 0..text.len() {
            let _ = private_key(&text[..end], Some(""));
        }
        for at in (0..text.len()).step_by(3) {
            for value in [b'-', b'\n', b'A', 0, 0xff] {
                let mut changed = text.to_vec();
                changed[at] = value;
                // without a passphrase, because trying one takes long
                let _ = private_key(&changed, None);
            }
        }
    }
}
