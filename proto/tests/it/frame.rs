//! Tests of the codec: layout, limits, errors, and bytes in pieces of any size.

use sift_proto::frame::{
    BODY_BYTES_MAX, CONTROL_BYTES_MAX, Compression, Decoder, FrameError, HEADER_BYTES, Header,
    Kind, Opening, compress, encode_message,
};
use sift_proto::message::{Failure, Hello, SelectRequest, Status, Value, value};
use sift_proto::property::{
    bytes_decompress_or_are_refused, decoding_ignores_cuts, messages_survive_encoding,
};

#[test]
fn a_header_has_the_documented_layout() {
    let header = Header { kind: Kind::Batch, body_bytes: 0x0001_0203 };
    assert_eq!(header.encode(), [13, 0, 0, 0, 3, 2, 1, 0]);
    for kind in Kind::ALL {
        for body_bytes in [0, 1, 255, 256, CONTROL_BYTES_MAX] {
            let header = Header { kind: *kind, body_bytes };
            assert_eq!(Header::decode(header.encode(), BODY_BYTES_MAX), Ok(header));
        }
    }
}

#[track_caller]
fn refuses(bytes: [u8; HEADER_BYTES], text: &str) {
    let error = Header::decode(bytes, BODY_BYTES_MAX).expect_err("refused");
    assert_eq!(error.to_string(), text);
    let mut decoder = Decoder::new(BODY_BYTES_MAX);
    assert_eq!(decoder.decode(&mut &bytes[..]), Err(error));
    assert_eq!(decoder.decode(&mut &[1, 0, 0, 0, 0, 0, 0, 0][..]), Err(error));
    assert_eq!(decoder.finish(), Err(error));
}

#[test]
fn broken_headers_are_refused() {
    refuses([0, 0, 0, 0, 0, 0, 0, 0], "unknown frame kind 0, version 1 has 1 to 19, 24 and 25");
    refuses([22, 3, 1, 2, 0, 1, 0, 1], "unknown frame kind 22, version 1 has 1 to 19, 24 and 25");
    refuses([1, 1, 0, 0, 0, 0, 0, 0], "frame flags 0x01, version 1 has none");
    refuses(
        [1, 0, 0, 1, 0, 0, 0, 0],
        "reserved bytes 0x0100 in a frame header, version 1 has 0 there",
    );
    refuses(
        [13, 0, 0, 0, 0, 0, 0x90, 0],
        "Batch frame of 9437184 bytes, at most 8388608 are accepted",
    );
    refuses(
        [6, 0, 0, 0, 1, 0, 0x10, 0],
        "Select frame of 1048577 bytes, at most 1048576 are accepted",
    );
    refuses(
        [15, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        "Chunk frame of 4294967295 bytes, at most 8388608 are accepted",
    );
}

#[test]
fn a_smaller_bound_holds_for_control_messages_too() {
    let header = Header { kind: Kind::Hello, body_bytes: 11 };
    let error = FrameError::BodyTooLarge { kind: Kind::Hello, body_bytes: 11, body_bytes_max: 10 };
    assert_eq!(Header::decode(header.encode(), 10), Err(error));
}

#[test]
fn a_message_too_large_for_the_peer_is_not_sent() {
    let failure = Failure { status: Status::Internal.into(), message: "x".repeat(1 << 20) };
    let error = encode_message(Kind::Failure, &failure).expect_err("refused");
    assert!(matches!(error, FrameError::BodyTooLarge { kind: Kind::Failure, .. }));
}

#[test]
fn an_end_within_a_frame_is_an_error() {
    let hello = Hello { version: 1, client: "c".into(), level: 0, ..Hello::default() };
    let bytes = encode_message(Kind::Hello, &hello).expect("small");
    for end in 0..=bytes.len() {
        let mut decoder = Decoder::new(BODY_BYTES_MAX);
        let frame = decoder.decode(&mut &bytes[..end]).expect("no error yet");
        assert_eq!(frame.is_some(), end == bytes.len());
        let expected = if end < HEADER_BYTES { HEADER_BYTES } else { bytes.len() } as u64;
        let truncated = Err(FrameError::Truncated { got: end as u64, expected });
        let whole = end == 0 || end == bytes.len();
        assert_eq!(decoder.finish(), if whole { Ok(()) } else { truncated });
    }
    let error = FrameError::Truncated { got: 3, expected: 8 };
    assert_eq!(error.to_string(), "the connection ended within a frame, after 3 of 8 bytes");
}

#[test]
fn a_promised_length_allocates_nothing() {
    let header = Header { kind: Kind::Chunk, body_bytes: BODY_BYTES_MAX };
    let mut decoder = Decoder::new(BODY_BYTES_MAX);
    assert_eq!(decoder.decode(&mut &header.encode()[..]), Ok(None));
    assert_eq!(decoder.buffered_bytes(), HEADER_BYTES);
    for came in 1..=1000 {
        assert_eq!(decoder.decode(&mut &[7][..]), Ok(None));
        assert!(decoder.buffered_bytes() <= HEADER_BYTES + 2 * came);
    }
}

#[test]
fn the_first_byte_tells_the_peers_apart() {
    for byte in 0..=u8::MAX {
        let opening = Opening::from_first_byte(byte);
        if Kind::try_from(byte).is_ok() {
            assert_eq!(opening, Opening::Frame);
        }
    }
    assert_eq!(Opening::from_first_byte(22), Opening::Tls);
    assert_eq!(Opening::from_first_byte(b'G'), Opening::Text);
    assert_eq!(Opening::from_first_byte(0), Opening::Other);
    assert_eq!(Opening::from_first_byte(0x80), Opening::Other);
}

#[test]
fn random_bytes_keep_the_properties() {
    let mut random = fastrand::Rng::with_seed(7330);
    for _ in 0..2000 {
        let bytes = random_bytes(&mut random, 100);
        decoding_ignores_cuts(&bytes, random.u32(0..100), random.usize(1..20));
        messages_survive_encoding(random_kind(&mut random), &bytes);
    }
}

#[test]
fn frames_with_one_fault_keep_the_properties() {
    let mut random = fastrand::Rng::with_seed(1842);
    for _ in 0..2000 {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(0..6) {
            let kind = random_kind(&mut random);
            let body = random_bytes(&mut random, 80);
            let body_bytes = u32::try_from(body.len()).expect("small");
            bytes.extend_from_slice(&Header { kind, body_bytes }.encode());
            bytes.extend_from_slice(&body);
        }
        match random.u8(0..4) {
            0 => bytes.truncate(random.usize(0..=bytes.len())),
            1 if !bytes.is_empty() => {
                let at = random.usize(0..bytes.len());
                bytes[at] ^= 1 << random.u8(0..8);
            }
            _ => {}
        }
        decoding_ignores_cuts(&bytes, 70, random.usize(1..20));
    }
}

#[test]
fn messages_with_one_fault_keep_the_properties() {
    let request = SelectRequest {
        sql: "SELECT a FROM 'f.csv' WHERE b > $1 AND c = $2".into(),
        parameters: vec![
            Value { kind: Some(value::Kind::Float(f64::NAN)) },
            Value { kind: Some(value::Kind::Decimal("-12.50".into())) },
            Value { kind: None },
        ],
        schema_kept: 0,
    };
    let bytes = encode_message(Kind::Select, &request).expect("small");
    let body = &bytes[HEADER_BYTES..];
    messages_survive_encoding(Kind::Select, body);
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut body = body.to_vec();
            body[at] ^= 1 << bit;
            for kind in Kind::ALL {
                messages_survive_encoding(*kind, &body);
            }
        }
    }
}

fn random_bytes(random: &mut fastrand::Rng, bytes_max: usize) -> Vec<u8> {
    let length = random.usize(0..=bytes_max);
    // small bytes are more interesting: kinds, lengths, field tags
    let top = if random.bool() { u8::MAX } else { 24 };
    std::iter::repeat_with(|| random.u8(0..=top)).take(length).collect()
}

fn random_kind(random: &mut fastrand::Rng) -> Kind {
    Kind::ALL[random.usize(0..Kind::ALL.len())]
}

#[test]
fn damaged_compressed_frames_are_refused_or_whole() {
    let mut random = fastrand::Rng::with_seed(16);
    for round in 0..2000 {
        let words = [&b"an order "[..], b"returned ", b"\0\0\0\0", b"7"];
        let words = (0..random.usize(0..200)).map(|_| words[random.usize(0..words.len())]);
        let body = words.collect::<Vec<_>>().concat();
        let header = Header { kind: Kind::Chunk, body_bytes: u32::try_from(body.len()).unwrap() };
        let compression = [Compression::Lz4, Compression::Zstd(1)][round % 2];
        let Some(frame) = compress(compression, &[&header.encode(), &body[..]].concat()) else {
            continue;
        };
        let mut compressed = frame[HEADER_BYTES..].to_vec();
        bytes_decompress_or_are_refused(&compressed);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..compressed.len());
            compressed[at] = random.u8(..);
        }
        compressed.truncate(random.usize(0..=compressed.len()));
        bytes_decompress_or_are_refused(&compressed);
    }
}
