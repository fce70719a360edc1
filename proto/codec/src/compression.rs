//! General compression of any bytes, for links that are slower than it.

/// A general compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// An LZ4 block: fast at both ends.
    Lz4,
    /// A Zstandard frame: smaller, and slower to make.
    Zstd,
}

/// The level of Zstandard: the fastest of its usual ones.
const ZSTD_LEVEL: i32 = 1;

/// The reason why bytes do not decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compressed bytes do not decompress to the {bytes} bytes that they announce")]
pub struct DecompressError {
    /// The announced number of bytes.
    pub bytes: usize,
}

/// Appends `bytes` in compressed form to `out`. Returns whether they became smaller by at least an
/// eighth; if not, `out` is unchanged.
pub fn compress(compression: Compression, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let bytes_max = bytes.len() - bytes.len() / 8;
    let room = match compression {
        Compression::Lz4 => lz4_flex::block::get_maximum_output_size(bytes.len()),
        Compression::Zstd => zstd::zstd_safe::compress_bound(bytes.len()),
    };
    out.resize(start + room, 0);
    let to = out.get_mut(start..).unwrap_or_default();
    let written = match compression {
        Compression::Lz4 => lz4_flex::block::compress_into(bytes, to).ok(),
        Compression::Zstd => zstd::bulk::compress_to_buffer(bytes, to, ZSTD_LEVEL).ok(),
    };
    let written = written.filter(|&written| written <= bytes_max);
    out.truncate(start + written.unwrap_or_default());
    written.is_some()
}

/// Fills `out` with the bytes that `compressed` stands for: exactly as many.
///
/// # Errors
/// The bytes are damaged, or are not as many.
pub fn decompress(
    compression: Compression,
    compressed: &[u8],
    out: &mut [u8],
) -> Result<(), DecompressError> {
    let bytes = out.len();
    let written = match compression {
        Compression::Lz4 => lz4_flex::block::decompress_into(compressed, out).ok(),
        Compression::Zstd => zstd::bulk::decompress_to_buffer(compressed, out).ok(),
    };
    if written == Some(bytes) { Ok(()) } else { Err(DecompressError { bytes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_or_are_left() {
        let text = b"the same words, the same words, and the same words again. ".repeat(40);
        let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(2000).collect();
        for compression in [Compression::Lz4, Compression::Zstd] {
            let mut out = b"before".to_vec();
            assert!(compress(compression, &text, &mut out));
            let compressed = out.strip_prefix(b"before").unwrap();
            let mut back = vec![0; text.len()];
            assert_eq!(decompress(compression, compressed, &mut back), Ok(()));
            assert_eq!(back, text);
            for bytes in [0, text.len() - 1, text.len() + 1] {
                let expected = Err(DecompressError { bytes });
                assert_eq!(decompress(compression, compressed, &mut vec![0; bytes]), expected);
            }
            for bytes in [&random[..], b"", b"a"] {
                let mut out = b"before".to_vec();
                let smaller = compress(compression, bytes, &mut out);
                assert!(!smaller || bytes.is_empty());
                assert!(smaller || out == b"before");
            }
        }
    }
}
