//! Tests of the protocol through its public interface.
#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests may panic too")]

/// Compares descriptions with the output of `openssl ciphers -v`.
mod cipher;
/// Tests the codec: layout, limits, errors, and bytes in pieces of any size.
mod frame;
/// Tests every combination of level, protocol, suite and key exchange group.
mod level;
/// Tests numbers and names that must never change.
mod status;
