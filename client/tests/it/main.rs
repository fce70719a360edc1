//! The client against scripted servers on loopback, and the `sift` command as a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "helpers of tests may panic too"
)]

/// A server that follows a script, with or without TLS.
mod fake;

/// Connecting: the negotiated channel, wrong peers, wrong certificates, silence.
mod channel;
/// The `sift` command as a process: exit codes, forms of output, configuration.
#[cfg(feature = "cli")]
mod cli;
/// Fetching: chunks, files, ranges, and resuming after a break.
mod fetch;
/// Fetching several files with `sift`: trees, failures, and names that lead elsewhere.
#[cfg(feature = "cli")]
mod fetch_many;
/// Parquet, the word for NULL in CSV, and what steers a terminal.
#[cfg(feature = "cli")]
mod formats;
/// The output of `sift`: which files `-o` may replace, and which files it leaves behind.
#[cfg(feature = "cli")]
mod output;
/// Records of the caller's types: exact numbers, NULL, streams, and what does not fit.
mod records;
/// The small requests: files, describe, explain, report.
mod requests;
/// Selecting: complete answers, broken ones, hostile ones, and abandoned ones.
mod select;
/// `sift server` and the authority of the environment.
#[cfg(feature = "cli")]
mod servers;
