//! Any bytes as an index: refused, or its counts are consistent; never more memory than they are worth.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sift_select::{Source, property};

static SOURCE: LazyLock<Source> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("sift-fuzz-index-{}.csv", std::process::id()));
    let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    let mut file = open.expect("a file");
    file.write_all(b"i,f,b,s,d\n1,0.5,true,x,2024-02-29\n").expect("write the file");
    Source::open("f.csv", file, None).expect("a source")
});

fuzz_target!(|bytes: &[u8]| property::any_index(&SOURCE, bytes));
