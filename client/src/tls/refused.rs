//! The reason why the server's certificate is refused, with a hint. It combines the verdict of a
//! TLS library with the contents of the certificate and with the authorities that this end trusts.

use sift_proto::x509::{Certificate, Name, time_text};

use super::trust;
use crate::error::{Reason, printable};
use crate::options::Roots;

/// The verdict of a TLS library.
pub(super) enum Cause {
    /// No trusted authority has signed it.
    UnknownAuthority,
    /// It is for other names. The value is the name that was expected.
    WrongName(String),
    /// It, or a certificate in its chain, ended at this second since 1970.
    Expired(Option<u64>),
    /// It, or a certificate in its chain, begins at this second since 1970.
    NotValidYet(Option<u64>),
    /// It is the certificate of an authority.
    Authority,
    /// Another reason, in the words of the library.
    Other(String),
}

/// The maximal number of names of a certificate in a message.
const NAMES_MAX: usize = 10;

/// Returns the reason for the user. `shown` is the server's certificate, DER.
pub(super) fn reason(cause: Cause, shown: &[u8], roots: &Roots) -> Reason {
    let certificate = Certificate::parse(shown);
    match (cause, certificate) {
        (Cause::Expired(end), certificate) => {
            let end = end.map(time_text);
            let end = end.or_else(|| certificate.ok().map(|shown| shown.not_after.to_string()));
            Reason::CertificateExpired { end: end.unwrap_or_default(), now: now() }
        }
        (Cause::NotValidYet(start), certificate) => {
            let start = start.map(time_text);
            let start =
                start.or_else(|| certificate.ok().map(|shown| shown.not_before.to_string()));
            Reason::CertificateNotValidYet { start: start.unwrap_or_default(), now: now() }
        }
        (Cause::WrongName(expected), Ok(shown)) => wrong_name(&expected, &shown),
        (Cause::UnknownAuthority, Ok(shown)) if shown.is_self_issued() => {
            Reason::SelfSigned(self_signed(&shown, roots))
        }
        (Cause::Authority, Ok(shown)) if shown.is_self_issued() => {
            Reason::SelfSigned(SELF_SIGNED_AUTHORITY.to_owned())
        }
        (Cause::UnknownAuthority, Ok(shown)) => {
            Reason::UnknownAuthority(unknown_authority(&shown.issuer, roots))
        }
        (Cause::UnknownAuthority | Cause::WrongName(_), Err(error)) => {
            Reason::CertificateRefused(format!("it does not parse as X.509: {error}"))
        }
        (Cause::Authority, _) => Reason::CertificateRefused(
            "it is an authority's; the server needs one of its own that the authority signed"
                .to_owned(),
        ),
        (Cause::Other(text), _) => Reason::CertificateRefused(printable(&text)),
    }
}

/// The hint about an authority's certificate: TLS libraries never accept it as a server's
/// certificate.
const SELF_SIGNED_AUTHORITY: &str = "it says of itself that it is an authority, and such a one is \
    not believed to be a server, even if it is given as --ca; have the server show another one: by \
    an authority of your own (`siftd cert authority`, then `siftd cert issue NAME...`), or \
    self-signed with basicConstraints=CA:FALSE";

fn self_signed(shown: &Certificate, roots: &Roots) -> String {
    match roots {
        Roots::Platform => {
            "to trust exactly this one, get it from the server's administrator as a \
                            PEM file, not over this connection, and give it (--ca FILE)"
                .to_owned()
        }
        Roots::File(path) => {
            let path = path.display();
            let same = match has_name(roots, &shown.subject) {
                true => " of that name",
                false => "",
            };
            format!(
                "it is not the one{same} in {path}; to trust exactly this one, get it from the \
                 server's administrator as a PEM file and give that (--ca FILE)"
            )
        }
    }
}

fn unknown_authority(issuer: &Name, roots: &Roots) -> String {
    let issuer_text = printable(&issuer.to_string());
    match roots {
        Roots::Platform => format!(
            "{issuer_text}, whom this machine does not trust; give the authority's certificate \
             (--ca FILE)"
        ),
        Roots::File(path) if has_name(roots, issuer) => format!(
            "{issuer_text}; {} has another authority of the same name, which did not sign it; get \
             the one that did from the server's administrator and give that (--ca FILE)",
            path.display()
        ),
        Roots::File(path) => format!(
            "{issuer_text}; what {} holds did not sign it: {}; give the certificate of the \
             authority that did (--ca FILE)",
            path.display(),
            cut_short(subjects(roots))
        ),
    }
}

fn wrong_name(expected: &str, shown: &Certificate) -> Reason {
    let names = shown.alternative_texts();
    let advice = match names.iter().find(|name| !name.contains('*')) {
        Some(name) => {
            let name = printable(name);
            format!("connect by one of its names, or say that `{name}` is expected (--server-name {name})")
        }
        None if names.is_empty() => {
            "clients do not look at its subject; have the server show one with the names by which it \
             is reached (siftd cert issue NAME...)"
                .to_owned()
        }
        None => "connect by a name that it covers, or name the one to expect (--server-name)".to_owned(),
    };
    let presented = match names.is_empty() {
        true => "no name at all".to_owned(),
        false => cut_short(names),
    };
    Reason::WrongName { expected: format!("`{}`", printable(expected)), presented, advice }
}

/// Returns whether a trusted authority has this name.
fn has_name(roots: &Roots, name: &Name) -> bool {
    certificates(roots).iter().any(|trusted| trusted.subject.der == name.der)
}

fn subjects(roots: &Roots) -> Vec<String> {
    certificates(roots).iter().map(|trusted| trusted.subject.to_string()).collect()
}

/// Reads the trusted certificates again, only for a message. The file may have changed in the
/// meantime.
fn certificates(roots: &Roots) -> Vec<Certificate> {
    let authorities = trust::authorities(roots).unwrap_or_default();
    authorities.iter().filter_map(|der| Certificate::parse(der).ok()).collect()
}

fn cut_short(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let text = printable(&names.join(", "));
    if more == 0 { text } else { format!("{text} and {more} more") }
}

fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    time_text(now.map_or(0, |now| now.as_secs()))
}
