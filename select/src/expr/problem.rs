//! The reason why an expression has no value.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::{Error, ErrorKind};
use sift_files::cancel::Stopped;
use sift_files::types::type_name;

/// The reason why an expression has no value for a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem(pub(crate) String);

impl Problem {
    pub(crate) fn out_of_range(data_type: &DataType) -> Self {
        Self(format!("out of range for {}", type_name(data_type)))
    }

    /// Makes the error of a Select over the source `name`, for a problem that is not about one
    /// record.
    pub(crate) fn to_error(&self, name: &str) -> Error {
        Error::new(ErrorKind::Computation, format!("{name}: {}", self.0))
    }
}

impl From<Stopped> for Problem {
    /// Makes a problem whose text is never shown.
    fn from(_stopped: Stopped) -> Self {
        Self("cancelled".to_owned())
    }
}

impl From<ArrowError> for Problem {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::DivideByZero => Self("division by zero".to_owned()),
            ArrowError::ArithmeticOverflow(text) => {
                let text = text.strip_prefix("Overflow happened on: ").unwrap_or(&text);
                Self(format!("out of range: {text}"))
            }
            ArrowError::InvalidArgumentError(text) | ArrowError::CastError(text) => {
                Self(format!("out of range: {text}"))
            }
            other => Self(other.to_string()),
        }
    }
}
