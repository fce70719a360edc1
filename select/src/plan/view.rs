//! A view: the part of a source that a reader may see. It has some of the columns, and the records
//! that a row filter keeps.
//!
//! For a Select over a view, a column outside the view does not exist, and a record that the row
//! filter drops is not in the file. Such a record can neither be selected nor counted, and nothing
//! in it can make the Select fail. True keeps a record; false and null drop it. A record for which
//! the filter has no value, because a field does not decode or a computation fails, is dropped,
//! too: only a record that is certainly visible is shown.
//!
//! Byte positions reveal the length of hidden parts, and so does the division of work. So a view
//! that is not [whole](View::is_whole) has no byte offsets in its errors and no bytes and no zones
//! in EXPLAIN, and its batches depend only on the records in them.
//! [`ScanStatistics`](crate::scan::ScanStatistics) also count the work on hidden parts. They are
//! only for readers who may see everything.

use std::sync::Arc;

use arrow::datatypes::Field;

use super::bind::{BindableColumns, Binder, Scope};
use crate::expr::Expr;
use crate::source::Source;
use crate::sql::Predicate;
use crate::sql::mention::are_related;
use crate::{Error, ErrorKind, Result};

/// The name of a row filter in errors.
const CLAUSE: &str = "a row filter";

/// The part of a source that a reader may see. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    source: Arc<Source>,
    /// The indices of the visible columns, ascending.
    columns: Arc<[usize]>,
    /// The names from which `columns` were chosen; `None` for all columns.
    names: Option<Arc<[String]>>,
    filter: Option<Arc<RowFilter>>,
    /// The columns whose values may not be shown; `None` if all may be shown.
    withheld: Option<Arc<[String]>>,
    /// The text of errors that would quote the file; `None` if they may.
    fault_text: Option<Arc<str>>,
}

/// The condition that a record must fulfil to exist in the view, bound to all columns of the
/// source.
#[derive(Debug)]
pub(crate) struct RowFilter {
    pub(crate) predicate: Predicate,
    pub(crate) expr: Expr,
    pub(crate) columns: Vec<usize>,
}

impl View {
    /// Makes a view with the columns of `source` that have exactly one of these names (`None`:
    /// all), and with the records that `filter` keeps (`None`: all). The filter may use columns
    /// that are not in the view.
    ///
    /// # Errors
    /// `UnknownColumn`, `TypeMismatch`, `Unsupported`, `KeyMissing` about the filter, and
    /// `UnknownColumn` when none of the columns exists, or several have one of the names. They are
    /// for the administrator who wrote the rule, not for the reader.
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
                // it is unknown which of them may be seen
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

    /// Returns the same view for a reader who may not see the values of some columns. The reader
    /// may not see the further fields of later records either. The view still has those columns:
    /// the caller has to refuse plans that use them.
    ///
    /// `names` ignore case. They also stand for columns inside the named ones, and around them, by
    /// dotted names.
    #[must_use]
    pub fn with_columns_withheld(self, names: Vec<String>) -> Self {
        let names = names.into_iter().map(|name| name.to_lowercase());
        Self { withheld: Some(names.collect()), ..self }
    }

    /// Returns the same view for a reader who may not know what is wrong with the file, because a
    /// fault quotes bytes of it. The errors about its records and its descriptor are this text.
    #[must_use]
    pub fn with_faults_withheld(self, text: &str) -> Self {
        Self { fault_text: Some(text.into()), ..self }
    }

    /// Returns the text of errors about records and descriptors, if their own text is withheld.
    pub(crate) fn fault_text(&self) -> Option<&str> {
        self.fault_text.as_deref()
    }

    /// Returns the names of columns whose values may not be shown, in lower case.
    pub(crate) fn withheld(&self) -> &[String] {
        self.withheld.as_deref().unwrap_or_default()
    }

    /// Returns the names of the columns that may be shown; `None` for all.
    pub(crate) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Returns whether values of a column with this name may be shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        self.names.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
            && !self.withheld().iter().any(|withheld| are_related(withheld, &lower))
    }

    /// Returns whether nothing of the source is hidden from the reader: no column, no record and no
    /// value. Only then may the reader see byte counts and offsets.
    pub fn is_whole(&self) -> bool {
        self.has_all_values() && self.has_all_records() && self.fault_text.is_none()
    }

    /// Returns whether no column and no value of a column is hidden from the reader. Only then may
    /// the reader see the position of a value in a record.
    pub fn has_all_values(&self) -> bool {
        self.has_all_columns() && self.withheld.is_none()
    }

    /// Returns the source of the view.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns the indices of the visible columns, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Returns whether no column is hidden. A list of names hides the members of later records too,
    /// where the first records determine the columns.
    pub fn has_all_columns(&self) -> bool {
        self.columns.len() == self.source.listed_columns()
            && !(self.names.is_some() && self.source.infers_columns())
    }

    /// Returns whether there is no row filter.
    pub fn has_all_records(&self) -> bool {
        self.filter.is_none()
    }

    /// Returns whether the visible columns are those with certain names, so that everything else in
    /// the source is hidden.
    pub(crate) fn names_columns(&self) -> bool {
        self.names.is_some()
    }

    /// Returns the same view over the same files with other columns and types, which come from
    /// records that the view shows.
    ///
    /// # Errors
    /// The errors of the filter over these types.
    pub(crate) fn over(self, source: Source) -> Result<Self> {
        let all = Self::from(Arc::new(source));
        let filter = self.filter.as_ref().map(|filter| all.bind(&filter.predicate)).transpose()?;
        let columns = all.columns_of(self.names.as_deref());
        Ok(Self { source: all.source, columns, filter: filter.map(Arc::new), ..self })
    }

    /// Returns those columns of the view that are in a list of names.
    fn columns_of(&self, names: Option<&[String]>) -> Arc<[usize]> {
        let Some(names) = names else { return Arc::clone(&self.columns) };
        let named = self.fields().filter(|(_, field)| names.contains(field.name()));
        named.map(|(index, _)| index).collect()
    }

    /// Returns the visible columns, with their indices in the source.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (usize, &Field)> + Clone {
        let schema = self.source.schema();
        self.columns.iter().map(move |&index| (index, schema.field(index)))
    }

    /// Returns the columns that names in a text can mean.
    pub(crate) fn bindable(&self) -> BindableColumns<'_> {
        let source = &self.source;
        BindableColumns {
            listed: self.fields().collect(),
            path: source.path_column().map(|index| (index, source.schema().field(index))),
            are_inferred: source.infers_columns(),
        }
    }

    pub(crate) fn row_filter(&self) -> Option<&RowFilter> {
        self.filter.as_deref()
    }

    fn bind(&self, filter: &Predicate) -> Result<RowFilter> {
        let mut binder = Binder::new(self.bindable(), Vec::new(), &[], self.source.waiting());
        let expr = binder.boolean(filter.syntax(), CLAUSE, Scope::Record(CLAUSE))?;
        let columns = expr.columns();
        if self.source.can_miss_keys() {
            self.source.check_keys(&columns)?;
        }
        Ok(RowFilter { predicate: filter.clone(), expr, columns })
    }
}

impl From<Arc<Source>> for View {
    /// Makes the view that shows the whole source.
    fn from(source: Arc<Source>) -> Self {
        let columns = (0..source.listed_columns()).collect();
        Self { source, columns, names: None, filter: None, withheld: None, fault_text: None }
    }
}
