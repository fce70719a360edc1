//! A private certificate authority in a folder: `authority.pem` is for everybody who trusts it, and
//! only its owner can read `authority.key`.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use sift_proto::der::{IA5_STRING, PRINTABLE_STRING, UTF8_STRING};
use sift_proto::x509::{Certificate, Name};

use super::file::{self, Existing, Readers};
use super::subject::{Subject, common_name};
use super::{AUTHORITY_DAYS, Error, LEAF_DAYS, Validity};

const EXISTS: &str = "clients that believe it would believe no other; issue with it, or name another folder with --dir";

/// An authority that can sign.
pub(crate) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    path: PathBuf,
    pub(super) certificate: Certificate,
}

/// The files of an authority.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Its revocation list, if it has revoked a certificate.
    pub(crate) list: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            certificate: folder.join("authority.pem"),
            key: folder.join("authority.key"),
            list: folder.join("authority.crl"),
        }
    }
}

/// Makes an authority in `folder`; one that is there is never touched.
///
/// Without a name it has one that no other authority has: clients look for an authority by its
/// name, and would find a wrong one with the right name to be a bad signature.
pub(crate) fn create(
    folder: &Path,
    name: Option<&str>,
    days: Option<u32>,
    passphrase: Option<&str>,
) -> Result<Files, Error> {
    name.map_or(Ok(()), common_name)?;
    let files = Files::new(folder);
    file::must_not_exist(&files.certificate, EXISTS)?;
    file::must_not_exist(&files.key, EXISTS)?;

    let mut params = CertificateParams::new(Vec::new())?;
    let key = KeyPair::generate()?;
    let name = name.map_or_else(|| own_name(&params, &key), str::to_owned);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // it signs servers and clients, and no further authorities
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Validity::days(days.unwrap_or(AUTHORITY_DAYS)).write_to(&mut params);
    let certificate = params.self_signed(&key)?;

    let keep = Existing::Keep { hint: EXISTS };
    file::write(&files.key, &file::key_pem(&key, passphrase)?, Readers::Owner, keep)?;
    if let Err(error) =
        file::write(&files.certificate, &certificate.pem(), Readers::Everybody, keep)
    {
        // a key without a certificate is useless, and would prevent the next authority
        let _ = fs::remove_file(&files.key);
        return Err(error);
    }
    Ok(files)
}

fn own_name(params: &CertificateParams, key: &KeyPair) -> String {
    let digits = params.key_identifier(key).into_iter().take(4).map(|byte| format!("{byte:02x}"));
    format!("Sift authority {}", digits.collect::<String>())
}

impl Authority {
    /// `passphrase` is that of its key, where it has one.
    pub(crate) fn open(folder: &Path, passphrase: Option<&str>) -> Result<Self, Error> {
        let files = Files::new(folder);
        let path = files.certificate;
        if !path.exists() {
            return Err(Error::NoAuthority { folder: folder.into() });
        }
        let certificate = file::certificate(&path)?;
        if !certificate.authority {
            return Err(Error::NotAuthority { path });
        }
        let unusable = || Error::Key { path: files.key.clone() };
        let text = file::read(&files.key)?;
        let key = file::private_key(&files.key, &text, passphrase)?.ok_or_else(unusable)?;
        let key = KeyPair::try_from(&key).map_err(|_may_quote_the_key| unusable())?;
        if key.subject_public_key_info() != certificate.public_key {
            return Err(Error::KeyMismatch { key: files.key, certificate: path });
        }
        let issuer = Issuer::new(issuer_params(&path, &certificate)?, key);
        Ok(Self { issuer, path, certificate })
    }

    /// A certificate with a new key, as one PEM: certificate first, then key.
    ///
    /// Without `days` it is valid for [`LEAF_DAYS`], or as long as the authority is. The key is put
    /// under `passphrase`, if there is one.
    pub(crate) fn issue(
        &self,
        subject: &Subject,
        days: Option<u32>,
        passphrase: Option<&str>,
    ) -> Result<String, Error> {
        let validity = self.validity(days, Some(LEAF_DAYS))?;
        let mut params = subject.params()?;
        validity.write_to(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let issued = Certificate::parse(certificate.der());
        if !issued.is_ok_and(|issued| issued.issuer.der == self.certificate.subject.der) {
            return Err(Error::AuthorityName { path: self.path.clone() });
        }
        Ok(certificate.pem() + &file::key_pem(&key, passphrase)?)
    }

    /// Returns the validity of something that it signs: `days`, else `default` days, else the time
    /// until the end of the authority.
    pub(super) fn validity(
        &self,
        days: Option<u32>,
        default: Option<u32>,
    ) -> Result<Validity, Error> {
        let end = self.certificate.not_after;
        if end <= Utc::now() {
            return Err(Error::Expired { path: self.path.clone(), end: end.to_string() });
        }
        Validity::within(days, default, end)
    }
}

/// Returns rcgen's parameters of the authority's certificate, with which it signs.
fn issuer_params(path: &Path, certificate: &Certificate) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = distinguished_name(&certificate.subject)
        .ok_or_else(|| Error::AuthorityName { path: path.into() })?;
    if let Some(identifier) = &certificate.key_identifier {
        params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.clone());
    }
    Ok(params)
}

fn distinguished_name(name: &Name) -> Option<DistinguishedName> {
    let mut distinguished = DistinguishedName::new();
    for attribute in &name.attributes {
        let value = std::str::from_utf8(&attribute.value).ok()?;
        let value = match attribute.tag {
            UTF8_STRING => DnValue::Utf8String(value.to_owned()),
            PRINTABLE_STRING => DnValue::PrintableString(PrintableString::try_from(value).ok()?),
            IA5_STRING => DnValue::Ia5String(Ia5String::try_from(value).ok()?),
            _ => return None,
        };
        // the attributes that people use are 2.5.4.n
        let kind = match attribute.kind[..] {
            [0x55, 4, last @ 0..=0x7f] => DnType::from_oid(&[2, 5, 4, last.into()]),
            _ => return None,
        };
        distinguished.push(kind, value);
    }
    Some(distinguished)
}
