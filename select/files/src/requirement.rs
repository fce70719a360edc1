//! The requirements of a file or a column for the channel that sends it.

use std::fmt;

/// The levels that a file or a column can require.
pub(crate) const LEVELS: std::ops::RangeInclusive<u8> = 2..=5;

/// A demand on a channel, the weaker the smaller: of several that apply the greatest holds.
///
/// Other crates know the meaning of levels, and whether a channel meets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requirement {
    /// Any channel will do.
    #[default]
    None,
    /// The channel has to be encrypted, at any level.
    Encryption,
    /// The channel has to be encrypted, at this security level or a higher one; from 2 to 5.
    Level(u8),
}

impl Requirement {
    /// The demand of the keys `network_encrypt` and `scl_min`; a level implies encryption.
    ///
    /// `None` for a level that does not exist.
    pub fn new(network_encrypt: bool, scl_min: Option<u8>) -> Option<Self> {
        match (scl_min, network_encrypt) {
            (Some(level), _) => LEVELS.contains(&level).then_some(Self::Level(level)),
            (None, true) => Some(Self::Encryption),
            (None, false) => Some(Self::None),
        }
    }

    /// Returns whether the channel has to be encrypted.
    pub fn network_encrypt(self) -> bool {
        self != Self::None
    }

    /// The level that the channel has to have at least.
    pub fn scl_min(self) -> Option<u8> {
        match self {
            Self::None | Self::Encryption => None,
            Self::Level(level) => Some(level),
        }
    }
}

/// `network encryption`, `level 4 or higher`.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Encryption => f.write_str("network encryption"),
            Self::Level(level) => write!(f, "level {level} or higher"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_is_the_greatest() {
        let order = [
            Requirement::new(false, None).unwrap(),
            Requirement::new(true, None).unwrap(),
            Requirement::new(false, Some(2)).unwrap(),
            Requirement::new(true, Some(5)).unwrap(),
        ];
        assert!(order.is_sorted_by(|a, b| a < b));
        assert!(order[2].network_encrypt());
        assert_eq!(Requirement::new(true, Some(1)), None);
        assert_eq!(Requirement::new(true, Some(6)), None);
    }
}
