//! Texts as values of the types that fields of text files have.

pub(crate) mod builder;
mod column;
pub(crate) mod file;
mod shape;
pub mod value;

pub(crate) use column::{Cells, Numbers, column};
pub use shape::RECORDS_MAX;
pub(crate) use shape::Shape;
