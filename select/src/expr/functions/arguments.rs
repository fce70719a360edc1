//! The arguments of a call for a kernel: typed columns, in which a constant has one value, and
//! loops over the records in which no argument is NULL.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Datum, PrimitiveArray,
    PrimitiveBuilder, StringArray, StringBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use crate::expr::eval::Evaluated;
use crate::expr::problem::Problem;
use sift_files::cancel::{Stopped, spend};

/// Most bytes of a text that a function makes longer than its arguments.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 20;

/// Most bytes of a column of texts; more do not fit its offsets.
const COLUMN_BYTES_MAX: usize = i32::MAX as usize;

/// The maximal number of steps of a call without a check for a cancellation: some milliseconds for
/// the slowest functions.
const UNSEEN_STEPS_MAX: usize = 256 << 10;

/// The arguments of a call, for `rows` records.
pub(crate) struct Arguments<'a> {
    values: &'a [Evaluated],
    rows: usize,
    /// The type of the call.
    to: &'a DataType,
    nulls: Option<NullBuffer>,
    /// The arguments that are texts.
    texts: Vec<Texts<'a>>,
}

/// A column of numbers, dates or times.
pub(super) struct Numbers<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    is_constant: bool,
}

impl<T: ArrowPrimitiveType> Numbers<'_, T> {
    #[inline]
    pub(super) fn at(&self, row: usize) -> T::Native {
        self.array.value(if self.is_constant { 0 } else { row })
    }
}

/// A column of texts.
pub(super) struct Texts<'a> {
    array: &'a StringArray,
    pub(super) is_constant: bool,
}

impl<'a> Texts<'a> {
    #[inline]
    pub(super) fn at(&self, row: usize) -> &'a str {
        self.array.value(if self.is_constant { 0 } else { row })
    }

    /// Returns the number of bytes of the text in a row.
    fn length(&self, row: usize) -> usize {
        let row = if self.is_constant { 0 } else { row };
        usize::try_from(self.array.value_length(row)).unwrap_or(0)
    }

    /// Returns the number of bytes of the texts in the first `rows` rows.
    fn bytes(&self, rows: usize) -> usize {
        if self.is_constant {
            return self.length(0).saturating_mul(rows);
        }
        match self.array.value_offsets() {
            [first, .., last] => usize::try_from(last - first).unwrap_or(0),
            _ => 0,
        }
    }

    /// Returns the text of a row, or `None` for NULL.
    pub(super) fn some(&self, row: usize) -> Option<&'a str> {
        let row = if self.is_constant { 0 } else { row };
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// Returns the text of a constant; `None` for NULL and for a column.
    pub(super) fn constant(&self) -> Option<&'a str> {
        (self.is_constant && self.array.is_valid(0)).then(|| self.array.value(0))
    }
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(values: &'a [Evaluated], rows: usize, to: &'a DataType) -> Self {
        let nulls = values.iter().fold(None, |nulls, value| {
            let (array, is_constant) = value.get();
            let own = match is_constant {
                false => array.logical_nulls(),
                true => array.is_null(0).then(|| NullBuffer::new_null(rows)),
            };
            NullBuffer::union(nulls.as_ref(), own.as_ref())
        });
        let texts = (0..values.len()).filter(|index| is_text(&values[*index]));
        let texts = texts.map(|index| texts_of(&values[index])).collect();
        Self { values, rows, to, nulls, texts }
    }

    /// Counts the steps of the call for all records, if they are few. If they are many, the caller
    /// has to count them record by record with [`Meter::record`].
    fn meter(&self) -> Result<Meter<'_>, Stopped> {
        let steps = self.texts.iter().map(|texts| texts.bytes(self.rows));
        let steps = steps.fold(self.rows, usize::saturating_add);
        let is_long = steps > UNSEEN_STEPS_MAX;
        spend(if is_long { 0 } else { steps })?;
        Ok(Meter { texts: if is_long { &self.texts } else { &[] } })
    }

    pub(super) fn to(&self) -> &DataType {
        self.to
    }

    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    pub(super) fn data_type(&self, index: usize) -> &DataType {
        self.values[index].get().0.data_type()
    }

    /// Returns the scale of the decimal at this index; 0 for other types.
    pub(super) fn scale(&self, index: usize) -> u8 {
        match self.data_type(index) {
            DataType::Decimal128(_, scale) => scale.unsigned_abs(),
            _ => 0,
        }
    }

    pub(super) fn numbers<T: ArrowPrimitiveType>(&self, index: usize) -> Numbers<'a, T> {
        let (array, is_constant) = self.values[index].get();
        Numbers { array: array.as_primitive(), is_constant }
    }

    pub(super) fn texts(&self, index: usize) -> Texts<'a> {
        texts_of(&self.values[index])
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Builds a column of texts: `write` appends the text of each record without NULL.
    pub(super) fn each_text(
        &self,
        mut write: impl FnMut(usize, &mut String) -> Result<(), Problem>,
    ) -> Result<ArrayRef, Problem> {
        self.every_text(|row, text| match self.is_null(row) {
            true => Ok(false),
            false => write(row, text).map(|()| true),
        })
    }

    /// Builds a column of texts: `write` appends the text of each record, which is NULL if it
    /// returns false.
    pub(super) fn every_text(
        &self,
        mut write: impl FnMut(usize, &mut String) -> Result<bool, Problem>,
    ) -> Result<ArrayRef, Problem> {
        let mut texts = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let mut text = String::new();
        let meter = self.meter()?;
        for row in 0..self.rows {
            text.clear();
            meter.record(row)?;
            let is_some = write(row, &mut text)?;
            spend(text.len())?;
            if !is_some {
                texts.append_null();
                continue;
            }
            if texts.values_slice().len() + text.len() > COLUMN_BYTES_MAX {
                return Err(Problem(format!(
                    "texts of more than {COLUMN_BYTES_MAX} bytes together"
                )));
            }
            texts.append_value(&text);
        }
        Ok(Arc::new(texts.finish()))
    }

    /// Builds a column of slices of the first argument, for each record without NULL.
    pub(super) fn each_part(
        &self,
        mut part: impl FnMut(usize, &'a str) -> Result<&'a str, Problem>,
    ) -> Result<ArrayRef, Problem> {
        let texts = self.texts(0);
        let mut parts = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let meter = self.meter()?;
        for row in 0..self.rows {
            meter.record(row)?;
            if self.is_null(row) {
                parts.append_null();
                continue;
            }
            let part = part(row, texts.at(row))?;
            if parts.values_slice().len() + part.len() > COLUMN_BYTES_MAX {
                return Err(Problem(format!(
                    "texts of more than {COLUMN_BYTES_MAX} bytes together"
                )));
            }
            parts.append_value(part);
        }
        Ok(Arc::new(parts.finish()))
    }

    /// Builds a column of numbers of the call's type, for each record without NULL.
    pub(super) fn each_number<T: ArrowPrimitiveType>(
        &self,
        mut number: impl FnMut(usize) -> Result<T::Native, Problem>,
    ) -> Result<ArrayRef, Problem> {
        let mut numbers = PrimitiveBuilder::<T>::with_capacity(self.rows);
        let meter = self.meter()?;
        for row in 0..self.rows {
            meter.record(row)?;
            match self.is_null(row) {
                true => numbers.append_null(),
                false => numbers.append_value(number(row)?),
            }
        }
        Ok(Arc::new(numbers.finish().with_data_type(self.to.clone())))
    }

    /// Builds a column of booleans, for each record without NULL.
    pub(super) fn each_boolean(
        &self,
        mut boolean: impl FnMut(usize) -> Result<bool, Problem>,
    ) -> Result<ArrayRef, Problem> {
        let meter = self.meter()?;
        let value = |row| {
            meter.record(row)?;
            match self.is_null(row) {
                true => Ok::<_, Problem>(None),
                false => boolean(row).map(Some),
            }
        };
        Ok(Arc::new((0..self.rows).map(value).collect::<Result<BooleanArray, _>>()?))
    }
}

/// A counter for the steps of a long call.
struct Meter<'a> {
    /// Empty if all steps were counted before.
    texts: &'a [Texts<'a>],
}

impl Meter<'_> {
    #[inline]
    fn record(&self, row: usize) -> Result<(), Stopped> {
        if self.texts.is_empty() {
            return Ok(());
        }
        spend(self.texts.iter().map(|texts| texts.length(row)).fold(1, usize::saturating_add))
    }
}

fn is_text(value: &Evaluated) -> bool {
    *value.get().0.data_type() == DataType::Utf8
}

fn texts_of(value: &Evaluated) -> Texts<'_> {
    let (array, is_constant) = value.get();
    Texts { array: array.as_string(), is_constant }
}

/// Appends `more` to `text`; fails if the text gets too long.
pub(super) fn push(text: &mut String, more: &str) -> Result<(), Problem> {
    if text.len() + more.len() > VALUE_BYTES_MAX {
        return Err(Problem(format!("out of range: a text of more than {VALUE_BYTES_MAX} bytes")));
    }
    text.push_str(more);
    Ok(())
}
