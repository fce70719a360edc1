//! Narrow columns and compression: the same records, fewer bytes, and never for protected data.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use sift_client::{Compression, ConnectOptions, Connection, Roots, Statistics};
use sift_proto::frame::{Frame, Kind, decompress, decompressed_bytes, feature};
use sift_proto::message::{Cancel, FetchRequest, FetchStart, Finished, Hello, SelectRequest};
use sift_server::{CompressionChoice, Grant};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fixture::{Fixture, Served};
use crate::peer::{self, Peer, sql};

const RECORDS: usize = 20_000;

/// Makes the same records in three formats, and some files that are protected.
fn fixture(compression: CompressionChoice) -> Fixture {
    let mut fixture = Fixture::with_files();
    fixture.compression = compression;
    let mut csv = "id,city,price,day,rate\n".to_owned();
    let mut jsonl = String::new();
    for id in 0..RECORDS {
        let city = ["Oslo", "Rome", "Bern", "a town with a longer name"][id % 4];
        let (cents, day, rate) = (id * 7919 % 100_000, id % 28 + 1, id % 7);
        let null = if id % 11 == 0 { "" } else { city };
        writeln!(csv, "{id},{null},{}.{:02},2024-02-{day:02},{rate}e0", cents / 100, cents % 100)
            .unwrap();
        let quoted = if id % 11 == 0 { "null".to_owned() } else { format!("\"{city}\"") };
        writeln!(
            jsonl,
            "{{\"id\":{id},\"city\":{quoted},\"price\":{}.{:02},\"day\":\"2024-02-{day:02}\",\
             \"rate\":{rate}e0}}",
            cents / 100,
            cents % 100
        )
        .unwrap();
    }
    for folder in ["", "protected/", "hers/"] {
        fixture.write(&format!("{folder}many.csv"), &csv);
    }
    fixture.write("protected/many.csv.toml", "network_encrypt = true\n");
    fixture.write("many.jsonl", &jsonl);
    fixture
}

const SELECTS: [&str; 5] = [
    "SELECT * FROM 'many.csv'",
    "SELECT * FROM 'many.jsonl'",
    "SELECT n, n * 2 AS twice FROM 'sales/numbers.dat' WHERE n > 10",
    "SELECT city, count(*), sum(price) FROM 'many.csv' GROUP BY city ORDER BY city",
    "SELECT * FROM 'many.csv' WHERE id < 0",
];

fn options(served: &Served) -> ConnectOptions {
    ConnectOptions::new(served.tls.to_string())
        .roots(Roots::File(served.fixture.outside("authority.pem")))
}

async fn select(connection: &mut Connection, text: &str) -> (RecordBatch, Statistics) {
    let mut stream = connection.select(text).await.unwrap();
    let schema = Arc::clone(stream.schema());
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await.unwrap() {
        batches.push(batch);
    }
    (concat_batches(&schema, &batches).unwrap(), *stream.statistics().unwrap())
}

#[tokio::test]
async fn every_form_gives_the_same_records() {
    for choice in [
        CompressionChoice::Auto,
        CompressionChoice::Never,
        CompressionChoice::Lz4,
        CompressionChoice::Zstd,
    ] {
        let served = fixture(choice).serve().await;
        let mut arrow = Connection::connect(&options(&served).narrow(false)).await.unwrap();
        for wanted in [Compression::Auto, Compression::Never, Compression::Lz4, Compression::Zstd] {
            let mut narrow =
                Connection::connect(&options(&served).compression(wanted)).await.unwrap();
            for text in SELECTS {
                let (expected, as_arrow) = select(&mut arrow, text).await;
                for _ in 0..2 {
                    let (records, statistics) = select(&mut narrow, text).await;
                    assert_eq!(records, expected, "{choice:?} {wanted:?} {text}");
                    assert!(statistics.bytes_sent <= as_arrow.bytes_sent);
                    assert!(statistics.narrow_bytes <= statistics.arrow_bytes);
                    assert_eq!(statistics.arrow_bytes == 0, expected.num_rows() == 0);
                    let is_compressed = statistics.bytes_sent < statistics.narrow_bytes / 8 * 7;
                    let may = match (choice, wanted) {
                        (CompressionChoice::Never, _) | (_, Compression::Never) => false,
                        (CompressionChoice::Auto, wanted) => wanted != Compression::Auto,
                        (CompressionChoice::Lz4, wanted) => wanted != Compression::Zstd,
                        (CompressionChoice::Zstd, wanted) => wanted != Compression::Lz4,
                    };
                    if records.num_rows() == RECORDS && may {
                        assert!(is_compressed, "{choice:?} {wanted:?}: {statistics:?}");
                    }
                    assert!(may || !is_compressed, "{choice:?} {wanted:?}: {statistics:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_fetched_file_is_the_same_in_every_form() {
    for choice in [CompressionChoice::Never, CompressionChoice::Lz4, CompressionChoice::Zstd] {
        let served = fixture(choice).serve().await;
        let file = std::fs::read(served.fixture.data().join("many.csv")).unwrap();
        let mut connection = Connection::connect(&options(&served)).await.unwrap();
        let path = served.fixture.outside("fetched.csv");
        for start in [0, 1000, file.len() - 100] {
            // an earlier fetch was broken off there
            let mut chunks =
                connection.fetch("many.csv").range(start as u64..).chunks().await.unwrap();
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.next().await.unwrap() {
                bytes.extend_from_slice(&chunk);
            }
            let statistics = *chunks.statistics().unwrap();
            drop(chunks);
            assert_eq!(bytes, file[start..], "{choice:?}");
            assert_eq!(statistics.narrow_bytes as usize, file.len() - start);
            let is_compressed = statistics.bytes_sent < statistics.narrow_bytes / 2;
            assert_eq!(is_compressed, start < 2000 && choice != CompressionChoice::Never);
        }
        connection.fetch("many.csv").to_file(&path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), file);
    }
}

/// Sends a request and returns the frames of its answer.
async fn frames<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<S>,
    request: &SelectRequest,
) -> Vec<Frame> {
    peer.send(Kind::Select, request).await;
    let mut frames = Vec::new();
    loop {
        let frame = peer.next().await.unwrap();
        let is_last = matches!(frame.kind, Kind::Finished | Kind::Failure);
        frames.push(frame);
        if is_last {
            return frames;
        }
    }
}

fn kinds(frames: &[Frame]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = frames.iter().map(|frame| frame.kind).collect();
    kinds.dedup();
    kinds
}

fn features(names: &[&str], hello: Hello) -> Hello {
    Hello { features: names.iter().map(ToString::to_string).collect(), ..hello }
}

async fn connected(served: &Served, hello: Hello) -> Peer<impl AsyncRead + AsyncWrite + Unpin> {
    let mut peer = peer::tls_channel(served, peer::client(&served.fixture)).await.unwrap();
    peer.welcome(hello).await;
    peer
}

#[tokio::test]
async fn a_client_gets_what_it_knows() {
    let served = fixture(CompressionChoice::Zstd).serve().await;
    let request = sql(SELECTS[0]);
    for (known, expected) in [
        (&[][..], Kind::Batch),
        (&["of a later version"], Kind::Batch),
        (&[feature::NARROW], Kind::Narrow),
        (&[feature::NARROW, feature::LZ4], Kind::Narrow),
        (&[feature::NARROW, feature::ZSTD], Kind::Compressed),
    ] {
        let mut peer = connected(&served, features(known, peer::hello(3))).await;
        let frames = frames(&mut peer, &request).await;
        assert_eq!(kinds(&frames), [Kind::Schema, expected, Kind::Finished], "{known:?}");
        for frame in frames.iter().filter(|frame| frame.kind == Kind::Compressed) {
            let mut body = vec![0; decompressed_bytes(&frame.body).unwrap()];
            assert_eq!(decompress(&frame.body, &mut body), Ok(Kind::Narrow));
        }
    }
    // Welcome names what both ends know
    let mut peer = peer::tls_channel(&served, peer::client(&served.fixture)).await.unwrap();
    let welcome = peer.welcome(features(&["x", feature::LZ4], peer::hello(3))).await;
    assert_eq!(welcome.features, [feature::LZ4]);
}

#[tokio::test]
async fn a_schema_that_the_client_has_kept_is_not_sent_again() {
    let served = fixture(CompressionChoice::Never).serve().await;
    let mut peer = connected(&served, features(&[feature::NARROW], peer::hello(3))).await;
    let kept = |text: &str, schema_kept| SelectRequest { schema_kept, ..sql(text) };
    let [one, other] = ["SELECT id FROM 'many.csv' LIMIT 1", "SELECT city FROM 'many.csv' LIMIT 1"];
    // the text, the number that the client tells, and whether the schema is left out
    let steps = [
        (one, 0, false),
        (one, 1, true),
        // a number that is not of the last frame: the client has not seen it
        (one, 1, false),
        (one, 9, false),
        (one, 4, true),
        (other, 5, false),
        (other, 6, true),
        (one, 7, false),
        ("SELECT 1/0 FROM 'many.csv'", 8, false),
        (one, 0, false),
    ];
    for (text, number, is_left_out) in steps {
        let frames = frames(&mut peer, &kept(text, number)).await;
        let is_empty = frames[0].kind == Kind::Schema && frames[0].body.is_empty();
        assert_eq!(is_empty, is_left_out, "{text} with {number}");
    }
    // clients without narrow columns always get it
    let mut peer = connected(&served, peer::hello(3)).await;
    for _ in 0..2 {
        let frames = frames(&mut peer, &kept(one, 1)).await;
        assert!(!frames[0].body.is_empty());
    }
}

#[tokio::test]
async fn answers_that_are_left_do_not_confuse_schemas() {
    let served = fixture(CompressionChoice::Never).serve().await;
    let mut connection = Connection::connect(&options(&served)).await.unwrap();
    let texts = ["SELECT id FROM 'many.csv'", "SELECT city FROM 'many.csv'", SELECTS[0]];
    for round in 0..30 {
        let text = texts[round % 3];
        match round % 5 {
            // dropped before or after its schema
            0 => drop(connection.select(text).await),
            1 => drop(connection.select(text).await.unwrap().next().await),
            2 => assert!(connection.select("SELECT none FROM 'many.csv'").await.is_err()),
            _ => {}
        }
        let (records, _) = select(&mut connection, text).await;
        assert_eq!(records.num_rows(), RECORDS);
        assert_eq!(records.schema().field(0).name() == "city", round % 3 == 1);
    }
}

#[tokio::test]
async fn what_is_protected_is_compressed_only_by_configuration() {
    for compress_protected in [false, true] {
        let mut fixture = fixture(CompressionChoice::Zstd);
        fixture.compress_protected = compress_protected;
        let users = fixture.users(&[("ann", &[])]);
        let grant = |files: &str, columns: Option<&[&str]>, filter| {
            let columns = columns.map(|names| names.iter().map(|n| (*n).to_owned()).collect());
            let files = [files.to_owned()];
            Grant::new(vec!["ann".to_owned()], vec![], &files, columns, filter).unwrap()
        };
        let grants = vec![
            grant("protected/*", None, None),
            grant("many.*", None, None),
            grant("hers/*", Some(&["id", "city"]), Some("city = 'Oslo'")),
        ];
        let served = fixture.serve_users(users, grants).await;
        let all = [feature::NARROW, feature::LZ4, feature::ZSTD];
        let mut peer = connected(&served, features(&all, peer::login("ann"))).await;
        for (file, is_protected) in
            [("many.csv", false), ("protected/many.csv", true), ("hers/many.csv", true)]
        {
            let frames = frames(&mut peer, &sql(format!("SELECT id, city FROM '{file}'"))).await;
            let is_compressed = kinds(&frames).contains(&Kind::Compressed);
            assert_eq!(is_compressed, !is_protected || compress_protected, "{file}");
            let last = frames.last().unwrap();
            assert_eq!(last.kind, Kind::Finished);
            let finished: Finished = prost::Message::decode(&last.body[..]).unwrap();
            assert_ne!(finished.statistics.unwrap().records_selected, 0);
        }
        for (file, is_protected) in [("many.csv", false), ("protected/many.csv", true)] {
            let request = FetchRequest { file: file.to_owned(), ..FetchRequest::default() };
            peer.send(Kind::Fetch, &request).await;
            let _: FetchStart = peer.message(Kind::FetchStart).await;
            let first = peer.next().await.unwrap().kind;
            let expected =
                if !is_protected || compress_protected { Kind::Compressed } else { Kind::Chunk };
            assert_eq!(first, expected, "{file}");
            while peer.next().await.unwrap().kind != Kind::Finished {}
        }
    }
}

#[tokio::test]
async fn a_cancel_ends_an_answer_that_is_being_encoded() {
    let served = fixture(CompressionChoice::Zstd).serve().await;
    let all = [feature::NARROW, feature::ZSTD];
    let mut peer = connected(&served, features(&all, peer::hello(3))).await;
    for _ in 0..20 {
        peer.send(Kind::Select, &sql(SELECTS[0])).await;
        assert_eq!(peer.next().await.unwrap().kind, Kind::Schema);
        peer.send(Kind::Cancel, &Cancel {}).await;
        loop {
            match peer.next().await.unwrap().kind {
                Kind::Narrow | Kind::Compressed => {}
                // it was cancelled, or was complete before
                Kind::Failure | Kind::Finished => break,
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!(frames(&mut peer, &sql(SELECTS[4])).await.len(), 2);
}
