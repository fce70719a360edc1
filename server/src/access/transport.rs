//! The way on which the bytes of a file leave the machine, and the requirements that it meets.
//!
//! A channel has the highest level whose rules its protocol, suite and key exchange meet, whatever
//! its listener is called: TLS 1.3 with X25519MLKEM768 at a listener of level 3 is a channel of
//! level 5.

use std::fmt;

use sift_proto::level::{Level, Protocol};
use sift_select::Requirement;

use crate::channel::Facts;

/// The protection of the bytes of a file when they leave the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The bytes are not encrypted.
    Plain,
    /// `level` is the highest level that the channel meets; `None` if it meets none.
    Encrypted { protocol: Protocol, level: Option<Level> },
    /// The bytes have already crossed a network unprotected, so this counts as not encrypted.
    Mount { network: &'static str },
    /// The bytes do not leave the machine.
    Local,
}

impl Transport {
    pub(crate) fn of(facts: &Facts) -> Self {
        let Some(encryption) = facts.encryption else { return Self::Plain };
        let protocol = encryption.protocol;
        let level = Level::of_channel(protocol, encryption.suite, encryption.group);
        Self::Encrypted { protocol, level }
    }

    /// Returns whether the transport fulfils a requirement.
    pub(crate) fn meets(self, requirement: Requirement) -> bool {
        match (requirement, self) {
            (Requirement::None, _)
            | (_, Self::Local)
            | (Requirement::Encryption, Self::Encrypted { .. }) => true,
            (Requirement::Level(least), Self::Encrypted { level: Some(level), .. }) => {
                level.number() >= least
            }
            (Requirement::Encryption | Requirement::Level(_), _) => false,
        }
    }
}

/// `this channel is TLSv1.2 at level 3`
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("this channel is not encrypted"),
            Self::Encrypted { protocol, level: Some(level) } => {
                write!(f, "this channel is {protocol} at level {level}")
            }
            Self::Encrypted { protocol, level: None } => {
                write!(f, "this channel is {protocol} below every level")
            }
            Self::Mount { network } => write!(f, "the file is on a network mount, {network}"),
            Self::Local => f.write_str("the file is on this machine"),
        }
    }
}
