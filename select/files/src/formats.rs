//! All formats: only this file names them.

use std::sync::Arc;

use crate::Result;
use crate::csv::CsvLayout;
use crate::descriptor::DeclaredLayout;
use crate::format::Format;
use crate::io::compressed::Compression;
use crate::io::raw_file::RawFile;
use crate::ipc::ArrowLayout;
use crate::json::JsonLayout;
use crate::parquet::{ParquetKeys, ParquetLayout};

/// Opens a file in the format that its descriptor or its name says.
///
/// # Errors
/// `Descriptor` when the descriptor does not fit the file; `Record`, `KeyMissing`, `LimitExceeded`,
/// `Unsupported`, `Io`.
pub(crate) fn open(
    declared: DeclaredLayout,
    file: &RawFile,
    compression: Option<Compression>,
    keys: &ParquetKeys,
) -> Result<Arc<dyn Format>> {
    Ok(match declared {
        DeclaredLayout::Fixed(layout) => {
            layout.check_length(file)?;
            Arc::new(layout)
        }
        DeclaredLayout::Csv(options) => Arc::new(CsvLayout::of_file(file, options, compression)?),
        DeclaredLayout::Json(fields) | DeclaredLayout::ByName(fields) => {
            Arc::new(JsonLayout::of_file(file, fields, compression)?)
        }
        DeclaredLayout::Parquet(fields) => Arc::new(ParquetLayout::of_file(file, keys, &fields)?),
        DeclaredLayout::Arrow(fields) => Arc::new(ArrowLayout::of_file(file, &fields)?),
    })
}
