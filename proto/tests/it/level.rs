//! Tests of every combination of level, protocol, suite and group, against a second set of rules.

use sift_proto::level::{Level, LevelError, Protocol};

const SUITES: &[(u16, Protocol, &str)] = &[
    (0x1301, Protocol::Tls13, "AES-128-GCM"),
    (0x1302, Protocol::Tls13, "AES-256-GCM"),
    (0x1303, Protocol::Tls13, "ChaCha20"),
    (0xc009, Protocol::Tls11, "AES-128-CBC"),
    (0xc00a, Protocol::Tls11, "AES-256-CBC"),
    (0xc013, Protocol::Tls11, "AES-128-CBC"),
    (0xc014, Protocol::Tls11, "AES-256-CBC"),
    (0xc023, Protocol::Tls12, "AES-128-CBC"),
    (0xc024, Protocol::Tls12, "AES-256-CBC"),
    (0xc027, Protocol::Tls12, "AES-128-CBC"),
    (0xc028, Protocol::Tls12, "AES-256-CBC"),
    (0xc02b, Protocol::Tls12, "AES-128-GCM"),
    (0xc02c, Protocol::Tls12, "AES-256-GCM"),
    (0xc02f, Protocol::Tls12, "AES-128-GCM"),
    (0xc030, Protocol::Tls12, "AES-256-GCM"),
    (0xcca8, Protocol::Tls12, "ChaCha20"),
    (0xcca9, Protocol::Tls12, "ChaCha20"),
];

const CLASSIC_GROUPS: &[u16] = &[0x0017, 0x0018, 0x001d];
const HYBRID_GROUPS: &[u16] = &[0x11eb, 0x11ec];

fn expected(level: u8, protocol: Protocol, suite: u16, group: Option<u16>) -> bool {
    let Some(&(_, suite_protocol, cipher)) = SUITES.iter().find(|(number, ..)| *number == suite)
    else {
        return false;
    };
    let classic = group.is_some_and(|group| CLASSIC_GROUPS.contains(&group));
    let hybrid = group.is_some_and(|group| HYBRID_GROUPS.contains(&group));
    let cbc = cipher.ends_with("CBC");
    match protocol {
        Protocol::Tls11 => {
            suite_protocol == Protocol::Tls11 && level == 2 && (group.is_none() || classic)
        }
        Protocol::Tls12 => {
            // TLS 1.2 has the suites of TLS 1.1 too
            suite_protocol != Protocol::Tls13
                && (level == 2 || level == 3 && !cbc)
                && (group.is_none() || classic)
        }
        Protocol::Tls13 if suite_protocol != Protocol::Tls13 => false,
        Protocol::Tls13 if level == 2 => false,
        Protocol::Tls13 if level < 5 => classic || hybrid,
        Protocol::Tls13 => cipher != "AES-128-GCM" && group == Some(0x11ec),
    }
}

#[test]
fn every_cell() {
    // every number of a suite or group, not only the known ones
    for level in Level::ALL {
        for protocol in [Protocol::Tls11, Protocol::Tls12, Protocol::Tls13] {
            for number in 0..=u16::MAX {
                for group in [None, Some(0x11ec), Some(0x001d)] {
                    let permitted = level.permits(protocol, number, group);
                    let due = expected(level.number(), protocol, number, group);
                    assert_eq!(permitted, due, "{level} {protocol} {number:#06x} {group:?}");
                }
                for (suite, ..) in SUITES {
                    let permitted = level.permits(protocol, *suite, Some(number));
                    let due = expected(level.number(), protocol, *suite, Some(number));
                    assert_eq!(permitted, due, "{level} {protocol} {suite:#06x} {number:#06x}");
                }
            }
        }
    }
}

#[test]
fn protocols_of_each_level() {
    assert_eq!(Level::Two.protocols(), [Protocol::Tls12, Protocol::Tls11]);
    assert_eq!(Level::Three.protocols(), [Protocol::Tls13, Protocol::Tls12]);
    assert_eq!(Level::Four.protocols(), [Protocol::Tls13]);
    assert_eq!(Level::Five.protocols(), [Protocol::Tls13]);
    assert_eq!(Protocol::Tls11.to_string(), "TLSv1.1");
    assert_eq!(Protocol::Tls12.to_string(), "TLSv1.2");
    assert_eq!(Protocol::Tls13.to_string(), "TLSv1.3");
}

#[test]
fn a_level_permits_nothing_outside_its_protocols() {
    for level in Level::ALL {
        for (suite, protocol, _) in SUITES {
            let permitted = level.permits(*protocol, *suite, Some(0x11ec))
                || level.permits(*protocol, *suite, Some(0x001d));
            assert!(!permitted || level.protocols().contains(protocol));
        }
    }
}

#[test]
fn a_higher_level_permits_nothing_that_a_lower_one_refuses() {
    // level 2 is for peers without TLS 1.3, and does not have it
    for pair in Level::ALL[1..].windows(2) {
        for (suite, protocol, _) in SUITES {
            for group in [None, Some(0x0017), Some(0x001d), Some(0x11eb), Some(0x11ec)] {
                let [lower, higher] = [pair[0], pair[1]];
                assert!(lower < higher);
                assert!(
                    lower.permits(*protocol, *suite, group)
                        || !higher.permits(*protocol, *suite, group)
                );
            }
        }
    }
}

#[test]
fn numbers() {
    assert_eq!(Level::from_number(0), Ok(Level::Three));
    assert_eq!(Level::from_number(1), Err(LevelError::Retired));
    assert_eq!(Level::Two.among(&Level::ALL[1..]), Err(LevelError::NotBuilt(2)));
    assert_eq!(Level::Three.among(&Level::ALL[1..]), Ok(Level::Three));
    for level in Level::ALL {
        assert_eq!(Level::from_number(level.number()), Ok(*level));
        assert_eq!(level.to_string().parse(), Ok(*level));
    }
    for number in 6..=u8::MAX {
        assert_eq!(Level::from_number(number), Err(LevelError::Unknown(number)));
    }
}

#[test]
fn texts() {
    let refusal = |text: &str| text.parse::<Level>().expect_err("refused").to_string();
    assert_eq!("0".parse(), Ok(Level::DEFAULT));
    assert_eq!(refusal("1"), "level 1 is retired");
    assert_eq!(
        LevelError::NotBuilt(2).to_string(),
        "level 2 needs a build with the feature `legacy-tls` (cargo build --features legacy-tls)"
    );
    assert_eq!(refusal("6"), "unknown level 6; levels are 0 (the default), 2, 3, 4 and 5");
    assert_eq!(refusal("+3"), "`+3` is not a level; levels are 0 (the default), 2, 3, 4 and 5");
    assert_eq!(refusal(""), "`` is not a level; levels are 0 (the default), 2, 3, 4 and 5");
    assert_eq!(refusal("256"), "`256` is not a level; levels are 0 (the default), 2, 3, 4 and 5");
    let long = "x".repeat(1000);
    assert!(refusal(&long).len() < 100);
}
