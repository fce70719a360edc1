//! Pruning: finds the parts of a file that WHERE excludes, by the statistics of their columns.
//!
//! A *container* is the part of a file that statistics are about: a zone of an index, a row group
//! or a page of a Parquet file. It is pruned only if some conjunct is true for none of its records;
//! an unknown conjunct prunes nothing. And it is pruned only if reading it could not have failed:
//! conjuncts run in order, so the one that excludes it and all before it have to be infallible, and
//! the columns that they read have to be known to decode. So an answer, its errors included, is the
//! same with pruning and without. Statistics exist only for containers whose records can be
//! delimited.
//!
//! Like DataFusion's pruning predicate, it evaluates all containers at once with Arrow's kernels.
//! It does not rewrite the predicate, but computes which of true, false and NULL [it can
//! be](truth_values).

mod truth_values;
mod value_range;

use arrow::buffer::BooleanBuffer;

use crate::plan::Conjunct;
use sift_files::statistics::PruningStatistics;
use truth_values::TruthValues;

/// Returns for each container the index of the first conjunct that excludes it.
pub(crate) fn first_excluding(
    conjuncts: &[Conjunct],
    statistics: &dyn PruningStatistics,
) -> Vec<Option<usize>> {
    let containers = statistics.records().len();
    let mut excluded_by = vec![None; containers];
    // where no conjunct so far can have failed
    let mut infallible = BooleanBuffer::new_set(containers);
    for (index, Conjunct { expr, columns, .. }) in conjuncts.iter().enumerate() {
        if expr.is_fallible() {
            break;
        }
        for column in columns {
            let decodes = statistics.column(*column).map(|known| known.decodes);
            infallible =
                &infallible & &decodes.unwrap_or_else(|| BooleanBuffer::new_unset(containers));
        }
        let is_false = &infallible & &!&TruthValues::of(expr, statistics).may_be_true;
        for container in is_false.set_indices() {
            excluded_by[container].get_or_insert(index);
        }
    }
    excluded_by
}

#[cfg(test)]
mod tests;
