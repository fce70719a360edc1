//! What came of an expression: a value for each record, or one for all.

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
    /// What a kernel made of `operands`: one value where these are all constant.
    pub(super) fn of(operands: &[Self], value: ArrayRef) -> Self {
        match Self::are_constant(operands) {
            true => Self::Scalar(Scalar::new(value)),
            false => Self::Array(value),
        }
    }

    pub(super) fn are_constant(operands: &[Self]) -> bool {
        operands.iter().all(|operand| matches!(operand, Self::Scalar(_)))
    }

    /// The array, or the one value as an array.
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

    /// With values that Arrow compares as they are compared here.
    pub(super) fn comparable(self) -> Self {
        match self {
            Self::Array(array) => Self::Array(numeric::comparable(array)),
            Self::Scalar(scalar) => {
                Self::Scalar(Scalar::new(numeric::comparable(scalar.into_inner())))
            }
        }
    }
}
