use super::{boolean, interval, number, time};
use crate::value::Value;

fn text_of(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

/// Checks each text against the value that PostgreSQL 15 reads, or `none` for a refused text.
fn check(read: impl Fn(&str) -> String, texts: &[(&str, &str)]) {
    for (text, expected) in texts {
        assert_eq!(read(text), *expected, "'{text}'");
    }
}

#[test]
fn intervals() {
    check(
        |text| text_of(interval::parse(text)),
        &[
            ("1 day", "1 day"),
            ("3 months 2 days", "3 mons 2 days"),
            ("14 mons", "1 year 2 mons"),
            ("02:03:04", "02:03:04"),
            ("-02:03:04.5", "-02:03:04.5"),
            ("- 02:03", "-02:03:00"),
            ("1.5 days", "1 day 12:00:00"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 years", "1 year 6 mons"),
            ("2 weeks ago", "-14 days"),
            ("-1 day +2 hours", "-1 days +02:00:00"),
            ("1 day -02:03", "1 day -02:03:00"),
            ("90 minutes", "01:30:00"),
            ("5", "00:00:05"),
            ("0", "00:00:00"),
            ("1y 2mons", "1 year 2 mons"),
            ("-1 year 2 mons", "-10 mons"),
            (" @ 1 day ago ", "-1 days"),
            ("1 day, 2 hours", "1 day 02:00:00"),
            // a number without a unit
            ("3 4:05:06", "3 days 04:05:06"),
            ("1 2 hours", "1 day 02:00:00"),
            ("1-2", "1 year 2 mons"),
            ("-1-2", "-1 years -2 mons"),
            ("1-2 3 4:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("1-2 3 days 4:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("1 day hours", "1 day"),
            ("1:02.5", "00:01:02.5"),
            ("1:00:60", "01:01:00"),
            // units that occur twice
            ("1 2", "none"),
            ("1 day 1 day", "none"),
            ("1:00 2:00", "none"),
            ("1 hour 1:00", "none"),
            ("1.5 sec 1 ms", "none"),
            ("1 sec 1 ms", "00:00:01.001"),
            ("1 week 1 day", "8 days"),
            ("1 year 1 decade", "11 years"),
            // PostgreSQL replaces the fraction of a day before a time by that time
            ("02:03 1.5 days", "1 day 02:03:00"),
            ("1.5 days 02:03", "1 day 14:03:00"),
            // fractions
            ("0.0000005 sec", "00:00:00"),
            ("0.0000015 sec", "00:00:00.000001"),
            ("0.00000051 sec", "00:00:00.000001"),
            ("00:00:00.0000005", "00:00:00"),
            ("00:00:00.9999999", "00:00:01"),
            (".5 days", "12:00:00"),
            ("1. day", "1 day"),
            ("-.5 days", "none"),
            ("1.day", "none"),
            // ISO 8601
            ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
            ("P1W", "7 days"),
            ("P-1Y", "-1 years"),
            ("P1.5D", "1 day 12:00:00"),
            ("PT0.5S", "00:00:00.5"),
            ("PT", "none"),
            ("P1", "none"),
            (" P1D", "none"),
            ("P1D ", "none"),
            ("p1d", "none"),
            ("P1E2D", "none"),
            // texts that are not intervals
            ("", "none"),
            ("day", "none"),
            ("ago", "none"),
            ("1 ago", "none"),
            ("1 dayz", "none"),
            ("1day2hours", "none"),
            ("1y2mon3d4h5m6s", "1 year 2 mons 3 days 04:05:06"),
            ("1d+2h", "1 day 02:00:00"),
            ("1d-2h", "none"),
            ("1hr2m", "none"),
            ("1:2:3.", "01:02:03"),
            ("1:99", "none"),
            ("1:-5", "none"),
            ("1:2:-3", "none"),
            ("9223372036854775807:00", "none"),
            ("9223372036854775807 us", "2562047788:00:54.775807"),
            ("1:", "none"),
            ("1-", "none"),
            ("1-12", "none"),
            ("1-2-3", "none"),
            ("1e3 days", "none"),
            ("infinity", "none"),
            ("99999999999 years", "none"),
            ("200000000 years", "none"),
            ("1\u{a0}day", "none"),
        ],
    );
}

#[test]
fn dates() {
    // days since 1970-01-01
    check(
        |text| text_of(time::date(text)),
        &[
            ("1970-01-02", "1"),
            ("1970-1-2", "1"),
            ("19700102", "1"),
            (" 1970-01-02\n", "1"),
            ("1970-01-02 10:00:00", "1"),
            ("1970-01-02T23:59:59.9999999Z", "1"),
            ("1970-01-02 24:00", "1"),
            ("1970-01-02 AD", "1"),
            ("0001-01-01", "-719162"),
            ("0001-12-31 BC", "-719163"),
            ("4714-11-24 BC", "-2440588"),
            ("4714-11-23 BC", "none"),
            ("5874897-12-31", "2145042905"),
            ("5874898-01-01", "none"),
            ("999-01-01", "-354650"),
            ("0000-01-01", "none"),
            ("0000-01-01 BC", "none"),
            ("-0001-01-01", "none"),
            ("24-02-28", "none"),
            ("1-1-1", "none"),
            ("2023-02-29", "none"),
            ("1900-02-29", "none"),
            ("2024-13-01", "none"),
            ("2024-00-01", "none"),
            ("2024-01-00", "none"),
            ("2024-001", "none"),
            ("2024-01-001", "none"),
            ("2024-01", "none"),
            ("240228", "none"),
            ("2024-01-01 10", "none"),
            ("2024-01-01 25:00", "none"),
            ("2024-01-01T", "none"),
            ("2024-01-01Z", "none"),
            ("1970\u{2010}01-02", "none"),
            ("1970-01-02\u{a0}", "none"),
            ("today", "none"),
            ("infinity", "none"),
            ("", "none"),
        ],
    );
}

#[test]
fn timestamps() {
    // microseconds since 1970-01-01
    check(
        |text| text_of(time::timestamp(text)),
        &[
            ("1970-01-01", "0"),
            ("1970-01-01 00:01", "60000000"),
            ("1970-01-01T00:00:01.5", "1500000"),
            ("1970-01-01t0:0:1", "1000000"),
            ("19700101 00:00:01", "1000000"),
            ("1970-01-01 00:00:00.1234564", "123456"),
            ("1970-01-01 00:00:00.1234565", "123456"),
            ("1970-01-01 00:00:00.1234567", "123457"),
            ("1970-01-01 23:59:59.9999999", "86400000000"),
            ("1970-01-01 24:00:00", "86400000000"),
            ("1970-01-01 23:59:60", "86400000000"),
            ("1970-01-01 00:00:60.5", "60500000"),
            ("1970-01-01 24:00:01", "none"),
            ("1970-01-01 23:59:61", "none"),
            ("1970-01-01 00:60", "none"),
            // a timestamp without time zone ignores the offset
            ("1970-01-01 00:00:01Z", "1000000"),
            ("1970-01-01T00:00:01+05:30", "1000000"),
            ("1970-01-01 00:00:01-0800", "1000000"),
            ("1970-01-01 00:00:01 +02", "1000000"),
            ("1970-01-01 00:00:01+16", "none"),
            ("1970-01-01 00:00:01+05:60", "none"),
            ("1970-01-01 00:00:01 Europe/Paris", "none"),
            ("1970-01-01 +02", "none"),
            ("1970-01-01 00:00:01 PM", "none"),
            ("1970-01-01 00:00:01.", "1000000"),
            ("1970-01-01 00:00:01.5.5", "none"),
            ("1970-01-01 00:00:01 BC", "-124302815999000000"),
            ("294248-01-01", "none"),
            ("epoch", "none"),
        ],
    );
}

#[test]
fn numbers() {
    check(
        |text| text_of(number::whole::<i64>(text)),
        &[
            (" 7\t", "7"),
            ("\u{b}+7", "7"),
            ("-007", "-7"),
            ("7\u{a0}", "none"),
            ("7.0", "none"),
            ("7e0", "none"),
            ("- 7", "none"),
            ("1_000", "none"),
            ("0x10", "none"),
            ("", "none"),
            ("9223372036854775808", "none"),
        ],
    );
    check(
        |text| text_of(number::float64(text)),
        &[
            (" 1.5 ", "1.5"),
            ("1.", "1"),
            (".5", "0.5"),
            ("1e3", "1000"),
            ("-Infinity", "-inf"),
            ("inf", "inf"),
            ("-nan", "NaN"),
            ("1e400", "none"),
            ("1e-400", "none"),
            ("0e-400", "0"),
            ("0x1F", "none"),
            ("1e", "none"),
            (".", "none"),
            ("1\u{a0}", "none"),
        ],
    );
    check(
        |text| text_of(number::float32(text)),
        &[
            ("0.1", "0.1"),
            // a detour over 64 bits would give 1
            ("1.00000017881393432617187499", "1.0000001"),
            ("1e39", "none"),
            ("1e-50", "none"),
        ],
    );
    check(
        |text| text_of(number::decimal(text, 5, 2)),
        &[
            ("1.005", "101"),
            ("-1.005", "-101"),
            ("1e2", "10000"),
            ("999.995", "none"),
            ("+.5", "50"),
            ("5.", "500"),
            ("1e-1000", "0"),
            ("1e-2000", "none"),
            ("1e-2147483648", "none"),
            ("NaN", "none"),
            ("1.2.3", "none"),
            ("--1", "none"),
            ("-", "none"),
        ],
    );
    let widest = format!("{}.5", i128::MAX);
    assert_eq!(number::decimal(&widest, 38, 0), None);
    assert_eq!(number::exact("1.50e1"), Some(Value::Decimal { digits: 150, scale: 1 }));
    assert_eq!(number::exact(" -5 "), Some(Value::Integer(-5)));
}

#[test]
fn booleans() {
    check(
        |text| text_of(boolean(text)),
        &[
            (" TRUE ", "true"),
            ("tr", "true"),
            ("y", "true"),
            ("on", "true"),
            ("1", "true"),
            ("of", "false"),
            ("n", "false"),
            ("0", "false"),
            ("o", "none"),
            ("truely", "none"),
            ("01", "none"),
            ("", "none"),
            ("t\u{a0}", "none"),
        ],
    );
}
