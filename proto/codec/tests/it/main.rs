//! Batches through the encoder and the decoder.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic too")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "random values are of all widths"
)]

/// Tests the size of typical columns, and each bound of the format.
mod forms;
/// Tests that random batches survive, and that random bytes are refused or are a batch.
mod random;
