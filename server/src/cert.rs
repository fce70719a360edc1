//! Certificates without another tool: a local authority, the certificates that it issues and
//! revokes, a request to a public authority, and the contents of a file.
//!
//! No text from here, for a person or for the log, contains a byte of a private key.

pub(crate) mod authority;
pub(crate) mod file;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod show;
pub(crate) mod subject;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::CertificateParams;
use sift_proto::der::DerError;
use sift_proto::identity::IdentityError;

/// The default validity of an authority: a bit more than ten years.
pub(crate) const AUTHORITY_DAYS: u32 = 3653;

/// The default validity of a certificate: a year, and a month for the renewal. Clients do not check
/// whether a server's certificate is revoked, so only its end limits the harm of a stolen key.
/// Apple's platforms do not accept more than 825 days, even from a private authority.
pub(crate) const LEAF_DAYS: u32 = 398;

/// The maximal validity: a century. A longer one is a typing error.
pub(crate) const DAYS_MAX: u32 = 36525;

/// The tolerance for clocks of clients that are slow.
const CLOCK_SKEW_SECONDS: i64 = 3600;

const DAY_SECONDS: i64 = 24 * 3600;

/// The reason why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {got} bytes, at most {bytes_max} are read", path.display())]
    TooLarge { path: PathBuf, got: usize, bytes_max: usize },
    #[error("{}: it is there already, and stays as it is; {hint}", path.display())]
    Exists { path: PathBuf, hint: &'static str },
    #[error(
        "there is no authority in {}; make one with `siftd cert authority`, or say with --dir where \
         it is", folder.display()
    )]
    NoAuthority { folder: PathBuf },
    #[error("{}: {error}", path.display())]
    Identity { path: PathBuf, error: IdentityError },
    #[error("the key cannot be put under a passphrase: {0}")]
    Encrypt(IdentityError),
    #[error("{}: a passphrase is expected, as text in its first line", path.display())]
    Passphrase { path: PathBuf },
    #[error("cannot load random state: the TLS library gives none")]
    Random,
    #[error("{}: no certificate in it", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{}: certificate {number} does not parse as X.509: {error}", path.display())]
    Certificate { path: PathBuf, number: usize, error: DerError },
    #[error(
        "{}: no private key that can be used: PKCS #8, SEC 1 or PKCS #1 is expected",
        path.display()
    )]
    Key { path: PathBuf },
    #[error("{} does not belong to the certificate in {}", key.display(), certificate.display())]
    KeyMismatch { key: PathBuf, certificate: PathBuf },
    #[error("{}: this certificate is not an authority, it may not sign others", path.display())]
    NotAuthority { path: PathBuf },
    #[error(
        "{}: the authority's name has parts that cannot be written again as they are",
        path.display()
    )]
    AuthorityName { path: PathBuf },
    #[error("{}: expired on {end}", path.display())]
    Expired { path: PathBuf, end: String },
    #[error("{}: not valid before {start}; is the clock right?", path.display())]
    NotYetValid { path: PathBuf, start: String },
    #[error(
        "{days} days are more than the authority itself has left: it ends on {end}; without --days \
         both end together"
    )]
    Outlives { days: u32, end: String },
    #[error(
        "{}: {issuer} has signed it, and only that authority can revoke it; this one is {authority}",
        path.display()
    )]
    NotIssued { path: PathBuf, issuer: String, authority: String },
    #[error(
        "{}: it is the authority itself; to end it, take it out of `client_ca` and of what clients \
         believe (--ca)", path.display()
    )]
    RevokesItself { path: PathBuf },
    #[error(
        "{}: not the one revocation list of {authority}; name another file with -o",
        path.display()
    )]
    NotItsList { path: PathBuf, authority: String },
    #[error("`{name}`: {why}")]
    Name { name: String, why: &'static str },
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// The validity of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Validity {
    start: i64,
    end: i64,
}

impl Validity {
    /// The start, an hour ago.
    fn days(days: u32) -> Self {
        let start = Utc::now().timestamp() - CLOCK_SKEW_SECONDS;
        Self { start, end: start + i64::from(days) * DAY_SECONDS }
    }

    /// Returns a validity of `days`, else of `default` days, else until `end`. It never lasts
    /// longer than `end`.
    fn within(days: Option<u32>, default: Option<u32>, end: DateTime<Utc>) -> Result<Self, Error> {
        let Some(wanted) = days.or(default) else {
            let start = Self::days(0).start;
            return Ok(Self { start, end: end.timestamp() });
        };
        let mut validity = Self::days(wanted);
        if validity.end > end.timestamp() {
            if let Some(days) = days {
                return Err(Error::Outlives { days, end: end.to_string() });
            }
            validity.end = end.timestamp();
        }
        Ok(validity)
    }

    fn write_to(self, params: &mut CertificateParams) {
        let since_1970 = |seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_1970(self.start);
        params.not_after = epoch + since_1970(self.end);
    }
}
