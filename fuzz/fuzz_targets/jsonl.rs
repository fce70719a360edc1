//! Any bytes as a file of JSON Lines: what is read does not depend on how the scan is divided.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sift_select::{Source, property};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("sift-fuzz-{}.jsonl", std::process::id()));
    let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    let mut file = open.expect("a file");
    file.write_all(bytes).expect("write the file");
    if let Ok(source) = Source::open("f.jsonl", file, None) {
        let source = Arc::new(source);
        for sql in ["SELECT * FROM 'f.jsonl'", "SELECT count(*) FROM 'f.jsonl'"] {
            property::answers_ignore_morsels(&source, sql);
        }
    }
});
