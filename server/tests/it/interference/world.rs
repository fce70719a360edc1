//! Files in every format, with visible records and hidden records between them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::FileWriter;
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::Hiding;
use crate::fixture::Fixture;

/// The columns that are visible even if others are hidden.
pub(super) const SEEN: &[&str] = &["id", "owner", "city", "amount", "note"];

/// The files of a folder.
pub(super) const FILES: &[&str] = &[
    "a.csv",
    "a.jsonl",
    "a.dat",
    "a.parquet",
    "a.arrow",
    "a.csv.gz",
    "inferred.csv",
    "inferred.jsonl",
];

/// The number of Ann's records.
const RECORDS: i64 = 3000;

/// The hidden data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// One hidden record.
    Little,
    /// Many records, long values.
    Much,
    /// Groups of records, and values that do not decode.
    Undecodable,
    /// NULLs.
    Null,
}

impl Hidden {
    pub(super) const ALL: [Self; 4] = [Self::Little, Self::Much, Self::Undecodable, Self::Null];
}

/// One record, with numbers as the text formats write them.
#[derive(Clone, Debug)]
struct Record {
    id: i64,
    owner: String,
    city: Option<String>,
    amount: Option<String>,
    note: Option<String>,
    salary: Option<String>,
    memo: Option<String>,
}

/// The records of the files in a folder.
pub(super) struct World {
    records: Vec<Record>,
    memo_bytes: usize,
}

impl World {
    pub(super) fn new(hidden: Hidden, hiding: Hiding) -> Self {
        // the visible records are the same for every server
        let mut seen = Rng::with_seed(1);
        let mut random = Rng::with_seed(hidden as u64 + 2);
        let mut records = Vec::new();
        for id in 0..RECORDS {
            if hiding.hides_rows() {
                for _ in 0..between(hidden, id, &mut random) {
                    records.push(hidden_record(hidden, &mut random));
                }
            }
            let mut record = visible_record(id, &mut seen);
            if hiding.hides_columns() {
                (record.salary, record.memo) = hidden_values(hidden, &mut random);
            }
            records.push(record);
        }
        // the length of `memo` differs only where `memo` itself is hidden
        let is_long = hiding.hides_columns() && hidden == Hidden::Much;
        Self { records, memo_bytes: if is_long { 60 } else { 20 } }
    }

    pub(super) fn write(&self, fixture: &Fixture, folder: &str) {
        let write = |name: &str, bytes: Vec<u8>, descriptor: &str| {
            let path = format!("{folder}/{name}");
            fixture.write(&path, bytes);
            if !descriptor.is_empty() {
                fixture.write(&format!("{path}.toml"), descriptor);
            }
        };
        let protects = folder == "channel";
        let declared = descriptor(true, protects);
        write("a.csv", self.csv().into_bytes(), &declared);
        write("a.csv.gz", gzip(self.csv().as_bytes()), &declared);
        write("a.jsonl", self.jsonl().into_bytes(), &declared);
        write("inferred.csv", self.inferred().into_bytes(), &descriptor(false, protects));
        write("inferred.jsonl", self.inferred_jsonl().into_bytes(), &descriptor(false, protects));
        // files of a pattern that fit together as far as somebody sees them
        write("p/a.csv", self.part(0).inferred().into_bytes(), &descriptor(false, protects));
        write("p/b.csv", self.part(1).inferred().into_bytes(), &descriptor(false, protects));
        let members = descriptor(false, protects);
        write("q/a.jsonl", self.part(0).inferred_jsonl().into_bytes(), &members);
        write("q/b.jsonl", self.part(1).inferred_jsonl().into_bytes(), &members);
        let (bytes, layout) = self.fixed(protects);
        write("a.dat", bytes, &layout);
        write("a.parquet", self.parquet(), &descriptor(false, protects));
        write("a.arrow", self.arrow(), &descriptor(false, protects));
    }

    /// One half of the records.
    fn part(&self, number: usize) -> Self {
        let halves = self.records.chunks(self.records.len().div_ceil(2));
        let records = halves.map(<[Record]>::to_vec).nth(number).unwrap();
        Self { records, memo_bytes: self.memo_bytes }
    }

    fn csv(&self) -> String {
        let mut text = "id,owner,city,amount,note,salary,memo\n".to_owned();
        for record in &self.records {
            let cell = |value: &Option<String>| match value {
                None => String::new(),
                Some(value) => format!("\"{}\"", value.replace('"', "\"\"")),
            };
            let Record { id, owner, city, amount, note, salary, memo } = record;
            let cells = [city, amount, note, salary, memo].map(cell).join(",");
            text += &format!("{id},{owner},{cells}\n");
        }
        text
    }

    /// Returns a CSV file without a descriptor. Its types come from the first records, where hidden
    /// values are texts and Ann's values are not.
    fn inferred(&self) -> String {
        let mut text = "id,owner,city,amount,salary,memo\n".to_owned();
        for Record { id, owner, city, amount, salary, memo, .. } in &self.records {
            let of = |value: &Option<String>| value.clone().unwrap_or_default();
            let amount = if owner == "ann" { "5".to_owned() } else { of(amount) };
            let memo = of(memo).replace('"', "\"\"");
            text += &format!("{id},{owner},{},{amount},{},\"{memo}\"\n", of(city), of(salary));
        }
        text
    }

    /// Returns the same records as JSON Lines, with members that visible records do not have.
    fn inferred_jsonl(&self) -> String {
        let mut text = String::new();
        for Record { id, owner, city, salary, memo, .. } in &self.records {
            let quoted = |value: &Option<String>| match value {
                None => "null".to_owned(),
                Some(value) => format!("{value:?}"),
            };
            let amount = match &owner[..] {
                "ann" => "\"amount\": 5",
                "bob" => "\"amount\": \"none\", \"flag\": true",
                _ => "\"amount\": {\"much\": 1.5}, \"note\": [1]",
            };
            let (city, salary, memo) = (quoted(city), quoted(salary), quoted(memo));
            text += &format!(
                "{{\"id\": {id}, \"owner\": \"{owner}\", \"city\": {city}, {amount}, \
                 \"salary\": {salary}, \"memo\": {memo}}}\n"
            );
        }
        text
    }

    fn jsonl(&self) -> String {
        let mut text = String::new();
        for record in &self.records {
            let Record { id, owner, city, amount, note, salary, memo } = record;
            let number = |value: &Option<String>| {
                value.clone().map(|value| match value.parse::<f64>() {
                    Ok(_) => value,
                    Err(_) => format!("\"{value}\""),
                })
            };
            let quoted = |value: &Option<String>| value.as_ref().map(|value| format!("{value:?}"));
            let members = [
                ("city", quoted(city)),
                ("amount", number(amount)),
                ("note", quoted(note)),
                ("salary", number(salary)),
                ("memo", quoted(memo)),
            ];
            let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let members: String =
                members.map(|(name, value)| format!(", \"{name}\": {value}")).collect();
            text += &format!("{{\"id\": {id}, \"owner\": \"{owner}\"{members}}}\n");
        }
        text
    }

    /// Returns the bytes and the descriptor.
    fn fixed(&self, protects: bool) -> (Vec<u8>, String) {
        let memo_bytes = self.memo_bytes;
        let fields = [
            ("id", "zoned", 8),
            ("owner", "text", 4),
            ("city", "text", 10),
            ("amount", "zoned", 8),
            ("salary", "zoned", 8),
            ("memo", "text", memo_bytes),
            ("note", "text", 40),
        ];
        let mut layout = String::new();
        let mut offset = 0;
        for (name, kind, length) in fields {
            layout += &format!(
                "[[field]]\nname = \"{name}\"\ntype = \"{kind}\"\noffset = {offset}\nlength = {length}\n"
            );
            if protects && matches!(name, "salary" | "memo") {
                layout += "network_encrypt = true\n";
            }
            offset += length;
        }
        let head = format!("format = \"fixed\"\nrecord_length = {offset}\n");
        let mut bytes = Vec::new();
        for record in &self.records {
            let Record { id, owner, city, amount, note, salary, memo } = record;
            let text = |value: &Option<String>, length: usize| {
                let value: String =
                    value.clone().unwrap_or_default().chars().take(length).collect();
                format!("{value:<length$}")
            };
            let number = |value: &Option<String>| {
                let value = value.clone().unwrap_or_else(|| "0".to_owned());
                value.parse::<i64>().map_or("not digs".to_owned(), |number| format!("{number:08}"))
            };
            let record = [
                format!("{id:08}"),
                text(&Some(owner.clone()), 4),
                text(city, 10),
                number(amount),
                number(salary),
                text(memo, memo_bytes),
                text(note, 40),
            ];
            bytes.extend(record.concat().into_bytes());
        }
        (bytes, head + &layout)
    }

    fn batch(&self) -> RecordBatch {
        let texts = |of: fn(&Record) -> Option<&str>| -> ArrayRef {
            Arc::new(StringArray::from_iter(self.records.iter().map(of)))
        };
        let numbers = |of: fn(&Record) -> Option<i64>| -> ArrayRef {
            Arc::new(Int64Array::from_iter(self.records.iter().map(of)))
        };
        RecordBatch::try_from_iter_with_nullable([
            ("id", numbers(|record| Some(record.id)), true),
            ("owner", texts(|record| Some(&record.owner)), true),
            ("city", texts(|record| record.city.as_deref()), true),
            ("amount", numbers(|record| record.amount.as_ref()?.parse().ok()), true),
            ("note", texts(|record| record.note.as_deref()), true),
            ("salary", numbers(|record| record.salary.as_ref()?.parse().ok()), true),
            ("memo", texts(|record| record.memo.as_deref()), true),
        ])
        .unwrap()
    }

    fn parquet(&self) -> Vec<u8> {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(700))
            .set_data_page_row_count_limit(90)
            .set_write_batch_size(30)
            .build();
        let batch = self.batch();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn arrow(&self) -> Vec<u8> {
        let batch = self.batch();
        let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        for start in (0..batch.num_rows()).step_by(400) {
            writer.write(&batch.slice(start, 400.min(batch.num_rows() - start))).unwrap();
        }
        writer.into_inner().unwrap()
    }
}

/// Returns the number of hidden records before Ann's record `id`.
fn between(hidden: Hidden, id: i64, random: &mut Rng) -> usize {
    match hidden {
        Hidden::Little => usize::from(id == 7),
        Hidden::Much => random.usize(0..6),
        Hidden::Undecodable => {
            if id % 500 == 3 {
                400
            } else {
                0
            }
        }
        Hidden::Null => usize::from(random.bool()),
    }
}

fn visible_record(id: i64, random: &mut Rng) -> Record {
    let or_null = |random: &mut Rng, text: String| (random.u8(0..9) > 0).then_some(text);
    let city = ["Oslo", "Rome", "Bern", "Wien"][random.usize(0..4)].to_owned();
    let amount = random.i64(-50..1000).to_string();
    let note = "ab".repeat(random.usize(0..20));
    Record {
        id,
        owner: "ann".to_owned(),
        city: or_null(random, city),
        amount: or_null(random, amount),
        note: or_null(random, note),
        salary: None,
        memo: None,
    }
}

fn hidden_record(hidden: Hidden, random: &mut Rng) -> Record {
    let (salary, memo) = hidden_values(hidden, random);
    let of = |text: &str| (hidden != Hidden::Null).then(|| text.to_owned());
    Record {
        id: random.i64(0..99_999),
        owner: ["bob", "eve"][random.usize(0..2)].to_owned(),
        city: of("Hidden"),
        amount: match hidden {
            Hidden::Undecodable => Some("no number".to_owned()),
            Hidden::Much => Some("0".to_owned()),
            _ => of("77"),
        },
        note: of(&"secret ".repeat(random.usize(0..30))),
        salary,
        memo,
    }
}

fn hidden_values(hidden: Hidden, random: &mut Rng) -> (Option<String>, Option<String>) {
    match hidden {
        Hidden::Little => (Some("1".to_owned()), Some("m".to_owned())),
        Hidden::Much => {
            let memo = "m\"\n".repeat(random.usize(0..300));
            (Some(random.i64(0..99_999_999).to_string()), Some(memo))
        }
        Hidden::Undecodable => (Some("bad".to_owned()), Some("x".repeat(random.usize(0..9)))),
        Hidden::Null => (None, None),
    }
}

fn descriptor(declares: bool, protects: bool) -> String {
    let types = match declares {
        true => &[
            ("id", "int64"),
            ("owner", "text"),
            ("city", "text"),
            ("amount", "int64"),
            ("note", "text"),
            ("salary", "int64"),
            ("memo", "text"),
        ][..],
        false => &[("salary", ""), ("memo", "")],
    };
    let mut text = String::new();
    for (name, kind) in types {
        let is_secret = protects && matches!(*name, "salary" | "memo");
        if kind.is_empty() && !is_secret {
            continue;
        }
        text += &format!("[[field]]\nname = \"{name}\"\n");
        if !kind.is_empty() {
            text += &format!("type = \"{kind}\"\n");
        }
        if is_secret {
            text += "network_encrypt = true\n";
        }
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
