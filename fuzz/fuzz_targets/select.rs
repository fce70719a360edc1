//! Any text as a Select over a small CSV file with a column of every type.
#![no_main]

use std::fs::File;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sift_select::{Source, property};

static SOURCE: LazyLock<Arc<Source>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("sift-fuzz-{}.csv", std::process::id()));
    let text = "a,b,c,d,e,f\n1,1.50,1e3,2024-02-29,true,text\n,,,,,\n-7,0.00,-0.5,1969-12-31,false,\"\"\n";
    std::fs::write(&path, text).expect("write the file");
    let file = File::open(&path).expect("open the file");
    std::fs::remove_file(&path).expect("remove the file");
    Arc::new(Source::open("f.csv", file, None).expect("a source"))
});

fuzz_target!(|sql: &str| property::answers_ignore_morsels(&SOURCE, sql));
