use std::convert::Infallible;
use std::ops::ControlFlow;

use arrow::array::{Array, AsArray};
use fearless_simd::Level;

use super::cursor::{Scratch, TurnCursor};
use super::structure::level;
use super::*;
use crate::record::RECORD_BYTES_MAX;
use crate::record::Rows;

type Record = Vec<Option<String>>;

/// The whole records and the fault after them: its record, byte, and text.
#[derive(Clone, Debug, PartialEq)]
struct Read {
    records: Vec<Record>,
    fault: Option<(usize, u64, String)>,
}

fn layout(fields: usize) -> CsvLayout {
    let field =
        |column| CsvField { name: format!("f{column}"), kind: FieldType::Text, declared: true };
    CsvLayout {
        descriptor: "t.csv.toml".to_owned(),
        start: 0,
        delimiter: b',',
        header: true,
        null: Vec::new(),
        fields: (0..fields).map(field).collect(),
        compression: None,
    }
}

/// Reads `text` in turns of `morsel` bytes and blocks of about `block` bytes.
fn read(layout: &CsvLayout, text: &[u8], morsel: usize, block: usize) -> Read {
    read_at(level(), layout, text, morsel, block)
}

/// Reads as `read` does, with the vectors of a level.
fn read_at(level: Level, layout: &CsvLayout, text: &[u8], morsel: usize, block: usize) -> Read {
    let mut cursor = TurnCursor::default();
    let (mut bytes, mut scratch) = (Vec::new(), Scratch::default());
    scratch.structure = Structure::at(level);
    let mut all = Read { records: Vec::new(), fault: None };
    let mut start = 0;
    while start < text.len() && !cursor.ended && all.fault.is_none() {
        let end = text.len().min(start + morsel);
        let range = start as u64..end as u64;
        let fill = |into: &mut [u8]| {
            into.copy_from_slice(&text[start..end]);
            Ok::<_, Infallible>(())
        };
        let piece = cursor.take(&mut bytes, range, text.len() as u64, fill).unwrap();
        layout.blocks(&piece, &bytes, block, &mut scratch, &mut |block| {
            take(&block, &mut all);
            ControlFlow::Continue(())
        });
        start = end;
    }
    all
}

fn take(block: &CsvBlock<'_>, all: &mut Read) {
    assert!(all.fault.is_none(), "a block after one with a fault");
    let before = all.records.len();
    let columns: Vec<_> = (0..block.layout.fields.len())
        .map(|column| block.decode_column(column, Rows::All).unwrap())
        .collect();
    for record in 0..block.records() {
        let values = columns.iter().map(|column| {
            let column = column.as_string::<i32>();
            column.is_valid(record).then(|| column.value(record).to_owned())
        });
        all.records.push(values.collect());
    }
    if let Some(fault) = block.fault() {
        all.fault = Some((before + fault.record, fault.byte.unwrap(), fault.problem.to_string()));
        assert_eq!(fault.record, block.records());
    }
}

/// The same rules, one byte after the other.
fn reference(text: &[u8], fields: usize) -> Read {
    let mut all = Read { records: Vec::new(), fault: None };
    let mut at = 0;
    while at < text.len() {
        let start = at;
        match reference_record(text, &mut at) {
            Err(complaint) => {
                all.fault = Some((all.records.len(), start as u64, complaint.to_owned()));
                break;
            }
            Ok(record) if record == [None] && fields > 1 => {}
            Ok(record) if record.len() != fields => {
                all.fault = Some((all.records.len(), start as u64, "the header has".to_owned()));
                break;
            }
            Ok(record) => all.records.push(record),
        }
    }
    all
}

fn reference_record(text: &[u8], at: &mut usize) -> Result<Record, &'static str> {
    let line_end = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        let returns = rest.iter().take_while(|&&byte| byte == b'\r').count();
        matches!(rest.get(returns), None | Some(b'\n')).then_some(returns + 1)
    };
    let string = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let mut record = Vec::new();
    loop {
        let mut value = Vec::new();
        let quoted = text.get(*at) == Some(&b'"');
        if quoted {
            *at += 1;
            loop {
                match text.get(*at..).unwrap_or_default() {
                    [] => return Err("a quote is not closed"),
                    [b'"', b'"', ..] => {
                        value.push(b'"');
                        *at += 2;
                    }
                    [b'"', ..] => break,
                    [byte, ..] => {
                        value.push(*byte);
                        *at += 1;
                    }
                }
            }
            *at += 1;
        } else {
            while line_end(*at).is_none() && text[*at] != b',' {
                match text[*at] {
                    b'"' => return Err("a quote within a field"),
                    b'\r' => return Err("a carriage return that no line feed follows"),
                    _ => {}
                }
                value.push(text[*at]);
                *at += 1;
            }
        }
        record.push((quoted || !value.is_empty()).then(|| string(value)));
        if let Some(length) = line_end(*at) {
            *at += length;
            return Ok(record);
        }
        match text[*at] {
            b',' => {}
            b'\r' => return Err("a carriage return that no line feed follows"),
            _ => return Err("follows a closing quote"),
        }
        *at += 1;
    }
}

fn assert_same(read: &Read, reference: &Read, what: &str) {
    assert_eq!(read.records, reference.records, "{what}");
    match (&read.fault, &reference.fault) {
        (None, None) => {}
        (Some((record, byte, text)), Some((r, b, t))) => {
            assert_eq!((record, byte), (r, b), "{what}: {text} / {t}");
            assert!(text.contains(t), "{what}: {text} / {t}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn any_bytes_in_any_morsels_are_what_the_rules_say() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..3000 {
        let fields = random.usize(1..4);
        let length = random.usize(0..40) + if round % 10 == 0 { 150 } else { 0 };
        let alphabet: &[u8] =
            if random.bool() { b"\",\n\r\"ab" } else { b",,\n\nabcdefghijk \r\"" };
        let line_ends = ["\n", "\r\n", "\r\r\n", "\n\r\n"][random.usize(..4)];
        let bytes = (0..length).map(|_| alphabet[random.usize(..alphabet.len())]);
        let text: Vec<u8> = bytes
            .flat_map(|byte| if byte == b'\n' { line_ends.as_bytes().to_vec() } else { vec![byte] })
            .collect();
        let length = text.len();
        let expected = reference(&text, fields);
        let layout = layout(fields);
        for morsel in (1..length + 2).step_by(if length < 50 { 1 } else { 7 }) {
            let block = random.usize(1..length + 2);
            let level = [level(), Level::baseline()][morsel % 2];
            let found = read_at(level, &layout, &text, morsel, block);
            let what = format!(
                "round {round}, {fields} fields, morsel {morsel}, block {block}: {:?}",
                String::from_utf8_lossy(&text)
            );
            assert_same(&found, &expected, &what);
        }
    }
}

/// Special characters stand at each place of a word, and across the border of two.
#[test]
fn every_place_in_a_word_is_the_same() {
    let texts: [&[u8]; 9] = [
        b"a,\"b,\nc\",d\r\ne,\"\"\"\",\n",
        b",,\r\r\n,,\n",
        b"\"\"\"\"\"\",\"\",\"\"\r\n",
        b"a,b,c\rd,e\n",
        b"a,\"b\" ,c\n",
        b"a,b\"c\",d\n",
        b"a,\"b\"\rc,d\n",
        b"a,\"b,c\n",
        "\u{fc}\u{65e5},\u{80},\u{10ffff}\n".as_bytes(),
    ];
    let layout = layout(3);
    for text in texts {
        for before in 0..140 {
            let text = [&b"x".repeat(before), b",,\n".as_slice(), text, b"1,2,3"].concat();
            let expected = reference(&text, 3);
            for level in [level(), Level::baseline()] {
                let found = read_at(level, &layout, &text, 1 << 20, 1 << 20);
                assert_same(&found, &expected, &String::from_utf8_lossy(&text));
            }
        }
    }
}

/// A word may be full of field ends, and of record ends.
#[test]
fn words_of_nothing_but_ends_are_whole() {
    for fields in [1, 2, 64, 200] {
        let record = [vec![b','; fields - 1], b"\n".to_vec()].concat();
        let text = [b"x".as_slice(), &record.repeat(1000 / fields + 2)].concat();
        let expected = reference(&text, fields);
        for level in [level(), Level::baseline()] {
            let found = read_at(level, &layout(fields), &text, 1 << 20, 1 << 20);
            assert_same(&found, &expected, "ends alone");
        }
    }
}

#[test]
fn valid_files_are_what_another_reader_finds() {
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..300 {
        let (text, fields) = valid_text(&mut random);
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .terminator(::csv::Terminator::Any(b'\n'))
            .from_reader(text.as_bytes());
        let crlf = text.contains("\r\n");
        let expected: Vec<Vec<String>> = reader
            .records()
            .map(|record| {
                let mut record: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
                if crlf && let Some(last) = record.last_mut() {
                    *last = last.strip_suffix('\r').unwrap_or(last).to_owned();
                }
                record
            })
            .collect();
        let layout = layout(fields);
        for morsel in 1..200 {
            let found = read(&layout, text.as_bytes(), morsel, 1 + morsel / 2);
            assert_eq!(found.fault, None, "round {round}: {text:?}");
            let found: Vec<Vec<String>> = found
                .records
                .into_iter()
                .map(|record| record.into_iter().map(Option::unwrap_or_default).collect())
                .collect();
            assert_eq!(found, expected, "round {round}, morsel {morsel}: {text:?}");
        }
    }
}

/// A valid file of two fields or more.
fn valid_text(random: &mut fastrand::Rng) -> (String, usize) {
    let fields = random.usize(2..5);
    let line_end = if random.bool() { "\n" } else { "\r\n" };
    let words = [
        "",
        "a",
        "some longer text of a field",
        "ü",
        "日本",
        "\"\"",
        "\"q\"",
        "\"a,b\"",
        "\"l1\nl2\"",
        "\"she said \"\"no\"\"\"",
        "\"\"\"\"",
        "\"\n\"",
        "1.5",
    ];
    let mut text = String::new();
    let records = random.usize(0..12);
    for record in 0..records {
        let values: Vec<&str> = (0..fields).map(|_| words[random.usize(..words.len())]).collect();
        text.push_str(&values.join(","));
        if record + 1 < records || random.bool() {
            text.push_str(line_end);
        }
    }
    (text, fields)
}

#[test]
fn a_record_is_bounded() {
    let layout = layout(1);
    let longest = vec![b'x'; RECORD_BYTES_MAX];
    let mut text = b"a\n".to_vec();
    text.extend_from_slice(&longest);
    text.extend_from_slice(b"\nb\n");
    for morsel in [1 << 18, 1 << 20, 3 << 20, 64 << 20] {
        let found = read(&layout, &text, morsel, 256 << 10);
        assert_eq!((found.records.len(), found.fault), (3, None));
    }
    text.insert(5, b'x');
    for morsel in [1 << 18, 1 << 20, 3 << 20, 64 << 20] {
        let found = read(&layout, &text, morsel, 256 << 10);
        let (record, byte, complaint) = found.fault.unwrap();
        assert_eq!((found.records.len(), record, byte), (1, 1, 2), "{complaint}");
        assert!(complaint.starts_with("longer than 4194304 bytes"), "{complaint}");
    }
}

#[test]
fn faults_name_the_field_and_the_bytes() {
    let complaint = |text: &str| {
        let (mut found, mut before) = (None, 10);
        let (mut cursor, mut scratch, mut bytes) =
            (TurnCursor::default(), Scratch::default(), Vec::new());
        let length = text.len() as u64;
        let fill = |into: &mut [u8]| {
            into.copy_from_slice(text.as_bytes());
            Ok::<_, Infallible>(())
        };
        let piece = cursor.take(&mut bytes, 0..length, length, fill).unwrap();
        layout(3).blocks(&piece, &bytes, 1 << 18, &mut scratch, &mut |block| {
            found = block.fault().map(|fault| fault.to_error("t.csv", before).to_string());
            before += block.records() as u64;
            ControlFlow::Continue(())
        });
        found.unwrap_or_default()
    };
    assert_eq!(complaint("a,b,c\n1,2\n"), "t.csv: record 12 (byte 6): 2 fields, the header has 3");
    assert_eq!(complaint("a\n"), "t.csv: record 11 (byte 0): 1 field, the header has 3");
    assert_eq!(
        complaint("a,b,c\n1,2,3,4\n"),
        "t.csv: record 12 (byte 6): 4 fields, the header has 3"
    );
    assert_eq!(
        complaint("a,b,c\n1,2\"x,3\n"),
        "t.csv: record 12 (byte 6), field `f1`: a quote within a field that does not start with one"
    );
    assert_eq!(
        complaint("a,b,c\n1,2,\"x\" y\n"),
        "t.csv: record 12 (byte 6), field `f2`: ' y' follows a closing quote, expected a delimiter or the end of the record"
    );
    let returned = "a carriage return that no line feed follows; a field that has one needs quotes, and lines that end with it alone need line feeds, as `tr '\\r' '\\n'` makes them";
    assert_eq!(
        complaint("a,b,c\r\r\n1,2\r,3\n"),
        format!("t.csv: record 12 (byte 8), field `f1`: {returned}")
    );
    assert_eq!(
        complaint("a,b,c\r1,2,3\r"),
        format!("t.csv: record 11 (byte 0), field `f2`: {returned}")
    );
    assert_eq!(
        complaint("a,b,\"c\"\r1,2,3\r"),
        format!("t.csv: record 11 (byte 0), field `f2`: {returned}")
    );
    assert_eq!(
        complaint("a,b,c\n1,2,\"x\n"),
        "t.csv: record 12 (byte 6): a quote is not closed before the end of the file"
    );
}
