//! The most memory that a query allocates. These tests are a binary of their own and run one by
//! one, because the allocations of the whole process are counted.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests may panic too")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use peak_alloc::PeakAlloc;
use sift_select::{
    Descriptor, ErrorKind, MemoryBudget, Plan, Result, Scan, ScanOptions, Select, Source,
    SpillDirectory, Step,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Locked by the test that counts.
static TURN: Mutex<()> = Mutex::new(());

const RECORDS: u64 = 400_000;
const BUDGET: usize = 8 << 20;

/// Blocks, batches in flight and keys that are compared; they do not grow with the file.
const BESIDES: usize = 12 << 20;

/// A table of groups is in memory twice for a moment, when it grows and when it is finished.
const GROUPS: usize = 2 * BUDGET + BESIDES;

/// The longest record in and between the buffers of the morsels, and the window of a frame.
const DECOMPRESSED: usize = 32 << 20;

const DESCRIPTOR: &str = "
    format = \"fixed\"
    record_length = 100
    [[field]]
    name = \"key\"
    type = \"digits\"
    offset = 0
    length = 10
    [[field]]
    name = \"word\"
    type = \"text\"
    offset = 10
    length = 90
";

/// Writes a file of 40 MB in random order.
fn source(folder: &Path) -> Arc<Source> {
    let path = folder.join("records.dat");
    let mut file = BufWriter::new(File::create(&path).expect("a file"));
    for record in 0..RECORDS {
        let key = record * 7_919 % RECORDS;
        write!(file, "{key:010}{key:090}").expect("a record");
    }
    file.flush().expect("a file");
    let descriptor = Descriptor::parse("records.dat.toml", DESCRIPTOR).expect("a descriptor");
    let file = File::open(path).expect("a file");
    Arc::new(Source::open("records.dat", file, Some(descriptor)).expect("a source"))
}

/// Runs a Select and drops its batches. Returns the number of its records and the most bytes that
/// were allocated.
fn run(source: &Arc<Source>, spill: &Arc<SpillDirectory>, sql: &str) -> (Result<usize>, usize) {
    let plan = Select::parse(sql).and_then(|select| Plan::new(&select, Arc::clone(source), &[]));
    let options = ScanOptions {
        morsel_bytes: 256 << 10,
        morsels_in_flight_max: 4,
        memory: Arc::new(MemoryBudget::new("query_memory_bytes_max", BUDGET)),
        spill: Some(Arc::clone(spill)),
        ..ScanOptions::default()
    };
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let records = drain(Scan::new(plan.expect(sql), options));
    (records, ALLOCATOR.peak_usage() - before)
}

fn drain(mut scan: Scan) -> Result<usize> {
    let (sender, outcomes) = mpsc::channel();
    let mut records = 0;
    loop {
        match scan.step()? {
            Step::Run(morsel) => {
                let sender = sender.clone();
                rayon::spawn(move || drop(sender.send(morsel.run())));
            }
            Step::Batch(batch) => records += batch.num_rows(),
            Step::Wait => scan.accept(outcomes.recv().expect("an outcome")),
            Step::Done => return Ok(records),
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let source = source(folder.path());
    let spill = Arc::new(SpillDirectory::new(folder.path(), "spill_bytes_max", 1 << 30));
    for (sql, expected, bytes_max) in [
        ("SELECT * FROM 'f'", 400_000, BESIDES),
        ("SELECT * FROM 'f' ORDER BY key", 400_000, BUDGET + BESIDES),
        ("SELECT * FROM 'f' ORDER BY word DESC, key", 400_000, BUDGET + BESIDES),
        ("SELECT DISTINCT ON (key % 1000) * FROM 'f' ORDER BY key % 1000", 1000, BUDGET + BESIDES),
        ("SELECT * FROM 'f' ORDER BY key LIMIT 100", 100, BESIDES),
        ("SELECT key % 100, count(*) FROM 'f' GROUP BY key % 100", 100, BESIDES),
        ("SELECT key % 20000, sum(key) FROM 'f' GROUP BY key % 20000", 20_000, GROUPS),
        ("SELECT word, count(*) FROM 'f' GROUP BY word", 400_000, GROUPS),
        ("SELECT DISTINCT word FROM 'f'", 400_000, GROUPS),
        ("SELECT count(DISTINCT word) FROM 'f'", 1, GROUPS),
        ("SELECT key % 7, sum(DISTINCT key) FROM 'f' GROUP BY key % 7", 7, GROUPS),
        ("SELECT DISTINCT word, max(key) FROM 'f' GROUP BY word, key % 3", 400_000, GROUPS),
    ] {
        let (records, bytes) = run(&source, &spill, sql);
        assert_eq!(records.expect(sql), expected, "{sql}");
        assert!(bytes <= bytes_max, "{sql}: {bytes} bytes were allocated, expected {bytes_max}");
        assert_eq!(spill.bytes(), 0, "{sql}");
    }
    for (name, line, expected) in [
        ("bomb.jsonl.gz", "{\"n\":1}\n", Some(1)),
        ("bomb.jsonl.zst", "{\"n\":1}\n", Some(1)),
        ("bomb.csv.gz", "xxxxxxxxx", None),
        ("bomb.jsonl.zst", "         ", None),
    ] {
        let source = bomb(folder.path(), name, line);
        let (records, bytes) = run(&source, &spill, "SELECT count(*) FROM 'f'");
        match expected {
            Some(rows) => assert_eq!(records.expect(name), rows, "{name}"),
            None => assert_eq!(records.expect_err(name).kind(), ErrorKind::Record, "{name}"),
        }
        assert!(bytes <= DECOMPRESSED, "{name}: {bytes} bytes were allocated");
    }
}

/// The pages of a turn, the texts of a block, and both again while they are decoded.
const COLUMNS: usize = 1200 << 20;

#[test]
fn few_bytes_of_a_file_of_columns_do_not_become_many() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let spill = Arc::new(SpillDirectory::new(folder.path(), "spill_bytes_max", 1 << 30));
    let repeated = texts(&"x".repeat(8 << 20), 400);
    let large = texts(&"x".repeat(1 << 20), 64);
    let many: Vec<_> = (0..9).map(|n| (format!("c{n}"), Arc::clone(&large))).collect();
    for (columns, sql, complaint) in [
        (vec![("c".to_owned(), repeated)], "SELECT c FROM 'f'", "bytes of text"),
        (many.clone(), "SELECT * FROM 'f'", "bytes of memory"),
        (many, "SELECT c1 FROM 'f'", ""),
    ] {
        for extension in ["parquet", "arrow"] {
            if extension == "arrow" && complaint.ends_with("text") {
                // an Arrow file has no value more than once
                continue;
            }
            let name = format!("bomb.{extension}");
            let path = folder.path().join(&name);
            write_columns(&path, &columns);
            assert!(path.metadata().expect("a file").len() < 4 << 20, "{name}");
            let file = File::open(&path).expect("a file");
            let source = Arc::new(Source::open(&name, file, None).expect("a source"));
            let (records, bytes) = run(&source, &spill, sql);
            match complaint {
                "" => assert_eq!(records.expect(sql), 64, "{name}"),
                _ => {
                    let error = records.expect_err(sql);
                    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{name}: {error}");
                    assert!(error.to_string().contains(complaint), "{name}: {error}");
                }
            }
            assert!(bytes <= COLUMNS, "{name}, {sql}: {bytes} bytes were allocated");
        }
    }
}

fn texts(text: &str, count: usize) -> ArrayRef {
    let codes = Int32Array::from(vec![0; count]);
    let values = StringArray::from(vec![text]);
    Arc::new(DictionaryArray::new(codes, Arc::new(values)))
}

/// Writes columns of dictionaries. Parquet files have dictionaries if there are many records,
/// otherwise every value.
fn write_columns(path: &Path, columns: &[(String, ArrayRef)]) {
    let file = File::create(path).expect("a file");
    let named = columns.iter().map(|(name, array)| (name.as_str(), Arc::clone(array)));
    let batch = RecordBatch::try_from_iter(named).expect("columns of one length");
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(batch.num_rows() > 100)
            .set_dictionary_page_size_limit(1 << 30)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_compression(Compression::ZSTD(Default::default()))
            .build();
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a file");
        writer.write(&batch).expect("a file");
        writer.close().expect("a file");
        return;
    }
    let columns = columns
        .iter()
        .map(|(name, array)| (name.as_str(), cast(array, &DataType::Utf8).expect("texts")));
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD));
    let options = options.expect("options");
    let mut writer =
        FileWriter::try_new_with_options(file, &batch.schema(), options).expect("a file");
    writer.write(&batch).expect("a file");
    writer.finish().expect("a file");
}

/// Opens a small file with 72 MB of the same text after a header, in little memory.
fn bomb(folder: &Path, name: &str, line: &str) -> Arc<Source> {
    let path = folder.join(name);
    let file = File::create(&path).expect("a file");
    let text = line.repeat(100_000);
    let write = |out: &mut dyn Write| {
        out.write_all(b"\n\n").expect("a file");
        (0..80).for_each(|_| out.write_all(text.as_bytes()).expect("a file"));
    };
    if name.ends_with("gz") {
        let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        write(&mut out);
        out.finish().expect("a file");
    } else {
        let mut out = zstd::Encoder::new(file, 1).expect("a file");
        write(&mut out);
        out.finish().expect("a file");
    }
    let descriptor = "[csv]\nheader = false\n[[field]]\nname = \"n\"\n";
    let descriptor = name.contains(".csv").then(|| Descriptor::parse(name, descriptor));
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let file = File::open(&path).expect("a file");
    let source = Source::open(name, file, descriptor.transpose().expect("a descriptor"));
    let bytes = ALLOCATOR.peak_usage() - before;
    assert!(bytes <= DECOMPRESSED, "{name}: {bytes} bytes were allocated to open it");
    Arc::new(source.expect("a source"))
}
