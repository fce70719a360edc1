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
//!
//! ```no_run
//! use std::{fs::File, sync::Arc};
//! use sift_select::{Plan, Scan, ScanOptions, Select, Source};
//!
//! let select = Select::parse("SELECT city, pop FROM 'cities.csv' WHERE pop > $1")?;
//! let file = File::open(select.from())?;
//! let source = Arc::new(Source::open(select.from(), file, None)?);
//! let plan = Plan::new(&select, source, &[1_000_000_i64.into()])?;
//! for batch in Scan::new(plan, ScanOptions::default()).collect()? {
//!     println!("{} records", batch.num_rows());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod aggregate;
mod alike;
mod batches;
#[doc(hidden)]
pub mod bench;
mod bind;
mod block;
mod budget;
mod calendar;
mod cancel;
mod cast;
mod columnar;
mod common_type;
mod compressed;
pub mod copybook;
mod csv;
mod data_file;
mod descriptor;
mod error;
mod eval;
mod expr;
mod extent;
mod feed;
mod file_set;
mod fixed;
mod functions;
mod group;
mod growth;
mod identity;
mod index;
mod input;
mod interval;
mod json;
mod key_spec;
mod key_table;
mod kind;
mod like;
mod mention;
mod morsel;
mod nesting;
mod numeric;
mod pattern;
mod plan;
mod problem;
pub mod property;
mod prune;
mod raw_file;
mod record;
mod regular;
mod render;
mod requirement;
mod scalar;
mod scan;
mod selection;
mod shown;
mod sort;
mod source;
mod sql;
mod statistics;
mod syntax;
mod tail;
mod text;
mod types;
mod value;
mod view;
mod waiting;

pub use crate::budget::MemoryBudget;
pub use crate::cancel::{Cancel, briefly, check_wanted};
pub use crate::columnar::parquet::{ParquetKey, ParquetKeys, has_encrypted_footer};
pub use crate::descriptor::Descriptor;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::file_set::FileSet;
pub use crate::identity::{Identity, Look, is_local};
pub use crate::index::{BuildOptions, Index, IndexContents, IndexFolder, IndexedFile};
pub use crate::interval::Interval;
pub use crate::key_spec::{KeyColumn, KeySpec};
pub use crate::mention::{Mentions, are_related};
pub use crate::morsel::{Morsel, Outcome};
pub use crate::plan::Plan;
pub use crate::requirement::Requirement;
pub use crate::scan::{Scan, ScanOptions, Statistics, Step};
pub use crate::sort::SpillDirectory;
pub use crate::source::Source;
pub use crate::sql::{Predicate, Select};
pub use crate::types::type_name;
pub use crate::value::Value;
pub use crate::view::View;
pub use crate::waiting::{at_once, may_wait};
