//! Shows the contents of a PEM file: each certificate, and whether the key in the file belongs to
//! it and is protected.

use std::fmt::{self, Write};
use std::path::Path;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use sift_proto::identity::IdentityError;
use sift_proto::x509::{Certificate, serial_text};

use super::file;
use super::{DAY_SECONDS, Error};

/// All that is to be said of a file.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// Several lines for each certificate, and one for the key.
    pub(crate) text: String,
    /// Warnings about a file that can be used.
    pub(crate) warnings: Vec<String>,
    /// Why it cannot be used.
    pub(crate) fault: Option<Error>,
}

pub(crate) fn show(path: &Path, passphrase: Option<&str>) -> Result<Sheet, Error> {
    let text = file::read(path)?;
    let chain = file::certificates(path, &text)?;
    let now = Utc::now();
    let mut sheet = Sheet { text: String::new(), warnings: Vec::new(), fault: None };
    for (number, der) in (1..).zip(&chain) {
        let certificate = Certificate::parse(der).map_err(|error| Error::Certificate {
            path: path.into(),
            number,
            error,
        })?;
        if chain.len() > 1 {
            sheet.line(format_args!("certificate {number} of {}", chain.len()));
        }
        sheet.certificate(&certificate, der, now);
        if sheet.fault.is_none() {
            sheet.fault = out_of_time(path, &certificate, now);
        }
    }
    sheet.key(path, &text, passphrase, chain)?;
    Ok(sheet)
}

fn out_of_time(path: &Path, certificate: &Certificate, now: DateTime<Utc>) -> Option<Error> {
    if now > certificate.not_after {
        let end = certificate.not_after.to_string();
        return Some(Error::Expired { path: path.into(), end });
    }
    let start = certificate.not_before;
    (now < start).then(|| Error::NotYetValid { path: path.into(), start: start.to_string() })
}

impl Sheet {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // a String takes everything
        let _ = writeln!(self.text, "{line}");
    }

    fn certificate(&mut self, certificate: &Certificate, der: &[u8], now: DateTime<Utc>) {
        let names = match &certificate.alternative_texts()[..] {
            [] => "(none)".to_owned(),
            names => names.join(", "),
        };
        let known_as = match &certificate.names()[..] {
            [] => "(no name that counts)".to_owned(),
            names => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let purpose = match (certificate.authority, &certificate.purposes[..]) {
            (true, _) => "signing certificates (an authority)".to_owned(),
            (false, []) => "any purpose".to_owned(),
            (false, purposes) => purposes.join(", "),
        };
        let issuer = if certificate.is_self_issued() {
            "itself".to_owned()
        } else {
            certificate.issuer.to_string()
        };
        self.line(format_args!("subject      {}", certificate.subject));
        self.line(format_args!("names        {names}"));
        if !certificate.authority {
            self.line(format_args!("known as     {known_as}"));
        }
        self.line(format_args!("issuer       {issuer}"));
        self.line(format_args!("serial       {}", serial_text(&certificate.serial)));
        self.line(format_args!(
            "valid        {} to {}, {}",
            certificate.not_before,
            certificate.not_after,
            remaining(certificate, now)
        ));
        self.line(format_args!("for          {purpose}"));
        self.line(format_args!("key          {}", certificate.key_kind));
        self.line(format_args!("SHA-256      {}", fingerprint(der)));
    }

    fn key(
        &mut self,
        path: &Path,
        text: &[u8],
        passphrase: Option<&str>,
        chain: Vec<CertificateDer<'static>>,
    ) -> Result<(), Error> {
        let key = match file::private_key(path, text, passphrase) {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(()),
            Err(Error::Identity { error: IdentityError::NoPassphrase, .. }) => {
                self.line(format_args!("private key  in this file, under a passphrase"));
                return self.readers(path);
            }
            Err(error) => return Err(error),
        };
        match CertifiedKey::from_der(chain, key, &default_provider()) {
            Ok(_) => self.line(format_args!("private key  in this file, the certificate's")),
            Err(rustls::Error::InconsistentKeys(_)) => {
                self.line(format_args!("private key  in this file, NOT the certificate's"));
                self.fault =
                    Some(Error::KeyMismatch { key: path.into(), certificate: path.into() });
            }
            Err(_may_quote_the_key) => return Err(Error::Key { path: path.into() }),
        }
        self.readers(path)
    }

    fn readers(&mut self, path: &Path) -> Result<(), Error> {
        if let Some(mode) = file::open_mode(path)? {
            self.warnings.push(format!(
                "{}: its private key is open to others (mode {mode:04o}): chmod 600, and if others \
                 may have read it, issue a new one",
                path.display()
            ));
        }
        Ok(())
    }
}

fn remaining(certificate: &Certificate, now: DateTime<Utc>) -> String {
    let days = |seconds: i64| match seconds / DAY_SECONDS {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let left = (certificate.not_after - now).num_seconds();
    if left < 0 {
        format!("EXPIRED {} ago", days(-left))
    } else if now < certificate.not_before {
        "NOT YET VALID".to_owned()
    } else {
        format!("{} left", days(left))
    }
}

/// Returns the fingerprint in the form of browsers and `openssl x509 -fingerprint -sha256`.
fn fingerprint(der: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, der);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}
