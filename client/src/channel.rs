//! The security of a channel, as the TLS handshake negotiated it.

use std::net::SocketAddr;

use sift_proto::level::{Level, Protocol};
use sift_proto::message::ChannelReport;

/// The result of a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) protocol: Protocol,
    pub(crate) cipher: &'static str,
    pub(crate) key_exchange: &'static str,
    /// The level that was asked for.
    pub(crate) level: Level,
    /// The highest level whose rules the channel fulfils.
    pub(crate) met: Level,
    pub(crate) peer_names: Vec<String>,
    pub(crate) resumed: bool,
}

/// The channel of a [`Connection`](crate::Connection), as this end has negotiated it.
#[derive(Clone, Debug)]
pub struct Channel {
    pub(crate) negotiated: Option<Negotiated>,
    pub(crate) protocol: String,
    pub(crate) host: String,
    pub(crate) peer: SocketAddr,
    pub(crate) server: String,
    pub(crate) server_level: u32,
}

impl Channel {
    /// Returns whether the channel is encrypted.
    #[must_use]
    pub fn encrypted(&self) -> bool {
        self.negotiated.is_some()
    }

    /// Returns the cipher suite as `openssl ciphers -v` describes it, in at most 128 bytes. It is
    /// empty if the channel is not encrypted.
    #[must_use]
    pub fn cipher(&self) -> &str {
        self.negotiated.as_ref().map_or("", |negotiated| negotiated.cipher)
    }

    /// Returns `TLSv1.3`, `TLSv1.2` or `TLSv1.1`, or an empty text if the channel is not encrypted.
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// Returns the group of the key exchange, such as `X25519MLKEM768`. It is empty if the channel
    /// is not encrypted.
    #[must_use]
    pub fn key_exchange(&self) -> &str {
        self.negotiated.as_ref().map_or("", |negotiated| negotiated.key_exchange)
    }

    /// Returns the security level of the channel; `None` if it is not encrypted. This is the
    /// highest level whose rules for protocol, cipher suite and key exchange the channel fulfils,
    /// and at least the level that was asked for. The server decides by this level which data it
    /// sends.
    #[must_use]
    pub fn level_met(&self) -> Option<Level> {
        self.negotiated.as_ref().map(|negotiated| negotiated.met)
    }

    /// Returns the security level that this end asked for; `None` if the channel is not encrypted.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.negotiated.as_ref().map(|negotiated| negotiated.level)
    }

    /// Returns whether the handshake resumed the TLS session of an earlier connection. If it did,
    /// this end has not verified the server's certificate again.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|negotiated| negotiated.resumed)
    }

    /// Returns the names in the server's certificate with their kinds, such as
    /// `dns:files.example.com`. They are the alternative names, or the subject's common name if the
    /// certificate has no alternative names. The list is empty if the channel is not encrypted.
    #[must_use]
    pub fn peer_names(&self) -> &[String] {
        self.negotiated.as_ref().map_or(&[], |negotiated| &negotiated.peer_names)
    }

    /// Returns the level that the server says it serves; 0 if the channel is not encrypted.
    #[must_use]
    pub fn server_level(&self) -> u32 {
        self.server_level
    }

    /// Returns the name and port of the server from the options.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
        self.peer
    }

    /// Returns the name and version of the server's software, as the server gives them.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the first difference between the server's report and this end's view, if there is
    /// one.
    pub(crate) fn difference(&self, report: &ChannelReport) -> Option<String> {
        let differs = |what, there: &str, here: &str| {
            (there != here).then(|| format!("its {what} is `{there}`, this end's is `{here}`"))
        };
        if report.encrypted != self.encrypted() {
            return Some(if report.encrypted { "encrypted" } else { "not encrypted" }.to_owned());
        }
        differs("cipher", &report.cipher, self.cipher())
            .or_else(|| differs("protocol", &report.protocol, self.protocol()))
            .or_else(|| match &report.key_exchange[..] {
                // below TLS 1.3, some servers do not know the group
                "" if self.encrypted() => None,
                told => differs("key exchange", told, self.key_exchange()),
            })
    }
}
