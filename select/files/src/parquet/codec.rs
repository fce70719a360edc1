//! Compressed pages: each codec, and never more bytes than the page says it becomes.
//!
//! Snappy and LZ4 are the parquet crate's, which fill a buffer of the size that is expected. Its
//! other codecs go on for as long as there is input, so those are called here with a bound.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::compression::{Codec as CrateCodec, CodecOptionsBuilder, create_codec};

use super::memory::{PageMemory, Zstd};
use crate::problem::column::ColumnProblem;

/// Bytes that the decoder of brotli reads at a time.
const BROTLI_BUFFER_BYTES: usize = 4096;

/// A way to compress, with what its decoder keeps between pages.
pub(super) enum Codec {
    None,
    Zstd(Zstd),
    Gzip,
    Brotli,
    /// One of these after the other.
    Crate(Vec<Box<dyn CrateCodec>>),
}

impl Codec {
    /// Makes the decoder for a column chunk.
    ///
    /// # Errors
    /// `UnreadCodec`, or what the decoder says.
    pub(super) fn new(
        compression: Compression,
        memory: &PageMemory,
    ) -> Result<Self, ColumnProblem> {
        let codecs: &[Compression] = match compression {
            Compression::UNCOMPRESSED => return Ok(Self::None),
            Compression::GZIP(_) => return Ok(Self::Gzip),
            Compression::BROTLI(_) => return Ok(Self::Brotli),
            Compression::ZSTD(_) => {
                if let Some(decoder) = memory.decoder() {
                    return Ok(Self::Zstd(decoder));
                }
                let decoder = zstd::bulk::Decompressor::new().map_err(ColumnProblem::decoder)?;
                return Ok(Self::Zstd(Box::new(decoder)));
            }
            // Hadoop's frames, and what old versions of Arrow wrote under the same name
            Compression::LZ4 => &[Compression::LZ4, Compression::LZ4_RAW],
            Compression::SNAPPY | Compression::LZ4_RAW => &[compression],
            other => {
                return Err(ColumnProblem::UnreadCodec { codec: other.to_string().into() });
            }
        };
        let options = CodecOptionsBuilder::default().set_backward_compatible_lz4(false).build();
        let made = codecs.iter().filter_map(|codec| create_codec(*codec, &options).ok().flatten());
        Ok(Self::Crate(made.collect()))
    }

    /// Appends what `stored` becomes to `to`: `bytes`, or `None` where it is another number.
    pub(super) fn decompress(
        &mut self,
        stored: &[u8],
        to: &mut Vec<u8>,
        bytes: usize,
    ) -> Option<()> {
        let before = to.len();
        match self {
            Self::None => to.extend_from_slice(stored),
            Self::Zstd(decoder) => {
                to.reserve_exact(bytes);
                let mut cursor = std::io::Cursor::new(&mut *to);
                cursor.set_position(before as u64);
                decoder.decompress_to_buffer(stored, &mut cursor).ok()?;
            }
            Self::Gzip => fill(MultiGzDecoder::new(stored), to, bytes)?,
            Self::Brotli => {
                fill(brotli::Decompressor::new(stored, BROTLI_BUFFER_BYTES), to, bytes)?
            }
            Self::Crate(codecs) => codecs.iter_mut().find_map(|codec| {
                to.truncate(before);
                let made = codec.decompress(stored, to, Some(bytes)).ok()?;
                (made == bytes).then_some(())
            })?,
        }
        (to.len() - before == bytes).then_some(())
    }
}

/// Appends at most one byte more than `bytes`.
fn fill(decoder: impl Read, to: &mut Vec<u8>, bytes: usize) -> Option<()> {
    to.reserve_exact(bytes);
    decoder.take(bytes as u64 + 1).read_to_end(to).ok()?;
    Some(())
}
