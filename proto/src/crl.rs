//! A reader of certificate revocation lists: issuer, validity, and the revoked certificates.
//!
//! This file only reads, like `x509.rs`; a TLS library decides who is refused. The format is in RFC
//! 5280, section 5.

use chrono::{DateTime, Utc};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::{self, PemObject};

use crate::der::{
    BIT_STRING, DerError, ENUMERATED, GENERALIZED_TIME, INTEGER, Reader, SEQUENCE, UTC_TIME,
};
use crate::identity::IdentityError;
use crate::x509::{Name, context, extensions, name, time};

/// A revocation list that has been read.
#[derive(Debug)]
pub struct RevocationList {
    /// The authority that issued the certificates and signed the list.
    pub issuer: Name,
    /// The time at which the list was made.
    pub this_update: DateTime<Utc>,
    /// The time at which the next list is due. After it, this list is no longer valid.
    pub next_update: Option<DateTime<Utc>>,
    /// Its number, big-endian. Later lists have greater numbers.
    pub number: Option<Vec<u8>>,
    /// The revoked certificates, in the order of the list.
    pub revoked: Vec<Revoked>,
}

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The serial number: the contents of an INTEGER.
    pub serial: Vec<u8>,
    /// The time of the revocation.
    pub time: DateTime<Utc>,
    /// The reason: a number of RFC 5280, section 5.3.1.
    pub reason: Option<u8>,
}

/// Returns all lists in a PEM text, in their order.
///
/// # Errors
/// `Pem`.
pub fn lists(text: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, IdentityError> {
    CertificateRevocationListDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error: pem::Error| IdentityError::Pem(error.to_string()))
}

impl RevocationList {
    /// Reads a list. `der` must be exactly one.
    ///
    /// # Errors
    /// The place at which it is not a list, and the reason.
    pub fn parse(der: &[u8]) -> Result<Self, DerError> {
        let mut list = Reader::new(der).only(SEQUENCE)?.contents();
        let mut reader = list.open(SEQUENCE)?;
        let _signature_algorithm = list.expect(SEQUENCE)?;
        let _signature = list.expect(BIT_STRING)?;
        list.end()?;

        let _version = reader.optional(INTEGER)?;
        let _signature_algorithm = reader.expect(SEQUENCE)?;
        let issuer = name(&mut reader)?;
        let this_update = time(&mut reader)?;
        let has_next = reader.peek().is_some_and(|tag| matches!(tag, UTC_TIME | GENERALIZED_TIME));
        let next_update = if has_next { Some(time(&mut reader)?) } else { None };
        let mut revoked = Vec::new();
        if let Some(entries) = reader.optional(SEQUENCE)? {
            let mut entries = entries.contents();
            while !entries.is_empty() {
                revoked.push(entry(entries.open(SEQUENCE)?)?);
            }
        }
        let mut number = None;
        if let Some(wrapped) = reader.optional(context(0, true))? {
            for extension in extensions(wrapped.contents().only(SEQUENCE)?.contents()) {
                // id-ce-cRLNumber
                if let ([0x55, 0x1d, 20], value) = extension? {
                    number = Some(value.contents().only(INTEGER)?.value.to_vec());
                }
            }
        }
        reader.end()?;
        Ok(Self { issuer, this_update, next_update, number, revoked })
    }

    /// Returns whether the list contains a serial number (the contents of an INTEGER).
    pub fn revokes(&self, serial: &[u8]) -> bool {
        self.revoked.iter().any(|revoked| revoked.serial == serial)
    }
}

fn entry(mut entry: Reader<'_>) -> Result<Revoked, DerError> {
    let serial = entry.expect(INTEGER)?.value.to_vec();
    let time = time(&mut entry)?;
    let mut reason = None;
    if let Some(sequence) = entry.optional(SEQUENCE)? {
        for extension in extensions(sequence.contents()) {
            // id-ce-cRLReasons
            if let ([0x55, 0x1d, 21], value) = extension? {
                let element = value.contents().only(ENUMERATED)?;
                let [number] = *element.value else {
                    return Err(element.error("a reason of one byte expected"));
                };
                reason = Some(number);
            }
        }
    }
    entry.end()?;
    Ok(Revoked { serial, time, reason })
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
        IsCa, KeyIdMethod, KeyPair, RevocationReason, RevokedCertParams, SerialNumber,
    };

    use super::*;

    fn sample(revoked: &[&[u8]]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: rcgen::date_time_ymd(2026, 1, 2),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: Some(rcgen::date_time_ymd(2026, 1, 1)),
        });
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 3),
            next_update: rcgen::date_time_ymd(2050, 1, 1),
            crl_number: SerialNumber::from(300),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&issuer).unwrap().der().to_vec()
    }

    #[test]
    fn a_list_is_read() {
        let list = RevocationList::parse(&sample(&[&[1, 2], &[0x80]])).unwrap();
        assert_eq!(list.issuer.to_string(), "CN=rcgen self signed cert");
        assert_eq!(list.this_update.to_string(), "2026-01-03 00:00:00 UTC");
        assert_eq!(list.next_update.unwrap().to_string(), "2050-01-01 00:00:00 UTC");
        assert_eq!(list.number.as_deref(), Some(&[1, 44][..]));
        assert_eq!(list.revoked.len(), 2);
        assert_eq!(list.revoked[0].reason, Some(1));
        assert_eq!(list.revoked[0].time.to_string(), "2026-01-02 00:00:00 UTC");
        // a serial number is positive, so DER adds a zero byte before 0x80
        assert!(list.revokes(&[1, 2]) && list.revokes(&[0, 0x80]) && !list.revokes(&[1]));
        assert!(RevocationList::parse(&sample(&[])).unwrap().revoked.is_empty());
    }

    #[test]
    fn no_part_and_no_changed_byte_is_a_panic() {
        let der = sample(&[&[1, 2]]);
        for end in 0..der.len() {
            assert!(RevocationList::parse(&der[..end]).is_err());
        }
        for at in 0..der.len() {
            for value in [0, 0x1f, 0x30, 0x80, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = value;
                let _ = RevocationList::parse(&changed);
            }
        }
    }
}
