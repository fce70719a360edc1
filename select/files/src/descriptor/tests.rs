use super::*;
use crate::ErrorKind;
use crate::field_type::FieldType;

const FIELD: &str = "format = \"fixed\"\nrecord_length = 20\n[[field]]\nname = \"price\"\ntype = \"zoned\"\noffset = 2\nlength = 11\n";

fn error(text: &str) -> String {
    let error = Descriptor::parse("t.dat.toml", text).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Descriptor { .. }));
    error.to_string()
}

#[test]
fn a_fixed_layout() {
    let text = format!(
        "network_encrypt = true\nterminator = \"crlf\"\n{FIELD}scale = 2\nnull_when = \"spaces\"\nsign = \"ebcdic-overpunch\"\n"
    );
    let descriptor = Descriptor::parse("t.dat.toml", &text).unwrap();
    assert_eq!(descriptor.requirement(), Requirement::Encryption);
    let DeclaredLayout::Fixed(layout) = descriptor.layout else { panic!("not fixed") };
    assert_eq!(layout.stride, 22);
    assert_eq!(
        layout.fields[0].to_string(),
        "zoned decimal, sign ebcdic-overpunch, 11 bytes at 2, scale 2, null when spaces"
    );
}

#[test]
fn a_csv_layout() {
    let text = "[csv]\ndelimiter = \"|\"\nheader = false\nnull = \"NA\"\n[[field]]\nname = \"a\"\ntype = \"decimal(12, 2)\"\n[[field]]\nname = \"b\"\n";
    let descriptor = Descriptor::parse("t.csv.toml", text).unwrap();
    assert_eq!(descriptor.requirement(), Requirement::None);
    let DeclaredLayout::Csv(options) = descriptor.layout else { panic!("not CSV") };
    assert_eq!((options.delimiter, options.header), (Some(b'|'), false));
    assert_eq!(options.null, ["NA"]);
    let kind = FieldType::Decimal { precision: 12, scale: 2 };
    assert_eq!(options.fields, [("a".to_owned(), Some(kind)), ("b".to_owned(), None)]);
}

fn protected(text: &str) -> Vec<(String, Requirement)> {
    let descriptor = Descriptor::parse("t", text).unwrap();
    let fields = descriptor.fields_protected();
    fields.map(|(name, requirement)| (name.to_owned(), requirement)).collect()
}

#[test]
fn fields_are_protected_one_by_one() {
    let text = "scl_min = 3\n[[field]]\nname = \"card\"\nscl_min = 4\nnetwork_encrypt = false\n\
                [[field]]\nname = \"city\"\n[[field]]\nname = \"tax\"\nnetwork_encrypt = true\n";
    let descriptor = Descriptor::parse("t.csv.toml", text).unwrap();
    assert_eq!(descriptor.requirement(), Requirement::Level(3));
    let expected =
        [("card".to_owned(), Requirement::Level(4)), ("tax".to_owned(), Requirement::Encryption)];
    assert_eq!(protected(text), expected);
}

#[test]
fn fields_that_share_bytes_demand_the_same() {
    let field = |name: &str, offset: u32, length: u32| {
        format!(
            "[[field]]\nname = \"{name}\"\ntype = \"text\"\noffset = {offset}\nlength = {length}\n"
        )
    };
    let text = format!(
        "format = \"fixed\"\nrecord_length = 40\n{}{}{}scl_min = 5\n{}{}network_encrypt = true\n",
        field("before", 0, 10),
        field("all", 0, 40),
        field("card", 10, 16),
        field("last four", 22, 4),
        field("after", 26, 14),
    );
    let expected = [
        ("all", Requirement::Level(5)),
        ("card", Requirement::Level(5)),
        ("last four", Requirement::Level(5)),
        ("after", Requirement::Encryption),
    ];
    let expected = expected.map(|(name, requirement)| (name.to_owned(), requirement));
    assert_eq!(protected(&text), expected);
}

#[test]
fn the_byte_order_of_the_file_is_that_of_its_fields() {
    let text = FIELD.replace("zoned", "integer").replace("length = 11", "length = 8");
    assert_eq!(
        error(&text),
        "t.dat.toml: line 5, column 8: field `price`: `byte_order` is missing: \"little\" or \"big\""
    );
    assert!(Descriptor::parse("t", &format!("byte_order = \"big\"\n{text}")).is_ok());
    assert!(Descriptor::parse("t", &format!("{text}byte_order = \"little\"\n")).is_ok());
    assert!(Descriptor::parse("t", &text.replace("length = 8", "length = 1")).is_ok());
}

#[test]
fn complaints_tell_line_column_and_a_way_out() {
    let cases = [
        (
            "format = \"fixed\"\nrecord_lenght = 9\n".to_owned(),
            "line 2, column 1: unknown key `record_lenght`; did you mean `record_length`?",
        ),
        (
            "format = \"fixd\"\n".to_owned(),
            "line 1, column 10: `format` cannot be \"fixd\"; did you mean \"fixed\"?",
        ),
        (
            "format = \"csv\"\nrecord_length = 9\n".to_owned(),
            "line 2, column 1: unknown key `record_length`; the keys here are `format`, `network_encrypt`, `scl_min`, `csv`, `compression`, `key`, `append_only`, `field`",
        ),
        ("format = \"fixed\"\n".to_owned(), "line 1, column 1: `record_length` is missing"),
        (
            "record_length = 9\n".to_owned(),
            "line 1, column 1: `format` is missing; `record_length` is for \"fixed\"",
        ),
        (
            "format = \"fixed\"\nrecord_length = 0\n".to_owned(),
            "line 2, column 17: `record_length` has to be a whole number from 1 to 1048576",
        ),
        (
            "format = \"fixed\"\nrecord_length = 9\n".to_owned(),
            "line 1, column 1: a fixed-length file needs at least one `[[field]]`",
        ),
        (
            "network_encrypt = 1\n".to_owned(),
            "line 1, column 19: `network_encrypt` has to be true or false",
        ),
        (
            "scl_min = 1\n".to_owned(),
            "line 1, column 11: `scl_min` has to be a whole number from 2 to 5",
        ),
        (
            format!("{FIELD}scl_min = \"4\"\n"),
            "line 8, column 11: `scl_min` has to be a whole number from 2 to 5",
        ),
        (
            format!(
                "{FIELD}[[field]]\nname = \"price\"\ntype = \"text\"\noffset = 0\nlength = 1\n"
            ),
            "line 9, column 8: there are two fields `price`",
        ),
        (
            FIELD.replace("length = 11", "length = 19"),
            "line 7, column 10: field `price` ends at byte 21, the record has 20",
        ),
        (
            FIELD.replace("offset = 2", "offset = 20"),
            "line 6, column 10: `offset` has to be a whole number from 0 to 19",
        ),
        (
            FIELD.replace("zoned", "date"),
            "line 7, column 10: field `price`: 11 bytes, this type has 8 bytes, YYYYMMDD",
        ),
        (
            FIELD.replace("zoned", "float"),
            "line 7, column 10: field `price`: 11 bytes, this type has 4 or 8 bytes",
        ),
        (
            FIELD.replace("zoned", "packd"),
            "line 5, column 8: `type` cannot be \"packd\"; did you mean \"packed\"?",
        ),
        (
            format!("{FIELD}scale = 12\n"),
            "line 8, column 9: field `price`: scale 12, the field has 11 digits",
        ),
        (
            format!("{FIELD}byte_order = \"big\"\n"),
            "line 8, column 14: field `price`: `byte_order` is for integer, unsigned and float",
        ),
        (
            FIELD.replace("zoned", "text") + "scale = 1\n",
            "line 8, column 9: field `price`: `scale` is for digits, zoned, packed, integer and unsigned",
        ),
        (
            "[csv]\ndelimiter = \"||\"\n".to_owned(),
            "line 2, column 13: `delimiter` has to be one ASCII character, no quote or line end",
        ),
        (
            "[csv]\nheader = false\n".to_owned(),
            "line 1, column 1: without a header, every field needs a `[[field]]`",
        ),
        (
            "[[field]]\nname = \"a\"\ntype = \"decimal(2,3)\"\n".to_owned(),
            "line 3, column 8: `type` cannot be \"decimal(2,3)\"; it is one of boolean, bigint, double precision, numeric(p,s), date, timestamp, text, json",
        ),
        ("field = 1\n".to_owned(), "line 1, column 9: `field` has to be an array of tables"),
        ("field = [1]\n".to_owned(), "line 1, column 9: expected tables, `[[field]]`"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(&text), format!("t.dat.toml: {expected}"), "{text}");
    }
    assert!(error("format = \n").starts_with("t.dat.toml: line 1, column "));
}

/// A truncated or garbled descriptor is an error, never a panic.
#[test]
fn any_part_of_a_descriptor_is_taken_or_refused() {
    let text = format!("{FIELD}scale = 2\nnull_when = \"spaces\"\n");
    assert!(error(&format!("field = {}", "[".repeat(100_000))).contains("line 1"));
    assert!(error(&"[a.".repeat(100_000)).contains("line 1"));
    let mut random = fastrand::Rng::with_seed(3);
    for end in 0..text.len() {
        let _ = Descriptor::parse("t", &text[..end]);
        let mut bytes = text.clone().into_bytes();
        bytes[end] = random.u8(b' '..b'~');
        let _ = Descriptor::parse("t", std::str::from_utf8(&bytes).unwrap());
    }
}
