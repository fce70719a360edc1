//! The value of an expression: one for each record, or one for all.

use arrow::array::{Array, ArrayRef, Datum, Scalar, UInt32Array, new_null_array};
use arrow::compute::take;

use crate::expr::numeric;
use crate::expr::problem::Problem;

/// A value for each record, or one for all.
#[derive(Clone, Debug)]
pub(crate) enum Evaluated {
    Array(ArrayRef),
    Scalar(Scalar<ArrayRef>),
}

impl Datum for Evaluated {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Self::Array(array) => (array.as_ref(), false),
            Self::Scalar(scalar) => scalar.get(),
        }
    }
}

impl Evaluated {
    /// Wraps the result of a kernel: a scalar if all operands are scalars.
    pub(super) fn of(operands: &[Self], value: ArrayRef) -> Self {
        match Self::are_constant(operands) {
            true => Self::Scalar(Scalar::new(value)),
            false => Self::Array(value),
        }
    }

    pub(super) fn are_constant(operands: &[Self]) -> bool {
        operands.iter().all(|operand| matches!(operand, Self::Scalar(_)))
    }

    /// Returns the array, or the scalar as an array of one value.
    pub(super) fn into_inner(self) -> ArrayRef {
        match self {
            Self::Array(array) => array,
            Self::Scalar(scalar) => scalar.into_inner(),
        }
    }

    pub(super) fn into_array(self, rows: usize) -> Result<ArrayRef, Problem> {
        match self {
            Self::Array(array) => Ok(array),
            Self::Scalar(scalar) => {
                let array = scalar.into_inner();
                if array.is_null(0) {
                    return Ok(new_null_array(array.data_type(), rows));
                }
                let zeros = UInt32Array::from(vec![0; rows]);
                Ok(take(&array, &zeros, None)?)
            }
        }
    }

    /// Returns values that Arrow compares as PostgreSQL does, by [`numeric::comparable`].
    pub(super) fn comparable(self) -> Self {
        match self {
            Self::Array(array) => Self::Array(numeric::comparable(array)),
            Self::Scalar(scalar) => {
                Self::Scalar(Scalar::new(numeric::comparable(scalar.into_inner())))
            }
        }
    }
}
