//! The values of some records, from which a format infers types.

use std::any::Any;

/// The values of some records, as far as types are inferred from them. Each format has its own.
#[derive(Debug)]
pub struct Sample(Box<dyn Any + Send>);

impl Sample {
    pub(crate) fn new<T: Any + Send>(values: T) -> Self {
        Self(Box::new(values))
    }

    /// Returns the values, if they are those of the format that asks.
    pub(crate) fn values_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.0.downcast_mut()
    }

    /// Returns the values; none if they are another format's.
    pub(crate) fn into_values<T: Any + Default>(self) -> T {
        self.0.downcast().map_or_else(|_other| T::default(), |values| *values)
    }
}
