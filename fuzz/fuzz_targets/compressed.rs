//! The target that decompresses any bytes. They are refused, or are a data frame of the announced
//! length, and this frame survives.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| sift_proto::property::bytes_decompress_or_are_refused(body));
