//! The target that gives any bytes to the frame decoder and to the control messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sift_proto::frame::Kind;
use sift_proto::property::{decoding_ignores_cuts, messages_survive_encoding};

fuzz_target!(|input: (u16, u8, u8, &[u8])| {
    let (body_bytes_max, piece_bytes, kind, bytes) = input;
    decoding_ignores_cuts(bytes, u32::from(body_bytes_max), usize::from(piece_bytes));
    if let Ok(kind) = Kind::try_from(kind) {
        messages_survive_encoding(kind, bytes);
    }
});
