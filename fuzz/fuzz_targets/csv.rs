//! The target that reads any bytes as a CSV file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sift_fuzz::any_file("f.csv", bytes));
