//! Text and a file in, selected Arrow batches out.
//!
//! ```text
//! text -> Select -> Plan -> Scan -> Morsel* -> Outcome* -> RecordBatch*
//! ```
//!
//! [`Select::parse`] reads the text, [`Source::open`] takes an opened file and its descriptor, and
//! [`Plan::new`] binds one to the other. A [`Scan`] is a state machine that is pulled: it hands out
//! [`Morsel`]s, whose [`run`](Morsel::run) is pure work for any thread, takes their [`Outcome`]s
//! back and yields the batches in the order of the file. Nothing here knows a network, an
//! asynchronous runtime or who asks; [`Scan::collect`] drives a scan on a rayon pool for
//! local use.

#![allow(dead_code, reason = "the scan that calls the readers comes with the next change")]

#[doc(hidden)]
pub mod bench;
mod block;
mod calendar;
mod csv;
mod descriptor;
mod error;
mod feed;
mod fixed;
mod plan;
mod scan;
mod source;
mod sql;
mod text;
mod value;

pub use descriptor::Descriptor;
pub use error::{Error, ErrorKind, Result};
pub use plan::Plan;
pub use scan::{Morsel, Outcome, Scan, ScanOptions, Statistics, Step};
pub use source::{Identity, Source};
pub use sql::Select;
pub use value::Value;
