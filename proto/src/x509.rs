//! A reader of X.509 certificates: subject, names, issuer, validity, key and purposes.
//!
//! This file only reads; a TLS library decides whether a certificate is trusted. RFC 5280, section
//! 4.1.

use std::collections::HashSet;
use std::fmt::{self, Write};
use std::net::IpAddr;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::der::{
    BIT_STRING, BOOLEAN, DerError, Element, GENERALIZED_TIME, IA5_STRING, INTEGER,
    OBJECT_IDENTIFIER, OCTET_STRING, PRINTABLE_STRING, Reader, SEQUENCE, SET, UTC_TIME,
    UTF8_STRING,
};
use crate::owner::{NameKind, OwnerName};

/// A certificate that has been read.
#[derive(Debug)]
pub struct Certificate {
    /// The name of the owner.
    pub subject: Name,
    /// The name of the authority that signed it.
    pub issuer: Name,
    /// The serial number, which the issuer chose: the contents of an INTEGER.
    pub serial: Vec<u8>,
    /// The start of its validity.
    pub not_before: DateTime<Utc>,
    /// The end of its validity.
    pub not_after: DateTime<Utc>,
    /// The SubjectPublicKeyInfo, with the algorithm, as DER.
    pub public_key: Vec<u8>,
    /// The algorithm and the size of its key, such as `ECDSA P-256`.
    pub key_kind: String,
    /// The subject's alternative names, in their order; `None` without the extension.
    pub alternative_names: Option<Vec<AlternativeName>>,
    /// True for an authority, which may sign certificates.
    pub authority: bool,
    /// The purposes that it may be used for, such as `server`. An empty list means any purpose.
    pub purposes: Vec<&'static str>,
    /// The identifier of its key. The certificates that it signs contain the same identifier.
    pub key_identifier: Option<Vec<u8>>,
}

/// One of a subject's alternative names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A DNS name; the first label may be `*`.
    Dns(String),
    /// A mail address.
    Mail(String),
    /// A URI.
    Uri(String),
    /// An IP address.
    Ip(IpAddr),
    /// A name of another kind, or a name that is not plain text.
    Other,
}

/// A distinguished name: the exact bytes, and the attributes in their order.
#[derive(Debug)]
pub struct Name {
    /// The encoding. Names are compared by it.
    pub der: Vec<u8>,
    /// The attributes, the most general first.
    pub attributes: Vec<Attribute>,
}

/// One attribute of a distinguished name.
#[derive(Debug)]
pub struct Attribute {
    /// The contents of the object identifier, DER.
    pub kind: Vec<u8>,
    /// The tag of the value, which is the kind of the string.
    pub tag: u8,
    /// The bytes of the string.
    pub value: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate. `der` must be exactly one.
    ///
    /// # Errors
    /// The place at which it is not a certificate, and the reason.
    pub fn parse(der: &[u8]) -> Result<Self, DerError> {
        let mut certificate = Reader::new(der).only(SEQUENCE)?.contents();
        let mut reader = certificate.open(SEQUENCE)?;
        let _signature_algorithm = certificate.expect(SEQUENCE)?;
        let _signature = certificate.expect(BIT_STRING)?;
        certificate.end()?;

        let _version = reader.optional(context(0, true))?;
        let serial = reader.expect(INTEGER)?.value.to_vec();
        let _signature_algorithm = reader.expect(SEQUENCE)?;
        let issuer = name(&mut reader)?;
        let mut validity = reader.open(SEQUENCE)?;
        let not_before = time(&mut validity)?;
        let not_after = time(&mut validity)?;
        let subject = name(&mut reader)?;
        let public_key = reader.expect(SEQUENCE)?;
        let mut parsed = Self {
            subject,
            issuer,
            serial,
            not_before,
            not_after,
            public_key: public_key.whole.to_vec(),
            key_kind: key_kind(public_key.contents())?,
            alternative_names: None,
            authority: false,
            purposes: Vec::new(),
            key_identifier: None,
        };
        let _issuer_id = reader.optional(context(1, false))?;
        let _subject_id = reader.optional(context(2, false))?;
        if let Some(extensions) = reader.optional(context(3, true))? {
            parsed.read_extensions(extensions.contents().only(SEQUENCE)?.contents())?;
        }
        reader.end()?;
        Ok(parsed)
    }

    /// Returns the names that identify its owner, each once. They are the DNS names, mail
    /// addresses, URIs and IP addresses among the alternative names. The subject's common name
    /// counts only in a certificate without the extension for alternative names. Names that are not
    /// plain text are left out.
    pub fn names(&self) -> Vec<OwnerName> {
        let mut names: Vec<OwnerName> = match &self.alternative_names {
            Some(alternative) => alternative.iter().filter_map(AlternativeName::owner).collect(),
            None => self.common_name().into_iter().collect(),
        };
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// Returns the alternative names as people write them, for messages.
    pub fn alternative_texts(&self) -> Vec<String> {
        self.alternative_names.iter().flatten().map(ToString::to_string).collect()
    }

    /// Compares the names of subject and issuer. They are equal only in a certificate that was
    /// issued by its own subject.
    pub fn is_self_issued(&self) -> bool {
        self.subject.der == self.issuer.der
    }

    /// Returns the last common name, which is the most specific one. In directories, the earlier
    /// ones name containers.
    fn common_name(&self) -> Option<OwnerName> {
        let mut attributes = self.subject.attributes.iter().rev();
        let attribute = attributes.find(|attribute| attribute.kind == COMMON_NAME)?;
        let text = match attribute.tag {
            UTF8_STRING => plain_text(&attribute.value),
            PRINTABLE_STRING | IA5_STRING => ascii_text(&attribute.value),
            // the bytes of other string types would be read as another text
            _ => None,
        }?;
        Some(OwnerName { kind: NameKind::Common, text })
    }

    fn read_extensions(&mut self, list: Reader<'_>) -> Result<(), DerError> {
        for extension in extensions(list) {
            let (kind, extension) = extension?;
            let mut value = extension.contents();
            // the last byte of id-ce, 2.5.29
            match kind {
                [0x55, 0x1d, 14] => {
                    self.key_identifier = Some(value.expect(OCTET_STRING)?.value.to_vec());
                }
                [0x55, 0x1d, 17] => {
                    let names = alternative_names(value)?;
                    // RFC 5280 forbids a second extension, and programs would disagree about which
                    // of them counts
                    if self.alternative_names.replace(names).is_some() {
                        return Err(extension.error("one extension for alternative names expected"));
                    }
                }
                [0x55, 0x1d, 19] => {
                    let flag = value.only(SEQUENCE)?.contents().optional(BOOLEAN);
                    self.authority = matches!(flag, Ok(Some(flag)) if flag.value != [0]);
                }
                [0x55, 0x1d, 37] => self.purposes = purposes(value)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl AlternativeName {
    fn owner(&self) -> Option<OwnerName> {
        let (kind, text) = match self {
            Self::Dns(text) => (NameKind::Dns, text.clone()),
            Self::Mail(text) => (NameKind::Mail, text.clone()),
            Self::Uri(text) => (NameKind::Uri, text.clone()),
            Self::Ip(address) => (NameKind::Ip, address.to_string()),
            Self::Other => return None,
        };
        Some(OwnerName { kind, text })
    }
}

/// Returns the object identifier and the value of each extension. An error is the last item.
pub(crate) fn extensions(
    mut list: Reader<'_>,
) -> impl Iterator<Item = Result<(&[u8], Element<'_>), DerError>> {
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || list.is_empty() {
            return None;
        }
        let extension = list.open(SEQUENCE).and_then(|mut extension| {
            let kind = extension.expect(OBJECT_IDENTIFIER)?.value;
            let _critical = extension.optional(BOOLEAN)?;
            Ok((kind, extension.expect(OCTET_STRING)?))
        });
        broken = extension.is_err();
        Some(extension)
    })
}

/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];

pub(crate) const fn context(number: u8, constructed: bool) -> u8 {
    0x80 | number | if constructed { 0x20 } else { 0 }
}

pub(crate) fn name(reader: &mut Reader<'_>) -> Result<Name, DerError> {
    let element = reader.expect(SEQUENCE)?;
    let mut sets = element.contents();
    let mut attributes = Vec::new();
    while !sets.is_empty() {
        let mut set = sets.open(SET)?;
        while !set.is_empty() {
            let mut attribute = set.open(SEQUENCE)?;
            let kind = attribute.expect(OBJECT_IDENTIFIER)?.value.to_vec();
            let value = attribute.element()?;
            attributes.push(Attribute { kind, tag: value.tag, value: value.value.to_vec() });
        }
    }
    Ok(Name { der: element.whole.to_vec(), attributes })
}

/// Reads a time. RFC 5280 allows UTC to the second only; a year of two digits is from 1950 to 2049.
pub(crate) fn time(reader: &mut Reader<'_>) -> Result<DateTime<Utc>, DerError> {
    let element = reader.element()?;
    time_of(&element).ok_or_else(|| element.error("a time in UTC expected, to the second"))
}

fn time_of(element: &Element<'_>) -> Option<DateTime<Utc>> {
    let digits = std::str::from_utf8(element.value).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let full = match (element.tag, digits.len()) {
        (UTC_TIME, 12) if digits < "5" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    Some(NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%S").ok()?.and_utc())
}

fn key_kind(mut key: Reader<'_>) -> Result<String, DerError> {
    let mut algorithm = key.open(SEQUENCE)?;
    let kind = algorithm.expect(OBJECT_IDENTIFIER)?.value;
    // other parameters are not the name of a curve
    let curve = algorithm.optional(OBJECT_IDENTIFIER).ok().flatten().map(|curve| curve.value);
    let bits = key.expect(BIT_STRING)?;
    Ok(match (kind, curve) {
        ([0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7])) => {
            "ECDSA P-256".to_owned()
        }
        ([0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], Some([0x2b, 0x81, 4, 0, 34])) => {
            "ECDSA P-384".to_owned()
        }
        ([0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], Some([0x2b, 0x81, 4, 0, 35])) => {
            "ECDSA P-521".to_owned()
        }
        ([0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], _) => "ECDSA on another curve".to_owned(),
        ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], _) => {
            format!("RSA, {} bits", rsa_bits(&bits)?)
        }
        ([0x2b, 0x65, 0x70], _) => "Ed25519".to_owned(),
        _ => "another kind".to_owned(),
    })
}

/// Returns the number of bits of the modulus, without leading zeros.
fn rsa_bits(key: &Element<'_>) -> Result<u64, DerError> {
    let modulus = key.bit_string()?.only(SEQUENCE)?.contents().expect(INTEGER)?;
    let zeros = modulus.value.iter().take_while(|byte| **byte == 0).count();
    let digits = modulus.value.get(zeros..).unwrap_or_default();
    let first = digits.first().ok_or_else(|| modulus.error("an RSA modulus above 0 expected"))?;
    Ok(digits.len() as u64 * 8 - u64::from(first.leading_zeros()))
}

fn alternative_names(value: Reader<'_>) -> Result<Vec<AlternativeName>, DerError> {
    let mut reader = value.only(SEQUENCE)?.contents();
    let mut names = Vec::new();
    while !reader.is_empty() {
        let name = reader.element()?;
        let text = |kind: fn(String) -> AlternativeName| {
            ascii_text(name.value).map_or(AlternativeName::Other, kind)
        };
        names.push(match name.tag {
            0x81 => text(AlternativeName::Mail),
            0x82 => text(AlternativeName::Dns),
            0x86 => text(AlternativeName::Uri),
            0x87 => match (<[u8; 4]>::try_from(name.value), <[u8; 16]>::try_from(name.value)) {
                (Ok(four), _) => AlternativeName::Ip(four.into()),
                (_, Ok(six)) => AlternativeName::Ip(six.into()),
                _ => return Err(name.error("an IP address of 4 or 16 bytes expected")),
            },
            _ => AlternativeName::Other,
        });
    }
    Ok(names)
}

/// Returns a text without control characters. It means the same for a person, in a log and in a
/// comparison; a NUL, for example, could end it for one of them.
fn plain_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}

/// Returns plain text in ASCII. An IA5String or a PrintableString contains nothing else.
fn ascii_text(bytes: &[u8]) -> Option<String> {
    plain_text(bytes).filter(|text| text.is_ascii())
}

fn purposes(value: Reader<'_>) -> Result<Vec<&'static str>, DerError> {
    let mut reader = value.only(SEQUENCE)?.contents();
    let mut purposes = Vec::new();
    while !reader.is_empty() {
        purposes.push(match reader.expect(OBJECT_IDENTIFIER)?.value {
            [0x2b, 6, 1, 5, 5, 7, 3, 1] => "server",
            [0x2b, 6, 1, 5, 5, 7, 3, 2] => "client",
            [0x55, 0x1d, 37, 0] => "any purpose",
            _ => "another purpose",
        });
    }
    Ok(purposes)
}

/// The name is displayed as people write it.
impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) | Self::Mail(text) | Self::Uri(text) => f.write_str(text),
            Self::Ip(address) => address.fmt(f),
            Self::Other => f.write_str("(a name of another kind)"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.attributes.is_empty() {
            return f.write_str("(empty)");
        }
        for (number, attribute) in self.attributes.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            let kind = match attribute.kind[..] {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 5] => "serialNumber",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                _ => "another attribute",
            };
            write!(f, "{kind}={}", printable(&attribute.value))?;
        }
        Ok(())
    }
}

/// Formats a time in seconds since 1970 like the times of a [`Certificate`].
pub fn time_text(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "a time beyond all calendars".to_owned(), |time| time.to_string())
}

/// Formats a serial number as other programs write it: hexadecimal digits without leading zeros.
pub fn serial_text(serial: &[u8]) -> String {
    let digits: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    }
}

/// Returns a text of a file with escapes in place of control characters.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            let _ = write!(text, "{}", character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests;
