//! The comparison of two answers, which may be divided into different batches.
//!
//! An answer is reduced to its number of records and one hash for each column, over the memcmp
//! encoding of every value in order. Answers of different processes can be compared, an answer need
//! not stay in memory for it, and a difference names its column.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use serde::{Deserialize, Serialize};

use crate::Result;

/// The digest of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The number of records.
    pub records: u64,
    /// The columns, in order.
    pub columns: Vec<Column>,
}

/// The digest of one column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type, by its name in Arrow.
    pub r#type: String,
    /// The hash of all values, in order.
    pub hash: u64,
}

impl Answer {
    /// Makes the digest of an answer that consists of `batches` of `schema`.
    ///
    /// # Errors
    /// A type that has no order in Arrow's row format.
    pub fn of(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self> {
        let records = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            let converter = RowConverter::new(vec![SortField::new(field.data_type().clone())])?;
            let mut hasher = DefaultHasher::new();
            for batch in batches {
                let rows = converter.convert_columns(&[batch.column(index).clone()])?;
                for row in &rows {
                    hasher.write(row.as_ref());
                }
            }
            let hash = hasher.finish();
            let r#type = field.data_type().to_string();
            columns.push(Column { name: field.name().clone(), r#type, hash });
        }
        Ok(Self { records, columns })
    }

    /// Returns the first difference between this answer and `other`, if there is one.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        if self == other {
            return None;
        }
        if self.records != other.records {
            return Some(Difference::Records(self.records, other.records));
        }
        if self.columns.len() != other.columns.len() {
            return Some(Difference::Columns(self.columns.len(), other.columns.len()));
        }
        let pairs = self.columns.iter().zip(&other.columns);
        let (left, right) = pairs.into_iter().find(|(left, right)| left != right)?;
        Some(Difference::Column(left.clone(), right.clone()))
    }
}

/// The first difference between two answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The numbers of records differ.
    Records(u64, u64),
    /// The numbers of columns differ.
    Columns(usize, usize),
    /// The name, the type or the values of a column differ.
    Column(Column, Column),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(left, right) => write!(f, "{left} records, and {right}"),
            Self::Columns(left, right) => write!(f, "{left} columns, and {right}"),
            Self::Column(left, right) if left.name != right.name => {
                write!(f, "column `{}`, and `{}`", left.name, right.name)
            }
            Self::Column(left, right) if left.r#type != right.r#type => {
                write!(f, "column `{}` is {}, and {}", left.name, left.r#type, right.r#type)
            }
            Self::Column(left, _) => write!(f, "column `{}` has other values", left.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(keys: &[i64], texts: &[Option<&str>]) -> RecordBatch {
        let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
        let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("key", keys, false), ("text", texts, true)])
            .unwrap()
    }

    fn answer(batches: &[RecordBatch]) -> Answer {
        Answer::of(&batches[0].schema(), batches).unwrap()
    }

    #[test]
    fn the_cut_into_batches_does_not_matter() {
        let whole = answer(&[batch(&[1, 2, 3], &[Some("a"), None, Some("")])]);
        let cut = answer(&[batch(&[1], &[Some("a")]), batch(&[2, 3], &[None, Some("")])]);
        assert_eq!(whole.difference(&cut), None);
        assert_eq!(whole.records, 3);
    }

    #[test]
    fn a_planted_wrong_value_is_caught() {
        let right = answer(&[batch(&[1, 2], &[Some("a"), None])]);
        let wrong = answer(&[batch(&[1, 2], &[Some("a"), Some("")])]);
        let told = right.difference(&wrong).unwrap().to_string();
        assert_eq!(told, "column `text` has other values");
        let swapped = answer(&[batch(&[2, 1], &[Some("a"), None])]);
        let told = right.difference(&swapped).unwrap().to_string();
        assert_eq!(told, "column `key` has other values");
    }

    #[test]
    fn a_missing_record_is_caught() {
        let right = answer(&[batch(&[1, 2], &[None, None])]);
        let wrong = answer(&[batch(&[1], &[None])]);
        assert_eq!(right.difference(&wrong).unwrap().to_string(), "2 records, and 1");
    }
}
