//! The common parts of the demo and the measurements: data, the two arms of a comparison, floors,
//! and the measurement of time, bytes, CPU and memory.

pub mod answer;
pub mod arms;
pub mod authority;
pub mod break_even;
pub mod command;
pub mod document;
pub mod floor;
pub mod index;
pub mod lineitem;
pub mod link;
pub mod load;
pub mod local;
pub mod machine;
pub mod measure;
pub mod question;
pub mod report;
pub mod rival;
pub mod server;
pub mod shell;
pub mod suites;
pub mod text;

/// A result of this crate, whose errors are for people only.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
