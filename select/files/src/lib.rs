//! A data file in, blocks of records out.
//!
//! ```text
//! File -> RawFile -> DataFile -> Feed -> Turns -> Block -> arrays of columns
//! ```
//!
//! [`DataFile::open`](data_file::DataFile::open) takes an opened file and its
//! [`Descriptor`](descriptor::Descriptor). A [`Feed`](feed::Feed) hands it out in turns to the
//! threads of a scan. A turn gives [`Block`](block::Block)s, from which a scan decodes the columns
//! and records that it wants. Nothing here knows SQL, or who asks. A new format of files is one
//! implementor of `Format` and one line in `formats.rs`.

pub mod block;
pub mod calendar;
pub mod cancel;
mod columnar;
pub mod copies;
pub mod copybook;
pub mod csv;
mod damage;
pub mod data_file;
pub mod descriptor;
mod digits;
mod error;
mod excerpt;
pub mod feed;
pub mod field_type;
mod fixed;
mod format;
mod formats;
pub mod io;
mod ipc;
mod json;
pub mod key_spec;
pub mod nesting;
mod nothing;
pub mod parquet;
mod problem;
pub mod property;
pub mod record;
pub mod requirement;
pub mod sample;
pub mod statistics;
pub mod text;
pub mod turns;
pub mod types;

pub use damage::Damage;
pub use error::{Error, ErrorKind, Limit, Result, Unsupported};
pub use excerpt::Excerpt;
pub use problem::column::ColumnProblem;
pub use problem::copybook::{CopybookProblem, PictureProblem};
pub use problem::descriptor::{DescriptorProblem, FieldLength, FieldProblem, FormatProblem};
pub use problem::thrift::{ThriftError, ThriftProblem};
pub use problem::{Problem, TypeOrigin};
