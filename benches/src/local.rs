//! A Select from a local file, for the client of the whole-file arm. It uses the engine of the
//! server and all cores.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sift_select::{Descriptor, Plan, Scan, ScanOptions, Select, Source};

use crate::Result;
use crate::lineitem::descriptor_path;

/// An answer in memory.
pub type Batches = (SchemaRef, Vec<RecordBatch>);

/// Runs `sql` on the file at `path` with the descriptor next to it.
///
/// # Errors
/// The errors of `select`.
pub fn select_from_path(sql: &str, path: &Path) -> Result<Batches> {
    let descriptor = match fs::read_to_string(descriptor_path(path)) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut batches = Vec::new();
    let keep = |batch| batches.push(batch);
    let schema = select(sql, &name, File::open(path)?, descriptor.as_deref(), keep)?;
    Ok((schema, batches))
}

/// Runs `sql` on an opened file and passes on each batch as soon as it is ready. `descriptor` is
/// the text of the descriptor.
///
/// # Errors
/// The errors of `select`.
pub fn select(
    sql: &str,
    name: &str,
    file: File,
    descriptor: Option<&str>,
    each: impl FnMut(RecordBatch),
) -> Result<SchemaRef> {
    let descriptor = descriptor.map(|text| Descriptor::parse(name, text)).transpose()?;
    let source = Arc::new(Source::open(name, file, descriptor)?);
    let plan = Plan::new(&Select::parse(sql)?, source, &[])?;
    let schema = Arc::clone(plan.schema());
    Scan::new(plan, ScanOptions::default()).for_each(each)?;
    Ok(schema)
}
