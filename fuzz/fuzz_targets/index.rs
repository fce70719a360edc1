//! The target that reads any bytes as an index. It is refused, or its counts are consistent. Its
//! memory is bounded by its length.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sift_select::{Source, property};

static SOURCE: LazyLock<Arc<Source>> = LazyLock::new(|| {
    let text = b"i,f,b,s,d\n1,0.5,true,x,2024-02-29\n";
    sift_fuzz::source("f.csv", text, None).expect("a source")
});

fuzz_target!(|bytes: &[u8]| property::any_index(&SOURCE, bytes));
