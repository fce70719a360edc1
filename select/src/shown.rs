//! The columns and types of a file from the records that a view shows, if nobody has declared them.
//!
//! When a file is opened, its first records determine its columns and types, even if a reader may
//! not see these records. The number of these records depends on their lengths. Both would reveal
//! something about hidden records: a hidden text among numbers makes a column a text. So the
//! columns of a view that is not whole are determined again, from the first [`RECORDS_MAX`] records
//! that it shows, however long they are. The columns that the row filter reads keep their types,
//! because other types would change which records it shows. Columns with withheld values are texts.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::block::Block;
use crate::cancel::{Stopped, check_wanted};
use crate::data_file::{DataFile, Layout};
use crate::file_set;
use crate::kind::RECORDS_MAX;
use crate::selection::Selection;
use crate::source::{Part, Source};
use crate::view::View;
use crate::waiting::may_wait;
use crate::{Predicate, Result, csv, json};

/// The number of bytes that are read at a time.
const TURN_BYTES: usize = 1 << 20;

/// The maximal number of views for which a file caches its layout. The oldest is removed first.
const KEPT_MAX: usize = 16;

/// The cached layouts of a file for several views.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<Vec<(By, ShownFile)>>);

/// The parts of a view that determine the layout of a file.
#[derive(Clone, Debug)]
struct By {
    filter: Option<Predicate>,
    withheld: Vec<String>,
}

impl By {
    fn of(view: &View) -> Self {
        let filter = view.row_filter().map(|filter| filter.predicate.clone());
        Self { filter, withheld: view.withheld().to_vec() }
    }

    fn is(&self, other: &Self) -> bool {
        let is_same = match (&self.filter, &other.filter) {
            (None, None) => true,
            (Some(filter), Some(other)) => filter.is(other),
            _ => false,
        };
        is_same && self.withheld == other.withheld
    }
}

/// A file with the layout for a view.
#[derive(Clone, Debug)]
struct ShownFile {
    file: Arc<DataFile>,
    /// Says whether the view shows at least one record of the file.
    has_records: bool,
}

/// Returns the source of a view, with columns and types from its own records.
///
/// # Errors
/// `Io`, `FileChanged`, `Descriptor`; `Unsupported` when the files do not have one schema.
pub(crate) fn source(view: &View) -> Result<Source> {
    let source = view.source();
    let shown = source.parts.iter().map(|part| Ok((part, shown_file(view, part)?)));
    let mut shown: Vec<(&Part, ShownFile)> = shown.collect::<Result<_>>()?;
    // without records there are no types; if no file has records, one file represents all
    if shown.iter().any(|(_, file)| file.has_records) {
        shown.retain(|(_, file)| file.has_records);
    } else {
        shown.truncate(1);
    }
    let mut columns = file_set::Columns::default();
    let mut parts = Vec::with_capacity(shown.len());
    for (part, ShownFile { file, .. }) in shown {
        columns.add(source.name(), &file.name, &file.schema)?;
        parts.push(Part { file, index: None, ..part.clone() });
    }
    let of_file = source.parts.first().map_or(0, |part| part.file.schema.fields().len());
    let constants = source.schema().fields().iter().skip(of_file).cloned();
    Ok(source.with_parts(columns.schema(constants), parts))
}

fn shown_file(view: &View, part: &Part) -> Result<ShownFile> {
    let file = &part.file;
    if !file.infers_types() {
        return Ok(ShownFile { file: Arc::clone(file), has_records: true });
    }
    let by = By::of(view);
    let lock = || file.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, shown)) = lock().iter().find(|(kept, _)| kept.is(&by)) {
        return Ok(shown.clone());
    }
    if !may_wait() {
        return Err(Stopped.into());
    }
    let shown = sampled(view, part)?;
    let mut kept = lock();
    if kept.len() == KEPT_MAX {
        kept.remove(0);
    }
    kept.push((by, shown.clone()));
    Ok(shown)
}

/// Reads a file until a view has shown enough records of it.
fn sampled(view: &View, part: &Part) -> Result<ShownFile> {
    let filter = view.row_filter();
    let source = view.source().with_parts(Arc::clone(view.source().schema()), vec![part.clone()]);
    let columns = source.schema().fields().len();
    let feed = source.feed(TURN_BYTES);
    let mut sampler = match &part.file.layout {
        Layout::Csv(layout) => Sampler::Csv(layout.sampler()),
        _ => Sampler::Json(json::Sample::default()),
    };
    let mut records = 0;
    while records < RECORDS_MAX
        && let Some(turn) = feed.next(&mut |place, block| {
            let mut shown = Selection::new(block, &place.part.constants, columns);
            if let Some(filter) = filter {
                shown.show(filter);
            }
            for row in 0..shown.rows.min(RECORDS_MAX - records) {
                sampler.record(block, shown.record(row));
            }
            records += shown.rows.min(RECORDS_MAX - records);
            match records {
                RECORDS_MAX => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
    {
        turn.result?;
    }
    // a sample that was cancelled is not used
    check_wanted()?;
    if source.changed()? {
        return Err(source.changed_while_read());
    }
    let kept = filter.map_or(&[][..], |filter| &filter.columns);
    let withheld = |name: &str| view.withheld().iter().any(|withheld| withheld == name);
    let layout = match (sampler, &part.file.layout) {
        (Sampler::Csv(sampler), Layout::Csv(layout)) => {
            Layout::Csv(layout.with_types_of(&sampler, kept, withheld))
        }
        (Sampler::Json(sample), Layout::Json(layout)) => {
            Layout::Json(layout.with_types_of(&part.file.name, sample, kept, withheld)?)
        }
        // other formats do not infer types
        _ => return Ok(ShownFile { file: Arc::clone(&part.file), has_records: true }),
    };
    let file = Arc::new(part.file.with_layout(layout));
    Ok(ShownFile { file, has_records: records > 0 })
}

enum Sampler {
    Csv(csv::Sampler),
    Json(json::Sample),
}

impl Sampler {
    fn record(&mut self, block: &Block<'_>, record: usize) {
        match (self, block) {
            (Self::Csv(sampler), Block::Csv(block)) => sampler.record(block, record),
            (Self::Json(sample), Block::Json(block)) => block.sample(record, sample),
            _ => {}
        }
    }
}
