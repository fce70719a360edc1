//! The names in a certificate that identify its owner, and the names with which an administrator
//! refers to them.
//!
//! A name has a kind: `dns:files.example.com`, `mail:ann@example.com`, `uri:urn:ann`,
//! `ip:10.0.0.7`, `cn:Ann`. Names are compared as a whole: `*` is not a wildcard. DNS names and the
//! domains of mail addresses are compared without case. A dot at the end of a DNS name is ignored.
//! RFC 5280, sections 4.2.1.6 and 7; RFC 2818, section 3.1.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The kind of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A DNS name among the alternative names.
    Dns,
    /// A mail address among the alternative names.
    Mail,
    /// A URI among the alternative names.
    Uri,
    /// An IP address among the alternative names.
    Ip,
    /// The common name of the subject.
    Common,
}

/// One name of a certificate's owner. It is displayed as `dns:files.example.com`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OwnerName {
    /// The kind: the part of the certificate that contains the name.
    pub kind: NameKind,
    /// The name itself, without control characters.
    pub text: String,
}

/// A name as an administrator writes it, with or without a kind.
///
/// Without a kind, it means a name of any kind except `ip:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName {
    kind: Option<NameKind>,
    text: String,
}

/// A fault in a name that an administrator wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// There is no name, or no name after its kind.
    #[error("`{0}`: a name is expected, such as `mail:ann@example.com`")]
    Empty(String),
    /// The name contains a control character. No name of an owner contains one.
    #[error("`{0}`: control characters do not belong in a name")]
    Control(String),
    /// The kind is the word of another program.
    #[error("`{got}` is not a kind of name; write `{expected}:`")]
    Kind {
        /// The kind that was written.
        got: String,
        /// The kind that is accepted.
        expected: NameKind,
    },
    /// The name contains characters that names of this kind cannot contain.
    #[error(
        "`{kind}:{text}`: names of this kind are ASCII; write an international one in its ASCII form, \
         xn--…"
    )]
    NotAscii {
        /// The kind.
        kind: NameKind,
        /// The name.
        text: String,
    },
    /// The name is not a mail address.
    #[error("`mail:{0}`: a mail address is expected, `mail:NAME@DOMAIN`")]
    Mail(String),
    /// The name is not an IP address.
    #[error("`ip:{0}`: an IP address is expected")]
    Ip(String),
}

impl NameKind {
    const ALL: [Self; 5] = [Self::Dns, Self::Mail, Self::Uri, Self::Ip, Self::Common];

    fn prefix(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mail => "mail",
            Self::Uri => "uri",
            Self::Ip => "ip",
            Self::Common => "cn",
        }
    }

    /// Compares two names of this kind.
    fn same(self, one: &str, other: &str) -> bool {
        match self {
            Self::Dns => absolute(one).eq_ignore_ascii_case(absolute(other)),
            Self::Mail => match (one.rsplit_once('@'), other.rsplit_once('@')) {
                (Some((name, domain)), Some((other_name, other_domain))) => {
                    name == other_name && domain.eq_ignore_ascii_case(other_domain)
                }
                _ => one == other,
            },
            Self::Ip => match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
                (Ok(one), Ok(other)) => one == other,
                _ => one == other,
            },
            Self::Uri | Self::Common => one == other,
        }
    }
}

/// Returns a DNS name without the dot at its end.
fn absolute(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl CertificateName {
    /// Returns whether it means `name`.
    pub fn means(&self, name: &OwnerName) -> bool {
        self.has_kind(name.kind) && name.kind.same(&self.text, &name.text)
    }

    /// Returns whether there is a name that both mean.
    pub fn overlaps(&self, other: &Self) -> bool {
        NameKind::ALL.into_iter().any(|kind| {
            self.has_kind(kind) && other.has_kind(kind) && kind.same(&self.text, &other.text)
        })
    }

    fn has_kind(&self, kind: NameKind) -> bool {
        self.kind.map_or(kind != NameKind::Ip, |own| own == kind)
    }
}

impl FromStr for CertificateName {
    type Err = NameFault;

    /// Parses a name. If the text before the first `:` is not a kind, it is a part of the name, as
    /// in `urn:ann`.
    fn from_str(text: &str) -> Result<Self, NameFault> {
        let is = |word: &str, prefix: &str| word.eq_ignore_ascii_case(prefix);
        let (prefix, rest) = text.split_once(':').unwrap_or(("", text));
        let kind = NameKind::ALL.into_iter().find(|kind| is(kind.prefix(), prefix));
        let foreign = FOREIGN_KINDS.iter().find(|(word, _)| is(word, prefix));
        if let Some((_, expected)) = foreign {
            return Err(NameFault::Kind { got: format!("{prefix}:"), expected: *expected });
        }
        let name = if kind.is_some() { rest } else { text };
        if name.is_empty() {
            return Err(NameFault::Empty(text.to_owned()));
        }
        if name.chars().any(char::is_control) {
            return Err(NameFault::Control(text.escape_debug().to_string()));
        }
        let text = name.to_owned();
        match kind {
            Some(kind) if kind != NameKind::Common && !text.is_ascii() => {
                Err(NameFault::NotAscii { kind, text })
            }
            Some(NameKind::Mail) if !text.contains('@') => Err(NameFault::Mail(text)),
            Some(NameKind::Ip) if text.parse::<IpAddr>().is_err() => Err(NameFault::Ip(text)),
            kind => Ok(Self { kind, text }),
        }
    }
}

/// The words of other programs for the kinds.
const FOREIGN_KINDS: [(&str, NameKind); 5] = [
    ("email", NameKind::Mail),
    ("rfc822name", NameKind::Mail),
    ("dnsname", NameKind::Dns),
    ("ip address", NameKind::Ip),
    ("commonname", NameKind::Common),
];

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix())
    }
}

impl fmt::Display for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.text)
    }
}

/// The displayed text in quotes, for the log.
impl fmt::Debug for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// The text as it was written. It parses to the same name again.
impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}:{}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> CertificateName {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn shown(text: &str) -> OwnerName {
        let (prefix, rest) = text.split_once(':').unwrap();
        let kind = NameKind::ALL.into_iter().find(|kind| kind.prefix() == prefix).unwrap();
        OwnerName { kind, text: rest.to_owned() }
    }

    #[test]
    fn a_name_means_its_kind_or_any() {
        for (name, means, other) in [
            (
                "dns:a.example",
                &["dns:a.example", "dns:A.Example", "dns:a.example."][..],
                "cn:a.example",
            ),
            ("DNS:A.Example.", &["dns:a.example"], "dns:b.a.example"),
            ("a.example", &["dns:A.example", "cn:a.example", "uri:a.example"], "cn:A.example"),
            ("mail:Ann@Example.com", &["mail:Ann@example.COM"], "mail:ann@example.com"),
            (
                "ann@example.com",
                &["mail:ann@EXAMPLE.com", "cn:ann@example.com"],
                "cn:ann@EXAMPLE.com",
            ),
            ("uri:urn:x", &["uri:urn:x"], "uri:URN:x"),
            ("urn:x", &["uri:urn:x", "cn:urn:x"], "uri:urn:y"),
            ("https://a/b", &["uri:https://a/b"], "uri:https://A/b"),
            ("uri:cn:Ann", &["uri:cn:Ann"], "cn:Ann"),
            ("cn:Ann", &["cn:Ann"], "cn:ann"),
            ("cn:uri:x", &["cn:uri:x"], "uri:x"),
            ("ip:0:0::1", &["ip:::1"], "ip:::2"),
            ("ip:10.0.0.7", &["ip:10.0.0.7"], "cn:10.0.0.7"),
            // an address is an identity only with the kind `ip:`
            ("10.0.0.7", &["cn:10.0.0.7"], "ip:10.0.0.7"),
            // `*` is not a wildcard
            ("dns:*.example.com", &["dns:*.example.com"], "dns:a.example.com"),
            ("dns:a.example.com", &["dns:a.example.com"], "dns:*.example.com"),
            ("cn:Zoë", &["cn:Zoë"], "cn:Zoe"),
        ] {
            for shown_name in means {
                assert!(written(name).means(&shown(shown_name)), "{name} {shown_name}");
            }
            assert!(!written(name).means(&shown(other)), "{name} {other}");
            assert_eq!(written(&written(name).to_string()), written(name), "{name}");
        }
    }

    #[test]
    fn names_that_could_be_one_overlap() {
        for (one, other, expected) in [
            ("ann", "ann", true),
            ("ann", "cn:ann", true),
            ("dns:ANN", "ann", true),
            ("dns:ann", "cn:ann", false),
            ("ANN", "ann", true),
            ("cn:ANN", "cn:ann", false),
            ("ip:::1", "ip:0::1", true),
            ("ip:10.0.0.7", "10.0.0.7", false),
        ] {
            assert_eq!(written(one).overlaps(&written(other)), expected, "{one} {other}");
            assert_eq!(written(other).overlaps(&written(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for (text, expected) in [
            ("", "a name is expected"),
            ("cn:", "`cn:`: a name is expected"),
            ("a\nb", "control characters"),
            ("cn:a\0", "control characters"),
            ("email:ann@x", "`email:` is not a kind of name; write `mail:`"),
            ("IP Address:::1", "write `ip:`"),
            ("mail:ann", "`mail:ann`: a mail address is expected"),
            ("mail:zoë@x", "names of this kind are ASCII"),
            ("dns:münchen.example", "xn--"),
            ("ip:10.0.0", "an IP address is expected"),
        ] {
            let error = text.parse::<CertificateName>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
