//! JSON Lines: texts that are valid and texts that are not, and the values of their members.

use std::sync::Arc;

use sift_select::{BuildOptions, ErrorKind, Predicate, Source, View, type_name};

use crate::bad_data::Data;
use crate::engine::{self, QUICK_RUNS};

fn data(text: impl AsRef<[u8]>) -> Data {
    Data::new("f.jsonl", text, None)
}

fn columns(source: &Source) -> Vec<String> {
    let fields = source.schema().fields().iter();
    fields.map(|field| format!("{} {}", field.name(), type_name(field.data_type()))).collect()
}

/// The fault is an error even if no Select reads it.
#[test]
fn what_is_no_json_is_told_with_its_place() {
    let name = "a name that its object has already";
    let control = "a control character in a string; it has to be escaped";
    let cases: &[(&[u8], &str)] = &[
        (b"[1]", "expected an object, got '[1]' at byte 0"),
        (b"1", "expected an object, got '1' at byte 0"),
        (b"null", "expected an object, got 'null' at byte 0"),
        (b"{\"a\":1", "expected `,` or `}`, got the end of the record at byte 6"),
        (b"{\"a\":1}}", "expected the end of the record, got '}' at byte 7"),
        (b"{\"a\":1} {\"a\":2}", "expected the end of the record, got '{\"a\":2}' at byte 8"),
        (b"{\"a\":1,}", "expected a name in quotes, got '}' at byte 7"),
        (b"{,}", "expected a name in quotes, got ',}' at byte 1"),
        (b"{a:1}", "expected a name in quotes, got 'a:1}' at byte 1"),
        (b"{'a':1}", "expected a name in quotes, got ''a':1}' at byte 1"),
        (b"{\"a\" 1}", "expected `:` after a name, got '1}' at byte 5"),
        (b"{\"a\":}", "expected a value, got '}' at byte 5"),
        (b"{\"z\":[1,]}", "expected a value, got ']}' at byte 8"),
        (b"{\"z\":[1 2]}", "expected `,` or `]`, got '2]}' at byte 8"),
        (b"{\"z\":[1}", "expected `,` or `]`, got '}' at byte 7"),
        (b"{\"z\":{\"y\":1 \"x\":2}}", "expected `,` or `}`, got '\"x\":2}}' at byte 12"),
        (b"{\"a\":tru}", "expected a value, got 'tru}' at byte 5"),
        (b"{\"a\":True}", "expected a value, got 'True}' at byte 5"),
        (b"{\"a\":truex}", "expected `,` or `}`, got 'x}' at byte 9"),
        (b"{\"a\":NaN}", "expected a value, got 'NaN}' at byte 5"),
        (b"{\"a\":Infinity}", "expected a value, got 'Infinity}' at byte 5"),
        (b"{\"a\":-}", "expected a digit, got '}' at byte 6"),
        (b"{\"a\":+1}", "expected a value, got '+1}' at byte 5"),
        (b"{\"a\":01}", "expected `,` or `}`, got '1}' at byte 6"),
        (b"{\"a\":-01}", "expected `,` or `}`, got '1}' at byte 7"),
        (b"{\"a\":1.}", "expected a digit, got '}' at byte 7"),
        (b"{\"a\":.5}", "expected a value, got '.5}' at byte 5"),
        (b"{\"a\":1e}", "expected a digit, got '}' at byte 7"),
        (b"{\"a\":1e+}", "expected a digit, got '}' at byte 8"),
        (b"{\"a\":0x1}", "expected `,` or `}`, got 'x1}' at byte 6"),
        (b"{\"a\":1} // no", "expected the end of the record, got '// no' at byte 8"),
        (
            b"{\"a\":\"x",
            "a control character in a string; it has to be escaped, got the end of the record at byte 7",
        ),
        (b"{\"a\":\"\t\"}", &format!("{control}, got '\\t\"}}' at byte 6")),
        (b"{\"a\":\"\x00\"}", &format!("{control}, got '\\u{{0}}\"}}' at byte 6")),
        (b"{\"a\":\"\\x\"}", "an escape that JSON does not have, got '\\x\"}' at byte 6"),
        (b"{\"a\":\"\\u12\"}", "`\\u` needs four hexadecimal digits, got '\\u12\"}' at byte 6"),
        (b"{\"a\":\"\\ud800\"}", "half of a surrogate pair, got '\\ud800\"}' at byte 6"),
        (b"{\"a\":\"\\udc00\"}", "half of a surrogate pair, got '\\udc00\"}' at byte 6"),
        (
            b"{\"a\":\"\\ud800\\u0041\"}",
            "half of a surrogate pair, got '\\ud800\\u0041\"}' at byte 6",
        ),
        (b"{\"a\":\"\xFF\"}", "not UTF-8 at byte 6"),
        (b"{\"a\":\"\xED\xA0\x80\"}", "not UTF-8 at byte 6"),
        (b"{\"a\":\"\xC3\"}", "not UTF-8 at byte 6"),
        (b"{\"a\":1,\"a\":1}", &format!("{name}, got '\"a\":1}}' at byte 7")),
        (b"{\"a\":1,\"\\u0061\":1}", &format!("{name}, got '\"\\u0061\":1}}' at byte 7")),
        (b"{\"o\":{\"b\":1,\"b\":1}}", &format!("{name}, got '\"b\":1}}}}' at byte 12")),
        (b"{\"z\":1,\"y\":2,\"z\":3}", &format!("{name}, got '\"z\":3}}' at byte 13")),
    ];
    for (text, complaint) in cases {
        let good = b"{\"a\": 1, \"o\": {\"b\": 2}}\n";
        let data = data([good, *text, b"\n", good].concat());
        let message = format!("f.jsonl: record 2 (byte 24): {complaint} of the record");
        data.fails("SELECT \"o.b\" FROM 'f.jsonl'", ErrorKind::Record, &message);
        data.fails("SELECT count(*) FROM 'f.jsonl'", ErrorKind::Record, &message);
        data.answers("SELECT a FROM 'f.jsonl' LIMIT 1", &["1"]);
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| format!("{{\"a\":1,\"z\":{}{}}}\n", "[".repeat(depth), "]".repeat(depth));
    data(nested(63)).answers("SELECT a FROM 'f.jsonl'", &["1"]);
    let deep = format!("{{\"a\":1}}\n{}", nested(64));
    let message = "f.jsonl: record 2 (byte 8): arrays and objects are nested deeper than 64, the most \
                   that is accepted, got '[]]]]]]]]]]]]]]]]]]]' at byte 74 of the record";
    data(deep).fails("SELECT a FROM 'f.jsonl'", ErrorKind::Record, message);
    let hostile = format!("{{\"a\":1}}\n{{\"a\":{}\n", "[{\"a\":".repeat(500_000));
    let error = data(hostile).open().map(|source| columns(&source)).expect("a source");
    assert_eq!(error, ["a bigint"]);
}

#[test]
fn lines_that_are_no_records_and_line_ends() {
    let text = "\u{FEFF}\n{\"a\":1}\r\n \t\r\n\n{\"a\":2} \n\n { \"a\" : 3 } ";
    data(text).answers("SELECT a FROM 'f.jsonl'", &["1", "2", "3"]);
    data("").answers("SELECT count(*) FROM 'f.jsonl'", &["0"]);
    data("\n \n").answers("SELECT count(*) FROM 'f.jsonl'", &["0"]);
    let late = "\n\n{\"a\":1}\n\n{\"a\":\n";
    let message = "f.jsonl: record 2 (byte 11): expected a value, got the end of the record at byte 5 \
                   of the record";
    data(late).fails("SELECT a FROM 'f.jsonl'", ErrorKind::Record, message);
    let within = "{\"a\":1}\n{\"a\":\n2}\n";
    let message = "f.jsonl: record 2 (byte 8): expected a value, got the end of the record at byte 5 of \
                   the record";
    data(within).fails("SELECT a FROM 'f.jsonl'", ErrorKind::Record, message);
}

#[test]
fn types_by_the_first_records() {
    let text = r#"{"i":1,"d":1.50,"f":1,"e":1e3,"w":99999999999999999999,"b":true,"s":"x","day":"2024-02-29","at":"2024-02-29T10:00:00Z","n":null,"code":"007"}
{"i":-20,"d":-2.25,"f":1.5,"b":null,"s":"2024-02-29","day":"1969-12-31","o":{"p":{"q":1},"r":"x"},"code":"1"}
"#;
    let source = data(text).open().expect("a source");
    assert_eq!(
        columns(&source),
        [
            "i bigint",
            "d numeric(18,2)",
            "f double precision",
            "e double precision",
            "w numeric(38,0)",
            "b boolean",
            "s text",
            "day date",
            "at timestamp",
            "n text",
            "code text",
            "o.p.q bigint",
            "o.r text",
        ]
    );
    assert_eq!((source.format(), source.records(), source.record_bytes()), ("jsonl", None, None));
    assert_eq!(source.storage(1), "member `d`, numeric(18,2) by the first records");
    data(text).answers(
        "SELECT i, d, f, e, w, b, s, day, at, n, code, \"o.p.q\", \"o.r\" FROM 'f.jsonl'",
        &[
            "1, 1.50, 1.0, 1000.0, 99999999999999999999, true, 'x', 2024-02-29, 2024-02-29T10:00:00, NULL, '007', NULL, NULL",
            "-20, -2.25, 1.5, NULL, NULL, NULL, '2024-02-29', 1969-12-31, NULL, NULL, '1', 1, 'x'",
        ],
    );
}

#[test]
fn strings_and_numbers_are_what_they_say() {
    let strings = r#"{"s":"\u00e9\ud83d\ude00\/\\\"\b\f"}
{"s":""}
{"s":"\u0000"}
{"s":"日本 é"}
{"s":"a quote \" beyond the first sixteen bytes, and more text behind it"}
"#;
    data(strings).answers(
        "SELECT s, length(s) FROM 'f.jsonl'",
        &[
            "'é😀/\\\"\u{8}\u{c}', 7",
            "'', 0",
            "'\0', 1",
            "'日本 é', 4",
            "'a quote \" beyond the first sixteen bytes, and more text behind it', 65",
        ],
    );
    let numbers = "{\"i\":9223372036854775807,\"d\":0.30}\n{\"i\":-9223372036854775808,\"d\":1e-2}\n\
                   {\"i\":1e3,\"d\":1.500}\n{\"i\":-0,\"d\":-12E1}\n{\"i\":10.0,\"d\":7}\n";
    let descriptor = "format = \"jsonl\"\n[[field]]\nname = \"i\"\ntype = \"int64\"\n\
                      [[field]]\nname = \"d\"\ntype = \"decimal(18,2)\"\n";
    Data::new("f.jsonl", numbers, Some(descriptor)).answers(
        "SELECT * FROM 'f.jsonl'",
        &[
            "9223372036854775807, 0.30",
            "-9223372036854775808, 0.01",
            "1000, 1.50",
            "0, -120.00",
            "10, 7.00",
        ],
    );
}

#[test]
fn a_value_that_does_not_fit_is_told_with_the_remedy() {
    let first = "; declare the field's type in f.jsonl.toml";
    let json = "; declare the field as \"json\" in f.jsonl.toml";
    let cases = [
        ("1", "\"x\"", format!("'\"x\"' is not bigint, the type by the first records{first}")),
        ("1", "\"2\"", format!("'\"2\"' is not bigint, the type by the first records{first}")),
        ("1", "1.5", format!("'1.5' is not bigint, the type by the first records{first}")),
        (
            "1",
            "9223372036854775808",
            format!("'9223372036854775808' is not bigint, the type by the first records{first}"),
        ),
        ("1", "true", format!("'true' is not bigint, the type by the first records{first}")),
        ("1", "[1]", format!("'[1]' is not bigint, the type by the first records{json}")),
        (
            "1",
            "{\"x\":1}",
            format!("'{{\"x\":1}}' is not bigint, the type by the first records{json}"),
        ),
        (
            "1.50",
            "1.505",
            format!("'1.505' is not numeric(18,2), the type by the first records{first}"),
        ),
        (
            "1e3",
            "1e400",
            format!("'1e400' is not double precision, the type by the first records{first}"),
        ),
        ("true", "1", format!("'1' is not boolean, the type by the first records{first}")),
        ("\"x\"", "1", format!("'1' is not text, the type by the first records{json}")),
        (
            "\"2024-02-29\"",
            "\"2024-02-30\"",
            format!("'\"2024-02-30\"' is not date, the type by the first records{first}"),
        ),
    ];
    for (good, bad, complaint) in cases {
        let many: String = (0..10_000).map(|_| format!("{{\"a\":{good},\"b\":1}}\n")).collect();
        let bytes = many.len();
        let data = data(format!("{many}{{\"a\":{bad},\"b\":2}}\n"));
        let message = format!("f.jsonl: record 10001 (byte {bytes}), field `a`: {complaint}");
        let source = data.open().expect("a source");
        for run in QUICK_RUNS {
            let select = |sql| engine::select(&source, sql, &[], *run);
            let error = select("SELECT count(a) FROM 'f.jsonl'").expect_err(&message);
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Record, message.clone()));
            // no Select reads it
            assert_eq!(select("SELECT max(b) FROM 'f.jsonl'").expect("an answer").rows, ["2"]);
        }
    }
    let mixed = data("{\"a\":1}\n{\"a\":\"x\"}\n");
    let message = format!(
        "f.jsonl: record 1 (byte 0), field `a`: '1' is not text, the type by the first records{json}"
    );
    mixed.fails("SELECT a FROM 'f.jsonl'", ErrorKind::Record, &message);
    let array = data("{\"a\":null}\n{\"a\":[1,\n");
    array.fails(
        "SELECT a FROM 'f.jsonl'",
        ErrorKind::Record,
        "f.jsonl: record 2 (byte 11): expected a value, got the end of the record at byte 8 of the record",
    );
}

/// Makes the records that determine the columns, then others.
fn after_many(first: &str, later: &[&str]) -> (Data, usize) {
    let many = format!("{first}\n").repeat(10_000);
    let bytes = many.len();
    (data(format!("{many}{}\n", later.join("\n"))), bytes)
}

#[test]
fn a_member_that_comes_later_fails_the_star_alone() {
    let first = "{\"id\":1,\"o\":{\"a\":1},\"e\":{}}";
    for (later, member) in [
        ("{\"id\":2,\"late\":\"here\"}", "late"),
        ("{\"late\":null,\"id\":2}", "late"),
        ("{\"id\":2,\"o\":{\"a\":1,\"b\\u0061\":[]}}", "o.ba"),
        ("{\"id\":2,\"e\":{\"x\":1}}", "e.x"),
        ("{\"id\":2,\"e\":[1]}", "e"),
        ("{\"id\":2,\"e\":7}", "e"),
        ("{\"id\":2,\"x\":1,\"o\":{\"y\":1}}", "x"),
    ] {
        let (data, bytes) = after_many(first, &["{\"id\":3}", later, "{\"id\":4,\"e\":null}"]);
        let place = format!("record 10002 (byte {})", bytes + 9);
        let message = format!(
            "f.jsonl: {place}, field `{member}`: not in the first records, so it is not a column of `*`; name the columns that are wanted, or declare all with their types in f.jsonl.toml"
        );
        let source = data.open().expect("a source");
        let options = BuildOptions { zone_bytes: 9, ..BuildOptions::default() };
        let index = source.build_index(&options).expect("an index");
        let indexed = Arc::new((*source).clone().with_index(index));
        let runs = [(&source, QUICK_RUNS[0]), (&source, QUICK_RUNS[3]), (&indexed, QUICK_RUNS[2])];
        for (source, run) in runs {
            let select = |sql: &str| engine::select(source, sql, &[], run);
            for sql in [
                "SELECT * FROM 'f.jsonl'",
                "SELECT * FROM 'f.jsonl' WHERE id = 2",
                "SELECT id + 1, * FROM 'f.jsonl' WHERE id > 1 OFFSET 2",
                "SELECT * FROM 'f.jsonl' OFFSET 10002",
                "SELECT DISTINCT * FROM 'f.jsonl'",
                "SELECT * FROM 'f.jsonl' ORDER BY id",
                "SELECT * FROM 'f.jsonl' ORDER BY id DESC LIMIT 3",
                "SELECT * FROM 'f.jsonl' WHERE id > 1 GROUP BY id, \"o.a\"",
            ] {
                let error = select(sql).expect_err(sql);
                assert_eq!(error.to_string(), message, "{sql}");
                assert_eq!(error.kind(), ErrorKind::Record);
            }
            for (sql, rows) in [
                ("SELECT count(*) FROM 'f.jsonl'", &["10003"][..]),
                (
                    "SELECT id, \"o.a\" IS NULL FROM 'f.jsonl' WHERE id >= 3",
                    &["3, true", "4, true"],
                ),
                ("SELECT id FROM 'f.jsonl' WHERE id = 2", &["2"]),
                // the Select does not read that record
                ("SELECT * FROM 'f.jsonl' WHERE id > 2", &["3, NULL", "4, NULL"]),
                ("SELECT * FROM 'f.jsonl' WHERE id > 1 LIMIT 1", &["3, NULL"]),
                ("SELECT * FROM 'f.jsonl' ORDER BY id DESC LIMIT 2", &["4, NULL", "3, NULL"]),
            ] {
                assert_eq!(select(sql).expect(sql).rows, rows, "{sql}");
            }
        }
    }
}

const LATER: &str =
    "a member that is not in the first records is a column if a descriptor declares it";

#[test]
fn a_member_that_comes_later_is_unknown() {
    let (data, _) = after_many("{\"id\":1}", &["{\"id\":2,\"late\":\"here\"}"]);
    data.fails(
        "SELECT late FROM 'f.jsonl'",
        ErrorKind::UnknownColumn,
        &format!("line 1, column 8: unknown column `late`; this file has `id`; {LATER}"),
    );
    let text = "{\"id\":1,\"late\":\"here\"}\n";
    let declared = "[[field]]\nname = \"id\"\ntype = \"int64\"\n";
    // a descriptor that declares the columns wants exactly these
    Data::new("f.jsonl", text, Some(declared)).answers("SELECT * FROM 'f.jsonl'", &["1"]);
}

/// A reader who may see only named columns does not learn which others there are.
#[test]
fn a_member_that_comes_later_is_hidden_from_who_sees_named_columns() {
    let later = "{\"id\":2,\"who\":\"ann\",\"late\":7}";
    let (data, _) = after_many("{\"id\":1,\"who\":\"ann\"}", &[later]);
    let source = data.open().expect("a source");
    let view = |columns: Option<&[String]>, filter: &str| {
        let filter = Predicate::parse(filter).expect("a predicate");
        View::new(Arc::clone(&source), columns, Some(&filter)).expect("a view")
    };
    let star = "SELECT * FROM 'f.jsonl'";
    let select = |view, sql| engine::select_in(view, sql, &[], QUICK_RUNS[1]);
    let named = ["id".to_owned(), "who".to_owned()];
    assert_eq!(select(view(Some(&named), "id = 2"), star).expect(star).rows, ["2, 'ann'"]);
    assert_eq!(select(view(Some(&named[1..]), "id = 2"), star).expect(star).rows, ["'ann'"]);
    assert_eq!(select(view(None, "id = 1"), star).expect(star).rows.len(), 10_000);
    let error = select(view(None, "id = 2"), star).expect_err(star).to_string();
    let place = "f.jsonl: record 1 of those that you may see, field `late`: ";
    assert!(error.starts_with(place), "{error}");
}

#[test]
fn a_file_without_records_has_no_columns() {
    for text in ["", "\n", "\u{FEFF}\n \r\n"] {
        let data = data(text);
        let view = View::new(data.open().expect("a source"), None, None).expect("a view");
        for (sql, rows) in [
            ("SELECT count(*) FROM 'f.jsonl'", &["0"][..]),
            ("SELECT * FROM 'f.jsonl'", &[]),
            ("SELECT 1 FROM 'f.jsonl'", &[]),
        ] {
            let answer = engine::select_in(view.clone(), sql, &[], QUICK_RUNS[0]);
            assert_eq!(answer.expect(sql).rows, rows, "{sql}");
        }
        let message =
            format!("line 1, column 8: unknown column `a`; this file has no columns; {LATER}");
        data.fails("SELECT a FROM 'f.jsonl'", ErrorKind::UnknownColumn, &message);
    }
}

#[test]
fn a_fault_of_the_first_record_is_told() {
    for (text, complaint) in [
        ("[\n{\"a\":1},\n]\n", "1 (byte 0): expected an object, got '[' at byte 0"),
        ("\n1\n2\n", "1 (byte 1): expected an object, got '1' at byte 0"),
        ("{\"a\":\"\\ud800\"}", "1 (byte 0): half of a surrogate pair, got '\\ud800\"}' at byte 6"),
        ("{\"a\":1}}", "1 (byte 0): expected the end of the record, got '}' at byte 7"),
    ] {
        let message = format!("f.jsonl: record {complaint} of the record");
        data(text).does_not_open(ErrorKind::Record, &message);
    }
    // the scan reports a later one
    let message = "f.jsonl: record 2 (byte 3): expected an object, got '1' at byte 0 of the record";
    data("{}\n1\n").fails("SELECT count(*) FROM 'f.jsonl'", ErrorKind::Record, message);
}

#[test]
fn a_scalar_where_an_object_should_be() {
    let data = data("{\"o\":{\"a\":1}}\n{\"o\":null}\n{}\n{\"o\":{}}\n{\"o\":7}\n");
    data.answers("SELECT \"o.a\" FROM 'f.jsonl' LIMIT 4", &["1", "NULL", "NULL", "NULL"]);
    data.fails(
        "SELECT \"o.a\" FROM 'f.jsonl'",
        ErrorKind::Record,
        "f.jsonl: record 5 (byte 37), field `o.a`: `o` is not an object; declare it as \"json\" in f.jsonl.toml",
    );
    // the same value, and its type before there were objects
    data.fails(
        "SELECT \"o\" FROM 'f.jsonl'",
        ErrorKind::Record,
        "f.jsonl: record 1 (byte 0), field `o`: '{\"a\":1}' is not bigint, the type by the first records; declare the field as \"json\" in f.jsonl.toml",
    );
}

#[test]
fn declared_fields_are_the_columns() {
    let text = r#"{"id":1,"tags":["a", 1],"who":{"name":"Ann","born":"1990-01-02"},"a.b":1,"price":"12.50"}
{"id":"2","tags":{"x":[]},"who":null,"other":[],"price":3}
{"tags":"t","who":{"name":"Bob","more":{"deep":true}},"a.b":-1}
"#;
    let descriptor = r#"format = "jsonl"
[[field]]
name = "tags"
type = "json"
[[field]]
name = "id"
type = "int64"
[[field]]
name = "name"
type = "text"
path = "who.name"
[[field]]
name = "who"
type = "json"
[[field]]
name = "dots"
path = ["a.b"]
[[field]]
name = "who.more.deep"
type = "boolean"
[[field]]
name = "price"
type = "decimal(9,2)"
"#;
    let data = Data::new("f.jsonl", text, Some(descriptor));
    let source = data.open().expect("a source");
    assert_eq!(
        columns(&source),
        [
            "tags text",
            "id bigint",
            "name text",
            "who text",
            "dots bigint",
            "who.more.deep boolean",
            "price numeric(9,2)"
        ]
    );
    assert_eq!(source.storage(2), "member `who.name`, text declared");
    data.answers(
        "SELECT * FROM 'f.jsonl'",
        &[
            r#"'["a", 1]', 1, 'Ann', '{"name":"Ann","born":"1990-01-02"}', 1, NULL, 12.50"#,
            r#"'{"x":[]}', 2, NULL, NULL, NULL, NULL, 3.00"#,
            r#"'"t"', NULL, 'Bob', '{"name":"Bob","more":{"deep":true}}', -1, true, NULL"#,
        ],
    );
}

#[test]
fn paths_need_no_quotes() {
    let text = "{\"o\":{\"p\":{\"q\":1}},\"x.y\":2,\"f\":3}\n";
    let nested = data(text);
    let sql = "SELECT o.p.q, O.P.q + 1, t.o.p.q, \"o.p.q\", x.y, t.f FROM 'f.jsonl' AS t \
               WHERE o.p.q = 1 ORDER BY o.p.q";
    nested.answers(sql, &["1, 2, 1, 1, 2, 3"]);
    nested.answers("SELECT o.p.q, count(*) FROM 'f.jsonl' GROUP BY o.p.q", &["1, 1"]);
    nested.fails(
        "SELECT o.z FROM 'f.jsonl'",
        ErrorKind::UnknownColumn,
        "line 1, column 8: unknown table `o` before a column",
    );
    // a name with dots may be declared as it is
    let descriptor = "[[field]]\nname = \"x.y\"\ntype = \"int64\"\n";
    Data::new("f.jsonl", text, Some(descriptor)).answers("SELECT * FROM 'f.jsonl'", &["2"]);
}

#[test]
fn descriptors_that_do_not_fit() {
    let refused = |text: &'static str, descriptor: &'static str, message: &str| {
        let data = Data::new("f.jsonl", text, Some(descriptor));
        data.does_not_open(ErrorKind::Descriptor, message);
    };
    let text = "{\"a\":{\"b\":1}}\n";
    refused(
        text,
        "[[field]]\nname = \"c\"\nscl_min = 4\n",
        "f.jsonl.toml: no member `c` in the first records; give its `type` if it comes later",
    );
    refused(
        text,
        "[[field]]\nname = \"a\"\n[[field]]\nname = \"x\"\ntype = \"text\"\n",
        "f.jsonl.toml: field `a` is an object in the first records; give it the type \"json\", or name its members",
    );
    refused(
        text,
        "[[field]]\nname = \"a\"\ntype = \"jsn\"\n",
        "f.jsonl.toml: line 3, column 8: `type` cannot be \"jsn\"; it is one of boolean, bigint, double precision, numeric(p,s), date, timestamp, text, json",
    );
    refused(
        text,
        "[[field]]\nname = \"a\"\npath = []\n",
        "f.jsonl.toml: line 3, column 8: `path` is empty",
    );
    refused(
        text,
        "[[field]]\nname = \"a\"\npath = 1\n",
        "f.jsonl.toml: line 3, column 8: `path` has to be text in quotes, or a list of such",
    );
    data("{\"a.b\":1,\"a\":{\"b\":2}}\n").does_not_open(
        ErrorKind::Descriptor,
        "f.jsonl: two members have the name `a.b`; tell them apart in f.jsonl.toml by `path`",
    );
    let csv = Data::new("f.csv", "a\n1\n", Some("[[field]]\nname = \"a\"\npath = \"a\"\n"));
    csv.does_not_open(
        ErrorKind::Descriptor,
        "f.csv.toml: field `a`: `path` and the type \"json\" are for `format = \"jsonl\"`",
    );
    // protection alone removes no columns, also none inside an object
    let protected = Data::new("f.jsonl", text, Some("[[field]]\nname = \"a\"\nscl_min = 4\n"));
    protected.answers("SELECT \"a.b\" FROM 'f.jsonl'", &["1"]);
}
