use std::io;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use super::*;

/// Prints the records as two batches.
fn printed(form: Form, batch: &RecordBatch) -> String {
    let half = batch.num_rows() / 2;
    let mut out = Vec::new();
    let mut printer = Printer::begin(form, &batch.schema(), &mut out).unwrap();
    printer.batch(&batch.slice(0, half), &mut out).unwrap();
    printer.batch(&batch.slice(half, batch.num_rows() - half), &mut out).unwrap();
    printer.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Prints the records with a layout.
fn laid_out(form: Form, layout: &Layout, batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    let mut printer = Printer::with_layout(form, layout, &batch.schema(), &mut out).unwrap();
    printer.batch(batch, &mut out).unwrap();
    printer.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn records<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn texts(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn numbers(numbers: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(numbers.to_vec()))
}

#[test]
fn each_form() {
    let batch = records([
        ("text", texts(&[Some("a,\"b"), Some(""), None, Some("x\ny")])),
        ("n", numbers(&[Some(1), Some(-20), None, Some(3)])),
    ]);
    assert_eq!(printed(Form::Csv, &batch), "text,n\n\"a,\"\"b\",1\n\"\",-20\n,\n\"x\ny\",3\n");
    assert_eq!(
        printed(Form::JsonLines, &batch),
        "{\"text\":\"a,\\\"b\",\"n\":1}\n{\"text\":\"\",\"n\":-20}\n\
         {\"text\":null,\"n\":null}\n{\"text\":\"x\\ny\",\"n\":3}\n"
    );
    let table = "\
text     n
───────────
a,\"b     1
       -20
NULL  NULL
x\\ny     3
(4 rows)
";
    assert_eq!(printed(Form::Table, &batch), table);
    assert_eq!(
        printed(Form::Json, &batch),
        "[{\"text\":\"a,\\\"b\",\"n\":1},\n{\"text\":\"\",\"n\":-20},\n\
         {\"text\":null,\"n\":null},\n{\"text\":\"x\\ny\",\"n\":3}]\n"
    );
    assert_eq!(
        printed(Form::Markdown, &batch),
        "| text | n |\n| --- | ---: |\n| a,\"b | 1 |\n|  | -20 |\n| NULL | NULL |\n| x\\\\ny | 3 |\n"
    );
    assert_eq!(
        printed(Form::Vertical, &batch),
        "─ record 1 ─\ntext │ a,\"b\nn    │ 1\n─ record 2 ─\ntext │\nn    │ -20\n\
         ─ record 3 ─\ntext │ NULL\nn    │ NULL\n─ record 4 ─\ntext │ x\\ny\nn    │ 3\n(4 rows)\n"
    );
}

#[test]
fn a_long_name_does_not_make_every_line_long() {
    let long = "x".repeat(1 << 16);
    let batch = records([(&long, numbers(&[Some(1)])), ("n", numbers(&[Some(2)]))]);
    let printed = printed(Form::Vertical, &batch);
    assert!(printed.contains(&format!("{long} │ 1\nn{} │ 2\n", " ".repeat(79))), "{printed}");
}

#[test]
fn no_records_are_an_answer_too() {
    let none = records([("a", texts(&[])), ("b", numbers(&[]))]);
    for (form, expected) in [
        (Form::Csv, "a,b\n"),
        (Form::JsonLines, ""),
        (Form::Json, "[]\n"),
        (Form::Markdown, "| a | b |\n| --- | ---: |\n"),
        (Form::Vertical, "(0 rows)\n"),
    ] {
        assert_eq!(printed(form, &none), expected);
    }
}

#[test]
fn values_do_not_become_markdown_or_steer_a_terminal() {
    let batch = records([("a|b", texts(&[Some("<b>|*_`\\ [x](y) & ~~\u{1b}[2J\r")]))]);
    assert_eq!(
        printed(Form::Markdown, &batch),
        "| a\\|b |\n| --- |\n| &lt;b>\\|\\*\\_\\`\\\\ \\[x\\](y) &amp; \\~\\~\\\\u{1b}\\[2J\\\\r |\n"
    );
    let wide = records([("名前", texts(&[Some("東京\n")])), ("n", numbers(&[Some(1)]))]);
    assert_eq!(printed(Form::Vertical, &wide), "─ record 1 ─\n名前 │ 東京\\n\nn    │ 1\n(1 row)\n");
}

#[test]
fn each_type() {
    let decimals = Decimal128Array::from(vec![1250]).with_precision_and_scale(12, 2).unwrap();
    let batch = records([
        ("flag", Arc::new(BooleanArray::from(vec![true]))),
        ("float", Arc::new(Float64Array::from(vec![1e21]))),
        ("decimal", Arc::new(decimals)),
        ("bytes", Arc::new(BinaryArray::from(vec![&b"\x01\xff"[..]]))),
        ("day", Arc::new(Date32Array::from(vec![19782]))),
        ("time", Arc::new(TimestampMicrosecondArray::from(vec![1_500_000]))),
    ]);
    assert_eq!(
        printed(Form::Csv, &batch),
        "flag,float,decimal,bytes,day,time\n\
         true,1e21,12.50,01ff,2024-02-29,1970-01-01T00:00:01.500\n"
    );
    assert_eq!(
        printed(Form::JsonLines, &batch),
        "{\"flag\":true,\"float\":1.0e21,\"decimal\":12.50,\"bytes\":\"01ff\",\"day\":\"2024-02-29\",\
         \"time\":\"1970-01-01T00:00:01.500\"}\n"
    );
}

#[test]
fn texts_of_other_array_types_are_quoted_too() {
    let batch = records([(
        "a,b",
        Arc::new(LargeStringArray::from(vec![Some("x,y"), Some(""), None])) as ArrayRef,
    )]);
    assert_eq!(printed(Form::Csv, &batch), "\"a,b\"\n\"x,y\"\n\"\"\nNULL\n");
}

#[test]
fn null_is_told_from_an_empty_line_and_from_every_value() {
    let one = records([("a", texts(&[None, Some(""), Some("NULL"), Some("x")]))]);
    assert_eq!(printed(Form::Csv, &one), "a\nNULL\n\"\"\n\"NULL\"\nx\n");
    let with = |null: &str, batch| {
        laid_out(Form::Csv, &Layout { null: Some(null.to_owned()), ..Layout::default() }, batch)
    };
    assert_eq!(with("", &one), "a\n\n\"\"\nNULL\nx\n");
    let two = records([
        ("x", texts(&[Some("x"), None, Some(""), Some("7")])),
        ("n", numbers(&[None, Some(7), Some(70), Some(-7)])),
    ]);
    assert_eq!(with("x", &two), "\"x\",n\n\"x\",x\nx,7\n\"\",70\n7,-7\n");
    assert_eq!(with("7", &two), "x,n\nx,7\n7,\"7\"\n\"\",70\n\"7\",-7\n");
}

#[test]
fn a_table_fits_the_terminal() {
    let long = "x".repeat(100);
    let batch = records([
        ("text", texts(&[Some(&long), Some("東京"), None])),
        ("a long name of a column", texts(&[Some("y"), Some("z"), None])),
        ("n", numbers(&[Some(1_234_567_890_123), Some(2), None])),
    ]);
    let fitted = |width| {
        let layout = Layout { width: Some(width), ..Layout::default() };
        laid_out(Form::Table, &layout, &batch)
    };
    let expected = "\
text         a long nam…              n
────────────────────────────────────────
xxxxxxxxxx…  y            1234567890123
東京         z                        2
NULL         NULL                  NULL
(3 rows)
";
    assert_eq!(fitted(40), expected);
    // columns without room are left out, and that is told
    let expected = "\
text      a long …
───────────────────
xxxxxxx…  y
東京      z
NULL      NULL
(3 rows; no room for 1 of 3 columns)
";
    assert_eq!(fitted(30), expected);
    assert!(fitted(1).ends_with("\nNULL\n(3 rows; no room for 2 of 3 columns)\n"));
    assert_eq!(fitted(1000), printed(Form::Table, &batch));
}

#[test]
fn colours_stand_around_the_names_and_null() {
    let batch = records([("a", texts(&[Some("NULL"), None])), ("n", numbers(&[Some(1), None]))]);
    let layout = Layout { colours: true, ..Layout::default() };
    let expected = "\x1b[1ma\x1b[0m          \x1b[1mn\x1b[0m\n─────────────\n\"NULL\"     1\n\
                    \x1b[2mNULL\x1b[0m    \x1b[2mNULL\x1b[0m\n(2 rows)\n";
    assert_eq!(laid_out(Form::Table, &layout, &batch), expected);
}

#[test]
fn a_table_tells_null_from_the_text_and_does_not_steer_the_terminal() {
    let batch = records([
        ("a\u{1b}", texts(&[Some("NULL"), None, Some("x\u{202e}y"), Some("東京")])),
        ("n", numbers(&[Some(1), Some(2), Some(3), Some(4)])),
    ]);
    // a character of an Asian script is two columns wide
    let table = "\
a\\u{1b}     n
──────────────
\"NULL\"      1
NULL        2
x\\u{202e}y  3
東京        4
(4 rows)
";
    assert_eq!(printed(Form::Table, &batch), table);
}

#[test]
fn a_wide_value_after_the_first_page_moves_its_own_page_only() {
    let values: Vec<_> =
        (0..3000).map(|i| Some(if i == 1500 { "the widest" } else { "x" })).collect();
    let batch = records([("text", texts(&values)), ("n", numbers(&vec![Some(1); 3000]))]);
    let text = printed(Form::Table, &batch);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[2], "x     1");
    assert_eq!(lines[1002], "x           1");
    assert_eq!(lines[1502], "the widest  1");
    assert_eq!(lines[2002], "x     1");
    assert_eq!(lines.len(), 3003);
}

#[test]
fn nothing_is_printed_as_nothing() {
    let empty = records([("a", texts(&[])), ("b", numbers(&[]))]);
    assert_eq!(printed(Form::Table, &empty), "a  b\n─────\n(0 rows)\n");
    assert_eq!(printed(Form::Csv, &empty), "a,b\n");
    assert_eq!(printed(Form::JsonLines, &empty), "");
}

#[test]
fn two_columns_of_one_name_are_no_json() {
    let twice = records([("a", numbers(&[Some(1)])), ("a", numbers(&[Some(2)]))]);
    let mut out = Vec::new();
    let error = Printer::begin(Form::JsonLines, &twice.schema(), &mut out).err().unwrap();
    assert!(matches!(&error, Error::DuplicateName(name) if name == "a"), "{error}");
    assert!(out.is_empty());
    assert_eq!(printed(Form::Csv, &twice), "a,a\n1,2\n");
}

#[test]
fn an_error_of_the_writer_comes_through_as_it_is() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let batch = records([("a", numbers(&[Some(1)]))]);
    for form in [Form::Table, Form::Csv, Form::JsonLines] {
        let printed = Printer::begin(form, &batch.schema(), &mut Gone).and_then(|mut printer| {
            printer.batch(&batch, &mut Gone)?;
            printer.finish(&mut Gone)
        });
        match printed {
            Err(Error::Write(error)) => assert_eq!(error.kind(), io::ErrorKind::BrokenPipe),
            other => panic!("{form:?}: {other:?}"),
        }
    }
}
