//! Evaluates a Select over files: text and a file in, Arrow batches out.
//!
//! ```text
//! text -> Select -> Plan -> Scan -> Morsel* -> Outcome* -> RecordBatch*
//! ```
//!
//! [`Select::parse`] reads the text, [`Source::open`] takes an opened file and its descriptor, and
//! [`Plan::new`] binds one to the other. A [`Scan`] is a state machine: it hands out [`Morsel`]s,
//! whose [`run`](Morsel::run) is pure work for any thread, takes their [`Outcome`]s back and
//! returns the batches in the order of the file. This crate has no network and no asynchronous
//! runtime, and it does not know the user. [`Scan::collect`] drives a scan on a rayon pool for
//! local use.
//!
//! ```no_run
//! use std::{fs::File, sync::Arc};
//! use sift_select::{Plan, Scan, ScanOptions, Select, Source};
//!
//! let select = Select::parse("SELECT city, pop FROM 'cities.csv' WHERE pop > $1")?;
//! let name = select.from().unwrap_or_default();
//! let source = Arc::new(Source::open(name, File::open(name)?, None)?);
//! let plan = Plan::new(&select, source, &[1_000_000_i64.into()])?;
//! for batch in Scan::new(plan, ScanOptions::default()).collect()? {
//!     println!("{} records", batch.num_rows());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use sift_files::copybook;

mod alike;
#[doc(hidden)]
pub mod bench;
mod budget;
mod error;
mod explain;
mod expr;
mod gather;
mod index;
mod plan;
pub mod property;
mod scan;
mod source;
mod sql;
mod value;

pub use budget::MemoryBudget;
pub use error::{Error, ErrorKind, Result};
pub use explain::explain;
pub use gather::spill::SpillDirectory;
pub use index::{BuildOptions, Index, IndexContents, IndexFolder, IndexedFile};
pub use plan::Plan;
pub use plan::file_set::FileSet;
pub use plan::view::View;
pub use scan::morsel::{Morsel, Outcome};
pub use scan::{Scan, ScanOptions, ScanStatistics, Step};
pub use sift_files::Error as FileError;
pub use sift_files::cancel::{Cancel, Stopped, briefly, check_wanted};
pub use sift_files::descriptor::Descriptor;
pub use sift_files::io::identity::{Identity, Look, is_local};
pub use sift_files::io::waiting::{Waiting, WouldBlock, at_once};
pub use sift_files::key_spec::{KeyColumn, KeySpec};
pub use sift_files::parquet::{ParquetKey, ParquetKeys, has_encrypted_footer};
pub use sift_files::requirement::Requirement;
pub use sift_files::types::type_name;
pub use source::Source;
pub use sql::mention::{Mentions, are_related};
pub use sql::{Predicate, Select};
pub use value::Value;
pub use value::interval::Interval;
