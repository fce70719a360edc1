//! The target that reads any bytes as fixed-length records of a mainframe, with a field of every
//! kind at the same offset. The answers must not depend on how the scan is divided.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sift_select::{Descriptor, property};

const DESCRIPTOR: &str = r#"
format = "fixed"
record_length = 8
encoding = "cp037"
century_pivot = 50
field = [
    { name = "text", type = "text", offset = 0, length = 8 },
    { name = "zoned", type = "zoned", offset = 0, length = 8, sign = "leading-separate", scale = 2 },
    { name = "packed", type = "packed", offset = 0, length = 4 },
    { name = "float", type = "float", offset = 0, length = 8, coding = "ibm" },
    { name = "day", type = "date", offset = 0, length = 3, format = "YYDDD", coding = "packed" },
    { name = "date", type = "date", offset = 0, length = 8, format = "DD/MM/YY", null_when = ["spaces", "zeros"] },
]
"#;

fuzz_target!(|bytes: &[u8]| {
    let descriptor = Descriptor::parse("f.dat.toml", DESCRIPTOR).expect("a descriptor");
    if let Some(source) = sift_fuzz::source("f.dat", bytes, Some(descriptor)) {
        for field in ["text", "zoned", "packed", "float", "day", "date"] {
            property::answers_ignore_morsels(&source, &format!("SELECT {field} FROM 'f.dat'"));
        }
    }
});
