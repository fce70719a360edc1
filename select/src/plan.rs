//! The plan: a Select bound to a source, ready to scan.

pub(crate) mod bind;
pub(crate) mod file_set;
pub(crate) mod view;

mod name;
mod rows;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};

use crate::expr::{Expr, ExprKind, Item, Literal};
use crate::gather::group::Grouping;
use crate::gather::sort_order::SortOrder;
use crate::source::Source;
use crate::sql::syntax::SelectSyntax;
use crate::sql::{Select, syntax};
use crate::value::Value;
use crate::{ErrorKind, Result};
use bind::{Binder, Scope};
use rows::rows;
use view::View;

/// Most columns of an answer.
const COLUMNS_MAX: usize = 16 << 10;

/// Most bytes that the columns of a morsel's answer may take, about. It bounds the memory of a scan
/// in which short records make a long answer.
pub(crate) const MORSEL_OUTPUT_BYTES_MAX: usize = 16 << 20;

/// A morsel that looks its records up in hash tables has this part of the bytes of others, as a
/// record takes several times as long.
const HASHED_BYTES: usize = 4;

/// Most bytes and records that a brief scan reads, and most bytes that it makes of them.
const BRIEF_BYTES_MAX: u64 = 64 << 10;
const BRIEF_RECORDS_MAX: u64 = 1 << 10;
const BRIEF_OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// A Select bound to the columns and types of a source. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan(Arc<BoundPlan>);

/// The parts of a plan.
#[derive(Debug)]
pub(crate) struct BoundPlan {
    pub(crate) view: View,
    /// The columns of the answer.
    pub(crate) schema: SchemaRef,
    /// The terms of WHERE in the order of the text. Each is evaluated for the records that all
    /// terms before it keep.
    pub(crate) conjuncts: Vec<Conjunct>,
    pub(crate) rows: OutputRows,
    pub(crate) offset: u64,
    /// The number of rows after the offset; `None` for all.
    pub(crate) limit: Option<u64>,
    /// Bytes that evaluation takes for each record of the answer, about, without the texts of the
    /// file.
    record_bytes: usize,
}

/// One term of WHERE. True keeps a record; false and null drop it.
#[derive(Debug)]
pub(crate) struct Conjunct {
    pub(crate) expr: Expr,
    pub(crate) columns: Vec<usize>,
    /// The columns that it is the last to read.
    pub(crate) last_read: Vec<usize>,
    /// True if it is evaluated on the same records as the previous conjunct, because filtering
    /// first costs more.
    pub(crate) joined: bool,
    /// The text of the term in the Select.
    pub(crate) text: String,
}

/// The steps from the selected records to the rows of the answer, in this order.
#[derive(Debug)]
pub(crate) struct OutputRows {
    /// The columns of the source that keys, aggregates and items of records need.
    pub(crate) columns: Vec<usize>,
    /// True for `*` in a view that does not name its columns: records may have no other members.
    pub(crate) has_all: bool,
    /// The groups, if a row is a group and not a record.
    pub(crate) grouping: Option<Arc<Grouping>>,
    /// The condition for a group to become a row.
    pub(crate) having: Option<Item>,
    /// The columns of a row, computed from the columns of the source, or from those of the group:
    /// its keys, then its aggregates.
    pub(crate) items: Vec<Item>,
    /// The number of items that are columns of the answer; the others are only sorted by.
    pub(crate) visible: usize,
    /// True if only the first of equal rows of groups is returned.
    pub(crate) distinct: bool,
    pub(crate) order: Option<Arc<SortOrder>>,
}

impl Plan {
    /// Binds `select` to what `view` shows of its source, which is all of it for a [`Source`];
    /// `parameters[0]` is `$1`.
    ///
    /// # Errors
    /// `UnknownColumn`, `TypeMismatch`, `Parameter`, `LimitExceeded` and `Unsupported`, mostly with
    /// line and column; `KeyMissing` when it uses a column whose key is missing.
    pub fn new(select: &Select, view: impl Into<View>, parameters: &[Value]) -> Result<Self> {
        let (now, select, view) = (select.now(), select.syntax(), view.into());
        let mut binder =
            Binder::new(view.bindable(), select.qualifiers(), parameters, view.source().waiting())
                .at(now);
        let mut conjuncts = conjuncts(&mut binder, select)?;
        let limit = count(&mut binder, select.limit.as_ref(), "LIMIT")?;
        let offset = count(&mut binder, select.offset.as_ref(), "OFFSET")?.unwrap_or(0);
        let rows_max = limit.map(|limit| limit.saturating_add(offset));
        let (schema, rows) = rows(&mut binder, &view, select, rows_max)?;
        note_last_read(&mut conjuncts, &rows);
        if let Some(unused) = binder.unused_parameter() {
            let message = format!(
                "{} parameters came with the Select, it does not use ${}",
                parameters.len(),
                unused
            );
            return Err(crate::Error::new(ErrorKind::Parameter, message));
        }
        let source = view.source();
        let record_bytes = rows.record_bytes(&conjuncts, source, source.record_bytes_min());
        // a reader who may not see all of the records may not learn their length either
        let visible_bytes = match view.is_whole() {
            true => record_bytes,
            false => rows.record_bytes(&conjuncts, source, 1),
        };
        if visible_bytes > MORSEL_OUTPUT_BYTES_MAX {
            let message = format!(
                "a record of the answer takes {visible_bytes} bytes, at most {MORSEL_OUTPUT_BYTES_MAX} are made"
            );
            return Err(crate::Error::new(ErrorKind::LimitExceeded, message));
        }
        let bound = BoundPlan { view, schema, conjuncts, rows, offset, limit, record_bytes };
        let plan = Self(Arc::new(bound));
        if plan.source().can_miss_keys() {
            plan.source().check_keys(&plan.columns())?;
        }
        Ok(plan)
    }

    /// Returns the columns of the answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// Returns the source that it scans.
    pub fn source(&self) -> &Arc<Source> {
        self.0.source()
    }

    /// Returns the view that it may show of the source.
    pub fn view(&self) -> &View {
        &self.0.view
    }

    /// Returns the columns of the source that it uses in any way, in ascending order, including
    /// those of the view's row filter.
    pub fn columns(&self) -> Vec<usize> {
        self.0.columns()
    }

    pub(crate) fn bound(&self) -> &BoundPlan {
        &self.0
    }
}

impl BoundPlan {
    pub(crate) fn source(&self) -> &Arc<Source> {
        self.view.source()
    }

    /// Returns the bytes of a morsel: `wanted`, or fewer if their answer would take too much
    /// memory, or if hash tables make each record expensive.
    pub(crate) fn morsel_bytes(&self, wanted: usize) -> usize {
        let is_hashed = self.rows.grouping.as_ref().is_some_and(|grouping| grouping.is_hashed());
        let wanted = if is_hashed { (wanted / HASHED_BYTES).max(1) } else { wanted };
        let records = MORSEL_OUTPUT_BYTES_MAX / self.record_bytes.max(1);
        wanted.min(records.saturating_mul(self.source().record_bytes_min()))
    }

    /// Returns whether a part of the file makes little work: it has `bytes`, and `records` if their
    /// number is known.
    pub(crate) fn is_brief(&self, bytes: u64, records: Option<u64>) -> bool {
        let records = records.unwrap_or(bytes / (self.source().record_bytes_min() as u64).max(1));
        bytes <= BRIEF_BYTES_MAX
            && records <= BRIEF_RECORDS_MAX
            && records.saturating_mul(self.record_bytes as u64) <= BRIEF_OUTPUT_BYTES_MAX
    }

    /// Does the same as [`Plan::columns`].
    pub(crate) fn columns(&self) -> Vec<usize> {
        let of_rows = self.rows.columns.iter();
        let of_view = self.view.row_filter().into_iter().flat_map(|filter| &filter.columns);
        let all: BTreeSet<usize> =
            self.filter_columns().chain(of_rows.chain(of_view).copied()).collect();
        all.into_iter().collect()
    }

    /// Returns the columns that WHERE reads; a column may occur several times.
    pub(crate) fn filter_columns(&self) -> impl Iterator<Item = usize> {
        self.conjuncts.iter().flat_map(|conjunct| conjunct.columns.iter().copied())
    }

    /// Returns whether the rows of the answer are single records in the order of the file.
    pub(crate) fn is_streamed(&self) -> bool {
        self.rows.grouping.is_none() && self.rows.order.is_none()
    }
}

impl OutputRows {
    /// Returns the expressions that are evaluated for each selected record.
    pub(crate) fn of_record(&self) -> Vec<&Expr> {
        match &self.grouping {
            None => self.items.iter().map(|item| &item.expr).collect(),
            Some(grouping) => grouping.exprs().collect(),
        }
    }

    /// Does the same as [`BoundPlan::record_bytes`], with `texts_bytes` for the texts of a record.
    fn record_bytes(&self, conjuncts: &[Conjunct], source: &Source, texts_bytes: usize) -> usize {
        let width = |data_type: &DataType| data_type.primitive_width().unwrap_or(4);
        let decoded =
            self.columns.iter().map(|column| width(source.schema().field(*column).data_type()));
        let filters = conjuncts.iter().map(|conjunct| &conjunct.expr);
        let computed = self.of_record().into_iter().chain(filters);
        let computed = computed.map(|expr| expr.made_bytes(texts_bytes));
        decoded.chain(computed).fold(0, usize::saturating_add)
    }
}

/// Returns the terms of WHERE.
pub(crate) fn where_terms(select: &SelectSyntax) -> &[syntax::Expr] {
    match &select.filter {
        None => &[],
        Some(syntax::Expr { kind: syntax::ExprKind::And(terms), .. }) => terms,
        Some(filter) => std::slice::from_ref(filter),
    }
}

fn conjuncts(binder: &mut Binder<'_>, select: &SelectSyntax) -> Result<Vec<Conjunct>> {
    let mut conjuncts: Vec<Conjunct> = Vec::new();
    for term in where_terms(select) {
        let expr = binder.boolean(term, "WHERE", Scope::Record("WHERE"))?;
        let columns = expr.columns();
        let is_like = |before: &Conjunct| before.columns == columns && before.expr.is_simple();
        let joined = expr.is_simple() && conjuncts.last().is_some_and(is_like);
        let text = term.to_string();
        conjuncts.push(Conjunct { expr, columns, last_read: Vec::new(), joined, text });
    }
    Ok(conjuncts)
}

/// Finds for each of the terms the columns that it is the last to read.
fn note_last_read(conjuncts: &mut [Conjunct], rows: &OutputRows) {
    let mut read: BTreeSet<usize> = rows.columns.iter().copied().collect();
    for conjunct in conjuncts.iter_mut().rev() {
        let columns = conjunct.columns.iter().copied();
        conjunct.last_read = columns.filter(|column| read.insert(*column)).collect();
    }
}

fn columns<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<usize> {
    let mut columns = BTreeSet::new();
    exprs.into_iter().for_each(|expr| expr.collect_columns(&mut columns));
    columns.into_iter().collect()
}

/// Returns the number after LIMIT or OFFSET; `None` for NULL.
fn count(
    binder: &mut Binder<'_>,
    expr: Option<&syntax::Expr>,
    clause: &'static str,
) -> Result<Option<u64>> {
    let Some(expr) = expr else { return Ok(None) };
    let bound = binder.expr(expr, Scope::Record(clause))?;
    let number = match &bound.kind {
        ExprKind::Literal(Literal { value: Value::Null, .. }) => return Ok(None),
        ExprKind::Literal(Literal { value: Value::Integer(number), .. }) => {
            u64::try_from(*number).ok()
        }
        _ => None,
    };
    number.map(Some).ok_or_else(|| {
        let message = format!("{clause} expected a whole number from 0 up, got {expr}");
        expr.at.error(ErrorKind::TypeMismatch, message)
    })
}
