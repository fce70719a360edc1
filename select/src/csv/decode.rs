//! One column of a block of CSV records as an Arrow array.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, BooleanBufferBuilder, NullBufferBuilder,
    PrimitiveArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};

use crate::block::Rows;
use crate::text::Texts;

use super::{Block, Kind, value};

/// The column of those rows; the error is the first record that does not decode.
pub(super) fn column(block: &Block<'_>, column: usize, rows: Rows<'_>) -> Result<ArrayRef, usize> {
    match rows {
        Rows::All => Cells { block, column, records: 0..block.records() }.column(),
        Rows::Selected(rows) => {
            Cells { block, column, records: rows.iter().map(|&row| row as usize) }.column()
        }
    }
}

/// A field of some records of a block.
struct Cells<'a, R> {
    block: &'a Block<'a>,
    column: usize,
    records: R,
}

impl<R: ExactSizeIterator<Item = usize> + Clone> Cells<'_, R> {
    fn column(self) -> Result<ArrayRef, usize> {
        match self.block.layout.fields[self.column].kind {
            Kind::Boolean => self.boolean(),
            Kind::Int64 => self.primitive::<Int64Type>(value::int64),
            Kind::Float64 => self.primitive::<Float64Type>(value::float64),
            Kind::Decimal { precision, scale } => {
                self.primitive::<Decimal128Type>(|text| value::decimal(text, precision, scale))
            }
            Kind::Date => self.primitive::<Date32Type>(value::date),
            Kind::Timestamp => self.primitive::<TimestampMicrosecondType>(value::timestamp),
            Kind::Text => self.text(),
        }
    }

    /// Gives each row's text, `None` for NULL, to `push`; the error is the first record that it
    /// does not take.
    #[inline(always)]
    fn each(&self, mut push: impl FnMut(Option<&[u8]>) -> Option<()>) -> Result<(), usize> {
        let mut scratch = Vec::new();
        for record in self.records.clone() {
            push(self.block.value(record, self.column, &mut scratch)).ok_or(record)?;
        }
        Ok(())
    }

    fn primitive<T: ArrowPrimitiveType>(
        self,
        decode: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> Result<ArrayRef, usize> {
        let mut values = Vec::with_capacity(self.records.len());
        let mut nulls = NullBufferBuilder::new(self.records.len());
        self.each(|text| {
            values.push(match text {
                Some(text) => decode(text)?,
                None => T::Native::default(),
            });
            nulls.append(text.is_some());
            Some(())
        })?;
        let array = PrimitiveArray::<T>::new(values.into(), nulls.finish());
        let kind = self.block.layout.fields[self.column].kind;
        Ok(Arc::new(array.with_data_type(kind.data_type())))
    }

    fn boolean(self) -> Result<ArrayRef, usize> {
        let mut values = BooleanBufferBuilder::new(self.records.len());
        let mut nulls = NullBufferBuilder::new(self.records.len());
        self.each(|text| {
            values.append(text.map_or(Some(false), value::boolean)?);
            nulls.append(text.is_some());
            Some(())
        })?;
        Ok(Arc::new(BooleanArray::new(values.finish(), nulls.finish())))
    }

    fn text(self) -> Result<ArrayRef, usize> {
        let mut texts = Texts::new(self.records.len(), self.records.len() * 16);
        let mut nulls = NullBufferBuilder::new(self.records.len());
        self.each(|text| {
            nulls.append(text.is_some());
            texts.push(text.unwrap_or_default())
        })?;
        let array = texts.finish(nulls.finish());
        array.map_err(|row| self.records.clone().nth(row).unwrap_or(0))
    }
}
