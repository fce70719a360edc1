//! Infers the columns and types of a file from the records that a view shows.
//!
//! When a file is opened, its first records determine its columns and types, even if a reader may
//! not see these records. The number of these records depends on their lengths. Both would reveal
//! something about hidden records: a hidden text among numbers makes a column a text. So the
//! columns of a view that is not whole are determined again, from the first [`RECORDS_MAX`] records
//! that it shows, however long they are. The columns that the row filter reads keep their types,
//! because other types would change which records it shows. Hidden columns of CSV are texts, and
//! hidden members of JSON Lines are not columns.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::failure::file_error;
use super::selection::Selection;
use crate::Result;
use crate::plan::file_set;
use crate::plan::view::View;
use crate::source::view_cache::ViewKey;
use crate::source::{Part, Source};
use sift_files::cancel::check_wanted;
use sift_files::data_file::DataFile;
use sift_files::feed::Feed;
use sift_files::io::waiting::Waiting;
use sift_files::text::RECORDS_MAX;

/// The number of bytes that are read at a time.
const TURN_BYTES: usize = 1 << 20;

impl View {
    /// Returns the same view with columns and types from its own records. Without a declaration,
    /// columns and types come from the first records of a file, which may include hidden records
    /// and long hidden values. In a view that is not whole, they come from the first 10,000 records
    /// that the view shows. The columns of the row filter keep their types, and withheld columns
    /// become texts. This reads the file until it has enough records. The result is cached with the
    /// open file.
    ///
    /// # Errors
    /// `Io`, `FileChanged`, `Descriptor`; `Unsupported` when the files do not have one schema then.
    pub fn with_types_of_shown(self) -> Result<Self> {
        if self.is_whole() || !self.source().infers_types() {
            return Ok(self);
        }
        let source = source(&self)?;
        self.over(source)
    }
}

/// Returns the source of a view, with columns and types from its own records.
///
/// # Errors
/// `Io`, `FileChanged`, `Descriptor`; `Unsupported` when the files do not have one schema.
fn source(view: &View) -> Result<Source> {
    let source = view.source();
    let mut columns = file_set::CommonColumns::default();
    let mut parts = Vec::with_capacity(source.parts.len());
    for part in &source.parts {
        let file = file_of_view(view, part)?;
        columns.add(source.name(), file.name(), &file.schema)?;
        parts.push(Part { file, index: None, ..part.clone() });
    }
    let of_file = source.parts.first().map_or(0, |part| part.file.schema.fields().len());
    let constants = source.schema().fields().iter().skip(of_file).cloned();
    Ok(source.with_parts(columns.schema(constants), parts))
}

fn file_of_view(view: &View, part: &Part) -> Result<Arc<DataFile>> {
    let file = &part.file;
    if !file.infers_types() {
        return Ok(Arc::clone(file));
    }
    let key = ViewKey {
        filter: view.row_filter().map(|filter| filter.predicate.clone()),
        names: view.names().map(<[String]>::to_vec),
        withheld: view.withheld().to_vec(),
    };
    if let Some(visible) = part.views.get(&key) {
        return Ok(visible);
    }
    view.source().waiting().check()?;
    let visible = sampled(view, part)?;
    part.views.insert(key, Arc::clone(&visible));
    Ok(visible)
}

/// Reads a file until a view has shown enough records of it.
fn sampled(view: &View, part: &Part) -> Result<Arc<DataFile>> {
    let filter = view.row_filter();
    let source = view.source().with_parts(Arc::clone(view.source().schema()), vec![part.clone()]);
    let columns = source.schema().fields().len();
    let feed = Feed::new(&[Arc::clone(&part.file)], TURN_BYTES);
    let Some(mut sample) = part.file.sample() else { return Ok(Arc::clone(&part.file)) };
    let mut records = 0;
    while records < RECORDS_MAX
        && let Some(turn) = feed.next(Waiting::Allowed, &mut |_, block| {
            let mut visible = Selection::new(block, &part.constants, columns);
            if let Some(filter) = filter {
                visible.apply_row_filter(filter);
            }
            let rows = 0..visible.rows.min(RECORDS_MAX - records);
            records += rows.len();
            block.sample(&rows.map(|row| visible.record(row)).collect::<Vec<_>>(), &mut sample);
            match records {
                RECORDS_MAX => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
    {
        turn.result.map_err(|error| file_error(view, part.file.name(), error))?;
    }
    // a sample that was cancelled is not used
    check_wanted()?;
    if source.changed()? {
        return Err(source.changed_while_read());
    }
    let unchanged = filter.map_or(&[][..], |filter| &filter.columns);
    let shows = |name: &str| view.shows(name);
    let visible = part.file.of_view(sample, unchanged, &shows, records > 0);
    Ok(Arc::new(visible.map_err(|error| file_error(view, part.file.name(), error))?))
}
