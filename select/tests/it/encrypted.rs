//! Encrypted Parquet files: from the parquet crate, as whole files and by columns, read with the
//! keys, without keys and with wrong keys; and from independent writers (`tests/data/make.py`).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::encryption::encrypt::{EncryptionPropertiesBuilder, FileEncryptionProperties};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sift_select::{Descriptor, ErrorKind, ParquetKey, ParquetKeys, Result, ScanOptions, Source};

use crate::engine::{self, RUNS};
use crate::index;

const FOOTER: &[u8] = b"0123456789abcdef";
const PAY: &[u8] = b"an other key of thirty-two bytes";
const NAME: &[u8] = b"fedcba9876543210";

/// Makes keys by name. A name whose bytes are not a key has no key.
fn keys(named: &[(&str, &[u8])]) -> ParquetKeys {
    let key = |bytes| ParquetKey::new(bytes).ok_or_else(|| "no such file".to_owned());
    let named = named.iter().map(|(name, bytes)| ((*name).to_owned(), key(bytes)));
    ParquetKeys::new(named.collect::<BTreeMap<_, _>>())
}

fn all_keys() -> ParquetKeys {
    keys(&[("footer", FOOTER), ("pay", PAY), ("name", NAME)])
}

/// Writes 60,000 records in three row groups with pages of 1,000, encrypted or not.
fn write(encryption: Option<Arc<FileEncryptionProperties>>) -> Vec<u8> {
    let ids = || 0..60_000_i64;
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("name", Arc::new(StringArray::from_iter_values(ids().map(|id| format!("n{}", id % 77))))),
        ("pay", Arc::new(Float64Array::from_iter(ids().map(|id| (id % 5 > 0).then_some(0.5))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns");
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(20_000))
        .set_data_page_row_count_limit(1_000)
        .set_write_batch_size(1_000)
        .set_statistics_enabled(EnabledStatistics::Page);
    if let Some(encryption) = encryption {
        properties = properties.with_file_encryption_properties(encryption);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()))
        .expect("a writer");
    writer.write(&batch).expect("rows");
    writer.into_inner().expect("a file")
}

/// Encrypts everything with the key of the footer.
fn uniform() -> EncryptionPropertiesBuilder {
    FileEncryptionProperties::builder(FOOTER.to_vec()).with_footer_key_metadata("footer".into())
}

/// Encrypts two columns with their own keys, and `id` not at all.
fn by_column() -> EncryptionPropertiesBuilder {
    uniform()
        .with_column_key_and_metadata("pay", PAY.to_vec(), "pay".into())
        .with_column_key_and_metadata("name", NAME.to_vec(), "name".into())
}

fn written(builder: EncryptionPropertiesBuilder) -> Vec<u8> {
    write(Some(builder.build().expect("properties")))
}

fn open(bytes: &[u8], keys: &ParquetKeys) -> Result<Arc<Source>> {
    use std::io::Write;
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("write the file");
    Source::open_with_keys("f.parquet", file, None, keys).map(Arc::new)
}

const SELECTS: &[&str] = &[
    "SELECT * FROM 'f.parquet' WHERE id BETWEEN 19990 AND 20010",
    "SELECT id FROM 'f.parquet' WHERE name = 'n5' AND pay IS NULL",
    "SELECT count(*), sum(pay), min(name), max(id) FROM 'f.parquet'",
    "SELECT pay, count(*) FROM 'f.parquet' GROUP BY pay ORDER BY pay",
];

#[test]
fn every_mode_has_the_answers_of_the_clear() {
    let plain = open(&write(None), &ParquetKeys::default()).expect("a file in the clear");
    assert!(!plain.is_encrypted() && plain.encrypted_columns().next().is_none());
    let with_prefix = || uniform().with_aad_prefix(b"ours".to_vec());
    let in_clear = |builder: EncryptionPropertiesBuilder| builder.with_plaintext_footer(true);
    let all = ["id", "name", "pay"];
    for (bytes, keys, is_encrypted, columns) in [
        (written(uniform()), all_keys(), true, &all[..]),
        (written(in_clear(uniform())), all_keys(), false, &all),
        (written(by_column()), all_keys(), true, &all[1..]),
        (written(in_clear(by_column())), all_keys(), false, &all[1..]),
        (written(with_prefix().with_aad_prefix_storage(true)), all_keys(), true, &all),
        (
            written(with_prefix().with_aad_prefix_storage(false)),
            all_keys().of_file(None, Some(b"ours")),
            true,
            &all,
        ),
        (
            written(FileEncryptionProperties::builder(FOOTER.to_vec())),
            all_keys().of_file(Some("footer"), None),
            true,
            &all,
        ),
    ] {
        let source = open(&bytes, &keys).expect("a source");
        assert_eq!(source.is_encrypted(), is_encrypted);
        assert_eq!(source.encrypted_columns().collect::<Vec<_>>(), columns);
        for sql in SELECTS {
            let of = |source, run| engine::select(source, sql, &[], run).expect(sql);
            let expected = of(&plain, RUNS[0]);
            for run in [RUNS[0], RUNS[2]] {
                assert_eq!(of(&source, run), expected, "{sql}");
            }
        }
        // pruned by the statistics of the row groups, and by the page index
        let (_, statistics, end) = index::run(source, SELECTS[0], ScanOptions::default());
        end.expect("records");
        assert!(statistics.records_scanned <= 10_000, "{}", statistics.records_scanned);
    }
}

#[test]
fn columns_without_their_key_are_refused_by_name() {
    for is_plain in [false, true] {
        let bytes = written(by_column().with_plaintext_footer(is_plain));
        let source = open(&bytes, &keys(&[("footer", FOOTER), ("name", NAME), ("pay", b"")]));
        let source = source.expect("a source");
        let columns: Vec<_> = source.schema().fields().iter().map(|field| field.name()).collect();
        assert_eq!(columns, ["id", "name", "pay"]);
        let sql = "SELECT id, name FROM 'f.parquet' WHERE id = 20001 AND name IS NOT NULL";
        let rows = engine::select(&source, sql, &[], RUNS[0]).expect(sql).rows;
        assert_eq!(rows, ["20001, 'n58'"]);
        let complaint = "f.parquet: column `pay` is encrypted by the key 'pay', which cannot be had: \
                         no such file";
        for sql in [
            "SELECT pay FROM 'f.parquet' WHERE id < 0",
            "SELECT id FROM 'f.parquet' WHERE pay > 1",
            "SELECT count(pay) FROM 'f.parquet'",
            "SELECT * FROM 'f.parquet' LIMIT 0",
        ] {
            let error = engine::select(&source, sql, &[], RUNS[0]).expect_err(sql);
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::KeyMissing, complaint.into())
            );
        }
    }
}

#[test]
fn files_without_their_key_are_refused_by_name() {
    let none = ParquetKeys::default();
    for (bytes, keys, which) in [
        (written(uniform()), none.clone(), "the key 'footer', which is not given"),
        (
            written(by_column()),
            keys(&[("pay", PAY), ("footer", b"")]),
            "the key 'footer', which cannot be had: no such file",
        ),
        (
            written(FileEncryptionProperties::builder(FOOTER.to_vec())),
            all_keys(),
            "a key that it does not name, and none is given for it",
        ),
        (
            written(uniform().with_aad_prefix(b"a".to_vec()).with_aad_prefix_storage(false)),
            all_keys(),
            "a key and a prefix of additional authenticated data that it does not tell, and none \
             is given for it",
        ),
    ] {
        let error = open(&bytes, &keys).expect_err(which);
        let expected = format!("f.parquet: the file is encrypted by {which}");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::KeyMissing, expected));
    }
    // a plaintext footer can be read without the key of its signature
    let source = open(&written(by_column().with_plaintext_footer(true)), &none).expect("a source");
    let rows = engine::select(&source, "SELECT max(id) FROM 'f.parquet'", &[], RUNS[0]);
    assert_eq!(rows.expect("ids").rows, ["59999"]);
}

#[test]
fn another_key_is_as_damage() {
    let wrong = |name| keys(&[("footer", FOOTER), ("pay", PAY), ("name", NAME), (name, NAME)]);
    let swapped = keys(&[("footer", b"0123456789abcdeX"), ("pay", PAY), ("name", NAME)]);
    let in_clear = || by_column().with_plaintext_footer(true);
    for (bytes, keys, complaint) in [
        (written(uniform()), &swapped, "its metadata does not decrypt: 'footer' is not the key"),
        (written(in_clear()), &swapped, "its metadata is not signed: 'footer' is not the key"),
        (
            written(in_clear()),
            &wrong("pay"),
            "the metadata of column 'pay' does not decrypt: 'pay' is not the key",
        ),
        (
            written(uniform()),
            &all_keys().of_file(None, Some(b"not ours")),
            "its metadata does not decrypt: 'footer' is not the key",
        ),
    ] {
        let error = open(&bytes, keys).expect_err(complaint);
        let expected = format!("f.parquet: {complaint}, or the file is damaged");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Record, expected));
    }
}

/// A changed byte is detected wherever it is read, and no record changes.
#[test]
fn damage_is_found() {
    let mut random = Rng::with_seed(11);
    for builder in [uniform(), by_column(), by_column().with_plaintext_footer(true)] {
        let good = written(builder);
        let sql = "SELECT name, pay FROM 'f.parquet'";
        let expected = open(&good, &all_keys()).expect("a source");
        let expected = engine::select(&expected, sql, &[], RUNS[2]).expect(sql);
        for round in 0..60 {
            let mut bytes = good.clone();
            match round % 6 {
                0 => bytes.truncate(random.usize(0..good.len())),
                _ => bytes[random.usize(0..good.len())] ^= random.u8(1..=255),
            }
            let answer = open(&bytes, &all_keys())
                .and_then(|source| engine::select(&source, sql, &[], RUNS[2]));
            match answer {
                // the Select does not need the byte, or it is in an index that only saves reading
                Ok(answer) => assert_eq!(answer, expected),
                Err(error) => assert!(error.to_string().starts_with("f.parquet: "), "{error}"),
            }
        }
    }
    // a page is bound to its position, so another page with the same key is refused there
    let good = written(uniform());
    let mut bytes = good.clone();
    let middle = good.len() / 2;
    bytes.copy_within(4..middle, middle);
    let error = open(&bytes, &all_keys())
        .and_then(|source| engine::select(&source, "SELECT * FROM 'f.parquet'", &[], RUNS[0]));
    assert_eq!(error.expect_err("damage").kind(), ErrorKind::Record);
}

#[test]
fn files_of_other_writers_are_read() {
    let bytes = b"0123456789abcdefghijklmnopqrstuv";
    let of = |length: usize| keys(&[("k", &bytes[..length])]).of_file(Some("k"), None);
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    let open = |name: &str, descriptor: Option<&str>, keys: &ParquetKeys| {
        let file = File::open(folder.join(name)).expect(name);
        let descriptor =
            descriptor.map(|text| Descriptor::parse(name, text).expect("a descriptor"));
        Source::open_with_keys(name, file, descriptor, keys).map(Arc::new)
    };
    let twin = "[[field]]\nname='id'\ntype='int64'\n[[field]]\nname='name'\ntype='text'\n\
                [[field]]\nname='pay'\ntype='float64'\n";
    let twin = open("encrypted.csv", Some(twin), &ParquetKeys::default()).expect("the twin");
    for (name, keys) in [
        ("encrypted-gcm.parquet", of(16)),
        ("encrypted-ctr.parquet", of(24)),
        ("encrypted-footer.parquet", of(32)),
        ("encrypted-prefix.parquet", of(16).of_file(Some("k"), Some(b"ours"))),
        ("encrypted-duckdb.parquet", of(16)),
    ] {
        let source = open(name, None, &keys).expect(name);
        assert_eq!(source.encrypted_columns().count(), 3, "{name}");
        for filter in ["true", "id > 30", "name = 'n3'"] {
            let of = |source, file| {
                let sql = format!("SELECT * FROM '{file}' WHERE {filter}");
                engine::select(source, &sql, &[], RUNS[0]).expect(name).rows
            };
            assert_eq!(of(&source, name), of(&twin, "encrypted.csv"), "{name}: {filter}");
        }
        let wrong = ParquetKeys::new([("k".to_owned(), Ok(ParquetKey::new(NAME).unwrap()))].into());
        let error = open(name, None, &wrong.of_file(Some("k"), Some(b"ours"))).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Record, "{name}: {error}");
    }
}

#[test]
fn a_key_has_the_bytes_of_aes_and_is_never_told() {
    for length in 0..40 {
        let key = ParquetKey::new(&vec![7; length]);
        assert_eq!(key.is_some(), [16, 24, 32].contains(&length), "{length}");
    }
    let text = format!("{:?} {:?}", ParquetKey::new(FOOTER), all_keys());
    assert!(
        text.contains("footer") && !text.contains("0123") && !text.contains("48, 49"),
        "{text}"
    );
}
