//! Texts of one type as an Arrow array.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, BooleanBufferBuilder, NullBufferBuilder,
    PrimitiveArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};

use super::builder::Texts;
use super::value;
use crate::field_type::FieldType;

/// A field of some records, as text.
pub(crate) trait Cells {
    /// Number of the records.
    fn len(&self) -> usize;

    /// Gives each record's text, `None` for NULL, to `push`; the error is the first record that has
    /// none or whose text `push` does not take.
    fn each(&self, push: impl FnMut(Option<&[u8]>) -> Option<()>) -> Result<(), usize>;

    /// The record that comes at that place.
    fn record(&self, place: usize) -> usize;

    /// How numbers may be written.
    fn numbers(&self) -> Numbers;
}

/// How the numbers of a column may be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers {
    /// Only as inference takes them for numbers.
    Plain,
    /// With `+` and leading zeros too.
    Any,
}

/// The cells as values of that type; the error is the first record that does not decode.
pub(crate) fn column(cells: &impl Cells, kind: FieldType) -> Result<ArrayRef, usize> {
    match kind {
        FieldType::Boolean => boolean(cells),
        FieldType::Int64 => number::<Int64Type>(cells, kind, value::int64),
        FieldType::Float64 => number::<Float64Type>(cells, kind, value::float64),
        FieldType::Decimal { precision, scale } => {
            let decimal = |text: &[u8]| value::decimal(text, precision, scale);
            number::<Decimal128Type>(cells, kind, decimal)
        }
        FieldType::Date => primitive::<Date32Type>(cells, kind, value::date),
        FieldType::Timestamp => {
            primitive::<TimestampMicrosecondType>(cells, kind, value::timestamp)
        }
        FieldType::Text | FieldType::Json => text(cells),
    }
}

fn number<T: ArrowPrimitiveType>(
    cells: &impl Cells,
    kind: FieldType,
    decode: impl Fn(&[u8]) -> Option<T::Native>,
) -> Result<ArrayRef, usize> {
    match cells.numbers() {
        Numbers::Any => primitive::<T>(cells, kind, decode),
        Numbers::Plain => {
            let plain = |text: &[u8]| value::is_plain_number(text).then(|| decode(text)).flatten();
            primitive::<T>(cells, kind, plain)
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(
    cells: &impl Cells,
    kind: FieldType,
    decode: impl Fn(&[u8]) -> Option<T::Native>,
) -> Result<ArrayRef, usize> {
    let mut values = Vec::with_capacity(cells.len());
    let mut nulls = NullBufferBuilder::new(cells.len());
    cells.each(|text| {
        values.push(match text {
            Some(text) => decode(text)?,
            None => T::Native::default(),
        });
        nulls.append(text.is_some());
        Some(())
    })?;
    let array = PrimitiveArray::<T>::new(values.into(), nulls.finish());
    Ok(Arc::new(array.with_data_type(kind.data_type())))
}

fn boolean(cells: &impl Cells) -> Result<ArrayRef, usize> {
    let mut values = BooleanBufferBuilder::new(cells.len());
    let mut nulls = NullBufferBuilder::new(cells.len());
    cells.each(|text| {
        values.append(text.map_or(Some(false), value::boolean)?);
        nulls.append(text.is_some());
        Some(())
    })?;
    Ok(Arc::new(BooleanArray::new(values.finish(), nulls.finish())))
}

fn text(cells: &impl Cells) -> Result<ArrayRef, usize> {
    let mut texts = Texts::new(cells.len(), cells.len() * 16);
    let mut nulls = NullBufferBuilder::new(cells.len());
    cells.each(|text| {
        nulls.append(text.is_some());
        texts.push(text.unwrap_or_default())
    })?;
    texts.finish(nulls.finish()).map_err(|row| cells.record(row))
}
