//! For whom a certificate is: the names of a server, or a user; checked once, then turned into
//! what the certificate says.

use std::net::IpAddr;

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::DnsName;

use super::Error;

/// ub-common-name of RFC 5280.
const COMMON_NAME_CHARACTERS_MAX: usize = 64;

/// A server with more names has a wildcard for them.
const NAMES_MAX: usize = 100;

/// Whom a certificate is for.
#[derive(Debug)]
pub(crate) enum Subject {
    Server(Vec<SanType>),
    Client(String),
}

impl Subject {
    /// A server with these DNS names (the first label may be `*`) and IP addresses.
    pub(crate) fn server(names: &[String]) -> Result<Self, Error> {
        if let Some(name) = names.get(NAMES_MAX) {
            let why = "the 101st name, at most 100 are accepted";
            return Err(Error::Name { name: name.clone(), why });
        }
        let mut checked = Vec::new();
        for name in names {
            let name = alternative_name(name)?;
            if !checked.contains(&name) {
                checked.push(name);
            }
        }
        Ok(Self::Server(checked))
    }

    /// A user of clients.
    pub(crate) fn client(name: &str) -> Result<Self, Error> {
        common_name(name)?;
        Ok(Self::Client(name.to_owned()))
    }

    /// All but the validity.
    pub(crate) fn params(&self) -> Result<CertificateParams, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        // agreeing on keys is not among them: every suite that is served is ephemeral
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        match self {
            Self::Server(names) => {
                params.subject_alt_names = names.clone();
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                // only for people: clients look at the alternative names
                if let Some(name) = names.first().map(text).filter(|name| common_name(name).is_ok())
                {
                    params.distinguished_name.push(DnType::CommonName, name);
                }
            }
            Self::Client(name) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                params.distinguished_name.push(DnType::CommonName, name.clone());
            }
        }
        Ok(params)
    }
}

/// Checks a name of a person, a program or an authority.
pub(crate) fn common_name(name: &str) -> Result<(), Error> {
    let why = if name.trim().is_empty() {
        "a name is expected"
    } else if name.chars().count() > COMMON_NAME_CHARACTERS_MAX {
        "too long, at most 64 characters are accepted"
    } else if name.chars().any(char::is_control) {
        "control characters do not belong in a name"
    } else {
        return Ok(());
    };
    Err(Error::Name { name: name.escape_debug().to_string(), why })
}

fn alternative_name(name: &str) -> Result<SanType, Error> {
    let refused = |why| Error::Name { name: name.escape_debug().to_string(), why };
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    if !name.is_ascii() {
        return Err(refused("write an international name in its ASCII form, xn--…"));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let exact = match name.strip_prefix("*.") {
        Some(rest) if !rest.contains('.') => {
            return Err(refused("a wildcard stands for one label before two or more others"));
        }
        Some(rest) => rest,
        None => &name,
    };
    let expected = "a DNS name or an IP address is expected, without scheme, port or brackets";
    DnsName::try_from(exact).map_err(|_invalid| refused(expected))?;
    // what looks like an address and is none would never be asked for as a name
    if exact.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit())) {
        return Err(refused(expected));
    }
    Ok(SanType::DnsName(Ia5String::try_from(name.as_str())?))
}

fn text(name: &SanType) -> String {
    match name {
        SanType::DnsName(name) => name.as_str().to_owned(),
        SanType::IpAddress(address) => address.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers() {
        for name in ["localhost", "a.example", "A.Example.", "*.example.com", "10.0.0.1", "::1"] {
            assert!(alternative_name(name).is_ok(), "{name}");
        }
        let refused = [
            "",
            ".",
            "a:7330",
            "https://a",
            "[::1]",
            "*",
            "*.com",
            "a.*.com",
            "10.0.0",
            "1.2.3.4.5",
            "a b",
            "münchen.de",
            "a/b",
            "-a-",
        ];
        for name in refused {
            assert!(alternative_name(name).is_err(), "{name}");
        }
        assert_eq!(alternative_name("A.Example.").unwrap(), alternative_name("a.example").unwrap());
    }

    #[test]
    fn names_of_people() {
        assert!(common_name("Zoë of Example").is_ok());
        for name in ["", "  ", "a\nb", &"x".repeat(65)] {
            assert!(common_name(name).is_err(), "{name}");
        }
    }
}
