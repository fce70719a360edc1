//! The dictionary of the texts of a column chunk, checked once and not for each block of records.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::datatypes::Int32Type;

use crate::types::TextDictionary;

/// The texts of the last dictionary, and the bytes that they were made of.
#[derive(Default)]
pub(super) struct Dictionary(Option<(ArrayData, ArrayRef)>);

impl Dictionary {
    /// Returns numbers in a dictionary of bytes as numbers in one of texts; `None` if some of the
    /// bytes are not a text, or if there are no numbers.
    pub(super) fn texts(&mut self, numbers: &ArrayRef) -> Option<ArrayRef> {
        let numbers: &TextDictionary = numbers.as_dictionary_opt::<Int32Type>()?;
        // the parquet crate does not check the numbers of an empty dictionary
        if numbers.values().is_empty() {
            return None;
        }
        let bytes = numbers.values().to_data();
        let texts = match &self.0 {
            Some((known, texts)) if known.ptr_eq(&bytes) => Arc::clone(texts),
            _ => {
                let (offsets, values, nulls) =
                    numbers.values().as_binary_opt::<i32>()?.clone().into_parts();
                let texts: ArrayRef = Arc::new(StringArray::try_new(offsets, values, nulls).ok()?);
                self.0 = Some((bytes, Arc::clone(&texts)));
                texts
            }
        };
        Some(Arc::new(DictionaryArray::try_new(numbers.keys().clone(), texts).ok()?))
    }
}
