//! Gathering of what cannot go out at once: groups, and rows to be sorted.

pub(crate) mod aggregate;
pub(crate) mod group;
pub(crate) mod key_table;
pub(crate) mod sort;
pub(crate) mod sort_order;
pub(crate) mod stop;
