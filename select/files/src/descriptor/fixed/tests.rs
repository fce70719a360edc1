//! Tests of the keys that fit together, and of the errors about those that do not.

use crate::descriptor::{DeclaredLayout, Descriptor};

/// A field of that type and length, and other keys.
fn text(kind: &str, length: usize, keys: &str) -> String {
    format!(
        "format = \"fixed\"\nrecord_length = 40\n[[field]]\nname = \"f\"\ntype = \"{kind}\"\noffset = 0\nlength = {length}\n{keys}"
    )
}

#[test]
fn fields_are_described_as_they_are_read() {
    let cases = [
        ("text", 3, "encoding = \"cp037\"", "text, 3 bytes at 0, cp037"),
        (
            "zoned",
            5,
            "sign = \"leading-separate\"\nscale = 2\nencoding = \"cp1047\"",
            "zoned decimal, sign leading-separate, 5 bytes at 0, scale 2, cp1047",
        ),
        ("packed", 3, "sign = \"none\"", "packed decimal without sign, 3 bytes at 0"),
        ("float", 8, "coding = \"ibm\"", "big-endian IBM float, 8 bytes at 0"),
        (
            "date",
            3,
            "format = \"YYDDD\"\ncoding = \"packed\"\ncentury_pivot = 70",
            "date YYDDD, pivot 70, packed, 3 bytes at 0",
        ),
        (
            "date",
            4,
            "coding = \"integer\"\nbyte_order = \"big\"",
            "date YYYYMMDD, big-endian, 4 bytes at 0",
        ),
        ("timestamp", 14, "", "timestamp YYYYMMDDHHMMSS, 14 bytes at 0"),
        ("boolean", 1, "true_when = \"Y\"\nfalse_when = \"N\"", "boolean, 1 byte at 0"),
        (
            "date",
            8,
            "null_when = [\"spaces\", \"zeros\"]",
            "date YYYYMMDD, 8 bytes at 0, null when spaces or zeros",
        ),
    ];
    for (kind, length, keys, expected) in cases {
        let descriptor = Descriptor::parse("t", &text(kind, length, keys)).unwrap();
        let DeclaredLayout::Fixed(layout) = descriptor.layout else { panic!("not fixed") };
        assert_eq!(layout.fields[0].to_string(), expected);
    }
}

#[test]
fn the_file_speaks_for_its_fields() {
    let text = text("date", 6, "format = \"YYMMDD\"\n");
    let text = format!("encoding = \"cp037\"\ncentury_pivot = 30\n{text}");
    let descriptor = Descriptor::parse("t", &text).unwrap();
    let DeclaredLayout::Fixed(layout) = descriptor.layout else { panic!("not fixed") };
    assert_eq!(layout.fields[0].to_string(), "date YYMMDD, pivot 30, 6 bytes at 0, cp037");
}

#[test]
fn keys_that_mean_nothing_are_refused() {
    let cases = [
        ("text", 3, "sign = \"separate\"", "`sign` is for zoned and packed"),
        ("text", 3, "coding = \"ibm\"", "`coding` is for date, timestamp and float"),
        ("zoned", 3, "format = \"YYDDD\"", "`format` is for date and timestamp"),
        ("zoned", 1, "sign = \"separate\"", "1 bytes, this type has 2 to 39 bytes"),
        (
            "packed",
            3,
            "encoding = \"cp037\"",
            "`encoding` is for text, digits, zoned, boolean and dates in digits",
        ),
        (
            "packed",
            3,
            "sign = \"separate\"",
            "`sign` cannot be \"separate\"; it is one of `trailing`, `none`",
        ),
        (
            "zoned",
            3,
            "encoding = \"cp037\"\nsign = \"ebcdic-overpunch\"",
            "in an EBCDIC field the sign is \"overpunch\" or \"leading-overpunch\"",
        ),
        (
            "date",
            6,
            "format = \"YYMMDD\"",
            "`century_pivot` is missing: years below it are 20YY, others 19YY",
        ),
        (
            "date",
            8,
            "century_pivot = 50",
            "`century_pivot` is for years of two digits, not YYYYMMDD",
        ),
        (
            "date",
            8,
            "format = \"YYYYMMD\"",
            "`D` is none of YYYY, YY, CYY, MM, DD, DDD, HH, SS, f to ffffff and - / . : T",
        ),
        ("date", 8, "byte_order = \"big\"", "`byte_order` is for `coding = \"integer\"`"),
        ("date", 4, "coding = \"packed\"", "4 bytes, this type has 5 to 19 bytes, YYYYMMDD packed"),
        (
            "date",
            3,
            "coding = \"integer\"",
            "3 bytes, this type has 4 to 8 bytes, YYYYMMDD in binary",
        ),
        (
            "date",
            10,
            "format = \"YYYY-MM-DD\"\ncoding = \"packed\"",
            "YYYY-MM-DD has separators, which only `coding = \"digits\"` has",
        ),
        (
            "date",
            14,
            "format = \"YYYYMMDDHHMMSS\"",
            "YYYYMMDDHHMMSS has a time, so `type` is \"timestamp\"",
        ),
        ("timestamp", 8, "format = \"YYYYMMDD\"", "YYYYMMDD has no time, so `type` is \"date\""),
        (
            "timestamp",
            8,
            "format = \"YYYYMMDDHHMMSSffffff\"\ncoding = \"integer\"",
            "YYYYMMDDHHMMSSffffff has 20 digits, an integer 19 at most",
        ),
        ("boolean", 1, "true_when = \"Y\"", "`false_when` is missing"),
        (
            "boolean",
            1,
            "true_when = \"Y\"\nfalse_when = \"Y\"",
            "`true_when` and `false_when` are the same",
        ),
        (
            "boolean",
            1,
            "true_when = \"Yes\"\nfalse_when = \"N\"",
            "`true_when` has to be one ASCII character",
        ),
        ("date", 8, "null_when = [\"zeros\", \"zeros\"]", "`null_when` has \"zeros\" twice"),
        (
            "date",
            8,
            "null_when = [1]",
            "`null_when` has to be text in quotes, or an array of texts",
        ),
        (
            "text",
            8,
            "encoding = \"ebcdic\"",
            "`encoding` cannot be \"ebcdic\"; it is one of `utf-8`, `latin-1`, `cp037`, `cp1047`",
        ),
    ];
    for (kind, length, keys, expected) in cases {
        let error = Descriptor::parse("t", &text(kind, length, keys)).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}\n{expected}");
        assert!(error.starts_with("t: line "), "{error}");
    }
}
