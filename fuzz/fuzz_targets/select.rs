//! The target that runs any text as a Select from a small CSV file with a column of every type.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sift_select::{Source, property};

static SOURCE: LazyLock<Arc<Source>> = LazyLock::new(|| {
    let text =
        "a,b,c,d,e,f\n1,1.50,1e3,2024-02-29,true,text\n,,,,,\n-7,0.00,-0.5,1969-12-31,false,\"\"\n";
    sift_fuzz::source("f.csv", text.as_bytes(), None).expect("a source")
});

fuzz_target!(|sql: &str| property::answers_ignore_morsels(&SOURCE, sql));
