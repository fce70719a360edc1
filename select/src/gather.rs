//! Operators that need all rows before they return the first: grouping and sorting.

pub(crate) mod aggregate;
pub(crate) mod group;
pub(crate) mod key_table;
pub(crate) mod pace;
pub(crate) mod record_problem;
pub(crate) mod sort;
pub(crate) mod sort_order;
pub(crate) mod spill;
