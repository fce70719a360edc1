//! Files of columns: Parquet, and what its values have in common with other Arrow data.

pub(crate) mod parquet;
mod value;
