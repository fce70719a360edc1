//! The writer of `lineitem` as Parquet with usual properties: Zstandard, dictionaries, statistics
//! of row groups and pages.

use std::io::{self, Write};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int32Type;
use indicatif::ProgressBar;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::LineItemArrow;

/// The number of records in a row group. The default of DuckDB is similar.
const GROUP_RECORDS: usize = 128 << 10;

/// The number of records in a batch. It divides the number in a row group.
const BATCH_RECORDS: usize = 8 << 10;

pub(super) fn write(out: impl Write + Send, scale: f64, progress: &ProgressBar) -> io::Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_RECORDS))
        .build();
    let mut writer = ArrowWriter::try_new(out, LineItemArrow::schema_ref(), Some(properties))?;
    let generator = LineItemGenerator::new(scale, 1, 1);
    for batch in LineItemArrow::new(generator).with_batch_size(BATCH_RECORDS) {
        let batch = batch.map_err(io::Error::other)?;
        writer.write(&batch)?;
        progress.inc(orders(&batch));
    }
    writer.close()?;
    Ok(())
}

fn orders(batch: &RecordBatch) -> u64 {
    let numbers = batch.column_by_name("l_linenumber");
    let numbers = numbers.and_then(|numbers| numbers.as_primitive_opt::<Int32Type>());
    numbers
        .map_or(0, |numbers| numbers.values().iter().filter(|number| **number == 1).count() as u64)
}
