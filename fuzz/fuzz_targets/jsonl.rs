//! The target that reads any bytes as a JSON Lines file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sift_fuzz::any_file("f.jsonl", bytes));
