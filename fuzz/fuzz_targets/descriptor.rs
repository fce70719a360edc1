//! The target that reads any text as a descriptor. If it is accepted, the same text is the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sift_select::Descriptor;

fuzz_target!(|text: &str| {
    if let Ok(descriptor) = Descriptor::parse("f.dat.toml", text) {
        sift_fuzz::source("f.dat", text.as_bytes(), Some(descriptor));
    }
});
