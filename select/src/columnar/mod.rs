//! Files of columns: Parquet and Arrow, and what they have in common.

mod column;
mod input;
pub(crate) mod ipc;
pub(crate) mod parquet;
mod value;
