//! Builds the copies of columns: reads the columns once more, and writes a page for each zone.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::Array;

use super::build::{BuildOptions, MORSEL_BYTES};
use super::copy::{ColumnCopy, encode};
use super::pages::{PagePlace, PageWriter};
use super::{Index, changed_while_read};
use crate::alike::alike;
use crate::{Error, ErrorKind, Result};
use sift_files::block::Block;
use sift_files::data_file::DataFile;
use sift_files::feed::Feed;
use sift_files::io::waiting::Waiting;
use sift_files::record::Rows;
use sift_files::types::expanded;

/// Returns the columns with these names, each once.
///
/// # Errors
/// `UnknownColumn` if the file has no such column, or several.
pub(super) fn columns(file: &DataFile, names: &[String]) -> Result<Vec<usize>> {
    let mut columns = Vec::new();
    for name in names {
        let fields = || file.schema.fields().iter().map(|field| field.name().as_str());
        let mut found = fields().enumerate().filter(|(_, known)| known == name);
        let column = match (found.next(), found.next()) {
            (Some((column, _)), None) => column,
            (Some(_), Some(_)) => {
                let message = format!("{}: several columns are called `{name}`", file.name());
                return Err(Error::new(ErrorKind::UnknownColumn, message));
            }
            (None, _) => {
                let meant = alike(name, fields()).map(|names| format!("; did you mean {names}?"));
                let meant = meant.unwrap_or_default();
                let message = format!("{}: unknown column `{name}`{meant}", file.name());
                return Err(Error::new(ErrorKind::UnknownColumn, message));
            }
        };
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    Ok(columns)
}

/// Builds copies of columns of the file that `index` is of. Gives the reasons why other columns
/// cannot be copied to `options.uncopied`.
pub(super) fn copies(
    file: &Arc<DataFile>,
    index: &Index,
    columns: &[usize],
    options: &BuildOptions<'_>,
    writer: &mut PageWriter,
) -> Result<Vec<ColumnCopy>> {
    let mut copied = Vec::new();
    for column in columns {
        match fault(file, index, *column)? {
            None => copied.push(*column),
            Some(error) => (options.uncopied)(error),
        }
    }
    if copied.is_empty() {
        return Ok(Vec::new());
    }
    let copier = Copier {
        file,
        index,
        columns: &copied,
        written: Mutex::new(Written {
            writer,
            pages: vec![vec![None; index.zone_count()]; copied.len()],
        }),
    };
    copier.run(options)?;
    let written = copier.written.into_inner().unwrap_or_else(PoisonError::into_inner);
    let copies = copied.iter().zip(written.pages).map(|(column, pages)| {
        let pages = pages.into_iter().collect::<Option<Vec<_>>>();
        let pages = pages.ok_or_else(|| changed_while_read(file.name()))?;
        Ok(ColumnCopy::new(*column, file.schema.field(*column), pages))
    });
    copies.collect()
}

/// Returns why a column cannot be copied: some record has no value of its type.
fn fault(file: &Arc<DataFile>, index: &Index, column: usize) -> Result<Option<Error>> {
    let decodes = index.columns.get(column).map(|known| &known.decodes);
    let faulty = index.zones().enumerate().filter(|(zone, _)| {
        decodes.is_none_or(|decodes| *zone < decodes.len() && !decodes.value(*zone))
    });
    for (_, (_, extent)) in faulty {
        let mut before = extent.first_record;
        let files = [Arc::clone(file)];
        let feed = Feed::of_extents(&files, vec![vec![extent]], &[], MORSEL_BYTES);
        let mut found = None;
        while let Some(turn) = feed.next(Waiting::Allowed, &mut |_, block| {
            if let Err(fault) = block.decode(&[column], Rows::All) {
                found = Some(fault.to_error(file.name(), before));
                return ControlFlow::Break(());
            }
            before += block.records() as u64;
            ControlFlow::Continue(())
        }) {
            turn.result?;
            if let Some(error) = found {
                let name = file.schema.field(column).name();
                let message = format!("{error}; a copy of `{name}` needs a value of every record");
                return Ok(Some(Error::new(ErrorKind::Record, message)));
            }
        }
    }
    Ok(None)
}

/// The copying of some columns, on all threads.
struct Copier<'a> {
    file: &'a Arc<DataFile>,
    index: &'a Index,
    columns: &'a [usize],
    written: Mutex<Written<'a>>,
}

/// The pages that were written.
struct Written<'a> {
    writer: &'a mut PageWriter,
    /// For each of the columns, the page of each zone.
    pages: Vec<Vec<Option<PagePlace>>>,
}

impl Copier<'_> {
    fn run(&self, options: &BuildOptions<'_>) -> Result<()> {
        let feed = Feed::new(&[Arc::clone(self.file)], MORSEL_BYTES);
        let failure = Mutex::new(None);
        let work = || {
            loop {
                let mut result = Ok(());
                let turn = feed.next(Waiting::Allowed, &mut |_, block| {
                    result = self.block(block);
                    match result {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    }
                });
                let Some(turn) = turn else { return };
                (options.progress)(turn.bytes);
                if let Err(error) = turn.result.map_err(Error::from).and(result) {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        };
        rayon::scope(|scope| {
            (0..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| work()));
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Copies the records of a block, which are whole zones.
    fn block(&self, block: &dyn Block) -> Result<()> {
        let name = self.file.name();
        let changed = || changed_while_read(name);
        let start = block.byte_of(0).ok_or_else(changed)?;
        let first = self.index.starts.binary_search(&start).map_err(|_not_a_zone| changed())?;
        let arrays = block.decode(self.columns, Rows::All).map_err(|_other_value| changed())?;
        let arrays = arrays.iter().map(expanded).collect::<Result<Vec<_>, _>>();
        let arrays = arrays.map_err(|error| unwritten(name, &error))?;
        let (mut zone, mut record) = (first, 0);
        while record < block.records() {
            let records = self.index.records.get(zone).and_then(|n| usize::try_from(*n).ok());
            let end = records.map_or(usize::MAX, |records| record + records);
            if end > block.records() {
                return Err(changed());
            }
            for (place, array) in arrays.iter().enumerate() {
                let page = encode(&array.slice(record, end - record));
                let page = page.map_err(|error| unwritten(name, &error))?;
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                let page = written.writer.write(&page).map_err(|error| unwritten(name, &error))?;
                if let Some(slot) = written.pages.get_mut(place).and_then(|of| of.get_mut(zone)) {
                    *slot = Some(page);
                }
            }
            (zone, record) = (zone + 1, end);
        }
        Ok(())
    }
}

fn unwritten(file: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("{file}: the copies cannot be written: {why}"))
}
