//! The best channels of a listener, to compare with the requirements of files.

use sift_proto::level::Level;
use sift_server::Requirement;

use crate::cli::settings::{Channels, ListenerSettings};

/// The best channels of a listener. A client may get a higher level than the listener requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Plain,
    Level(u8),
}

impl Reach {
    pub(super) fn of(listener: &ListenerSettings) -> Self {
        match &listener.channels {
            Channels::Plain => Self::Plain,
            Channels::Encrypted(tls) => Self::Level(best(tls.level()).number()),
        }
    }

    pub(super) fn meets(self, requirement: Requirement) -> bool {
        match (requirement, self) {
            (Requirement::None, _) | (Requirement::Encryption, Self::Level(_)) => true,
            (Requirement::Level(least), Self::Level(level)) => level >= least,
            (_, Self::Plain) => false,
        }
    }
}

/// Returns the highest level that has a protocol in common with `level`.
fn best(level: Level) -> Level {
    let protocols = level.protocols();
    let in_common =
        |other: &&Level| other.protocols().iter().any(|protocol| protocols.contains(protocol));
    Level::ALL.iter().rev().find(in_common).copied().unwrap_or(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_reaches_what_its_protocols_allow() {
        for level in [Level::Three, Level::Four, Level::Five] {
            assert_eq!(best(level), Level::Five);
        }
        assert!(!Reach::Plain.meets(Requirement::Encryption));
        assert!(!Reach::Level(3).meets(Requirement::Level(4)));
        assert!(Reach::Level(4).meets(Requirement::Level(4)));
    }
}
