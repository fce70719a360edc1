//! Any bytes as an index: refused, or its counts are consistent; never more memory than they are worth.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sift_select::{Source, property};

static SOURCE: LazyLock<Arc<Source>> = LazyLock::new(|| {
    let text = b"i,f,b,s,d\n1,0.5,true,x,2024-02-29\n";
    sift_fuzz::source("f.csv", text, None).expect("a source")
});

fuzz_target!(|bytes: &[u8]| property::any_index(&SOURCE, bytes));
