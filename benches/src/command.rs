//! The subcommands of `sift-bench`, one in each file.

pub mod compare;
pub mod fair;
pub mod floors;
pub mod generate;
pub mod load;
pub mod report;
