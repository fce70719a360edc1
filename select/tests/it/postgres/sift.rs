//! Questions to Sift, with answers in the notation of psql.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use sift_select::{Error, Plan, Select, Source};

use super::psql::Rows;
use crate::engine::{self, Run};

/// Returns the rows of a Select whose columns are all texts.
pub(super) fn ask(source: &Arc<Source>, sql: &str, run: Run) -> Result<Rows, Error> {
    let plan = Plan::new(&Select::parse(sql)?, Arc::clone(source), &[])?;
    let batches = engine::collect(plan, run)?;
    let mut rows = Vec::new();
    for batch in &batches {
        let texts: Vec<_> = batch.columns().iter().map(|array| array.as_string::<i32>()).collect();
        let field = |array: &arrow::array::StringArray, row| {
            array.is_valid(row).then(|| array.value(row).to_owned())
        };
        rows.extend(
            (0..batch.num_rows())
                .map(|row| texts.iter().map(|array| field(array, row)).collect::<Vec<_>>()),
        );
    }
    Ok(rows)
}

/// Returns a text as a literal.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
