//! The measured cipher suites of a level, each on a channel that offers no other suite.

use std::str::FromStr;

use sift_client::{ConnectOptions, Connection, Error, ErrorKind, Reason};
use sift_proto::cipher::suite_name;
use sift_proto::level::Level;

use crate::Result;
use crate::server::Security;

/// The suites to measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Suites {
    /// The suite that both ends prefer.
    #[default]
    Preferred,
    /// All suites of the level that both ends can agree on.
    All,
    /// The suites with these names of OpenSSL, on the levels that have them.
    Named(Vec<String>),
}

impl FromStr for Suites {
    type Err = String;

    /// Parses `preferred`, `all`, or names of suites with commas between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "preferred" => return Ok(Self::Preferred),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let known: Vec<&str> = Level::ALL.iter().flat_map(|level| names(*level)).collect();
        let named = text.split(',').map(|name| match known.contains(&name) {
            true => Ok(name.to_owned()),
            false => Err(format!("`{name}` is not a cipher suite of any level")),
        });
        Ok(Self::Named(named.collect::<Result<_, _>>()?))
    }
}

impl Suites {
    /// Returns `options` for each suite, changed to offer only this suite. Without encryption it
    /// returns only `options`.
    pub fn offers(&self, options: &ConnectOptions, security: Security) -> Vec<ConnectOptions> {
        match (security, self) {
            (Security::Encrypted(level), Self::All | Self::Named(_)) => {
                let names = names(level).into_iter().filter(|name| self.has(name));
                names.map(|name| options.clone().suites([name])).collect()
            }
            _ => vec![options.clone()],
        }
    }

    /// Connects with one of these offers. With [`All`](Self::All) it returns `None` for a suite
    /// that both ends cannot agree on, because the key of the server's certificate is of another
    /// kind.
    ///
    /// # Errors
    /// The errors of the client.
    pub async fn connect(&self, offer: &ConnectOptions) -> Result<Option<Connection>, Error> {
        match Connection::connect(offer).await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) if *self == Self::All && is_nothing_in_common(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Preferred | Self::All => true,
            Self::Named(names) => names.iter().any(|named| named == name),
        }
    }
}

/// Returns the names of the suites of a level, the best protocol first.
fn names(level: Level) -> Vec<&'static str> {
    let mut names = Vec::new();
    for suite in level.protocols().iter().flat_map(|protocol| level.suites(*protocol)) {
        // TLS 1.1 and TLS 1.2 have some suites in common
        names.extend(suite_name(*suite).filter(|name| !names.contains(name)));
    }
    names
}

fn is_nothing_in_common(error: &Error) -> bool {
    let ErrorKind::ClientServer { reason, .. } = error.kind() else { return false };
    matches!(reason, Reason::NothingInCommon { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_levels() {
        let named = "TLS_AES_128_GCM_SHA256,ECDHE-ECDSA-CHACHA20-POLY1305";
        let suites: Suites = named.parse().unwrap();
        assert!(suites.has("TLS_AES_128_GCM_SHA256") && !suites.has("TLS_AES_256_GCM_SHA384"));
        assert_eq!("all".parse(), Ok(Suites::All));
        for text in ["", "aes", "TLS_AES_128_GCM_SHA256,"] {
            assert!(text.parse::<Suites>().is_err(), "{text}");
        }
    }
}
