//! The revocation list of a private authority: certificates are added to the list, and it is signed
//! again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use sift_proto::crl::{self, RevocationList, Revoked};

use super::Error;
use super::authority::Authority;
use super::file::{self, Existing, Readers};

/// The maximal length of a serial number (RFC 5280, section 4.1.2.2).
const SERIAL_BYTES_MAX: usize = 20;

/// The maximal length of a list, in bytes, as servers read it: about 400,000 certificates.
const LIST_BYTES_MAX: usize = 16 << 20;

/// The result of a revocation.
#[derive(Debug)]
pub(crate) struct Revocation {
    /// The number of certificates that were not revoked before.
    pub(crate) added: usize,
    /// True if there was no earlier list.
    pub(crate) is_new: bool,
    /// The number of all certificates in the list.
    pub(crate) revoked: usize,
    /// The end of the list.
    pub(crate) end: DateTime<Utc>,
}

/// Parses a serial number in hexadecimal digits, which may have colons between them.
pub(crate) fn parse_serial(text: &str) -> Result<Arc<[u8]>, String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let digits = digits.trim_start_matches('0');
    let digits =
        if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let bytes = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.contains('+'))?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.filter(|bytes| (1..=SERIAL_BYTES_MAX).contains(&bytes.len())).map(Arc::from).ok_or_else(
        || "a serial number of 1 to 20 bytes is expected, in hexadecimal digits".to_owned(),
    )
}

impl Authority {
    /// Returns the serial number of the first certificate in a file. Its issuer must be this
    /// authority.
    pub(crate) fn serial_of(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let certificate = file::certificate(path)?;
        if certificate.issuer.der != self.certificate.subject.der {
            return Err(Error::NotIssued {
                path: path.into(),
                issuer: certificate.issuer.to_string(),
                authority: self.certificate.subject.to_string(),
            });
        }
        if certificate.is_self_issued() {
            return Err(Error::RevokesItself { path: path.into() });
        }
        Ok(magnitude(&certificate.serial).to_vec())
    }

    /// Writes the list in `path` again, with `serials` added. The list ends after `days`, or else
    /// with the authority.
    pub(crate) fn revoke(
        &self,
        path: &Path,
        own: &Path,
        serials: &[Vec<u8>],
        days: Option<u32>,
    ) -> Result<Revocation, Error> {
        let validity = self.validity(days, None)?;
        // two that revoke at once would each leave out what the other adds
        let _turn = file::turn(path)?;
        let earlier = match self.earlier(path)? {
            // a list at another path continues the authority's own list
            None if path != own => self.earlier(own)?,
            earlier => earlier,
        };
        let is_new = earlier.is_none();
        let now = Utc::now();
        let (mut entries, number) = match earlier {
            Some(list) => (list.revoked, list.number.unwrap_or_default()),
            None => (Vec::new(), Vec::new()),
        };
        let before = entries.len();
        for serial in serials {
            if entries.iter().all(|known| magnitude(&known.serial) != serial) {
                entries.push(Revoked { serial: serial.clone(), time: now, reason: None });
            }
        }
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let date = |seconds: i64| epoch + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let revoked = entries.iter().map(|entry| RevokedCertParams {
            serial_number: SerialNumber::from_slice(magnitude(&entry.serial)),
            revocation_time: date(entry.time.timestamp()),
            reason_code: entry.reason.and_then(reason),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date(validity.start),
            next_update: date(validity.end),
            crl_number: SerialNumber::from(next(&number)),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: match &self.certificate.key_identifier {
                Some(identifier) => KeyIdMethod::PreSpecified(identifier.clone()),
                None => KeyIdMethod::Sha256,
            },
        };
        let pem = list.signed_by(&self.issuer)?.pem()?;
        if pem.len() > LIST_BYTES_MAX {
            return Err(Error::TooLarge {
                path: path.into(),
                got: pem.len(),
                bytes_max: LIST_BYTES_MAX,
            });
        }
        file::write(path, &pem, Readers::Everybody, Existing::Replace)?;
        Ok(Revocation {
            added: entries.len() - before,
            is_new,
            revoked: entries.len(),
            end: DateTime::from_timestamp(validity.end, 0).unwrap_or(now),
        })
    }

    /// Reads the list in `path`, if there is one.
    fn earlier(&self, path: &Path) -> Result<Option<RevocationList>, Error> {
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let lists = crl::lists(&file::read_most(path, LIST_BYTES_MAX)?)
            .map_err(|error| Error::Identity { path: path.into(), error })?;
        let list = match &lists[..] {
            [list] => RevocationList::parse(list).ok(),
            _ => None,
        };
        match list {
            Some(list) if list.issuer.der == self.certificate.subject.der => Ok(Some(list)),
            _ => Err(Error::NotItsList {
                path: path.into(),
                authority: self.certificate.subject.to_string(),
            }),
        }
    }
}

/// Returns the number without leading zeros. DER adds one where the first bit would be a sign.
fn magnitude(integer: &[u8]) -> &[u8] {
    let start = integer.iter().position(|byte| *byte != 0).unwrap_or(integer.len());
    integer.get(start..).unwrap_or_default()
}

/// Returns the number for the next list. The number of a list from another program may be too long
/// for this; then the time in seconds is used instead.
fn next(number: &[u8]) -> u64 {
    let bytes = magnitude(number);
    let number = bytes.iter().try_fold(0_u64, |number, byte| {
        number.checked_mul(256).map(|number| number | u64::from(*byte))
    });
    let seconds = || u64::try_from(Utc::now().timestamp()).unwrap_or(0);
    number.and_then(|number| number.checked_add(1)).unwrap_or_else(seconds)
}

/// Translates a reason of RFC 5280, section 5.3.1.
fn reason(number: u8) -> Option<RevocationReason> {
    Some(match number {
        1 => RevocationReason::KeyCompromise,
        2 => RevocationReason::CaCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        6 => RevocationReason::CertificateHold,
        8 => RevocationReason::RemoveFromCrl,
        9 => RevocationReason::PrivilegeWithdrawn,
        10 => RevocationReason::AaCompromise,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_other_programs_write_them() {
        for text in ["8f01", "8F:01", "00:8f:01", "008f01"] {
            assert_eq!(*parse_serial(text).unwrap(), [0x8f, 1], "{text}");
        }
        assert_eq!(*parse_serial("f01").unwrap(), [0x0f, 1]);
        for text in ["", "0", "xy", "+1", "8f 01", "é1", &"11".repeat(21)] {
            assert!(parse_serial(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_lists_grow() {
        assert_eq!([next(&[]), next(&[0]), next(&[0, 0xff]), next(&[1, 0])], [1, 1, 256, 257]);
        assert!(next(&[0xff; 20]) > 1_000_000_000);
    }
}
