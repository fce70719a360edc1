//! Conventions of the trade, against values that their makers have published.

use arrow::datatypes::TimestampMicrosecondType;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// The one value of a field, as text.
fn value(encoding: Encoding, storage: Storage, bytes: &[u8]) -> Option<String> {
    let array = decode(&layout_in(encoding, storage, bytes.len(), &[]), &[bytes.to_vec()]).ok()?;
    arrow::util::display::array_value_to_string(&array, 0).ok()
}

/// IBM, Enterprise COBOL for z/OS Programming Guide, 'Examples: numeric data and internal
/// representation'.
#[test]
fn numbers_are_those_of_enterprise_cobol() {
    let zoned = |word: &str| Storage::Zoned { sign: sign(word), scale: 0 };
    let (order, scale) = (ByteOrder::Big, 0);
    let cases = [
        (zoned("overpunch"), "F1 F2 F3 C4", "1234"),
        (zoned("overpunch"), "F1 F2 F3 D4", "-1234"),
        (zoned("overpunch"), "F1 F2 F3 F4", "1234"),
        (Storage::Digits { scale }, "F1 F2 F3 F4", "1234"),
        (zoned("leading-overpunch"), "C1 F2 F3 F4", "1234"),
        (zoned("leading-overpunch"), "D1 F2 F3 F4", "-1234"),
        (zoned("leading-separate"), "4E F1 F2 F3 F4", "1234"),
        (zoned("leading-separate"), "60 F1 F2 F3 F4", "-1234"),
        (zoned("separate"), "F1 F2 F3 F4 4E", "1234"),
        (zoned("separate"), "F1 F2 F3 F4 60", "-1234"),
        (Storage::Integer { order, scale }, "04 D2", "1234"),
        (Storage::Integer { order, scale }, "FB 2E", "-1234"),
        (Storage::Packed { scale }, "01 23 4C", "1234"),
        (Storage::Packed { scale }, "01 23 4D", "-1234"),
        (Storage::Packed { scale }, "01 23 4F", "1234"),
        (Storage::HexFloat { order }, "43 4D 20 00", "1234.0"),
        (Storage::HexFloat { order }, "C3 4D 20 00", "-1234.0"),
        (Storage::HexFloat { order }, "43 4D 20 00 00 00 00 00", "1234.0"),
    ];
    for (storage, bytes, expected) in cases {
        for encoding in [Encoding::Cp037, Encoding::Cp1047] {
            let found = value(encoding, storage, &hex(bytes));
            assert_eq!(found.as_deref(), Some(expected), "{storage:?} {bytes}");
        }
    }
}

/// IBM z/Architecture Principles of Operation, 'Decimal Instructions': A, C, E, F are plus, B and D
/// minus, the others no signs.
#[test]
fn the_signs_of_packed_decimals() {
    for half in 0..16_u8 {
        let found = value(Encoding::Utf8, Storage::Packed { scale: 0 }, &[0x12, 0x30 | half]);
        let expected = match half {
            0xA | 0xC | 0xE | 0xF => Some("123"),
            0xB | 0xD => Some("-123"),
            _ => None,
        };
        assert_eq!(found.as_deref(), expected, "{half:X}");
    }
}

/// IBM z/Architecture Principles of Operation, 'Hexadecimal-Floating-Point Instructions', its
/// examples of numbers; -118.625 as in every text about the format.
#[test]
#[allow(clippy::float_cmp, reason = "exact values")]
fn floats_of_ibm() {
    let float = |bytes: &str| {
        let bytes = hex(bytes);
        let storage = Storage::HexFloat { order: ByteOrder::Big };
        let found = numbers::<Float64Type>(storage, bytes.len(), std::slice::from_ref(&bytes))[0];
        let reversed = bytes.iter().rev().copied().collect();
        let little = Storage::HexFloat { order: ByteOrder::Little };
        assert_eq!(numbers::<Float64Type>(little, bytes.len(), &[reversed])[0], found);
        found
    };
    assert_eq!(float("41 10 00 00"), 1.0);
    assert_eq!(float("40 80 00 00"), 0.5);
    assert_eq!(float("3F 40 00 00"), 1.0 / 64.0);
    assert_eq!(float("00 00 00 00").to_bits(), 0.0_f64.to_bits());
    assert_eq!(float("80 00 00 00").to_bits(), (-0.0_f64).to_bits());
    assert_eq!(float("C1 F0 00 00"), -15.0);
    assert_eq!(float("C2 76 A0 00"), -118.625);
    // 16^-65 and (1 - 16^-6) * 16^63, the ends of the short format's range
    assert_eq!(float("00 10 00 00"), 16_f64.powi(-65));
    assert_eq!(float("7F FF FF FF"), (1.0 - 16_f64.powi(-6)) * 16_f64.powi(63));
    assert_eq!(float("7F FF FF FF FF FF FF FF"), 16_f64.powi(63));
    // not normalised, and the very smallest
    assert_eq!(float("44 00 00 10"), 1.0 / 16.0);
    assert_eq!(float("00 00 00 00 00 00 00 01"), 2_f64.powi(-312));
    // 2^53 + 1 and 2^53 + 3 lie between two doubles: to the even one
    assert_eq!(float("4E 20 00 00 00 00 00 01"), 9_007_199_254_740_992.0);
    assert_eq!(float("4E 20 00 00 00 00 00 03"), 9_007_199_254_740_996.0);
}

/// Value by value against the definition, in arithmetic of whole numbers.
#[test]
fn short_floats_of_ibm_are_exact() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let (fraction, exponent) = (random.u32(0..1 << 24), random.u32(58..70));
        let bytes = (exponent << 24 | fraction).to_be_bytes().to_vec();
        let storage = Storage::HexFloat { order: ByteOrder::Big };
        let found = numbers::<Float64Type>(storage, 4, &[bytes])[0];
        // in units of 16^-12
        let expected = f64::from(fraction) * 16_f64.powi(i32::try_from(exponent).unwrap() - 70);
        assert!((found - expected).abs() == 0.0, "{exponent} {fraction}");
    }
}

#[test]
fn packed_decimals_without_sign() {
    for length in 1..=19 {
        let expected: Vec<i128> = samples(2 * length).into_iter().map(i128::abs).collect();
        let values: Vec<_> = expected.iter().map(|&v| packed(v, length + 1, '0')).collect();
        // without the last byte there is neither the sign nor the digit before it
        let shifted = |value: &Vec<u8>| {
            let digits: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
            let digits = &digits[1..=2 * length];
            (0..length).map(|at| u8::from_str_radix(&digits[2 * at..][..2], 16).unwrap()).collect()
        };
        let values: Vec<Vec<u8>> = values.iter().map(shifted).collect();
        let scaled = Storage::UnsignedPacked { scale: 1 };
        assert_eq!(numbers::<Decimal128Type>(scaled, length, &values), expected);
    }
    let storage = Storage::UnsignedPacked { scale: 0 };
    assert_eq!(
        complaint(storage, b"\x12\x34", b"\x12\x3C"),
        "t.dat: record 42 (byte 1006), field `f`: 12 3C is not a packed decimal without sign"
    );
}

/// The ASCII characters of numbers in EBCDIC.
fn ebcdic(bytes: &[u8]) -> Vec<u8> {
    let byte = |byte: &u8| match byte {
        b'0'..=b'9' => byte | 0xF0,
        b'p'..=b'y' => byte & 0x0F | 0xD0,
        b'+' => 0x4E,
        b'-' => 0x60,
        b' ' => 0x40,
        other => panic!("{other}"),
    };
    bytes.iter().map(byte).collect()
}

#[test]
fn zoned_decimals_of_every_length_in_ebcdic() {
    for (_, sign) in Sign::WORDS.iter().filter(|(_, s)| s.kind != SignKind::EbcdicOverpunch) {
        let more = usize::from(sign.kind == SignKind::Separate);
        for length in 1 + more..=38 + more {
            let expected = samples(length - more);
            let values: Vec<_> =
                expected.iter().map(|&v| ebcdic(&zoned(v, length, *sign))).collect();
            let scaled = Storage::Zoned { sign: *sign, scale: 1 };
            let layout = layout_in(Encoding::Cp037, scaled, length, &[]);
            let array = decode(&layout, &values).unwrap();
            assert_eq!(array.as_primitive::<Decimal128Type>().values().to_vec(), expected);
        }
    }
}

#[test]
fn no_other_byte_is_taken_for_a_digit_of_ebcdic() {
    let (overpunch, separate) = (sign("leading-overpunch"), sign("separate"));
    for byte in 0..=u8::MAX {
        for place in 0..9 {
            let mut bytes = ebcdic(b"12345678+");
            bytes[place] = byte;
            let found = value(Encoding::Cp037, Storage::Zoned { sign: separate, scale: 0 }, &bytes);
            let valid = if place < 8 {
                byte >= 0xF0 && byte & 15 < 10
            } else {
                matches!(byte, 0x4E | 0x60)
            };
            assert_eq!(found.is_some(), valid, "{place} {byte:02X}");
            bytes[8] = 0xF9;
            bytes[place] = byte;
            let found =
                value(Encoding::Cp037, Storage::Zoned { sign: overpunch, scale: 0 }, &bytes);
            let zones: &[u8] = if place == 0 { &[0xC, 0xD, 0xF] } else { &[0xF] };
            let valid = zones.contains(&(byte >> 4)) && byte & 15 < 10;
            assert_eq!(found.is_some(), valid, "{place} {byte:02X}");
        }
    }
}

#[test]
fn texts_of_code_pages() {
    // 'Zoë [1]' and spaces; the brackets are where the two pages differ
    let cases = [
        (Encoding::Latin1, "5A 6F EB 20 5B 31 5D 20 20"),
        (Encoding::Cp037, "E9 96 53 40 BA F1 BB 40 40"),
        (Encoding::Cp1047, "E9 96 53 40 AD F1 BD 40 40"),
    ];
    for (encoding, bytes) in cases {
        let found = value(encoding, Storage::Text, &hex(bytes));
        assert_eq!(found.as_deref(), Some("Zoë [1]"), "{encoding}");
    }
    // no byte is a fault
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for encoding in [Encoding::Latin1, Encoding::Cp037, Encoding::Cp1047] {
        let text = value(encoding, Storage::Text, &all).unwrap();
        assert_eq!(text.chars().count(), 256);
    }
}

#[test]
fn dates_by_their_format() {
    let cases = [
        ("YYYYMMDD", "20240229", Some("2024-02-29")),
        ("DDMMYYYY", "29022024", Some("2024-02-29")),
        ("MMDDYYYY", "02292024", Some("2024-02-29")),
        ("YYMMDD", "240229", Some("2024-02-29")),
        ("YYMMDD", "490101", Some("2049-01-01")),
        ("YYMMDD", "500101", Some("1950-01-01")),
        ("YYMMDD", "000229", Some("2000-02-29")),
        ("YYMMDD", "230229", None),
        ("CYYMMDD", "1240229", Some("2024-02-29")),
        ("CYYMMDD", "0991231", Some("1999-12-31")),
        ("YYYYDDD", "2024366", Some("2024-12-31")),
        ("YYYYDDD", "2023366", None),
        ("YYYYDDD", "2023000", None),
        ("YYYYDDD", "2024060", Some("2024-02-29")),
        ("YYDDD", "99001", Some("1999-01-01")),
        ("DDD/YY", "001/99", Some("1999-01-01")),
        ("YYYY-MM-DD", "2024-02-29", Some("2024-02-29")),
        ("YYYY-MM-DD", "2024/02/29", None),
        ("YYYY-MM-DD", "2024-02-2 ", None),
        ("DD.MM.YYYY", "29.02.2024", Some("2024-02-29")),
        ("YYMMDD", "24 229", None),
    ];
    for (format, text, expected) in cases {
        let (text, format) = (text.as_bytes(), format.to_owned());
        let storage = date(&format, Coding::Digits, Encoding::Utf8);
        assert_eq!(value(Encoding::Utf8, storage, text).as_deref(), expected, "{format}");
        let in_ebcdic: Vec<u8> = text.iter().map(|&byte| Encoding::Cp037.byte(byte)).collect();
        let storage = date(&format, Coding::Digits, Encoding::Cp037);
        assert_eq!(value(Encoding::Cp037, storage, &in_ebcdic).as_deref(), expected, "{format}");
    }
}

#[test]
fn dates_that_are_packed_or_binary() {
    let day = |format: &str, coding, bytes: &[u8]| {
        value(Encoding::Utf8, date(format, coding, Encoding::Utf8), bytes)
    };
    let packed = |format: &str, bytes: &str| day(format, Coding::Packed, &hex(bytes));
    assert_eq!(packed("YYYYMMDD", "02 02 40 22 9C").as_deref(), Some("2024-02-29"));
    assert_eq!(packed("YYMMDD", "02 40 22 9F").as_deref(), Some("2024-02-29"));
    assert_eq!(packed("YYDDD", "24 06 0C").as_deref(), Some("2024-02-29"));
    assert_eq!(packed("CYYMMDD", "12 40 22 9F").as_deref(), Some("2024-02-29"));
    assert_eq!(packed("YYYYMMDD", "00 00 02 02 40 22 9C").as_deref(), Some("2024-02-29"));
    // negative, another digit before the first, no sign, no digit
    for bytes in ["02 02 40 22 9D", "12 02 40 22 9C", "02 02 40 22 92", "02 02 4A 22 9C"] {
        assert_eq!(packed("YYYYMMDD", bytes), None, "{bytes}");
    }
    let unsigned = day("YYMMDD", Coding::UnsignedPacked, &hex("24 02 29"));
    assert_eq!(unsigned.as_deref(), Some("2024-02-29"));
    let number = 20_240_229_u32;
    let big = day("YYYYMMDD", Coding::Integer(ByteOrder::Big), &number.to_be_bytes());
    assert_eq!(big.as_deref(), Some("2024-02-29"));
    let little = day("YYYYMMDD", Coding::Integer(ByteOrder::Little), &number.to_le_bytes());
    assert_eq!(little.as_deref(), Some("2024-02-29"));
    assert_eq!(day("YYYYMMDD", Coding::Integer(ByteOrder::Big), &[0xFF; 4]), None);
}

#[test]
fn timestamps_by_their_format() {
    let storage = |format: &str, coding| {
        let format = Format::parse(format).unwrap();
        Storage::Timestamp(Moment::new(format, coding, 0, Encoding::Utf8))
    };
    let micros = 1_709_209_845_000_000;
    let cases: [(&str, &str, i64); 5] = [
        ("YYYYMMDDHHMMSS", "20240229123045", micros),
        ("YYYYMMDDHHMMSSffffff", "20240229123045000007", micros + 7),
        ("YYYYMMDDHHMMSSff", "2024022912304550", micros + 500_000),
        ("YYYY-MM-DD-HH.MM.SS.ffffff", "2024-02-29-12.30.45.123456", micros + 123_456),
        ("YYYYDDDHHMM", "20240601230", micros - 45_000_000),
    ];
    for (format, text, expected) in cases {
        let found = numbers::<TimestampMicrosecondType>(
            storage(format, Coding::Digits),
            text.len(),
            &[text.into()],
        );
        assert_eq!(found, [expected], "{format}");
    }
    let bytes = hex("20 24 02 29 12 30 45 12 34 56");
    let packed = storage("YYYYMMDDHHMMSSffffff", Coding::UnsignedPacked);
    assert_eq!(numbers::<TimestampMicrosecondType>(packed, 10, &[bytes]), [micros + 123_456]);
    for text in ["20240229240000", "20240229126000", "20240229123060", "20240230123045"] {
        let storage = storage("YYYYMMDDHHMMSS", Coding::Digits);
        assert_eq!(value(Encoding::Utf8, storage, text.as_bytes()), None, "{text}");
    }
}

#[test]
fn formats_that_are_none() {
    let cases = [
        ("YYYYMMD", "`D` is none of"),
        ("YYYMMDD", "`YYY` is none of"),
        ("yyyymmdd", "`yyyy` is none of"),
        ("MMDD", "a date has one year"),
        ("YYYYYYMMDD", "`YYYYYY` is none of"),
        ("YYYYMM", "a date has MM and DD, or DDD"),
        ("YYYYMMDDD", "a date has MM and DD, or DDD"),
        ("YYYYMMDDMM", "`MM` stands there twice"),
        ("YYYY YY MM DD", "a date has one year"),
        ("YYYYMMDDSS", "a time has HH, then MM, SS and f"),
        ("YYYYMMDDHHMMfff", "a time has HH, then MM, SS and f"),
        ("YYYYMMDDHHMMSSfffffff", "`fffffff` is none of"),
        ("", "a date has one year"),
        ("YYYY-MM-DD-HH.MM.SS.ffffff       ", "33 characters, at most 32"),
    ];
    for (format, expected) in cases {
        let complaint = Format::parse(format).unwrap_err().to_string();
        assert!(complaint.contains(expected), "{format}: {complaint}");
    }
}

#[test]
fn booleans_are_one_of_two_characters() {
    let storage = Storage::Boolean { yes: b'Y', no: b'N' };
    let values = [b"Y".to_vec(), b"N".to_vec(), b" ".to_vec()];
    let layout = layout_in(Encoding::Utf8, storage, 1, &[NullWhen::Spaces]);
    let array = decode(&layout, &values).unwrap();
    let found: Vec<_> = array.as_boolean().iter().collect();
    assert_eq!(found, [Some(true), Some(false), None]);
    let expected = "t.dat: record 42 (byte 1005), field `f`: 'y' is not a boolean";
    assert_eq!(complaint(storage, b"Y", b"y"), expected);
}

/// Constants that are NULL in the field's own coding and encoding, several at once.
#[test]
fn constants_of_every_coding() {
    let (utf8, cp037) = (Encoding::Utf8, Encoding::Cp037);
    let (spaces, zeros) = (NullWhen::Spaces, NullWhen::Zeros);
    let zoned = |word: &str| Storage::Zoned { sign: sign(word), scale: 0 };
    let both: &[NullWhen] = &[spaces, zeros];
    let cases: [(Encoding, Storage, &[NullWhen], &str, &str); 12] = [
        (cp037, Storage::Text, &[spaces], "40 40", "20 20"),
        (cp037, Storage::Digits { scale: 0 }, both, "40 40", "F0 F1"),
        (cp037, Storage::Digits { scale: 0 }, both, "F0 F0", "F0 F1"),
        (cp037, zoned("overpunch"), &[zeros], "F0 D0", "F0 D1"),
        (cp037, zoned("separate"), &[zeros], "F0 4E", "F1 4E"),
        (utf8, zoned("leading-separate"), &[zeros], "2D 30", "2D 31"),
        (utf8, zoned("ebcdic-overpunch"), &[zeros], "30 7B", "30 41"),
        (
            cp037,
            date("YYYY-MM-DD", Coding::Digits, cp037),
            both,
            "F0 F0 F0 F0 60 F0 F0 60 F0 F0",
            "F2 F0 F2 F4 60 F0 F2 60 F2 F9",
        ),
        (cp037, date("YYDDD", Coding::Digits, cp037), both, "40 40 40 40 40", "F2 F4 F0 F6 F0"),
        (utf8, date("YYMMDD", Coding::Packed, utf8), both, "00 00 00 0C", "02 40 22 9C"),
        (
            utf8,
            date("YYMMDD", Coding::Integer(ByteOrder::Big), utf8),
            &[zeros],
            "00 00 00",
            "03 AA 65",
        ),
        (utf8, Storage::HexFloat { order: ByteOrder::Big }, &[zeros], "00 00 00 00", "41 10 00 00"),
    ];
    for (encoding, storage, null_when, null, value) in cases {
        let (null, value) = (hex(null), hex(value));
        let layout = layout_in(encoding, storage, null.len(), null_when);
        let array = decode(&layout, &[value.clone(), null, value]).unwrap();
        let found: Vec<bool> = (0..3).map(|row| array.is_null(row)).collect();
        assert_eq!(found, [false, true, false], "{storage:?} {null_when:?}");
    }
    let storage = date("YYMMDD", Coding::Packed, utf8);
    assert_eq!(
        complaint(storage, &hex("02 40 22 9C"), &hex("00 00 00 0C")),
        "t.dat: record 42 (byte 1008), field `f`: 00 00 00 0C is not a date YYMMDD, pivot 50, packed; if that means NULL, say null_when = \"zeros\""
    );
}

#[test]
fn records_may_end_in_the_newline_of_ebcdic() {
    let mut layout = layout_in(Encoding::Cp1047, Storage::Text, 2, &[]);
    layout.terminator = Terminator::Nl;
    let bytes = hex("00 00 00 C1 C2 15 00 00 00 C3 C4 0A FF FF FF FF FF FF FF FF");
    let block = FixedBlock::new(&layout, &bytes, 0);
    assert_eq!(block.records(), 1);
    let fault = block.fault().unwrap().to_error("t.dat", 0).to_string();
    assert!(fault.starts_with("t.dat: record 2 (byte 6): '\\n' stands where"), "{fault}");
}
