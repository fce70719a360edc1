//! The client against scripted servers on loopback, and the `sift` command as a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "helpers of tests may panic too"
)]

/// A server that says what a script tells it, plain or through TLS.
mod fake;

/// Connecting: what the channel is, wrong peers, wrong certificates, silence.
mod channel;
/// The `sift` command as a process: exit codes, forms of output, configuration.
#[cfg(feature = "cli")]
mod cli;
/// Fetching: chunks, files, ranges, and going on after a break.
mod fetch;
/// The output of `sift`: which files `-o` may replace, and which files it leaves behind.
#[cfg(feature = "cli")]
mod output;
/// Records of the caller's types: exact numbers, NULL, streams, and what does not fit.
mod records;
/// The small requests: files, describe, explain, report.
mod requests;
/// Selecting: whole answers, broken ones, hostile ones, and answers that nobody wants any more.
mod select;
