//! The stages of an answer between its batches and its bytes at the other end: frames, Arrow
//! messages, TLS with each suite, handshakes. Each stage is measured next to its floor, which is
//! the same work without ours. `cargo bench -p sift-benches`

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::hint::black_box;
use std::io::{Read as _, Write as _};

use arrow::buffer::Buffer;
use arrow::ipc::writer::StreamWriter;
use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce,
    UnboundKey,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use indicatif::ProgressBar;
use rustls::{ClientConnection, HandshakeKind, ServerConnection};
use sift_benches::authority::Authority;
use sift_benches::floor::tls::{Bare, pump};
use sift_benches::lineitem::{Format, Lineitem};
use sift_benches::local;
use sift_proto::cipher::{group_name, suite_name};
use sift_proto::frame::{BODY_BYTES_MAX, Decoder, Header, Kind, encode_message};
use sift_proto::message::SelectRequest;

criterion_group!(benches, frames, messages, tls, handshakes);
criterion_main!(benches);

/// Measures frames of batches from the bytes of a stream, next to a copy of the bytes, and a
/// request in both directions.
fn frames(criterion: &mut Criterion) {
    const FRAMES: usize = 64;
    let body = vec![7; 64 << 10];
    let header = Header { kind: Kind::Batch, body_bytes: u32::try_from(body.len()).unwrap() };
    let stream = [&header.encode(), &body[..]].concat().repeat(FRAMES);
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("decode, floor: copy", |b| b.iter(|| black_box(&stream[..]).to_vec()));
    group.bench_function("decode", |b| {
        b.iter(|| {
            let (mut decoder, mut left) = (Decoder::new(BODY_BYTES_MAX), &stream[..]);
            let mut frames = 0;
            while let Some(frame) = decoder.decode(&mut left).unwrap() {
                black_box(frame.body);
                frames += 1;
            }
            assert_eq!(frames, FRAMES);
        });
    });
    group.throughput(Throughput::Elements(1));
    let request = SelectRequest {
        sql: "SELECT * FROM 'lineitem.dat' WHERE l_orderkey BETWEEN $1 AND $1 + 7".to_owned(),
        ..SelectRequest::default()
    };
    group.bench_function("request, encoded and decoded", |b| {
        b.iter(|| {
            let bytes = encode_message(Kind::Select, &request).unwrap();
            Decoder::new(BODY_BYTES_MAX).decode(&mut &bytes[..]).unwrap().unwrap()
        });
    });
    group.finish();
}

/// Measures batches as messages of the server, next to Arrow's own stream into memory and a copy of
/// the columns.
fn messages(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let bar = ProgressBar::hidden();
    let made = Lineitem::generate(folder.path(), Format::Fixed, 0.01, &bar).unwrap();
    let sql = "SELECT * FROM 'lineitem.dat'";
    let (schema, batches) = local::select_from_path(sql, &made.path).unwrap();
    let bytes = sift_server::bench::encode(schema.clone(), &batches).unwrap();
    let columns = batches.iter().flat_map(|batch| batch.columns());
    let columns: Vec<Buffer> =
        columns.flat_map(|column| column.to_data().buffers().to_vec()).collect();
    let mut group = criterion.benchmark_group("messages");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("floor: copy", |b| {
        b.iter(|| columns.iter().map(Buffer::as_slice).collect::<Vec<_>>().concat())
    });
    group.bench_function("Arrow's stream", |b| {
        b.iter(|| {
            let mut writer = StreamWriter::try_new(Vec::with_capacity(bytes), &schema).unwrap();
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.into_inner().unwrap()
        });
    });
    group.bench_function("encode", |b| {
        b.iter(|| sift_server::bench::encode(schema.clone(), &batches).unwrap());
    });
    group.finish();
}

/// The suites of level 3 with an ECDSA certificate, best first in each protocol, and the cipher of
/// each.
const SUITES: [(u16, &Algorithm); 6] = [
    (0x1302, &AES_256_GCM),
    (0x1301, &AES_128_GCM),
    (0x1303, &CHACHA20_POLY1305),
    (0xc02c, &AES_256_GCM),
    (0xc02b, &AES_128_GCM),
    (0xcca9, &CHACHA20_POLY1305),
];

const X25519: u16 = 0x001d;
const X25519MLKEM768: u16 = 0x11ec;

/// Measures bytes through both ends of a channel in memory, next to only encrypting and decrypting
/// their records.
fn tls(criterion: &mut Criterion) {
    const BYTES: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path()).unwrap();
    let plain = vec![7; BYTES];
    let mut group = criterion.benchmark_group("tls");
    group.throughput(Throughput::Bytes(BYTES as u64));
    for (suite, algorithm) in SUITES {
        let name = suite_name(suite).unwrap();
        let mut records = Records::new(algorithm);
        group.bench_function(format!("{name}, floor: seal and open"), |b| {
            b.iter(|| records.seal_and_open(&plain));
        });
        let bare = Bare::new(&authority, suite, X25519).unwrap();
        let (mut server, mut client) = bare.ends().unwrap().unwrap();
        pump(&mut server, &mut client).unwrap();
        server.set_buffer_limit(None);
        let (mut wire, mut got) = (Vec::new(), vec![0; 16 << 10]);
        group.bench_function(name, |b| {
            b.iter(|| {
                let got = carry(&mut server, &mut client, &plain, &mut wire, &mut got);
                assert_eq!(got, BYTES);
            });
        });
    }
    group.finish();
}

/// Sends `plain` and receives it. Returns the number of received bytes.
fn carry(
    server: &mut ServerConnection,
    client: &mut ClientConnection,
    plain: &[u8],
    wire: &mut Vec<u8>,
    into: &mut [u8],
) -> usize {
    let mut received = 0;
    // the maximal length that a rustls stream takes at once
    for chunk in plain.chunks(64 << 10) {
        server.writer().write_all(chunk).unwrap();
        wire.clear();
        while server.wants_write() {
            server.write_tls(wire).unwrap();
        }
        let mut left = &wire[..];
        while !left.is_empty() {
            client.read_tls(&mut left).unwrap();
            client.process_new_packets().unwrap();
            while let Ok(bytes @ 1..) = client.reader().read(into) {
                received += bytes;
            }
        }
    }
    received
}

/// Measures the encryption alone.
struct Records {
    key: LessSafeKey,
    record: Vec<u8>,
}

impl Records {
    fn new(algorithm: &'static Algorithm) -> Self {
        let key = UnboundKey::new(algorithm, &vec![1; algorithm.key_len()]).unwrap();
        Self { key: LessSafeKey::new(key), record: Vec::new() }
    }

    fn seal_and_open(&mut self, plain: &[u8]) {
        let Self { key, record } = self;
        for chunk in plain.chunks(16 << 10) {
            record.clear();
            record.extend_from_slice(chunk);
            key.seal_in_place_append_tag(nonce(), Aad::empty(), record).unwrap();
            key.open_in_place(nonce(), Aad::empty(), record).unwrap();
        }
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Measures both ends of a handshake, in memory.
fn handshakes(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path()).unwrap();
    let mut group = criterion.benchmark_group("handshake");
    for (suite, key_exchange) in [(0x1302, X25519MLKEM768), (0x1302, X25519), (0xc02c, X25519)] {
        let full = Bare::new(&authority, suite, key_exchange).unwrap();
        let resumed = full.resuming();
        shake_hands(&resumed);
        for (bare, kind, name) in
            [(full, HandshakeKind::Full, "full"), (resumed, HandshakeKind::Resumed, "resumed")]
        {
            let (suite, group_name) = (suite_name(suite).unwrap(), group_name(key_exchange));
            group.bench_function(format!("{name}, {suite}, {group_name}"), |b| {
                b.iter(|| assert_eq!(shake_hands(&bare), kind));
            });
        }
    }
    group.finish();
}

fn shake_hands(bare: &Bare) -> HandshakeKind {
    let (mut server, mut client) = bare.ends().unwrap().unwrap();
    pump(&mut server, &mut client).unwrap();
    client.handshake_kind().unwrap()
}
