//! Properties that hold for any bytes, for fuzz targets and for tests with seeded input.
//!
//! Each function panics if its property does not hold.

use prost::Message;

use crate::frame::{
    BODY_BYTES_MAX, Compression, Decoder, Frame, FrameError, HEADER_BYTES, Header, Kind, compress,
    decompress, decompressed_bytes,
};
use crate::message;

/// Checks that a decoder returns the same frames and the same end for the bytes at once, one by one
/// and in pieces of `piece_bytes`. It holds at most one frame, and the frames are the bytes that it
/// was given.
///
/// # Panics
/// If the property does not hold.
pub fn decoding_ignores_cuts(bytes: &[u8], body_bytes_max: u32, piece_bytes: usize) {
    let whole = decode(bytes, body_bytes_max, bytes.len().max(1));
    assert_eq!(whole, decode(bytes, body_bytes_max, 1), "one by one");
    assert_eq!(whole, decode(bytes, body_bytes_max, piece_bytes.max(1)), "in pieces");

    let (frames, end) = whole;
    let encoded = frames.iter().flat_map(|Frame { kind, body }| {
        let body_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [&Header { kind: *kind, body_bytes }.encode(), body.as_slice()].concat()
    });
    let encoded: Vec<u8> = encoded.collect();
    assert!(bytes.starts_with(&encoded), "the frames are not the bytes that went in");
    assert!(end.is_err() || encoded.len() == bytes.len(), "bytes were lost");
}

/// Checks that any bytes are either not a message of this kind, or a message that stays the same
/// after it is encoded and decoded.
///
/// # Panics
/// If the property does not hold.
pub fn messages_survive_encoding(kind: Kind, body: &[u8]) {
    match kind {
        Kind::Hello => reencode::<message::Hello>(body),
        Kind::Welcome => reencode::<message::Welcome>(body),
        Kind::Failure => reencode::<message::Failure>(body),
        Kind::Finished => reencode::<message::Finished>(body),
        Kind::Cancel => reencode::<message::Cancel>(body),
        Kind::Select => reencode::<message::SelectRequest>(body),
        Kind::Fetch => reencode::<message::FetchRequest>(body),
        Kind::List => reencode::<message::ListRequest>(body),
        Kind::Describe => reencode::<message::DescribeRequest>(body),
        Kind::Explain => reencode::<message::ExplainRequest>(body),
        Kind::Channel => reencode::<message::ChannelRequest>(body),
        Kind::FetchStart => reencode::<message::FetchStart>(body),
        Kind::FileList => reencode::<message::FileList>(body),
        Kind::Description => reencode::<message::Description>(body),
        Kind::Explanation => reencode::<message::Explanation>(body),
        Kind::ChannelReport => reencode::<message::ChannelReport>(body),
        Kind::Schema | Kind::Batch | Kind::Chunk | Kind::Narrow | Kind::Compressed => {}
    }
}

/// Checks that any bytes are refused, or are the body of a Compressed frame with a data frame of
/// the announced length, which is the same after it is compressed and decompressed again.
///
/// # Panics
/// If the property does not hold.
pub fn bytes_decompress_or_are_refused(body: &[u8]) {
    let Ok(bytes) = decompressed_bytes(body) else {
        assert!(decompress(body, &mut []).is_err(), "only one of two refuses");
        return;
    };
    assert!(bytes <= BODY_BYTES_MAX as usize);
    let mut out = vec![0; bytes];
    let Ok(kind) = decompress(body, &mut out) else { return };
    assert!(!kind.is_control() && kind != Kind::Compressed);
    let body_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let frame = [&Header { kind, body_bytes }.encode(), out.as_slice()].concat();
    for compression in [Compression::Lz4, Compression::Zstd(1)] {
        let Some(compressed) = compress(compression, &frame) else { continue };
        let body = compressed.get(HEADER_BYTES..).unwrap_or_default();
        let mut again = vec![0; bytes];
        assert_eq!(decompressed_bytes(body), Ok(bytes));
        assert_eq!(decompress(body, &mut again), Ok(kind));
        assert!(again == out, "other bytes than before");
    }
}

fn decode(
    mut bytes: &[u8],
    body_bytes_max: u32,
    piece_bytes: usize,
) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(body_bytes_max);
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (mut piece, rest) = bytes.split_at(piece_bytes.min(bytes.len()));
        bytes = rest;
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut piece), Err(error), "an error stays");
                    return (frames, Err(error));
                }
            }
        }
        assert!(piece.is_empty(), "a decoder that needs more has taken all");
        assert!(decoder.buffered_bytes() <= HEADER_BYTES + body_bytes_max as usize);
    }
    (frames, decoder.finish())
}

fn reencode<M: Message + Default>(body: &[u8]) {
    let Ok(message) = M::decode(body) else { return };
    let encoded = message.encode_to_vec();
    let again = M::decode(encoded.as_slice()).map(|message| message.encode_to_vec());
    // the bytes are compared, because a NaN is not equal to itself
    assert_eq!(again, Ok(encoded));
}
