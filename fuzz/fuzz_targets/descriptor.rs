//! Any text as a descriptor: refused, or one whose file may be anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sift_select::Descriptor;

fuzz_target!(|text: &str| {
    if let Ok(descriptor) = Descriptor::parse("f.dat.toml", text) {
        sift_fuzz::source("f.dat", text.as_bytes(), Some(descriptor));
    }
});
