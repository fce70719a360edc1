//! Reads of files: what is in memory already, extents, compressed bytes, and what identifies a
//! file.

pub mod compressed;
pub mod cursor;
pub mod extent;
pub mod identity;
pub mod raw_file;
pub mod waiting;
