//! What both ends agree on, tested from outside.
#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests may panic too")]

/// Descriptions against the output of `openssl ciphers -v`.
mod cipher;
/// The codec: layout, bounds, errors, and bytes in pieces of any size.
mod frame;
/// Every cell of level, protocol, suite and key exchange group.
mod level;
/// Numbers and names that must never change.
mod status;
