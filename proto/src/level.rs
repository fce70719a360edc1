//! Security compliance levels: which protocols, suites and key exchanges a channel may use.
//!
//! | level | protocols | suites | key exchange |
//! | --- | --- | --- | --- |
//! | 0 | those of the default level, which may rise with a release | | |
//! | 1 | retired | | |
//! | 2 | TLS 1.1 and 1.2, only in builds with the feature `legacy-tls` | | |
//! | 3 | TLS 1.2 and 1.3 | ECDHE with AES-GCM or ChaCha20-Poly1305 | X25519, NIST P-256 and P-384, their hybrids with ML-KEM-768 |
//! | 4 | TLS 1.3 | the same | the same |
//! | 5 | TLS 1.3 | AES-256-GCM, ChaCha20-Poly1305 | X25519MLKEM768 only |
//!
//! Suites and groups are IANA's numbers, so that no TLS library is named here.

use std::fmt;
use std::str::FromStr;

/// A level that this build can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// TLS 1.2 and 1.3.
    Three,
    /// TLS 1.3.
    Four,
    /// TLS 1.3 with 256-bit keys and a hybrid post-quantum key exchange.
    Five,
}

impl Level {
    /// The level that number 0 means; it may rise with a release.
    pub const DEFAULT: Self = Self::Three;

    /// Every level, the weakest first.
    pub const ALL: &'static [Self] = &[Self::Three, Self::Four, Self::Five];

    /// The level of a number, as the command line and the configuration tell it.
    ///
    /// # Errors
    /// `Retired`, `Legacy`, `Unknown`, for numbers that this build cannot serve.
    pub fn from_number(number: u8) -> Result<Self, LevelError> {
        match number {
            0 => Ok(Self::DEFAULT),
            1 => Err(LevelError::Retired),
            2 => Err(LevelError::Legacy),
            3 => Ok(Self::Three),
            4 => Ok(Self::Four),
            5 => Ok(Self::Five),
            _ => Err(LevelError::Unknown(number)),
        }
    }

    /// The level's own number, 3 to 5.
    pub fn number(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
            Self::Five => 5,
        }
    }

    /// The protocols that belong to this level, the best first.
    pub fn protocols(self) -> &'static [Protocol] {
        match self {
            Self::Three => &[Protocol::Tls13, Protocol::Tls12],
            Self::Four | Self::Five => &[Protocol::Tls13],
        }
    }

    /// Whether a channel of this protocol, suite and key exchange group meets the level.
    ///
    /// A resumed TLS 1.2 session makes no key exchange of its own: only there `group` may be
    /// `None`.
    pub fn permits(self, protocol: Protocol, suite: u16, group: Option<u16>) -> bool {
        let suites = match (self, protocol) {
            (Self::Three | Self::Four, Protocol::Tls13) => TLS13_SUITES,
            (Self::Three, Protocol::Tls12) => TLS12_SUITES,
            (Self::Five, Protocol::Tls13) => TLS13_SUITES_256,
            (Self::Four | Self::Five, Protocol::Tls12) => return false,
        };
        let groups = match (self, protocol) {
            (Self::Five, _) => HYBRID_GROUPS,
            (_, Protocol::Tls13) => TLS13_GROUPS,
            (_, Protocol::Tls12) => TLS12_GROUPS,
        };
        let group_permitted = match group {
            Some(group) => groups.contains(&group),
            None => protocol == Protocol::Tls12,
        };
        suites.contains(&suite) && group_permitted
    }
}

// AES-256-GCM, AES-128-GCM, ChaCha20-Poly1305
const TLS13_SUITES: &[u16] = &[0x1302, 0x1301, 0x1303];
const TLS13_SUITES_256: &[u16] = &[0x1302, 0x1303];
// the same three, with ECDSA and with RSA certificates
const TLS12_SUITES: &[u16] = &[0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8];

// X25519MLKEM768, secp256r1MLKEM768, X25519, secp256r1, secp384r1: ML-KEM alone is left out,
// since a break of it would leave nothing
const TLS13_GROUPS: &[u16] = &[0x11ec, 0x11eb, 0x001d, 0x0017, 0x0018];
// RFC 8446 and the hybrids' drafts define ML-KEM for TLS 1.3 only
const TLS12_GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018];
const HYBRID_GROUPS: &[u16] = &[0x11ec];

/// The level's own number.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// As [`Level::from_number`].
impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        // `+3` parses as a number but is nobody's level
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        let number =
            number.ok_or_else(|| LevelError::NotANumber(text.chars().take(20).collect()))?;
        Self::from_number(number)
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// The name as OpenSSL has it: `TLSv1.3`.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// Why a number is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LevelError {
    /// Level 1 is no longer served by any build.
    #[error("level 1 is retired")]
    Retired,
    /// Level 2 is for old peers and not in this build.
    #[error("level 2 needs a build with the feature `legacy-tls`")]
    Legacy,
    /// No level has this number.
    #[error("unknown level {0}; levels are 0 (the default), 3, 4 and 5")]
    Unknown(u8),
    /// Not a number from 0 to 255; the first 20 characters.
    #[error("`{0}` is not a level; levels are 0 (the default), 3, 4 and 5")]
    NotANumber(String),
}
