//! The type of a field by the values of the first records.

use crate::kind::{Kind, RECORDS_MAX, Shape};

use super::Block;

/// The type of a column by the records of a sample.
pub(super) fn kind(sample: &Block<'_>, column: usize) -> Kind {
    let mut shape: Option<Shape> = None;
    let mut scratch = Vec::new();
    for record in 0..sample.records().min(RECORDS_MAX) {
        let Some(text) = sample.value(record, column, &mut scratch) else { continue };
        let next = Shape::of(text);
        let common = shape.map_or(next, |shape| shape.and(next));
        if common == Shape::Text {
            return Kind::Text;
        }
        shape = Some(common);
    }
    shape.map_or(Kind::Text, Shape::kind)
}
