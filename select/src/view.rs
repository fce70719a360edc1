//! What somebody may see of a source: some of its columns, and the records that a row filter keeps.
//!
//! To a Select over a view a column outside of it does not exist, and a record that the row filter
//! does not keep is not in the file: it can be neither selected nor counted, and nothing in it can
//! fail the Select. True keeps; false and null drop, and so does a record for which the filter has
//! no value because a field does not decode or a computation fails: only what is known to be
//! visible is shown.
//!
//! Bytes tell how long the hidden parts are, and how work is cut tells it too. So a view that is
//! not [whole](View::is_whole) has no byte offsets in its errors, no bytes and no zones in EXPLAIN,
//! and its batches are cut by what is in them alone. [`Statistics`](crate::Statistics) count the
//! work on hidden parts too: they are for whoever may see all.

use std::sync::Arc;

use arrow::datatypes::Field;

use crate::bind::{Binder, Scope};
use crate::expr::Expr;
use crate::{Error, ErrorKind, Predicate, Result, Source, shown};

/// What errors call the place of a row filter.
const CLAUSE: &str = "a row filter";

/// A source as far as somebody may see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    source: Arc<Source>,
    /// Ascending.
    columns: Arc<[usize]>,
    /// The list that they are of; `None` is whatever there is.
    names: Option<Arc<[String]>>,
    filter: Option<Arc<RowFilter>>,
    /// The columns whose values may not be told; `None` if all may.
    withheld: Option<Arc<[String]>>,
}

/// What a record has to meet to be there at all, bound to all columns of the source.
#[derive(Debug)]
pub(crate) struct RowFilter {
    pub(crate) predicate: Predicate,
    pub(crate) expr: Expr,
    pub(crate) columns: Vec<usize>,
}

impl View {
    /// The columns of `source` that have one of these names exactly (`None`: all), and the records
    /// that `filter` keeps (`None`: all). The filter may use columns that are not to be seen.
    ///
    /// # Errors
    /// `UnknownColumn`, `TypeMismatch`, `Unsupported`, `KeyMissing` about the filter, and
    /// `UnknownColumn` when none of the columns is there, or several have one of the names. They are for whoever made
    /// the rule, not for whoever is under it.
    pub fn new(
        source: Arc<Source>,
        columns: Option<&[String]>,
        filter: Option<&Predicate>,
    ) -> Result<Self> {
        let all = View::from(source);
        let filter = filter.map(|filter| all.bind(filter)).transpose()?;
        let names: Option<Arc<[String]>> = columns.map(Into::into);
        let visible = all.columns_of(names.as_deref());
        for name in columns.into_iter().flatten() {
            let count = all.fields().filter(|(_, field)| field.name() == name).count();
            if count > 1 {
                // which of them is meant to be seen is not known
                let file = all.source.name();
                let message = format!("{file}: column `{name}` is ambiguous: there are {count}");
                return Err(Error::new(ErrorKind::UnknownColumn, message));
            }
        }
        if visible.is_empty() && columns.is_some() {
            let message = format!("{}: none of the columns is in it", all.source.name());
            return Err(Error::new(ErrorKind::UnknownColumn, message));
        }
        Ok(Self { columns: visible, names, filter: filter.map(Arc::new), ..all })
    }

    /// The same view for a reader who may not see the values of some columns, and of what later
    /// records may have beside the columns. It still has those columns: refusing plans that touch
    /// them is up to the caller.
    #[must_use]
    pub fn with_columns_withheld(self, is_withheld: impl Fn(&str) -> bool) -> Self {
        let names = self.fields().map(|(_, field)| field.name());
        let withheld = names.filter(|name| is_withheld(name)).cloned().collect();
        Self { withheld: Some(withheld), ..self }
    }

    /// The columns whose values may not be told.
    pub(crate) fn withheld(&self) -> &[String] {
        self.withheld.as_deref().unwrap_or_default()
    }

    /// The same view with columns and types that its own records tell. The first records of a file
    /// tell them where nobody has declared them, hidden records and long hidden values among them.
    /// In a view that is not whole the first 10,000 records that it shows do; the columns of the row
    /// filter keep their types, and withheld ones are texts. Reads the file until it has so many;
    /// what came of it is kept with the open file.
    ///
    /// # Errors
    /// `Io`, `FileChanged`, `Descriptor`; `Unsupported` when the files do not have one schema then.
    pub fn with_types_of_shown(self) -> Result<Self> {
        if self.is_whole() || !self.source.infers_types() {
            return Ok(self);
        }
        let source = shown::source(&self)?;
        let all = Self::from(Arc::new(source));
        let filter = self.filter.as_ref().map(|filter| all.bind(&filter.predicate)).transpose()?;
        let columns = all.columns_of(self.names.as_deref());
        Ok(Self { source: all.source, columns, filter: filter.map(Arc::new), ..self })
    }

    /// Returns whether nothing of the source is hidden from the reader: no column, no record and no
    /// value. Only then may he be told of bytes.
    pub fn is_whole(&self) -> bool {
        self.has_all_values() && self.has_all_records()
    }

    /// Returns whether no column and no value of a column is hidden from the reader. Only then may
    /// he be told where in a record its values lie.
    pub fn has_all_values(&self) -> bool {
        self.has_all_columns() && self.withheld.is_none()
    }

    /// What it is a view of.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The indices of the columns that are to be seen, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Whether no column is hidden.
    pub fn has_all_columns(&self) -> bool {
        self.columns.len() == self.source.listed_columns()
    }

    /// Whether there is no row filter.
    pub fn has_all_records(&self) -> bool {
        self.filter.is_none()
    }

    /// Returns whether only columns are to be seen that are named: what the source has beside its
    /// columns is not.
    pub(crate) fn names_columns(&self) -> bool {
        self.names.is_some()
    }

    /// The columns of it that are in a list of names.
    fn columns_of(&self, names: Option<&[String]>) -> Arc<[usize]> {
        let Some(names) = names else { return Arc::clone(&self.columns) };
        let named = self.fields().filter(|(_, field)| names.contains(field.name()));
        named.map(|(index, _)| index).collect()
    }

    /// The columns that are to be seen, with their indices in the source.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (usize, &Field)> + Clone {
        let schema = self.source.schema();
        self.columns.iter().map(move |&index| (index, schema.field(index)))
    }

    pub(crate) fn row_filter(&self) -> Option<&RowFilter> {
        self.filter.as_deref()
    }

    fn bind(&self, filter: &Predicate) -> Result<RowFilter> {
        let mut binder = Binder {
            view: self,
            qualifiers: Vec::new(),
            parameters: &[],
            used: Vec::new(),
            scope: Scope::Record(CLAUSE),
            keys: Vec::new(),
            aggregates: Vec::new(),
        };
        let expr = binder.boolean(filter.syntax(), CLAUSE)?;
        let columns = expr.columns();
        if self.source.can_miss_keys() {
            self.source.check_keys(&columns)?;
        }
        Ok(RowFilter { predicate: filter.clone(), expr, columns })
    }
}

impl From<Arc<Source>> for View {
    /// All of it.
    fn from(source: Arc<Source>) -> Self {
        let columns = (0..source.listed_columns()).collect();
        Self { source, columns, names: None, filter: None, withheld: None }
    }
}
