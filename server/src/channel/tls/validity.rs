//! The dates in the files of a listener, and the notices about them for an administrator. The files
//! contain the server's own chain, the authorities of its clients and their revocation lists.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::CertificateDer;
use sift_proto::crl::RevocationList;
use sift_proto::x509::{Certificate, Name};

use super::TlsOptions;
use super::pem::{self, ClientFiles};
use crate::error::Error;

/// The days before an end when the warnings begin: enough time for a renewal.
const WARNING_DAYS: i64 = 30;

/// Something that an administrator should know about a listener's files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Connections fail because of it.
    Fault(String),
    /// It works, but will end soon or is probably not intended.
    Warning(String),
}

/// The dates in a listener's files when they were loaded.
#[derive(Clone, Debug)]
pub(super) struct Dates {
    dates: Vec<Dated>,
    /// Notices that do not depend on the time.
    notices: Vec<Notice>,
}

/// The dates of one certificate or revocation list.
#[derive(Clone, Debug)]
struct Dated {
    path: PathBuf,
    name: String,
    role: Role,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Own,
    Authority,
    List,
}

impl Dates {
    /// # Errors
    /// `Certificate`, `ClientAuthorities`, `RevocationList`.
    pub(super) fn read(options: &TlsOptions) -> Result<Self, Error> {
        let own = |fault| Error::Certificate { path: options.certificate.clone(), fault };
        let chain = pem::authorities(&options.certificate).map_err(own)?;
        let mut all = Self { dates: Vec::new(), notices: Vec::new() };
        all.certificates(&options.certificate, Role::Own, &chain);
        if let Some(clients) = ClientFiles::read(options)? {
            all.certificates(&clients.path, Role::Authority, &clients.authorities);
            all.lists(&clients);
        }
        Ok(all)
    }

    /// Returns when the first certificate of the listener's own chain ends, in Unix time.
    pub(super) fn first_end(&self) -> Option<i64> {
        let own = self.dates.iter().filter(|dated| dated.role == Role::Own);
        own.map(|dated| dated.end.timestamp()).min()
    }

    fn certificates(&mut self, path: &Path, role: Role, chain: &[CertificateDer<'_>]) {
        for certificate in chain.iter().filter_map(|der| Certificate::parse(der).ok()) {
            self.dates.push(Dated {
                path: path.to_owned(),
                name: certificate.subject.to_string(),
                role,
                start: certificate.not_before,
                end: certificate.not_after,
            });
        }
    }

    fn lists(&mut self, clients: &ClientFiles) {
        let authorities: Vec<Certificate> =
            clients.authorities.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
        let mut listed = HashSet::new();
        for (path, lists) in &clients.lists {
            for list in lists.iter().filter_map(|der| RevocationList::parse(der).ok()) {
                let Name { der, .. } = &list.issuer;
                if authorities.iter().all(|authority| authority.subject.der != *der) {
                    self.notices.push(Notice::Warning(format!(
                        "{}: the revocation list of {}, which is none of the authorities in client_ca",
                        path.display(),
                        list.issuer
                    )));
                }
                listed.insert(der.clone());
                self.dates.push(Dated {
                    path: path.clone(),
                    name: format!("the revocation list of {}", list.issuer),
                    role: Role::List,
                    start: list.this_update,
                    end: list.next_update.unwrap_or(DateTime::<Utc>::MAX_UTC),
                });
            }
        }
        let has_none = |authority: &&Certificate| !listed.contains(&authority.subject.der);
        let without = authorities.iter().filter(has_none).filter(|_| !clients.lists.is_empty());
        self.notices.extend(without.map(|authority| {
            Notice::Warning(format!(
                "{}: there is no revocation list of {} in client_crl: its certificates are refused",
                clients.path.display(),
                authority.subject
            ))
        }));
    }

    /// Returns the notices that are due at `now`.
    pub(super) fn notices(&self, now: DateTime<Utc>) -> Vec<Notice> {
        let timely = self.dates.iter().filter_map(|dated| dated.notice(now));
        timely.chain(self.notices.iter().cloned()).collect()
    }
}

impl Dated {
    fn notice(&self, now: DateTime<Utc>) -> Option<Notice> {
        let Self { path, name, role, start, end } = self;
        let path = path.display();
        let text = if now > *end {
            format!("{path}: {name} expired on {end}{}", role.consequence())
        } else if now < *start {
            format!("{path}: {name} is not valid before {start}{}", role.consequence())
        } else if *end - now < self.warned() {
            let days = (*end - now).num_days();
            let text = format!("{path}: {name} expires in {days} days, on {end}");
            return Some(Notice::Warning(text));
        } else {
            return None;
        };
        Some(match role {
            // a bundle may contain old authorities
            Role::Authority => Notice::Warning(text),
            // nobody checks the start of a list
            Role::List if now < *start => Notice::Warning(text),
            Role::Own | Role::List => Notice::Fault(text),
        })
    }

    /// Returns the time before the end in which there is a warning. A list is renewed much more
    /// often than a certificate, so the last third of its validity is enough.
    fn warned(&self) -> TimeDelta {
        let days = TimeDelta::days(WARNING_DAYS);
        match self.role {
            Role::List => days.min((self.end - self.start) / 3),
            Role::Own | Role::Authority => days,
        }
    }
}

impl Role {
    fn consequence(self) -> &'static str {
        match self {
            Self::Own => ": clients refuse this server",
            Self::Authority | Self::List => ": its clients' certificates are refused",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Fault(text) | Self::Warning(text)) = self;
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn told(role: Role, end: i64, now: i64) -> Option<Notice> {
        let (path, name) = (PathBuf::from("a.pem"), "CN=a".to_owned());
        Dated { path, name, role, start: at(100), end: at(end) }.notice(at(now))
    }

    #[test]
    fn a_certificate_is_warned_of_from_thirty_days_before_its_end() {
        assert_eq!(told(Role::Own, 200, 170), None);
        let warning =
            Notice::Warning("a.pem: CN=a expires in 29 days, on 1970-07-20 00:00:00 UTC".into());
        assert_eq!(told(Role::Own, 200, 171), Some(warning));
        assert!(matches!(told(Role::Own, 200, 200), Some(Notice::Warning(_))));
        for (now, text) in [
            (201, "a.pem: CN=a expired on 1970-07-20 00:00:00 UTC: clients refuse this server"),
            (
                99,
                "a.pem: CN=a is not valid before 1970-04-11 00:00:00 UTC: clients refuse this server",
            ),
        ] {
            assert_eq!(told(Role::Own, 200, now), Some(Notice::Fault(text.into())));
        }
        assert!(matches!(told(Role::Authority, 200, 201), Some(Notice::Warning(_))));
    }

    #[test]
    fn a_list_is_warned_of_in_the_last_third_of_its_time() {
        assert_eq!(told(Role::List, 109, 106), None);
        assert!(matches!(told(Role::List, 109, 107), Some(Notice::Warning(_))));
        assert!(matches!(told(Role::List, 109, 110), Some(Notice::Fault(_))));
    }
}
