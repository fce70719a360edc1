//! The names of cipher suites and key exchange groups, as OpenSSL writes them.
//!
//! The texts are those of `openssl ciphers -v` with single spaces (`SSL_CIPHER_description`), for
//! each suite that a [level](crate::level) permits.

use crate::level::{Level, Protocol};

/// The maximal length of a description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 128;

/// Describes the cipher suite with an IANA number: name, protocol, key exchange, authentication,
/// encryption, integrity. The text has at most [`DESCRIPTION_BYTES_MAX`] bytes. `None` means that
/// no level permits the suite.
pub fn describe(suite: u16) -> Option<&'static str> {
    Some(match suite {
        0x1301 => "TLS_AES_128_GCM_SHA256 TLSv1.3 Kx=any Au=any Enc=AESGCM(128) Mac=AEAD",
        0x1302 => "TLS_AES_256_GCM_SHA384 TLSv1.3 Kx=any Au=any Enc=AESGCM(256) Mac=AEAD",
        0x1303 => {
            "TLS_CHACHA20_POLY1305_SHA256 TLSv1.3 Kx=any Au=any Enc=CHACHA20/POLY1305(256) Mac=AEAD"
        }
        0xc009 => "ECDHE-ECDSA-AES128-SHA TLSv1 Kx=ECDH Au=ECDSA Enc=AES(128) Mac=SHA1",
        0xc00a => "ECDHE-ECDSA-AES256-SHA TLSv1 Kx=ECDH Au=ECDSA Enc=AES(256) Mac=SHA1",
        0xc013 => "ECDHE-RSA-AES128-SHA TLSv1 Kx=ECDH Au=RSA Enc=AES(128) Mac=SHA1",
        0xc014 => "ECDHE-RSA-AES256-SHA TLSv1 Kx=ECDH Au=RSA Enc=AES(256) Mac=SHA1",
        0xc023 => "ECDHE-ECDSA-AES128-SHA256 TLSv1.2 Kx=ECDH Au=ECDSA Enc=AES(128) Mac=SHA256",
        0xc024 => "ECDHE-ECDSA-AES256-SHA384 TLSv1.2 Kx=ECDH Au=ECDSA Enc=AES(256) Mac=SHA384",
        0xc027 => "ECDHE-RSA-AES128-SHA256 TLSv1.2 Kx=ECDH Au=RSA Enc=AES(128) Mac=SHA256",
        0xc028 => "ECDHE-RSA-AES256-SHA384 TLSv1.2 Kx=ECDH Au=RSA Enc=AES(256) Mac=SHA384",
        0xc02b => "ECDHE-ECDSA-AES128-GCM-SHA256 TLSv1.2 Kx=ECDH Au=ECDSA Enc=AESGCM(128) Mac=AEAD",
        0xc02c => "ECDHE-ECDSA-AES256-GCM-SHA384 TLSv1.2 Kx=ECDH Au=ECDSA Enc=AESGCM(256) Mac=AEAD",
        0xc02f => "ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 Kx=ECDH Au=RSA Enc=AESGCM(128) Mac=AEAD",
        0xc030 => "ECDHE-RSA-AES256-GCM-SHA384 TLSv1.2 Kx=ECDH Au=RSA Enc=AESGCM(256) Mac=AEAD",
        0xcca8 => {
            "ECDHE-RSA-CHACHA20-POLY1305 TLSv1.2 Kx=ECDH Au=RSA Enc=CHACHA20/POLY1305(256) Mac=AEAD"
        }
        0xcca9 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305 TLSv1.2 Kx=ECDH Au=ECDSA Enc=CHACHA20/POLY1305(256) Mac=AEAD"
        }
        _ => return None,
    })
}

/// Returns the name of the cipher suite with an IANA number; `None` if no level permits it.
pub fn suite_name(suite: u16) -> Option<&'static str> {
    describe(suite)?.split(' ').next()
}

/// Returns the suites of TLS 1.2 that a level permits, as a list of OpenSSL's names; best first.
pub fn openssl_suites(level: Level) -> String {
    let suites = level.suites(Protocol::Tls12).iter();
    let names = suites.filter_map(|suite| suite_name(*suite));
    names.collect::<Vec<_>>().join(":")
}

/// Returns the key exchange groups of TLS 1.2 that a level permits, as a list of OpenSSL's names;
/// best first.
pub fn openssl_groups(level: Level) -> String {
    let groups = level.groups(Protocol::Tls12).iter();
    groups.map(|group| group_name(*group)).collect::<Vec<_>>().join(":")
}

/// Returns the name of the key exchange group with an IANA number; `unknown` if no level permits
/// it.
pub fn group_name(group: u16) -> &'static str {
    match group {
        0x0017 => "secp256r1",
        0x0018 => "secp384r1",
        0x001d => "X25519",
        0x11eb => "secp256r1MLKEM768",
        0x11ec => "X25519MLKEM768",
        _ => "unknown",
    }
}
