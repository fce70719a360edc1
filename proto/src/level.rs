//! The security compliance levels: the protocols, suites and key exchanges that a channel may use.
//!
//! | level | protocols | suites | key exchange |
//! | --- | --- | --- | --- |
//! | 0 | those of the default level, which may rise with a release | | |
//! | 1 | retired | | |
//! | 2 | TLS 1.1 and 1.2, only in builds with the feature `legacy-tls` | ECDHE with AES, AES-GCM or ChaCha20-Poly1305 | X25519, NIST P-256 and P-384 |
//! | 3 | TLS 1.2 and 1.3 | ECDHE with AES-GCM or ChaCha20-Poly1305 | the same, and X25519 and P-256 in hybrids with ML-KEM-768 |
//! | 4 | TLS 1.3 | the same | the same |
//! | 5 | TLS 1.3 | AES-256-GCM, ChaCha20-Poly1305 | X25519MLKEM768 only |
//!
//! Suites and groups are IANA's numbers, so that this crate needs no TLS library.

use std::fmt;
use std::str::FromStr;

/// A level. A build of the server or the client may not have every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// TLS 1.1 and 1.2, for old peers.
    Two,
    /// TLS 1.2 and 1.3.
    Three,
    /// TLS 1.3.
    Four,
    /// TLS 1.3 with 256-bit keys and a hybrid post-quantum key exchange.
    Five,
}

impl Level {
    /// The level with number 0. It may rise with a release.
    pub const DEFAULT: Self = Self::Three;

    /// Every level, the weakest first.
    pub const ALL: &'static [Self] = &[Self::Two, Self::Three, Self::Four, Self::Five];

    /// Returns the level with a number of the command line or the configuration.
    ///
    /// # Errors
    /// `Retired`, `Unknown`.
    pub fn from_number(number: u8) -> Result<Self, LevelError> {
        match number {
            0 => Ok(Self::DEFAULT),
            1 => Err(LevelError::Retired),
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            4 => Ok(Self::Four),
            5 => Ok(Self::Five),
            _ => Err(LevelError::Unknown(number)),
        }
    }

    /// Returns the level if it is one of the levels of a build.
    ///
    /// # Errors
    /// `NotBuilt`.
    pub fn among(self, built: &[Self]) -> Result<Self, LevelError> {
        if built.contains(&self) { Ok(self) } else { Err(LevelError::NotBuilt(self.number())) }
    }

    /// Returns the number of the level, 2 to 5.
    pub fn number(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
            Self::Five => 5,
        }
    }

    /// Returns the level of a channel: the highest level that [permits](Self::permits) its
    /// parameters. The level that was asked for does not matter. `None` means that the channel is
    /// below all levels.
    pub fn of_channel(protocol: Protocol, suite: u16, group: Option<u16>) -> Option<Self> {
        let permits = |level: &&Self| level.permits(protocol, suite, group);
        Self::ALL.iter().rev().find(permits).copied()
    }

    /// Returns the protocols that the level permits, the best first.
    pub fn protocols(self) -> &'static [Protocol] {
        match self {
            Self::Two => &[Protocol::Tls12, Protocol::Tls11],
            Self::Three => &[Protocol::Tls13, Protocol::Tls12],
            Self::Four | Self::Five => &[Protocol::Tls13],
        }
    }

    /// Returns the cipher suites that the level permits with a protocol, the best first.
    pub fn suites(self, protocol: Protocol) -> &'static [u16] {
        match (self, protocol) {
            (Self::Three | Self::Four, Protocol::Tls13) => TLS13_SUITES,
            (Self::Five, Protocol::Tls13) => TLS13_SUITES_256,
            (Self::Three, Protocol::Tls12) => TLS12_SUITES,
            (Self::Two, Protocol::Tls12) => TLS12_SUITES_LEGACY,
            (Self::Two, Protocol::Tls11) => TLS11_SUITES,
            (Self::Four | Self::Five, Protocol::Tls12)
            | (Self::Three | Self::Four | Self::Five, Protocol::Tls11)
            | (Self::Two, Protocol::Tls13) => &[],
        }
    }

    /// Returns the key exchange groups that the level permits with a protocol, the best first.
    pub fn groups(self, protocol: Protocol) -> &'static [u16] {
        match (self, protocol) {
            (Self::Five, _) => HYBRID_GROUPS,
            (_, Protocol::Tls13) => TLS13_GROUPS,
            (_, Protocol::Tls11 | Protocol::Tls12) => TLS12_GROUPS,
        }
    }

    /// Returns whether the level permits a channel of this protocol, suite and key exchange group.
    ///
    /// A resumed session below TLS 1.3 has no key exchange. Only there `group` may be `None`.
    pub fn permits(self, protocol: Protocol, suite: u16, group: Option<u16>) -> bool {
        let group_permitted = match group {
            Some(group) => self.groups(protocol).contains(&group),
            None => protocol != Protocol::Tls13,
        };
        self.suites(protocol).contains(&suite) && group_permitted
    }
}

// AES-256-GCM, AES-128-GCM, ChaCha20-Poly1305
const TLS13_SUITES: &[u16] = &[0x1302, 0x1301, 0x1303];
const TLS13_SUITES_256: &[u16] = &[0x1302, 0x1303];
// the same three, with ECDSA and with RSA certificates
const TLS12_SUITES: &[u16] = &[0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8];
// the same, then AES-CBC with SHA-2, then AES-CBC with SHA-1, which TLS 1.1 has too
const TLS12_SUITES_LEGACY: &[u16] = &[
    0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009,
    0xc014, 0xc013,
];
const TLS11_SUITES: &[u16] = &[0xc00a, 0xc009, 0xc014, 0xc013];

// X25519MLKEM768, secp256r1MLKEM768, X25519, secp256r1, secp384r1; not ML-KEM alone: if it is
// broken, nothing protects the channel
const TLS13_GROUPS: &[u16] = &[0x11ec, 0x11eb, 0x001d, 0x0017, 0x0018];
// RFC 8446 and the hybrids' drafts define ML-KEM for TLS 1.3 only
const TLS12_GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018];
const HYBRID_GROUPS: &[u16] = &[0x11ec];

/// The level is displayed as its number.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// Parses the number of a level, as in [`Level::from_number`].
impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        // `+3` parses as a number, but nobody writes a level like this
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
    /// TLS 1.1
    Tls11,
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// The version is displayed as OpenSSL writes it: `TLSv1.3`.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// A reason why a number is not a level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LevelError {
    /// Level 1 does not exist any more, in no build.
    #[error("level 1 is retired")]
    Retired,
    /// This build does not have the level with this number.
    #[error(
        "level {0} needs a build with the feature `legacy-tls` (cargo build --features legacy-tls)"
    )]
    NotBuilt(u8),
    /// No level has this number.
    #[error("unknown level {0}; levels are 0 (the default), 2, 3, 4 and 5")]
    Unknown(u8),
    /// The text, of which these are the first 20 characters, is not a number from 0 to 255.
    #[error("`{0}` is not a level; levels are 0 (the default), 2, 3, 4 and 5")]
    NotANumber(String),
}
