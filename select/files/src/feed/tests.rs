use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::*;
use crate::ErrorKind;
use crate::Result;
use crate::descriptor::Descriptor;
use crate::io::waiting::Waiting;
use crate::parquet::ParquetKeys;
use crate::record::Rows;

/// Records that types are inferred from.
const SAMPLED: usize = 10_000;

const FIXED: &str = "format = \"fixed\"\nrecord_length = 6\nterminator = \"lf\"\n[[field]]\nname = \"n\"\ntype = \"digits\"\noffset = 1\nlength = 5\n";

/// A file `name` of its own folder.
struct Temporary {
    _folder: tempfile::TempDir,
    name: String,
    path: PathBuf,
}

impl Temporary {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self { _folder: folder, name: name.to_owned(), path }
    }

    fn open(&self, descriptor: &str) -> Result<Arc<DataFile>> {
        let descriptor = (!descriptor.is_empty())
            .then(|| Descriptor::parse(&format!("{}.toml", self.name), descriptor).unwrap());
        let (file, keys) = (File::open(&self.path).unwrap(), ParquetKeys::default());
        DataFile::open(&self.name, file, descriptor, &keys).map(Arc::new)
    }

    fn complaint(&self, descriptor: &str) -> (ErrorKind, String) {
        let error = self.open(descriptor).unwrap_err();
        let text = error.to_string();
        (error.into_kind(), text)
    }
}

/// Column 0 of all, by several threads, in the order of the turns; and the bytes read.
fn numbers(file: &Arc<DataFile>, morsel_bytes: usize) -> (Vec<i64>, u64) {
    let feed = Feed::new(&[Arc::clone(file)], morsel_bytes);
    let mut turns: Vec<(u64, u64, Vec<i64>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| take_turns(&feed))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    turns.sort_unstable();
    assert_eq!(Some(turns.len() as u64), feed.turns());
    assert!(turns.iter().enumerate().all(|(number, turn)| turn.0 == number as u64));
    let bytes = turns.iter().map(|turn| turn.1).sum();
    (turns.into_iter().flat_map(|turn| turn.2).collect(), bytes)
}

fn take_turns(feed: &Feed) -> Vec<(u64, u64, Vec<i64>)> {
    let mut turns = Vec::new();
    loop {
        let mut values = Vec::new();
        let turn = feed.next(Waiting::Allowed, &mut |_, block| {
            assert_eq!(block.fault(), None);
            let arrays = block.decode(&[0], Rows::All).unwrap();
            values.extend_from_slice(arrays[0].as_primitive::<Int64Type>().values());
            ControlFlow::Continue(())
        });
        let Some(turn) = turn else { return turns };
        turn.result.unwrap();
        turns.push((turn.number, turn.bytes, values));
    }
}

#[test]
fn turns_of_any_size_are_the_file_in_its_order() {
    let fixed: String = (0..2000).map(|n| format!("x{n:05}\n")).collect();
    let fixed = Temporary::new("t.dat", fixed).open(FIXED).unwrap();
    let csv: String = (0..2000).map(|n| format!("{n},\"a\n{n}\"\r\n")).collect();
    let csv = Temporary::new("t.csv", format!("\u{FEFF}n,text\r\n{csv}")).open("").unwrap();
    let expected: Vec<i64> = (0..2000).collect();
    assert_eq!(
        (fixed.records(), fixed.record_bytes(), fixed.format()),
        (Some(2000), Some(7), "fixed")
    );
    assert_eq!((csv.records(), csv.record_bytes(), csv.format()), (None, None, "csv"));
    for morsel_bytes in [1, 5, 7, 100, 4096, 1 << 20] {
        assert_eq!(numbers(&fixed, morsel_bytes), (expected.clone(), 14_000));
        let (values, bytes) = numbers(&csv, morsel_bytes);
        assert_eq!((values, bytes), (expected.clone(), csv.identity().bytes - 11));
    }
}

/// Larger than a block, so that blocks and turns both cut records.
#[test]
fn blocks_within_a_turn_are_whole_records() {
    let csv: String = (0..60_000).map(|n| format!("{n},\"{:1$}\"\n", "", n % 37)).collect();
    let csv = Temporary::new("t.csv", format!("n,text\n{csv}")).open("").unwrap();
    for morsel_bytes in [300_000, 1 << 20, 8 << 20] {
        assert_eq!(numbers(&csv, morsel_bytes).0, (0..60_000).collect::<Vec<_>>());
    }
}

#[test]
fn empty_files() {
    let fixed = Temporary::new("t.dat", "").open(FIXED).unwrap();
    assert_eq!(numbers(&fixed, 100), (vec![], 0));
    let headless = "[csv]\nheader = false\n[[field]]\nname = \"n\"\ntype = \"int64\"\n";
    let csv = Temporary::new("t.csv", "").open(headless).unwrap();
    assert_eq!(numbers(&csv, 100), (vec![], 0));
    for header in ["n", "n\n", "n\r\n"] {
        let csv = Temporary::new("t.csv", header)
            .open("[[field]]\nname = \"n\"\ntype = \"int64\"\n")
            .unwrap();
        assert_eq!(numbers(&csv, 100), (vec![], 0));
    }
}

#[test]
fn files_that_cannot_be_opened() {
    let (kind, text) = Temporary::new("t.dat", "x00001\nx0").complaint(FIXED);
    assert!(matches!(kind, ErrorKind::Descriptor { .. }));
    assert_eq!(
        text,
        "t.dat: 9 bytes are 1 records of 7 bytes (terminator included) and 2 bytes more"
    );
    let (kind, text) = Temporary::new("t.dat", "").complaint("");
    assert!(matches!(kind, ErrorKind::Descriptor { .. }));
    assert_eq!(
        text,
        "t.dat: no descriptor t.dat.toml, and its name has none of the endings .csv, .tsv, .jsonl, .ndjson, .parquet, .pq, .arrow, .feather, .ipc"
    );
    let (kind, text) = Temporary::new("t.csv", "").complaint("");
    assert!(matches!(kind, ErrorKind::Damaged { .. }));
    assert_eq!(
        text,
        "t.csv: the file is empty, expected a header; if it has none, say so in t.csv.toml with `header = false` and name its fields"
    );
    let (_, text) = Temporary::new("t.csv", "a,b,a\n").complaint("");
    assert_eq!(text, "t.csv: the header has the name `a` twice");
    let (_, text) = Temporary::new("t.csv", "a,\"b\n").complaint("");
    assert_eq!(text, "t.csv: the header has no end within 5 bytes; is a quote not closed?");
    let (_, text) = Temporary::new("t.csv", "a,b\"\n").complaint("");
    assert_eq!(text, "t.csv: header (byte 3): a quote within a field that does not start with one");
    let (_, text) = Temporary::new("t.csv", b"a,b\xFF\n").complaint("");
    assert_eq!(text, "t.csv: the name of field 2 in the header is not UTF-8");
    let (kind, text) = Temporary::new("t.csv", "a,b\n").complaint("[[field]]\nname = \"c\"\n");
    assert!(matches!(kind, ErrorKind::Descriptor { .. }));
    assert_eq!(text, "t.csv.toml: no field `c` in the header, which has `a`, `b`");
}

#[test]
fn a_file_that_is_cut_while_it_is_read() {
    let fixed = Temporary::new("t.dat", "x00001\nx00002\n");
    let csv = Temporary::new("t.csv", "n\n1\n2\n");
    for (file, descriptor) in [(fixed, FIXED), (csv, "")] {
        let source = file.open(descriptor).unwrap();
        assert!(!source.changed().unwrap());
        File::options().append(true).open(&file.path).unwrap().write_all(b"more").unwrap();
        assert!(source.changed().unwrap());
        // what came on top is not read
        assert_eq!(numbers(&source, 100).0, [1, 2]);
        File::options().write(true).open(&file.path).unwrap().set_len(3).unwrap();
        let turn = Feed::new(&[Arc::clone(&source)], 100)
            .next(Waiting::Allowed, &mut |_, _| panic!("a block of what is gone"));
        let error = turn.unwrap().result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::FileChanged { .. }));
        assert_eq!(error.to_string(), format!("{}: was truncated while it was read", file.name));
    }
}

#[test]
fn types_by_the_first_records() {
    let text = "a,b,c,d,e,f,g,h,i,,k\n\
        1,1.50,0.5,2024-02-29,2024-02-29 10:00:00,true,007,x,,1,99999999999999999999\n\
        -20,\"-2.25\",1e3,1969-12-31,1969-12-31T23:59:59.25Z,False,08,1,,\"\",1\n";
    let source = Temporary::new("t.csv", text).open("").unwrap();
    let types: Vec<_> =
        source.schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    use DataType::{Boolean, Date32, Decimal128, Float64, Int64, Utf8};
    assert_eq!(
        types,
        [
            Int64,
            Decimal128(18, 2),
            Float64,
            Date32,
            micros,
            Boolean,
            Utf8,
            Utf8,
            Utf8,
            Utf8,
            Decimal128(38, 0)
        ]
    );
    assert_eq!(source.schema.field(9).name(), "column10");
    assert_eq!(source.storage(1), "text, field 2, numeric(18,2) by the first records");
    let mut rows = 0;
    let turn =
        Feed::new(&[Arc::clone(&source)], 1 << 20).next(Waiting::Allowed, &mut |_, block| {
            let columns: Vec<usize> = (0..11).collect();
            let batch = RecordBatch::try_new(
                Arc::new(source.schema.clone()),
                block.decode(&columns, Rows::All).unwrap(),
            );
            let batch = batch.unwrap();
            rows += batch.num_rows();
            assert_eq!(batch.column(1).as_primitive::<Decimal128Type>().values()[..], [150, -225]);
            assert_eq!(
                batch.column(4).as_primitive::<TimestampMicrosecondType>().value(1),
                -750_000
            );
            assert_eq!(batch.column(8).null_count(), 2);
            assert_eq!(batch.column(9).as_string::<i32>().value(1), "");
            ControlFlow::Continue(())
        });
    assert_eq!((turn.unwrap().bytes, rows), (source.identity().bytes - 21, 2));
}

#[test]
fn a_value_that_does_not_fit_its_type_is_told_with_the_remedy() {
    let complaint = |file: &Temporary, descriptor: &str| {
        let source = file.open(descriptor).unwrap();
        let mut found = None;
        let turn =
            Feed::new(&[Arc::clone(&source)], 1 << 26).next(Waiting::Allowed, &mut |_, block| {
                found = block.decode(&[0], Rows::All).err();
                if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        turn.unwrap().result.unwrap();
        (found.as_ref().unwrap().record, found.unwrap().to_error("t.csv", 0).to_string())
    };
    let good: String = (0..SAMPLED + 5).map(|n| format!("{n}\n")).collect();
    let inferred = Temporary::new("t.csv", format!("n\n{good}N/A\n"));
    let (record, text) = complaint(&inferred, "");
    assert_eq!(record, SAMPLED + 5);
    assert!(text.ends_with("field `n`: 'N/A' is not bigint, the type by the first records; declare the field's type in t.csv.toml"), "{text}");
    let declared = "[[field]]\nname = \"n\"\ntype = \"date\"\n";
    let (_, text) = complaint(&Temporary::new("t.csv", "n\n2024-02-30\n"), declared);
    assert_eq!(
        text,
        "t.csv: record 1 (byte 2), field `n`: '2024-02-30' is not date, the type in t.csv.toml"
    );
    let null = format!("[csv]\nnull = \"N/A\"\n{}", declared.replace("date", "int64"));
    assert_eq!(numbers(&inferred.open(&null).unwrap(), 1 << 20).0.len(), SAMPLED + 6);
}
