//! Any text as a copybook: refused with its place, or a descriptor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sift_files::property;

fuzz_target!(|text: &str| property::copybooks_make_descriptors(text));
