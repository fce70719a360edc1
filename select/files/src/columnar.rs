//! Files of columns: Parquet and Arrow, and what they have in common.

pub(crate) mod column;
pub(crate) mod input;
pub(crate) mod value;
