//! Tests of the descriptions against the output of `openssl ciphers -v`.
//!
//! `openssl-ciphers.txt` is the unchanged output of OpenSSL 3.0 for these suites: `openssl ciphers
//! -V 'ALL:@SECLEVEL=0' | grep -E '(TLS_|ECDHE-(RSA|ECDSA)-(AES|CHACHA))' | grep -v CCM`, `-V` is
//! `-v` with IANA's number in front.

use std::collections::BTreeMap;

use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, ALL_KX_GROUPS};
use sift_proto::cipher::{DESCRIPTION_BYTES_MAX, describe, group_name};
use sift_proto::level::{Level, Protocol};

const GOLDEN: &str = include_str!("../openssl-ciphers.txt");

fn golden() -> BTreeMap<u16, String> {
    let line = |line: &str| {
        let (number, text) = line.split_once(" - ").expect("number - description");
        let number = number.trim().replace("0x", "").replace(',', "");
        let words: Vec<&str> = text.split_whitespace().collect();
        (u16::from_str_radix(&number, 16).expect("a number"), words.join(" "))
    };
    GOLDEN.lines().map(line).collect()
}

#[test]
fn every_suite_is_described_as_openssl_does() {
    let golden = golden();
    assert_eq!(golden.len(), 17);
    for suite in 0..=u16::MAX {
        let described = describe(suite);
        assert_eq!(described, golden.get(&suite).map(String::as_str), "suite {suite:#06x}");
        assert!(described.is_none_or(|text| text.len() <= DESCRIPTION_BYTES_MAX));
    }
}

#[test]
fn every_suite_of_a_level_is_described_with_its_protocol_or_an_older_one() {
    for level in Level::ALL {
        for protocol in level.protocols() {
            for suite in level.suites(*protocol) {
                let described = describe(*suite).unwrap();
                let since = described.split(' ').nth(1).unwrap();
                assert!(*since <= protocol.to_string()[..], "{level} {protocol} {described}");
            }
        }
    }
}

#[test]
fn every_suite_of_the_tls_library_is_described() {
    for suite in ALL_CIPHER_SUITES {
        let number = u16::from(suite.suite());
        let described = describe(number).unwrap_or_else(|| panic!("{:?}", suite.suite()));
        let protocol = if suite.tls13().is_some() { Protocol::Tls13 } else { Protocol::Tls12 };
        assert_eq!(described.split(' ').nth(1), Some(protocol.to_string().as_str()));
    }
}

#[test]
fn every_permitted_group_has_the_name_that_iana_gave_it() {
    for group in 0..=u16::MAX {
        let permitted = Level::Three.permits(Protocol::Tls13, 0x1302, Some(group));
        assert_eq!(group_name(group) != "unknown", permitted, "group {group:#06x}");
    }
    for group in ALL_KX_GROUPS {
        let number = u16::from(group.name());
        let named = group_name(number);
        assert!(named == "unknown" || named == format!("{:?}", group.name()), "{named}");
    }
}
