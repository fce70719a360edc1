//! The type of a field by the values of the first records.

use super::{CsvBlock, CsvLayout};
use crate::block::Block;
use crate::field_type::FieldType;
use crate::text::{RECORDS_MAX, Shape};

/// The type of a field, inferred from its values so far.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The common shape of all values; `None` before the first.
    shape: Option<Shape>,
    scratch: Vec<u8>,
}

impl Seen {
    /// Takes a value into account. Returns whether later values can still change the type.
    fn note(&mut self, block: &CsvBlock<'_>, record: usize, column: usize) -> bool {
        if let Some(text) = block.value(record, column, &mut self.scratch) {
            let next = Shape::of(text);
            self.shape = Some(self.shape.map_or(next, |shape| shape.and(next)));
        }
        self.shape != Some(Shape::Text)
    }

    fn kind(&self) -> FieldType {
        self.shape.map_or(FieldType::Text, Shape::kind)
    }
}

/// The type of a column by the records of a sample.
pub(super) fn kind(sample: &CsvBlock<'_>, column: usize) -> FieldType {
    let mut seen = Seen::default();
    let mut records = 0..sample.records().min(RECORDS_MAX);
    while records.next().is_some_and(|record| seen.note(sample, record, column)) {}
    seen.kind()
}

/// The types of all fields, inferred from records one by one.
#[derive(Debug, Default)]
pub(super) struct Sampler(Vec<Seen>);

impl Sampler {
    /// Takes a record of a block into account.
    pub(super) fn record(&mut self, block: &CsvBlock<'_>, record: usize) {
        for (column, seen) in self.0.iter_mut().enumerate() {
            if seen.shape != Some(Shape::Text) {
                seen.note(block, record, column);
            }
        }
    }
}

impl CsvLayout {
    /// Returns an empty sampler for records with this layout.
    pub(super) fn sampler(&self) -> Sampler {
        Sampler(vec![Seen::default(); self.fields.len()])
    }

    /// Returns the same layout with types from a sample. Declared types and the types of
    /// `unchanged` columns stay. A column with a name that `shows` refuses becomes a text.
    pub(super) fn with_types(
        &self,
        sample: &Sampler,
        unchanged: &[usize],
        shows: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut layout = self.clone();
        for (column, (field, seen)) in layout.fields.iter_mut().zip(&sample.0).enumerate() {
            if !field.declared && !unchanged.contains(&column) {
                field.kind = if shows(&field.name) { seen.kind() } else { FieldType::Text };
            }
        }
        layout
    }
}
