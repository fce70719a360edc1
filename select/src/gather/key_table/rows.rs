//! Keys of any types, as bytes in Arrow's row format.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::{KeyStore, Strings};
use sift_files::types::expanded;

#[derive(Debug)]
pub(super) struct RowKeys {
    converter: RowConverter,
    /// The keys of one batch; the buffer is reused.
    batch: Rows,
    keys: Strings,
}

impl RowKeys {
    pub(super) fn new(types: Vec<DataType>) -> Result<Self, ArrowError> {
        let converter = RowConverter::new(types.into_iter().map(SortField::new).collect())?;
        let batch = converter.empty_rows(0, 0);
        Ok(Self { converter, batch, keys: Strings::default() })
    }
}

impl KeyStore for RowKeys {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn intern(&mut self, columns: &[ArrayRef], numbers: &mut Vec<u32>) -> Result<(), ArrowError> {
        self.batch.clear();
        let columns = columns.iter().map(expanded).collect::<Result<Vec<_>, _>>()?;
        self.converter.append(&mut self.batch, &columns)?;
        numbers.reserve(self.batch.num_rows());
        for row in self.batch.iter() {
            numbers.push(self.keys.intern(row.data())?);
        }
        Ok(())
    }

    fn columns(&self, keys: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let parser = self.converter.parser();
        self.converter.convert_rows(keys.iter().map(|key| parser.parse(self.keys.at(*key))))
    }

    fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes()
    }
}
