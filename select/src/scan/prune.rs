//! Which parts of a file may hold a record that WHERE keeps, by what is known of their columns.
//!
//! A *container* is what statistics are about: a zone of an index, a row group or a page of a Parquet
//! file. It is ruled out only if some conjunct is true for none of its records; unknown rules
//! nothing out. And it is ruled out only where reading it could not have failed: conjuncts run in
//! order, so the one that rules it out and all before it have to be infallible, and the columns that
//! they read known to decode. So an answer, its errors included, is the same with pruning and
//! without. What delimits records is for whoever made the statistics: a container whose records
//! cannot be told from each other has none.
//!
//! As DataFusion's pruning predicates, it works on all containers at once, by Arrow's kernels, but
//! it does not rewrite the predicate: it computes which of true, false and NULL it [can be](truth).

mod range;
mod truth;

use arrow::buffer::BooleanBuffer;

use crate::plan::Conjunct;
use sift_files::statistics::PruningStatistics;
use truth::Truth;

/// Of each container the first conjunct that rules it out, by its index.
pub(crate) fn rulings(
    conjuncts: &[Conjunct],
    statistics: &dyn PruningStatistics,
) -> Vec<Option<usize>> {
    let containers = statistics.records().len();
    let mut rulings = vec![None; containers];
    // where no conjunct so far can have failed
    let mut sound = BooleanBuffer::new_set(containers);
    for (index, Conjunct { expr, columns, .. }) in conjuncts.iter().enumerate() {
        if expr.is_fallible() {
            break;
        }
        for column in columns {
            let decodes = statistics.column(*column).map(|known| known.decodes);
            sound = &sound & &decodes.unwrap_or_else(|| BooleanBuffer::new_unset(containers));
        }
        let is_false = &sound & &!&Truth::of(expr, statistics).may_be_true;
        for container in is_false.set_indices() {
            rulings[container].get_or_insert(index);
        }
    }
    rulings
}

#[cfg(test)]
mod tests;
