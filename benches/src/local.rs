//! A Select over a local file: what the client of the whole-file arm does, with the same engine as
//! the server and all cores.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sift_select::{Descriptor, Plan, Scan, ScanOptions, Select, Source};

use crate::Result;
use crate::lineitem::descriptor_path;

/// An answer that is in memory.
pub type Batches = (SchemaRef, Vec<RecordBatch>);

/// Answers `sql` from the file at `path` and the descriptor beside it.
///
/// # Errors
/// As `select` gives them.
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

/// Answers `sql` from an opened file and gives each batch as soon as it is there; `descriptor` is the
/// text of its descriptor.
///
/// # Errors
/// As `select` gives them.
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
