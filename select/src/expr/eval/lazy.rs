//! Lazy evaluation: the later terms of a connective, the branches of CASE and the arguments of
//! COALESCE are evaluated only for the records that need them.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, BooleanArray, new_empty_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::{boolean, cmp};
use arrow::compute::{filter, interleave};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::{Evaluated, Input, certain, evaluate, evaluate_boolean, evaluated};
use crate::expr::problem::Problem;
use crate::expr::{Expr, numeric};

#[derive(Clone, Copy)]
pub(super) enum Connective {
    And,
    Or,
}

impl Connective {
    fn combine(
        self,
        left: &BooleanArray,
        right: &BooleanArray,
    ) -> Result<BooleanArray, ArrowError> {
        match self {
            Self::And => boolean::and_kleene(left, right),
            Self::Or => boolean::or_kleene(left, right),
        }
    }

    /// Returns a mask of the undecided records: neither false under AND nor true under OR.
    fn undecided(self, values: &BooleanArray) -> BooleanArray {
        let decides = matches!(self, Self::Or);
        values.iter().map(|value| Some(value != Some(decides))).collect()
    }
}

pub(super) fn connective(
    terms: &[Expr],
    input: Input<'_>,
    connective: Connective,
) -> Result<BooleanArray, Problem> {
    let mut values: Option<BooleanArray> = None;
    for term in terms {
        values = Some(match values {
            None => evaluate_boolean(term, input)?,
            Some(values) => {
                let right = match term.is_fallible() {
                    false => evaluate_boolean(term, input)?,
                    true => evaluate_where(term, input, &connective.undecided(&values))?,
                };
                connective.combine(&values, &right)?
            }
        });
    }
    values.ok_or_else(|| Problem("a connective without terms".to_owned()))
}

/// Evaluates a predicate for the records where `needed` is true; the others are null.
fn evaluate_where(
    expr: &Expr,
    input: Input<'_>,
    needed: &BooleanArray,
) -> Result<BooleanArray, Problem> {
    let count = needed.true_count();
    if count == input.rows {
        return evaluate_boolean(expr, input);
    }
    if count == 0 {
        return Ok(BooleanArray::new_null(input.rows));
    }
    let some = Subset::of(expr, input).narrowed(needed)?;
    let values = evaluate_boolean(expr, some.input())?;
    let mut values = values.iter();
    Ok(needed
        .values()
        .iter()
        .map(|needed| if needed { values.next().flatten() } else { None })
        .collect())
}

/// A subset of the records of an input.
struct Subset {
    columns: Vec<Option<ArrayRef>>,
    /// The index in the input of each record.
    indices: Vec<usize>,
}

impl Subset {
    /// Makes the set of all records, with the columns that `expr` reads.
    fn of(expr: &Expr, input: Input<'_>) -> Self {
        let mut read = BTreeSet::new();
        expr.collect_columns(&mut read);
        let columns = input.columns.iter().enumerate();
        let columns =
            columns.map(|(index, column)| column.clone().filter(|_| read.contains(&index)));
        Self { columns: columns.collect(), indices: (0..input.rows).collect() }
    }

    fn input(&self) -> Input<'_> {
        Input { columns: &self.columns, rows: self.indices.len() }
    }

    /// Returns the records for which `mask`, which has no nulls, is true.
    fn narrowed(&self, mask: &BooleanArray) -> Result<Self, Problem> {
        let columns = self
            .columns
            .iter()
            .map(|column| column.as_ref().map(|column| filter(column, mask)).transpose())
            .collect::<Result<_, _>>()?;
        let indices = mask.values().set_indices().map(|index| self.indices[index]).collect();
        Ok(Self { columns, indices })
    }
}

/// The values of all records, collected from several evaluations.
struct Picks {
    sources: Vec<ArrayRef>,
    /// For each record, the index of the source and the row in it.
    picks: Vec<(usize, usize)>,
}

impl Picks {
    fn new(rows: usize) -> Self {
        Self { sources: Vec::new(), picks: vec![(0, 0); rows] }
    }

    /// Evaluates `expr` for some records and picks the values for them.
    fn add(&mut self, expr: &Expr, some: &Subset) -> Result<(), Problem> {
        if some.indices.is_empty() {
            return Ok(());
        }
        let values = evaluated(expr, some.input())?;
        let is_constant = Evaluated::are_constant(std::slice::from_ref(&values));
        let source = self.sources.len();
        for (index, row) in some.indices.iter().enumerate() {
            self.picks[*row] = (source, if is_constant { 0 } else { index });
        }
        self.sources.push(values.into_inner());
        Ok(())
    }

    fn finish(self, data_type: &DataType) -> Result<Evaluated, Problem> {
        if self.picks.is_empty() {
            return Ok(Evaluated::Array(new_empty_array(data_type)));
        }
        if let [source] = self.sources.as_slice()
            && source.len() == self.picks.len()
        {
            return Ok(Evaluated::Array(ArrayRef::clone(source)));
        }
        let sources: Vec<&dyn Array> = self.sources.iter().map(AsRef::as_ref).collect();
        Ok(Evaluated::Array(interleave(&sources, &self.picks)?))
    }
}

/// Evaluates CASE: each condition followed by its result, then the result if no condition holds.
pub(super) fn case(
    operand: Option<&Expr>,
    arms: &[Expr],
    expr: &Expr,
    input: Input<'_>,
) -> Result<Evaluated, Problem> {
    let mut rest = Subset::of(expr, input);
    if let Some(operand) = operand
        && input.rows > 0
    {
        // the operand is one more column after those of the input
        let value = evaluate(operand, input)?;
        rest.columns.push(Some(numeric::comparable(value)));
    }
    let mut picks = Picks::new(input.rows);
    let (pairs, otherwise) = arms.as_chunks::<2>();
    for [condition, result] in pairs {
        if rest.indices.is_empty() {
            break;
        }
        let holds = match operand {
            None => evaluate_boolean(condition, rest.input())?,
            Some(_) => equals(condition, &rest)?,
        };
        let holds = certain(holds);
        picks.add(result, &rest.narrowed(&holds)?)?;
        rest = rest.narrowed(&boolean::not(&holds)?)?;
    }
    if let [otherwise] = otherwise {
        picks.add(otherwise, &rest)?;
    }
    picks.finish(&expr.data_type)
}

/// Returns a mask of the records whose operand, the last column, equals `condition`.
fn equals(condition: &Expr, rest: &Subset) -> Result<BooleanArray, Problem> {
    let Some(Some(operand)) = rest.columns.last() else {
        return Err(Problem("CASE lost its operand".to_owned()));
    };
    let condition = evaluated(condition, rest.input())?.comparable();
    Ok(cmp::eq(operand, &condition)?)
}

/// Evaluates COALESCE: the first value that is not null.
pub(super) fn coalesce(
    operands: &[Expr],
    expr: &Expr,
    input: Input<'_>,
) -> Result<Evaluated, Problem> {
    let mut rest = Subset::of(expr, input);
    let mut picks = Picks::new(input.rows);
    for operand in operands {
        if rest.indices.is_empty() {
            break;
        }
        picks.add(operand, &rest)?;
        let Some(values) = picks.sources.last() else { break };
        let nulls = match values.logical_nulls() {
            None => break,
            Some(nulls) if values.len() == rest.indices.len() => !nulls.inner(),
            Some(nulls) if nulls.is_null(0) => BooleanBuffer::new_set(rest.indices.len()),
            Some(_) => break,
        };
        rest = rest.narrowed(&BooleanArray::new(nulls, None))?;
    }
    picks.finish(&expr.data_type)
}
