//! The target that reads any text as a copybook. It is refused with a place, or makes a descriptor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sift_files::property;

fuzz_target!(|text: &str| property::copybooks_make_descriptors(text));
