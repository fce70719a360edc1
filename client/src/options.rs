//! The options of a connection: the server's address, and the requirements for the channel.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sift_proto::DEFAULT_PORT;
use sift_proto::frame::feature;
use sift_proto::level::Level;
use zeroize::Zeroizing;

use crate::error::{Result, Usage};

/// The options of a connection.
///
/// All options except the address have defaults: an encrypted channel of the default level, and the
/// certificate authorities of the platform.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub(crate) address: String,
    pub(crate) encrypt: bool,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) level: Level,
    pub(crate) suites: Vec<String>,
    pub(crate) resume: bool,
    pub(crate) roots: Roots,
    pub(crate) server_name: Option<String>,
    pub(crate) identity: Option<ClientIdentity>,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) compression: Compression,
    pub(crate) narrow: bool,
}

/// The compression of answers, which the server may also rule out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// The one with which most records arrive, which the server finds out.
    #[default]
    Auto,
    /// None.
    Never,
    /// LZ4, and nothing else.
    Lz4,
    /// Zstandard, and nothing else.
    Zstd,
}

/// The certificate authorities that this end trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that this machine trusts.
    Platform,
    /// Only the authorities in a PEM file.
    File(PathBuf),
}

/// The certificate of this end.
#[derive(Clone, Debug)]
pub(crate) struct ClientIdentity {
    pub(crate) path: PathBuf,
    pub(crate) passphrase: Secret,
}

/// A text that `Debug` does not show, and that is overwritten in memory when it is dropped.
#[derive(Clone, Default)]
pub(crate) struct Secret(Option<Zeroizing<String>>);

impl Secret {
    pub(crate) fn reveal(&self) -> Option<&str> {
        self.0.as_deref().map(String::as_str)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "given" } else { "none" })
    }
}

impl ConnectOptions {
    /// The default time-out of the TCP connection: 10 seconds, which outlasts three lost packets.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default time-out of TLS and Hello together: 10 seconds.
    pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default time-out of an answer without a byte of progress: 5 minutes, because a sum over
    /// a large file sends nothing until it is complete.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

    /// Makes options for `HOST`, `HOST:PORT` or `[IPV6]:PORT`. The default port is 7330.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            encrypt: true,
            user: String::new(),
            password: Secret::default(),
            level: Level::DEFAULT,
            suites: Vec::new(),
            resume: true,
            roots: Roots::Platform,
            server_name: None,
            identity: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            handshake_timeout: Self::HANDSHAKE_TIMEOUT,
            idle_timeout: Self::IDLE_TIMEOUT,
            compression: Compression::default(),
            narrow: true,
        }
    }

    /// Sets whether the channel is encrypted; by default it is. If it is, nothing is ever sent in
    /// the clear; if not, nothing is encrypted.
    #[must_use]
    pub fn encrypt(mut self, encrypt: bool) -> Self {
        self.encrypt = encrypt;
        self
    }

    /// Returns whether the channel is encrypted.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        self.encrypt
    }

    /// Sets the compression of answers; by default, the server chooses it by the speed of the link.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Sets whether batches may come as narrow columns; by default they may. If not, the server
    /// sends Arrow IPC messages, which are larger and need no work at this end. This is for
    /// measurements: the records and their types are the same.
    #[must_use]
    pub fn narrow(mut self, narrow: bool) -> Self {
        self.narrow = narrow;
        self
    }

    /// Returns the features of Hello.
    pub(crate) fn features(&self) -> Vec<String> {
        let compressions: &[&str] = match self.compression {
            Compression::Auto => &[feature::LZ4, feature::ZSTD],
            Compression::Never => &[],
            Compression::Lz4 => &[feature::LZ4, feature::COMPRESS],
            Compression::Zstd => &[feature::ZSTD, feature::COMPRESS],
        };
        let narrow = self.narrow.then_some(feature::NARROW);
        narrow.iter().chain(compressions).map(ToString::to_string).collect()
    }

    /// Logs in as this user. Without a password, the client certificate must be the user's.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = name.into();
        self
    }

    /// Sets the password of the user. It is sent only on an encrypted channel.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        let password: String = password.into();
        self.password = Secret((!password.is_empty()).then(|| Zeroizing::new(password)));
        self
    }

    /// Sets the minimal security compliance level of an encrypted channel.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Offers only these cipher suites, by OpenSSL's names, such as
    /// `ECDHE-ECDSA-AES128-GCM-SHA256`. By default, all suites of the level are offered. This is
    /// for a policy that is stricter than the level, and for measurements. A suite also decides the
    /// protocol, because TLS 1.3 has suites of its own.
    #[must_use]
    pub fn suites<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.suites = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether a [`Connector`](crate::Connector) resumes the TLS sessions of its earlier
    /// connections. By default it does.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Sets the certificate authorities to trust.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Sets the name to expect in the server's certificate, if it is not the name in the address.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Sets the client certificate, for servers that ask for one. The PEM file has the chain, with
    /// this end's own certificate first, and the private key.
    #[must_use]
    pub fn client_certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.identity = Some(ClientIdentity { path: file.into(), passphrase: Secret::default() });
        self
    }

    /// Sets the passphrase of the private key in that file, if the key has one.
    #[must_use]
    pub fn client_passphrase(mut self, passphrase: impl Into<String>) -> Self {
        if let Some(identity) = &mut self.identity {
            identity.passphrase = Secret(Some(Zeroizing::new(passphrase.into())));
        }
        self
    }

    /// Sets the time-out of the TCP connection.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets the time-out of TLS and Hello together.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake_timeout = limit;
        self
    }

    /// Sets the time-out of an answer without a byte of progress.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Host {
    /// # Errors
    /// [`Usage::Address`].
    pub(crate) fn parse(address: &str) -> Result<Self> {
        let wrong = || Usage::Address(address.to_owned());
        let (name, port) = match address.strip_prefix('[') {
            Some(rest) => {
                let (name, port) = rest.split_once(']').ok_or_else(wrong)?;
                (
                    name,
                    if port.is_empty() {
                        None
                    } else {
                        Some(port.strip_prefix(':').ok_or_else(wrong)?)
                    },
                )
            }
            // more than one colon: a bare IPv6 address
            None if address.matches(':').count() > 1 => (address, None),
            None => match address.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (address, None),
            },
        };
        let blank = |c: char| c.is_whitespace() || c.is_control() || c == '/';
        if name.is_empty() || name.contains(blank) {
            return Err(wrong().into());
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
            None => DEFAULT_PORT,
        };
        Ok(Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("h", "h:7330"),
            ("h:1", "h:1"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("::1", "[::1]:7330"),
            ("[::1]", "[::1]:7330"),
            ("[fe80::1]:9", "[fe80::1]:9"),
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", ":1", "h:", "h:0", "h:99999", "h:x", "[::1", "[::1]9", "http://h", "a b"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }
}
