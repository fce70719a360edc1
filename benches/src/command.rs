//! The subcommands of `sift-bench`, one a file.

pub mod floors;
pub mod generate;
