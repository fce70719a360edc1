//! Batches through the encoder and the decoder.
//!
//! - `random`: random batches survive, and random bytes are refused or are a batch.
//! - `forms`: the size of typical columns, and each bound of the format.

mod forms;
mod random;
