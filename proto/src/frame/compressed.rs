//! The compressed form of a data frame.
//!
//! ```text
//! byte 0    compression: 1 an LZ4 block, 2 a Zstandard frame
//! byte 1    kind of the frame that was compressed: a data frame, not itself Compressed
//! byte 2-3  reserved, 0
//! byte 4-7  length of its body in bytes, little-endian
//! byte 8-   the compressed body
//! ```

use super::{BODY_BYTES_MAX, HEADER_BYTES, Header, Kind};

/// A general compression of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// An LZ4 block: fast at both ends.
    Lz4,
    /// A Zstandard frame of a level: smaller, and slower to make.
    Zstd(i32),
}

/// The first byte of a body in LZ4, and of a body in Zstandard.
const LZ4: u8 = 1;
const ZSTD: u8 = 2;

/// The reason why a body does not decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// The body does not say what it contains.
    #[error("a compressed frame does not say what it contains")]
    Header,
    /// The body does not contain what it says.
    #[error("a compressed frame does not contain the {bytes} bytes that it announces")]
    Body {
        /// The announced number of bytes.
        bytes: usize,
    },
}

/// Compresses a data frame, header included. Returns a frame of the kind Compressed, header
/// included; `None` if it would not be smaller by at least an eighth.
pub fn compress(compression: Compression, frame: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = frame.split_first_chunk::<HEADER_BYTES>()?;
    let room = match compression {
        Compression::Lz4 => lz4_flex::block::get_maximum_output_size(body.len()),
        Compression::Zstd(_) => zstd::zstd_safe::compress_bound(body.len()),
    };
    let start = 2 * HEADER_BYTES;
    let mut out = vec![0; start + room];
    let to = out.get_mut(start..)?;
    let (number, written) = match compression {
        Compression::Lz4 => (LZ4, lz4_flex::block::compress_into(body, to).ok()?),
        Compression::Zstd(level) => (ZSTD, zstd::bulk::compress_to_buffer(body, to, level).ok()?),
    };
    out.truncate(start + written);
    if out.len() > frame.len() - frame.len() / 8 {
        return None;
    }
    let body_bytes = u32::try_from(HEADER_BYTES + written).ok()?;
    let outer = Header { kind: Kind::Compressed, body_bytes }.encode();
    let [kind, _, _, _, length @ ..] = *header;
    let [a, b, c, d] = length;
    let inner = [number, kind, 0, 0, a, b, c, d];
    out.first_chunk_mut::<HEADER_BYTES>()?.copy_from_slice(&outer);
    out.get_mut(HEADER_BYTES..start)?.copy_from_slice(&inner);
    Some(out)
}

/// Returns the number of bytes that the body of a Compressed frame needs to be decompressed.
///
/// # Errors
/// `Header`.
pub fn decompressed_bytes(body: &[u8]) -> Result<usize, DecompressError> {
    parse(body).map(|(_, _, bytes, _)| bytes)
}

/// Decompresses the body of a Compressed frame into `out`, which has as many bytes as
/// [`decompressed_bytes`] says. Returns the kind of the frame.
///
/// # Errors
/// `Header`, `Body`.
pub fn decompress(body: &[u8], out: &mut [u8]) -> Result<Kind, DecompressError> {
    let (number, kind, bytes, compressed) = parse(body)?;
    let written = match number {
        LZ4 => lz4_flex::block::decompress_into(compressed, out).ok(),
        _ => zstd::bulk::decompress_to_buffer(compressed, out).ok(),
    };
    if written == Some(bytes) && out.len() == bytes {
        Ok(kind)
    } else {
        Err(DecompressError::Body { bytes })
    }
}

/// Returns the number of the compression, the kind of the frame, the length of its body, and the
/// compressed bytes.
fn parse(body: &[u8]) -> Result<(u8, Kind, usize, &[u8]), DecompressError> {
    let Some(([number @ (LZ4 | ZSTD), kind, 0, 0, a, b, c, d], compressed)) =
        body.split_first_chunk::<HEADER_BYTES>()
    else {
        return Err(DecompressError::Header);
    };
    let bytes = u32::from_le_bytes([*a, *b, *c, *d]);
    match Kind::try_from(*kind) {
        Ok(kind) if !kind.is_control() && kind != Kind::Compressed && bytes <= BODY_BYTES_MAX => {
            Ok((*number, kind, bytes as usize, compressed))
        }
        _ => Err(DecompressError::Header),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
        let body_bytes = u32::try_from(body.len()).unwrap();
        [&Header { kind, body_bytes }.encode(), body].concat()
    }

    #[test]
    fn frames_survive_or_are_left() {
        let text = b"the same words, the same words, and the same words again. ".repeat(40);
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(2000).collect();
        for compression in [Compression::Lz4, Compression::Zstd(1), Compression::Zstd(6)] {
            let compressed = compress(compression, &frame(Kind::Chunk, &text)).unwrap();
            assert!(compressed.len() < text.len() / 4);
            let (header, body) = compressed.split_first_chunk().unwrap();
            let header = Header::decode(*header, BODY_BYTES_MAX).unwrap();
            assert_eq!((header.kind, header.body_bytes as usize), (Kind::Compressed, body.len()));
            assert_eq!(decompressed_bytes(body), Ok(text.len()));
            let mut out = vec![0; text.len()];
            assert_eq!(decompress(body, &mut out), Ok(Kind::Chunk));
            assert_eq!(out, text);

            for bytes in [0, text.len() - 1, text.len() + 1] {
                let expected = Err(DecompressError::Body { bytes: text.len() });
                assert_eq!(decompress(body, &mut vec![0; bytes]), expected);
            }
            for end in 8..body.len() - 1 {
                assert!(decompress(&body[..end], &mut out).is_err());
            }
            for bytes in [&noise[..], b"", b"a"] {
                assert_eq!(compress(compression, &frame(Kind::Narrow, bytes)), None);
            }
        }
    }

    #[test]
    fn a_frame_that_does_not_say_what_it_contains_is_refused() {
        let refused = |body: &[u8]| {
            assert_eq!(decompressed_bytes(body), Err(DecompressError::Header), "{body:?}");
            assert_eq!(decompress(body, &mut []), Err(DecompressError::Header), "{body:?}");
        };
        let chunk = Kind::Chunk as u8;
        assert_eq!(decompressed_bytes(&[1, chunk, 0, 0, 5, 0, 0, 0]), Ok(5));
        refused(&[1, chunk, 0, 0, 5, 0, 0]);
        refused(&[0, chunk, 0, 0, 5, 0, 0, 0]);
        refused(&[3, chunk, 0, 0, 5, 0, 0, 0]);
        refused(&[1, chunk, 1, 0, 5, 0, 0, 0]);
        refused(&[1, Kind::Hello as u8, 0, 0, 5, 0, 0, 0]);
        refused(&[1, Kind::Compressed as u8, 0, 0, 5, 0, 0, 0]);
        refused(&[1, 99, 0, 0, 5, 0, 0, 0]);
        refused(&[1, chunk, 0, 0, 1, 0, 128, 0]);
    }
}
