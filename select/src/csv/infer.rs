//! The type of a field by the values of the first records.

use crate::kind::{Kind, RECORDS_MAX, Shape};

use super::{Block, Layout};

/// The type of a field by the values that it has had.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// What all values have in common; `None` before the first.
    shape: Option<Shape>,
    scratch: Vec<u8>,
}

impl Seen {
    /// Takes in a value; returns whether others may still change the type.
    fn note(&mut self, block: &Block<'_>, record: usize, column: usize) -> bool {
        if let Some(text) = block.value(record, column, &mut self.scratch) {
            let next = Shape::of(text);
            self.shape = Some(self.shape.map_or(next, |shape| shape.and(next)));
        }
        self.shape != Some(Shape::Text)
    }

    fn kind(&self) -> Kind {
        self.shape.map_or(Kind::Text, Shape::kind)
    }
}

/// The type of a column by the records of a sample.
pub(super) fn kind(sample: &Block<'_>, column: usize) -> Kind {
    let mut seen = Seen::default();
    let mut records = 0..sample.records().min(RECORDS_MAX);
    while records.next().is_some_and(|record| seen.note(sample, record, column)) {}
    seen.kind()
}

/// The types of all fields by records that are taken in one by one.
#[derive(Debug)]
pub(crate) struct Sampler(Vec<Seen>);

impl Sampler {
    /// Takes in a record of a block.
    pub(crate) fn record(&mut self, block: &Block<'_>, record: usize) {
        for (column, seen) in self.0.iter_mut().enumerate() {
            if seen.shape != Some(Shape::Text) {
                seen.note(block, record, column);
            }
        }
    }
}

impl Layout {
    /// Returns whether the first records tell the types of some fields.
    pub(crate) fn infers_types(&self) -> bool {
        self.fields.iter().any(|field| !field.declared)
    }

    /// A sampler of records with this layout.
    pub(crate) fn sampler(&self) -> Sampler {
        Sampler(vec![Seen::default(); self.fields.len()])
    }

    /// The same layout with types by a sample. Declared types stay, and those of `kept` columns;
    /// columns of `withheld` names are texts.
    pub(crate) fn with_types_of(
        &self,
        sample: &Sampler,
        kept: &[usize],
        withheld: impl Fn(&str) -> bool,
    ) -> Self {
        let mut layout = self.clone();
        for (column, (field, seen)) in layout.fields.iter_mut().zip(&sample.0).enumerate() {
            if !field.declared && !kept.contains(&column) {
                field.kind = if withheld(&field.name) { Kind::Text } else { seen.kind() };
            }
        }
        layout
    }
}
