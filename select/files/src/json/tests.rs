use std::ops::ControlFlow;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use fastrand::Rng;
use serde_json::Value;

use super::block::Scratch;
use super::lines::take;
use super::*;
use crate::block::Block;
use crate::record::{Rows, TurnBytes};

/// The texts of the columns of each record, and the fault after them: its record, byte and text.
#[derive(Clone, Debug, PartialEq)]
struct Read {
    records: Vec<Vec<Option<String>>>,
    fault: Option<(usize, u64, String)>,
}

fn layout(text: &[u8], declared: &[(&str, FieldType)]) -> JsonLayout {
    let declared = declared.iter().map(|(name, kind)| Declared {
        name: (*name).to_owned(),
        kind: Some(*kind),
        path: None,
    });
    let read = |bytes_max: usize| Ok(text[..text.len().min(bytes_max)].to_vec());
    JsonLayout::open("t.jsonl", declared.collect(), read).unwrap()
}

/// Reads `text` in turns of `morsel` bytes and blocks of about `block` bytes.
fn read(layout: &JsonLayout, text: &[u8], morsel: usize, block: usize) -> Read {
    let (mut bytes, mut scratch) = (Vec::new(), Scratch::default());
    let mut all = Read { records: Vec::new(), fault: None };
    let (first, length) = (layout.start, text.len() as u64);
    let mut start = first;
    while start < length && all.fault.is_none() {
        let end = length.min(start + morsel as u64);
        let fill = |into: &mut [u8], at: u64| {
            let at = usize::try_from(at).unwrap();
            into.copy_from_slice(&text[at..at + into.len()]);
            Ok::<_, ()>(())
        };
        let (skipped, piece) = take(&mut bytes, start..end, first, length, fill).unwrap();
        layout.blocks(&piece, &bytes[skipped..], block, &mut scratch, &mut |block| {
            assert!(all.fault.is_none(), "a block after one with a fault");
            push(&block, &mut all);
            ControlFlow::Continue(())
        });
        start = end;
    }
    all
}

fn push(block: &JsonBlock<'_>, all: &mut Read) {
    let before = all.records.len();
    let columns = 0..block.layout.fields.len();
    let columns: Vec<_> =
        columns.map(|column| block.decode_column(column, Rows::All).unwrap()).collect();
    for record in 0..block.records() {
        let values = columns.iter().map(|column| {
            let column = column.as_string::<i32>();
            column.is_valid(record).then(|| column.value(record).to_owned())
        });
        all.records.push(values.collect());
    }
    if let Some(fault) = block.fault() {
        assert_eq!(fault.record, block.records());
        all.fault = Some((before + fault.record, fault.byte.unwrap(), fault.problem.to_string()));
    }
}

const NAMES: &[&str] = &["a", "b", "c", "é", "a b", "x\"y"];

fn random_value(random: &mut Rng, depth: usize) -> String {
    let scalars = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-1.50",
        "1e3",
        "2E-2",
        "0.1e+5",
        "\"\"",
        "\"text\"",
        "\"a longer text, beyond sixteen bytes\"",
        "\"q\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e9\\u65e5\"",
        "\"\\ud83d\\ude00 日本\"",
        "[]",
        "{}",
        "[1, \"]\", {\"k\": []}]",
    ];
    if depth == 0 || random.u8(0..4) > 0 {
        return scalars[random.usize(..scalars.len())].to_owned();
    }
    random_object(random, depth - 1)
}

fn random_object(random: &mut Rng, depth: usize) -> String {
    let space = ["", "", " ", "\t ", "\r"];
    let space = |random: &mut Rng| space[random.usize(..space.len())];
    let mut names: Vec<&str> = NAMES.iter().copied().filter(|_| random.bool()).collect();
    if random.u8(0..3) == 0 {
        random.shuffle(&mut names);
    }
    let members = names.into_iter().map(|name| {
        let name = if random.u8(0..9) == 0 { "\\u0061z" } else { &name.replace('"', "\\\"") };
        let value = random_value(random, depth);
        let [a, b, c] = [space(random), space(random), space(random)];
        format!("{a}\"{name}\"{b}:{c}{value}")
    });
    let members: Vec<_> = members.collect();
    format!("{{{}{}}}", members.join(","), space(random))
}

/// Parses each line with serde_json: the members of the objects before the first wrong line.
fn reference(text: &[u8]) -> (Vec<Value>, Option<usize>) {
    let mut records = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(value @ Value::Object(_)) => records.push(value),
            _ => return (records, Some(line.as_ptr() as usize - text.as_ptr() as usize)),
        }
    }
    (records, None)
}

fn assert_same(found: &Read, text: &[u8]) {
    let (expected, wrong) = reference(text);
    let shown = String::from_utf8_lossy(text);
    let twice = found.fault.as_ref().filter(|fault| fault.2.contains("a name that its object has"));
    match (twice, &found.fault) {
        // serde_json takes the last of two, unless something after them is wrong
        (Some((record, ..)), _) => assert!(*record <= expected.len(), "{shown}"),
        (None, fault) => {
            let byte = fault.as_ref().map(|(_, byte, _)| usize::try_from(*byte).unwrap());
            assert_eq!(byte, wrong, "{fault:?}: {shown}");
            assert_eq!(found.records.len(), expected.len(), "{shown}");
        }
    }
    for (record, expected) in found.records.iter().zip(expected) {
        for (text, name) in record.iter().zip(NAMES) {
            let value = text.as_ref().map(|text| serde_json::from_str(text).unwrap());
            let expected = expected.get(name).filter(|value| !value.is_null());
            assert_eq!(value.as_ref(), expected, "{name}: {shown}");
        }
    }
}

/// Random records and faults in them: accepted is exactly what serde_json accepts, with the same
/// values, in turns and blocks of any size.
#[test]
fn any_bytes_are_what_another_reader_finds() {
    let mut random = Rng::with_seed(11);
    let mut faults = 0;
    for round in 0..3_000 {
        let mut text = if random.u8(0..9) == 0 { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
        let start = text.len();
        for _ in 0..random.usize(0..6) {
            text.extend_from_slice(random_object(&mut random, 3).as_bytes());
            let end = ["\n", "\n", "\r\n", "\n\n", "\n \t\r\n"];
            text.extend_from_slice(end[random.usize(..end.len())].as_bytes());
        }
        if random.bool() {
            text.truncate(text.len().saturating_sub(1).max(start));
        }
        for _ in 0..round % 4 {
            if text.len() > start {
                mutate(&mut text, start, &mut random);
            }
        }
        let json: Vec<_> = NAMES.iter().map(|name| (*name, FieldType::Json)).collect();
        let layout = layout(&text, &json);
        assert_eq!(layout.start, start as u64);
        let whole = read(&layout, &text, 1 << 20, 1 << 20);
        let body = Read {
            fault: whole
                .fault
                .clone()
                .map(|(record, byte, text)| (record, byte - layout.start, text)),
            ..whole.clone()
        };
        assert_same(&body, &text[start..]);
        faults += usize::from(whole.fault.is_some());
        for morsel in (1..text.len() + 2).step_by(if text.len() < 60 { 1 } else { 13 }) {
            let block = random.usize(1..text.len() + 2);
            let shown = String::from_utf8_lossy(&text);
            assert_eq!(read(&layout, &text, morsel, block), whole, "{morsel}, {block}: {shown}");
        }
    }
    assert!((600..2400).contains(&faults), "{faults}");
}

fn mutate(text: &mut Vec<u8>, start: usize, random: &mut Rng) {
    const BYTES: &[u8] = b"{}[]:,\"\\\n\r u01e-.tn\x00\x1F\x7F\xC3\xA9\xFF";
    let at = random.usize(start..text.len());
    let byte = BYTES[random.usize(..BYTES.len())];
    match random.u8(0..4) {
        0 => drop(text.remove(at)),
        1 => text.insert(at, byte),
        2 => text[at] = byte,
        _ => text.truncate(at),
    }
}

/// A number as the grammar has it, or a byte beside it.
fn random_number(random: &mut Rng) -> String {
    let digits = |random: &mut Rng, length_max: usize| -> String {
        (0..random.usize(1..=length_max)).map(|_| random.digit(10)).collect()
    };
    let mut number = if random.u8(0..3) == 0 { "-".to_owned() } else { String::new() };
    match random.u8(0..4) {
        0 => number.push('0'),
        _ => {
            number.push(char::from(random.u8(b'1'..=b'9')));
            number.push_str(&digits(random, 15)[1..]);
        }
    }
    if random.bool() {
        number.push('.');
        number.push_str(&digits(random, 4));
    }
    if random.u8(0..6) == 0 {
        number.push_str(["e", "E", "e+", "E-"][random.usize(..4)]);
        number.push(random.digit(4));
    }
    if random.u8(0..6) == 0 {
        let at = random.usize(..=number.len());
        number.insert(at, *random.choice(&['0', '.', '-', '/', ':', ' ']).unwrap());
    }
    number
}

/// Returns the number times 10 to the power of `scale`, if that is an integer of at most `precision`
/// digits.
fn unscaled(number: &str, precision: u8, scale: u8) -> Option<i128> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().unwrap();
    let places = i32::from(scale) - i32::try_from(fraction.len()).unwrap();
    let shift = exponent.parse::<i32>().unwrap() + places;
    if digits == 0 {
        return Some(0);
    }
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    let value = match shift < 0 {
        true => (digits % power == 0).then_some(digits / power)?,
        false => digits.checked_mul(power)?,
    };
    (value.abs() < 10_i128.pow(precision.into())).then_some(value)
}

/// Numbers of every length and form, with as little after them as there may be and with more:
/// serde_json accepts the same, and each has the value that its digits say.
#[test]
fn numbers_are_what_their_characters_say() {
    let kinds = [
        FieldType::Int64,
        FieldType::Decimal { precision: 12, scale: 2 },
        FieldType::Decimal { precision: 38, scale: 20 },
        FieldType::Float64,
    ];
    let layouts = kinds.map(|kind| layout(b"{\"a\":0,\"b\":\"\"}", &[("a", kind)]));
    let mut random = Rng::with_seed(12);
    let mut values = [0; 4];
    for _ in 0..30_000 {
        let number = random_number(&mut random);
        let after = ["}\n", " }\n", ",\"b\":\"of some length\"}\n"][random.usize(..3)];
        let text = format!("{{\"a\":{number}{after}");
        let is_json = serde_json::from_str::<Value>(&text).is_ok();
        for ((kind, layout), values) in kinds.iter().zip(&layouts).zip(&mut values) {
            let mut column = None;
            let piece = TurnBytes { start: 0, whole: text.len(), used: text.len() };
            let mut scratch = Scratch::default();
            layout.blocks(&piece, text.as_bytes(), 1 << 20, &mut scratch, &mut |block| {
                assert_eq!(block.fault().is_none(), is_json, "{text}");
                column = block.decode_column(0, Rows::All).ok();
                ControlFlow::Continue(())
            });
            if !is_json {
                continue;
            }
            let number = number.trim();
            let (found, expected) = match *kind {
                FieldType::Int64 => (
                    column.map(|column| column.as_primitive::<Int64Type>().value(0).into()),
                    unscaled(number, 38, 0).filter(|value| i64::try_from(*value).is_ok()),
                ),
                FieldType::Decimal { precision, scale } => (
                    column.map(|column| column.as_primitive::<Decimal128Type>().value(0)),
                    unscaled(number, precision, scale),
                ),
                _ => (
                    column.map(|column| {
                        column.as_primitive::<Float64Type>().value(0).to_bits().into()
                    }),
                    number.parse().ok().map(|value: f64| value.to_bits().into()),
                ),
            };
            assert_eq!(found, expected, "{text} as {kind}");
            *values += usize::from(found.is_some());
        }
    }
    assert!(values.iter().all(|values| *values > 5_000), "{values:?}");
}

#[test]
fn a_record_is_bounded() {
    let longest = format!("{{\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX - 8));
    assert_eq!(longest.len(), RECORD_BYTES_MAX);
    let text = format!("{{\"a\":\"1\"}}\n{longest}\n{{\"a\":\"2\"}}\n").into_bytes();
    let layout = layout(&text, &[("a", FieldType::Text)]);
    let mut longer = text.clone();
    longer.insert(18, b'y');
    for morsel in [1 << 18, 1 << 20, 3 << 20, 64 << 20] {
        let found = read(&layout, &text, morsel, 256 << 10);
        assert_eq!((found.records.len(), found.fault), (3, None));
        let found = read(&layout, &longer, morsel, 256 << 10);
        let (record, byte, complaint) = found.fault.unwrap();
        assert_eq!((found.records.len(), record, byte), (1, 1, 10), "{complaint}");
        assert_eq!(complaint, "longer than 4194304 bytes, the most that is accepted");
    }
}

/// However many members there are, a block's places are bounded.
#[test]
fn many_members_make_small_blocks() {
    let names: Vec<_> = (0..tree::MEMBERS_MAX).map(|name| format!("\"m{name}\":1")).collect();
    let text = format!("{{{}}}\n{}", names.join(","), "{}\n".repeat(1000)).into_bytes();
    let layout = layout(&text, &[("m1", FieldType::Json)]);
    let (mut records, mut blocks) = (0, 0);
    let mut scratch = Scratch::default();
    let piece = TurnBytes { start: 0, whole: text.len(), used: text.len() };
    layout.blocks(&piece, &text, 1 << 20, &mut scratch, &mut |block| {
        records += block.records();
        blocks += 1;
        assert!(block.records() <= 64);
        ControlFlow::Continue(())
    });
    assert_eq!((records, blocks), (1001, 16));
}
