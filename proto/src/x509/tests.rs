use rcgen::string::{BmpString, Ia5String, TeletexString, UniversalString};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, KeyPair, SanType,
};

use super::*;

fn sample() -> Vec<u8> {
    let names = ["a.example".to_owned(), "::1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a\u{1b}[31m");
    params.not_before = rcgen::date_time_ymd(1999, 12, 31);
    params.not_after = rcgen::date_time_ymd(2050, 1, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn both_kinds_of_time_and_of_address() {
    let parsed = Certificate::parse(&sample()).unwrap();
    assert_eq!(parsed.not_before.to_string(), "1999-12-31 00:00:00 UTC");
    assert_eq!(parsed.not_after.to_string(), "2050-01-01 00:00:00 UTC");
    assert_eq!(parsed.alternative_texts(), ["a.example", "::1"]);
    assert_eq!(parsed.key_kind, "ECDSA P-256");
    assert_eq!(parsed.subject.to_string(), "CN=a\\u{1b}[31m");
}

/// Returns the names of a certificate with the changed parameters.
fn names(change: impl FnOnce(&mut CertificateParams)) -> Vec<String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let names = Certificate::parse(certificate.der()).unwrap().names();
    names.iter().map(ToString::to_string).collect()
}

/// Returns an extension for alternative names with these contents.
fn alternative(contents: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(&[2, 5, 29, 17], contents.to_vec())
}

#[test]
fn names_have_their_kinds_and_each_counts_once() {
    let found = names(|params| {
        params.subject_alt_names = vec![
            SanType::DnsName("b.example".try_into().unwrap()),
            SanType::Rfc822Name("zoe@b.example".try_into().unwrap()),
            SanType::URI("urn:b".try_into().unwrap()),
            SanType::IpAddress("::1".parse().unwrap()),
            SanType::DnsName("b.example".try_into().unwrap()),
            SanType::DnsName("*.b.example".try_into().unwrap()),
        ];
    });
    let expected =
        ["dns:b.example", "mail:zoe@b.example", "uri:urn:b", "ip:::1", "dns:*.b.example"];
    assert_eq!(found, expected);
}

#[test]
fn a_common_name_counts_only_without_alternative_names() {
    let common = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::OrganizationName, "B");
        params.distinguished_name.push(DnType::CommonName, "Zoë");
    };
    assert_eq!(names(common), ["cn:Zoë"]);
    let dns = SanType::DnsName("b.example".try_into().unwrap());
    let found = names(|params| {
        common(params);
        params.subject_alt_names.push(dns);
    });
    assert_eq!(found, ["dns:b.example"]);
    // no names, another kind, bytes that are not ASCII, a NUL, an empty name
    for contents in [
        &[0x30, 0][..],
        &[0x30, 4, 0x88, 2, 0x2a, 3],
        &[0x30, 3, 0x82, 1, 0xff],
        &[0x30, 6, 0x82, 4, b'a', 0, b'.', b'b'],
        &[0x30, 2, 0x81, 0],
    ] {
        let found = names(|params| {
            common(params);
            params.custom_extensions.push(alternative(contents));
        });
        assert!(found.is_empty(), "{contents:x?}: {found:?}");
    }
}

#[test]
fn a_second_extension_of_alternative_names_is_refused() {
    let mut params = CertificateParams::new(["b.example".to_owned()]).unwrap();
    params.custom_extensions.push(alternative(&[0x30, 3, 0x82, 1, b'a']));
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let error = Certificate::parse(certificate.der()).unwrap_err().to_string();
    assert!(error.ends_with(": one extension for alternative names expected"), "{error}");
}

#[test]
fn only_strings_that_everybody_reads_alike_are_common_names() {
    let found =
        |value: DnValue| names(|params| params.distinguished_name.push(DnType::CommonName, value));
    assert_eq!(found(DnValue::Utf8String("Zoë".to_owned())), ["cn:Zoë"]);
    assert_eq!(found(DnValue::PrintableString("ann".try_into().unwrap())), ["cn:ann"]);
    assert_eq!(found(DnValue::Ia5String(Ia5String::try_from("ann").unwrap())), ["cn:ann"]);
    // one character whose two bytes are the text of another name
    let wide = BmpString::try_from("\u{6161}").unwrap();
    let universal = UniversalString::try_from("ann").unwrap();
    for value in [
        DnValue::BmpString(wide),
        DnValue::TeletexString(TeletexString::try_from("ann").unwrap()),
        DnValue::UniversalString(universal),
        DnValue::Utf8String("ann\0.example".to_owned()),
        DnValue::Utf8String("a\u{1b}[31m".to_owned()),
        DnValue::Utf8String(String::new()),
    ] {
        let shown = format!("{value:?}");
        assert!(found(value).is_empty(), "{shown}");
    }
    let long = "x".repeat(10_000);
    assert_eq!(found(DnValue::Utf8String(long.clone())), [format!("cn:{long}")]);
}

#[test]
fn of_several_common_names_the_most_specific_counts() {
    // rcgen writes each attribute only once, so the name with CN=Users and CN=Ann is built from
    // bytes
    let attribute = |text: &[u8]| {
        let length = u8::try_from(text.len()).unwrap();
        let mut der = vec![0x31, length + 9, 0x30, length + 7, 6, 3, 0x55, 4, 3, 0x0c, length];
        der.extend(text);
        der
    };
    let name = [attribute(b"Users"), attribute(b"Ann")].concat();
    let name = [&[0x30, u8::try_from(name.len()).unwrap()][..], &name].concat();
    let subject = super::name(&mut Reader::new(&name)).unwrap();
    let mut parsed = Certificate::parse(&sample()).unwrap();
    parsed.alternative_names = None;
    parsed.subject = subject;
    assert_eq!(parsed.names().iter().map(ToString::to_string).collect::<Vec<_>>(), ["cn:Ann"]);
}

#[test]
fn serial_numbers_are_hexadecimal() {
    assert_eq!(serial_text(&[0, 0x8f, 0x01]), "8f01");
    assert_eq!(serial_text(&[0]), "0");
}

#[test]
fn no_part_and_no_changed_byte_is_a_panic() {
    let der = sample();
    for end in 0..der.len() {
        assert!(Certificate::parse(&der[..end]).is_err());
    }
    for at in 0..der.len() {
        for value in [0, 0x1f, 0x30, 0x80, 0x84, 0x88, 0xff] {
            let mut changed = der.clone();
            changed[at] = value;
            if let Ok(parsed) = Certificate::parse(&changed) {
                let _ = parsed.subject.to_string();
            }
        }
    }
}
