//! gzip and Zstandard: consecutive members and frames are one text, and cut, changed or additional
//! bytes are an error, never another answer.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use flate2::write::GzEncoder;
use sift_select::property::answers_ignore_morsels;
use sift_select::{
    Descriptor, ErrorKind, Plan, Result, Scan, ScanOptions, ScanStatistics, Select, Source, Step,
};

use crate::bad_data::Data;

/// Compresses a text as members of `member_bytes` each.
pub(crate) fn gzip(text: &[u8], member_bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for member in text.chunks(member_bytes) {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(member).expect("memory");
        all.extend(encoder.finish().expect("memory"));
    }
    all
}

/// Compresses a text as frames of `frame_bytes` each, with checksums, each after a skippable frame.
pub(crate) fn zstd(text: &[u8], frame_bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for frame in text.chunks(frame_bytes) {
        all.extend(b"\x50\x2A\x4D\x18\x04\0\0\0skip");
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("memory");
        encoder.include_checksum(true).expect("a parameter");
        encoder.write_all(frame).expect("memory");
        all.extend(encoder.finish().expect("memory"));
    }
    all
}

fn csv(records: u32) -> Vec<u8> {
    let records = (1..=records).map(|n| format!("{n},\"a\nb{n}\"\n"));
    format!("n,text\n{}", records.collect::<String>()).into_bytes()
}

fn jsonl(records: u32) -> Vec<u8> {
    let records = (1..=records).map(|n| format!("{{\"n\":{n},\"text\":\"b{n}\"}}\n"));
    records.collect::<String>().into_bytes()
}

/// The same text in every encoding; none is detected from the bytes of the file.
#[test]
fn names_and_descriptors_tell_how_it_is_compressed() {
    let rows = &["1", "2", "3"];
    let told = |name, bytes: Vec<u8>, descriptor: Option<&'static str>, format: &str| {
        let data = Data::new(name, bytes, descriptor);
        assert_eq!(data.open().expect("a source").format(), format, "{name}");
        let descriptor = descriptor.map(|text| Descriptor::parse(name, text).expect("one"));
        assert_eq!(Source::format_of(name, descriptor.as_ref()), Some(format), "{name}");
        data.answers(&format!("SELECT n FROM '{name}'"), rows);
    };
    told("f.csv.gz", gzip(&csv(3), 7), None, "csv, gzip");
    told("f.CSV.ZST", zstd(&csv(3), 7), None, "csv, zstd");
    told("f.ndjson.gz", gzip(&jsonl(3), 1 << 20), None, "jsonl, gzip");
    told("f.jsonl.zst", zstd(&jsonl(3), 5), None, "jsonl, zstd");
    told("f.csv.gz", csv(3), Some("compression = \"none\"\n"), "csv");
    told("f.txt", gzip(&csv(3), 9), Some("compression = \"gzip\"\n"), "csv, gzip");
    let jsonl_zstd = "format = \"jsonl\"\ncompression = \"zstd\"\n";
    told("f", zstd(&jsonl(3), 9), Some(jsonl_zstd), "jsonl, zstd");
    let tabs = String::from_utf8(csv(3)).expect("a text").replace(',', "\t").into_bytes();
    told("f.tsv.gz", gzip(&tabs, 100), None, "csv, gzip");
    let bom = [b"\xEF\xBB\xBF".as_slice(), &jsonl(3)].concat();
    told("f.jsonl.gz", gzip(&bom, 2), None, "jsonl, gzip");
    let data = Data::new("f.dat.gz", gzip(&csv(3), 9), None);
    data.does_not_open(
        ErrorKind::Descriptor,
        "f.dat.gz: no descriptor f.dat.gz.toml, and its name has none of the endings .csv, .tsv, .jsonl, .ndjson, .parquet, .pq, .arrow, .feather, .ipc",
    );
    assert_eq!(Source::format_of("f.parquet.gz", None), None);
}

#[test]
fn nothing_in_it() {
    for (name, bytes) in [
        ("f.jsonl.gz", gzip(b"\n", 9)),
        ("f.jsonl.zst", zstd(b"\n \n", 9)),
        ("f.csv.gz", gzip(b"n,text\n", 9)),
        ("f.csv.zst", zstd(b"n,text", 2)),
    ] {
        Data::new(name, bytes, None).answers("SELECT count(*) FROM 'f'", &["0"]);
    }
    let message =
        "f.jsonl.gz: cannot be decompressed after byte 0 of its text: the file ends too early";
    Data::new("f.jsonl.gz", b"", None).does_not_open(ErrorKind::Record, message);
    let message =
        "f.csv.zst: cannot be decompressed after byte 0 of its text: Unknown frame descriptor";
    Data::new("f.csv.zst", csv(3), None).does_not_open(ErrorKind::Record, message);
    let message = "f.csv.gz: cannot be decompressed after byte 0 of its text: invalid gzip header";
    Data::new("f.csv.gz", csv(3), None).does_not_open(ErrorKind::Record, message);
}

/// Returns the answer, or the error.
fn answer(data: &Data) -> Result<Vec<String>> {
    let source = data.open()?;
    answers_ignore_morsels(&source, "SELECT n, text FROM 'f'");
    let run = crate::engine::RUNS[0];
    crate::engine::select(&source, "SELECT n, text FROM 'f'", &[], run).map(|answer| answer.rows)
}

/// Every cut file is an error. A file with a changed byte is an error or has the same answer,
/// because a few bytes of a header mean nothing.
#[test]
fn damage_is_an_error_and_never_another_answer() {
    for (name, bytes) in [
        ("f.csv.gz", gzip(&csv(12), 100)),
        ("f.jsonl.gz", gzip(&jsonl(12), 1 << 20)),
        ("f.csv.zst", zstd(&csv(12), 1 << 20)),
        ("f.jsonl.zst", zstd(&jsonl(12), 100)),
    ] {
        let whole = answer(&Data::new(name, &bytes, None)).expect("an answer");
        assert_eq!(whole.len(), 12);
        let ends = |cut: &[u8]| answer(&Data::new(name, cut, None));
        for cut in 0..bytes.len() {
            // a file that ends with a member or frame is complete
            if ends(&bytes[..cut]).is_ok() {
                let is_member = [b"\x1F\x8B".as_slice(), b"\x50\x2A", b"\x28\xB5"];
                assert!(is_member.iter().any(|start| bytes[cut..].starts_with(start)), "{cut}");
            }
            // shown only if the test panics
            println!("{name}, {cut}");
            let mut changed = bytes.clone();
            changed[cut] ^= 1 << (cut % 8);
            if let Ok(rows) = ends(&changed) {
                assert_eq!(rows, whole, "{name}, {cut}");
            }
        }
        for garbage in [&b"x"[..], b"\0", b"\0\0\0\0\0\0\0\0", &bytes[..3]] {
            let error = ends(&[&bytes, garbage].concat()).expect_err("garbage");
            assert_eq!(error.kind(), ErrorKind::Record, "{error}");
            assert!(error.to_string().contains("cannot be decompressed after byte"), "{error}");
        }
    }
}

/// Drives a scan on this thread. Returns the rows, the counters, and the result at the end.
fn drive(source: &Arc<Source>, sql: &str) -> (usize, ScanStatistics, Result<()>) {
    let select = Select::parse(sql).expect("a Select");
    let plan = Plan::new(&select, Arc::clone(source), &[]).expect("a plan");
    let options =
        ScanOptions { morsel_bytes: 64 << 10, morsels_in_flight_max: 1, ..ScanOptions::default() };
    let mut scan = Scan::new(plan, options);
    let mut rows = 0;
    loop {
        match scan.step() {
            Ok(Step::Run(morsel)) => scan.accept(morsel.run()),
            Ok(Step::Batch(batch)) => rows += batch.num_rows(),
            Ok(Step::Wait) => panic!("nothing is under way"),
            Ok(Step::Done) => return (rows, scan.statistics(), Ok(())),
            Err(error) => return (rows, scan.statistics(), Err(error)),
        }
    }
}

/// Makes 400,000 distinct records, about 6 MB.
fn large() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    let records = (0..400_000).map(|_| format!("{{\"n\":{}}}\n", random.u32(..)));
    records.collect::<String>().into_bytes()
}

#[test]
fn a_limit_stops_reading_and_the_bytes_read_are_those_of_the_file() {
    for (name, bytes) in
        [("f.jsonl.gz", gzip(&large(), 1 << 30)), ("f.jsonl.zst", zstd(&large(), 1 << 30))]
    {
        let length = bytes.len() as u64;
        let source = Data::new(name, bytes, None).open().expect("a source");
        assert_eq!(source.bytes(), length);
        let (rows, statistics, end) = drive(&source, "SELECT n FROM 'f'");
        end.expect("an answer");
        assert_eq!((rows, statistics.bytes_scanned), (400_000, length));
        let (rows, statistics, end) = drive(&source, "SELECT n FROM 'f' LIMIT 10");
        end.expect("an answer");
        assert_eq!(rows, 10);
        assert!(statistics.bytes_scanned < length / 8, "{statistics:?}");
    }
}

/// The records before the damage are returned.
#[test]
fn records_before_the_damage_come() {
    let mut bytes = gzip(&large(), 1 << 30);
    bytes.truncate(bytes.len() / 2);
    let source = Data::new("f.jsonl.gz", bytes, None).open().expect("a source");
    let (rows, _, end) = drive(&source, "SELECT n FROM 'f'");
    let error = end.expect_err("damage").to_string();
    assert!(error.starts_with("f.jsonl.gz: cannot be decompressed after byte "), "{error}");
    assert!(rows > 100_000, "{rows}");
    let (rows, _, end) = drive(&source, "SELECT n FROM 'f' LIMIT 100000");
    end.expect("an answer");
    assert_eq!(rows, 100_000);
}

#[test]
fn a_file_that_changes_while_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f.jsonl.gz");
    std::fs::write(&path, gzip(&large(), 1 << 30)).expect("write the file");
    let file = File::open(&path).expect("open the file");
    let source = Arc::new(Source::open("f.jsonl.gz", file, None).expect("a source"));
    File::options().write(true).open(&path).expect("open").set_len(1 << 20).expect("a length");
    let (_, _, end) = drive(&source, "SELECT n FROM 'f'");
    let error = end.expect_err("a shorter file");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::FileChanged, "f.jsonl.gz: was truncated while it was read")
    );
}
