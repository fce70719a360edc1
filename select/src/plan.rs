//! The plan: a Select bound to a source, ready to scan.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::aggregate::Aggregate;
use crate::bind::{Binder, Scope};
use crate::expr::{Expr, ExprKind, Literal};
use crate::syntax::{self, Item, SelectSyntax};
use crate::{ErrorKind, Result, Select, Source, Value};

/// Most columns of an answer.
const COLUMNS_MAX: usize = 16 << 10;

/// Most bytes that the columns of a morsel's answer may take, about: what bounds the memory of a
/// scan where a short record makes a long answer.
const MORSEL_OUTPUT_BYTES_MAX: usize = 16 << 20;

/// A Select bound to the columns and types of a source. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Bound>);

/// What a plan is made of.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) source: Arc<Source>,
    pub(crate) schema: SchemaRef,
    /// The terms of WHERE in the text's order: each is evaluated for the records that all before
    /// it keep.
    pub(crate) conjuncts: Vec<Conjunct>,
    pub(crate) output: Output,
    pub(crate) offset: u64,
    /// Records after the offset; `None` is all.
    pub(crate) limit: Option<u64>,
}

/// One term of WHERE. True keeps a record; false and null drop it.
#[derive(Debug)]
pub(crate) struct Conjunct {
    pub(crate) expr: Expr,
    pub(crate) columns: Vec<usize>,
    /// As written.
    pub(crate) text: String,
}

/// What is made of the selected records.
#[derive(Debug)]
pub(crate) enum Output {
    /// One record each.
    Records { items: Vec<OutputItem>, columns: Vec<usize> },
    /// One record of all, even of none. The items' columns are the aggregates.
    Aggregates { aggregates: Vec<Aggregate>, columns: Vec<usize>, items: Vec<OutputItem> },
}

/// One column of the answer.
#[derive(Debug)]
pub(crate) struct OutputItem {
    pub(crate) expr: Expr,
    /// As written.
    pub(crate) text: String,
}

impl Plan {
    /// Binds `select` to `source`; `parameters[0]` is `$1`.
    ///
    /// # Errors
    /// `UnknownColumn`, `TypeMismatch`, `Parameter` and `Unsupported`, each with line and column.
    pub fn new(select: &Select, source: Arc<Source>, parameters: &[Value]) -> Result<Self> {
        let select = select.syntax();
        let mut binder = Binder {
            schema: source.schema(),
            qualifiers: [Some(&select.from), select.alias.as_ref()].into_iter().flatten().collect(),
            parameters,
            used: vec![false; parameters.len()],
            scope: Scope::Record("WHERE"),
            aggregates: Vec::new(),
        };
        let conjuncts = conjuncts(&mut binder, select)?;
        let (fields, output) = output(&mut binder, select)?;
        let limit = count(&mut binder, select.limit.as_ref(), "LIMIT")?;
        let offset = count(&mut binder, select.offset.as_ref(), "OFFSET")?.unwrap_or(0);
        if let Some(unused) = binder.used.iter().position(|used| !used) {
            let message = format!(
                "{} parameters came with the Select, it does not use ${}",
                parameters.len(),
                unused + 1
            );
            return Err(crate::Error::new(ErrorKind::Parameter, message));
        }
        let bytes = output.record_bytes(&source);
        if bytes > MORSEL_OUTPUT_BYTES_MAX {
            let message = format!(
                "a record of the answer takes {bytes} bytes, at most {MORSEL_OUTPUT_BYTES_MAX} are made"
            );
            return Err(crate::Error::new(ErrorKind::LimitExceeded, message));
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Self(Arc::new(Bound { source, schema, conjuncts, output, offset, limit })))
    }

    /// The columns of the answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// What it scans.
    pub fn source(&self) -> &Arc<Source> {
        &self.0.source
    }

    /// The columns of the source that it touches in any way, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let of_output = match &self.0.output {
            Output::Records { columns, .. } | Output::Aggregates { columns, .. } => columns,
        };
        let all: BTreeSet<usize> =
            self.0.filter_columns().chain(of_output.iter().copied()).collect();
        all.into_iter().collect()
    }

    pub(crate) fn bound(&self) -> &Bound {
        &self.0
    }
}

impl Bound {
    /// Bytes of a morsel: as wanted, or fewer where their answer would take too much memory.
    pub(crate) fn morsel_bytes(&self, wanted: usize) -> usize {
        let records = MORSEL_OUTPUT_BYTES_MAX / self.output.record_bytes(&self.source).max(1);
        wanted.min(records.saturating_mul(self.source.record_bytes_min()))
    }

    /// The columns that WHERE reads; some may come several times.
    pub(crate) fn filter_columns(&self) -> impl Iterator<Item = usize> {
        self.conjuncts.iter().flat_map(|conjunct| conjunct.columns.iter().copied())
    }
}

impl Output {
    /// Bytes that a record of the answer takes while it is made, about; texts of the file not
    /// counted.
    fn record_bytes(&self, source: &Source) -> usize {
        let (columns, computed): (_, Vec<&Expr>) = match self {
            Self::Records { items, columns } => {
                (columns, items.iter().map(|item| &item.expr).collect())
            }
            Self::Aggregates { aggregates, columns, .. } => (
                columns,
                aggregates.iter().filter_map(|aggregate| aggregate.argument.as_ref()).collect(),
            ),
        };
        let width = |data_type: &DataType| data_type.primitive_width().unwrap_or(4);
        let decoded =
            columns.iter().map(|column| width(source.schema().field(*column).data_type()));
        let computed = computed.into_iter().map(|expr| match &expr.kind {
            ExprKind::Column(_) => 0,
            ExprKind::Literal(Literal { value: Value::Text(text), .. }) => text.len() + 4,
            ExprKind::Literal(Literal { value: Value::Binary(bytes), .. }) => bytes.len() + 4,
            _ => width(&expr.data_type),
        });
        decoded.chain(computed).fold(0, usize::saturating_add)
    }
}

fn conjuncts(binder: &mut Binder<'_>, select: &SelectSyntax) -> Result<Vec<Conjunct>> {
    let terms = match &select.filter {
        None => &[],
        Some(syntax::Expr { kind: syntax::ExprKind::And(terms), .. }) => terms.as_slice(),
        Some(filter) => std::slice::from_ref(filter),
    };
    let bound = terms.iter().map(|term| {
        let expr = binder.predicate(term)?;
        let columns = columns([&expr]);
        Ok(Conjunct { expr, columns, text: term.to_string() })
    });
    bound.collect()
}

fn columns<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<usize> {
    let mut columns = BTreeSet::new();
    exprs.into_iter().for_each(|expr| expr.collect_columns(&mut columns));
    columns.into_iter().collect()
}

fn output(binder: &mut Binder<'_>, select: &SelectSyntax) -> Result<(Vec<Field>, Output)> {
    let is_aggregation = select.projection.iter().any(|item| match item {
        Item::All => false,
        Item::Expr { expr, .. } => has_aggregate(expr),
    });
    let mut fields = Vec::new();
    let mut items = Vec::new();
    for item in &select.projection {
        match item {
            Item::All if is_aggregation => {
                let message = "* stands beside an aggregate; expected only aggregates";
                return Err(select.from.at.error(ErrorKind::Unsupported, message));
            }
            Item::All if items.len() > COLUMNS_MAX => break,
            Item::All => {
                for (index, field) in binder.schema.fields().iter().enumerate() {
                    fields.push(field.as_ref().clone());
                    let data_type = field.data_type().clone();
                    let expr = Expr { data_type, kind: ExprKind::Column(index) };
                    items.push(OutputItem { expr, text: field.name().clone() });
                }
            }
            Item::Expr { expr, alias } => {
                binder.scope = match is_aggregation {
                    true => Scope::Group,
                    false => Scope::Record("this place"),
                };
                let bound = binder.expr(expr)?;
                let text = expr.to_string();
                fields.push(field(binder.schema, &bound, alias.as_deref(), &text, is_aggregation));
                items.push(OutputItem { expr: bound, text });
            }
        }
    }
    if items.len() > COLUMNS_MAX {
        let message = format!("{} columns are selected, at most {COLUMNS_MAX} are", items.len());
        return Err(crate::Error::new(ErrorKind::LimitExceeded, message));
    }
    let output = if is_aggregation {
        let aggregates = std::mem::take(&mut binder.aggregates);
        let columns =
            columns(aggregates.iter().filter_map(|aggregate| aggregate.argument.as_ref()));
        Output::Aggregates { aggregates, columns, items }
    } else {
        let columns = columns(items.iter().map(|item| &item.expr));
        Output::Records { items, columns }
    };
    Ok((fields, output))
}

/// The column of the answer: a plain column keeps its name and whether it may be null.
fn field(
    schema: &Schema,
    expr: &Expr,
    alias: Option<&str>,
    text: &str,
    is_aggregation: bool,
) -> Field {
    match expr.kind {
        ExprKind::Column(index) if !is_aggregation => {
            let field = schema.field(index).clone();
            alias.map_or_else(|| field.clone(), |alias| field.clone().with_name(alias))
        }
        _ => Field::new(alias.unwrap_or(text), expr.data_type.clone(), true),
    }
}

fn has_aggregate(expr: &syntax::Expr) -> bool {
    matches!(expr.kind, syntax::ExprKind::Aggregate(_))
        || expr.children().into_iter().any(has_aggregate)
}

/// The number behind LIMIT or OFFSET; NULL is none.
fn count(
    binder: &mut Binder<'_>,
    expr: Option<&syntax::Expr>,
    clause: &'static str,
) -> Result<Option<u64>> {
    let Some(expr) = expr else { return Ok(None) };
    binder.scope = Scope::Record(clause);
    let bound = binder.expr(expr)?;
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

/// What EXPLAIN shows: one line an operator, the last to run first.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bound { source, conjuncts, output, offset, limit, .. } = &*self.0;
        let (kind, items, columns) = match output {
            Output::Records { items, columns } => ("project", items, columns),
            Output::Aggregates { items, columns, .. } => ("aggregate", items, columns),
        };
        match (limit, offset) {
            (None, 0) => {}
            (Some(limit), 0) => writeln!(f, "limit: {limit} records")?,
            (None, offset) => writeln!(f, "limit: all records after {offset}")?,
            (Some(limit), offset) => writeln!(f, "limit: {limit} records after {offset}")?,
        }
        let items: Vec<_> = items.iter().map(|item| item.text.as_str()).collect();
        writeln!(f, "{kind}: {}", items.join(", "))?;
        for conjunct in conjuncts {
            writeln!(f, "filter: {}", conjunct.text)?;
        }
        write!(
            f,
            "scan: {} ({}, {} bytes",
            source.name(),
            source.format(),
            source.identity().bytes
        )?;
        if let Some(records) = source.records() {
            write!(f, ", {records} records")?;
        }
        writeln!(f, ")")?;
        let filtered: BTreeSet<usize> = self.0.filter_columns().collect();
        let late: Vec<usize> =
            columns.iter().copied().filter(|column| !filtered.contains(column)).collect();
        writeln!(f, "  decodes for every record: {}", names(source, filtered))?;
        writeln!(f, "  decodes for selected records: {}", names(source, late))
    }
}

fn names(source: &Source, columns: impl IntoIterator<Item = usize>) -> String {
    let schema = source.schema();
    let names: Vec<_> =
        columns.into_iter().map(|column| schema.field(column).name().as_str()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
