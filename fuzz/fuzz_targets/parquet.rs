//! Any bytes as a file of Parquet.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sift_fuzz::any_file("f.parquet", bytes));
