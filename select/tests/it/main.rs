//! Tests of Select from outside: text and a file in, rows or an exact error out.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests may panic too"
)]

/// Tables as Arrow files.
mod arrow_file;
/// Files and texts that are wrong.
mod bad_data;
/// Files that change under an index and under a scan.
mod changes;
/// Parquet and Arrow files of other writers, and damaged ones.
mod column_files;
/// Text that is compressed, whole and damaged.
mod compressed;
/// Copies of columns in an index.
mod copies;
/// Files of a COBOL compiler.
mod copybook;
/// Texts that a Parquet file has in dictionaries, against the same texts without them.
mod dictionaries;
/// Rows as a file of a mainframe.
mod ebcdic;
/// Parquet files that are encrypted.
mod encrypted;
/// Running a Select, and its answer as text.
mod engine;
/// Many files as one source.
mod files;
/// Random rows and expressions.
mod generate;
/// Texts, patterns and functions that are hard for one another, and the cancellation of such work.
mod hard;
/// Pruning by an index, and damaged indexes.
mod index;
/// JSON Lines: valid and invalid texts.
mod jsonl;
/// The first rows of an order along a key, with other conditions.
mod key_walk;
mod keys;
/// Line ends and blank lines of CSV.
mod line_ends;
/// Relations between answers that hold whatever the data.
mod metamorphic;
/// The texts of the cases, with faults.
mod mutation;
/// Names that several columns have, and names with points.
mod names;
/// Random nested files against the crates that wrote them.
mod nested;
/// Random Selects against SQLite.
mod oracle;
/// Tables as Parquet files.
mod parquet_file;
/// Selects and texts against PostgreSQL.
mod postgres;
/// Values after the records that determine the types.
mod sampled;
/// SQL and its rows or its error, as files of text.
mod slt;
/// Data that outgrows memory.
mod sorting;
/// Groups that outgrow memory, and how such work is cancelled.
mod spilling;
/// Statistics that contradict themselves.
mod statistics;
/// Rows as a file of every format.
mod table;
/// The tables that the cases select from.
mod tables;
/// Selects of a reader who may not see everything.
mod view;
mod without_from;
