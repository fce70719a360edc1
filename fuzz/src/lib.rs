//! What the targets share: files of any bytes.

use std::fs::{self, File};
use std::io::Write;
use std::panic;
use std::sync::{Arc, Once};

use sift_select::{Descriptor, Source, property};

/// A file of these bytes, if it is one that `name` and `descriptor` say it is.
pub fn source(name: &str, bytes: &[u8], descriptor: Option<Descriptor>) -> Option<Arc<Source>> {
    let path = std::env::temp_dir().join(format!("sift-fuzz-{}-{name}", std::process::id()));
    let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    let mut file = open.expect("a file");
    fs::remove_file(&path).expect("remove its name");
    file.write_all(bytes).expect("write the file");
    Source::open(name, file, descriptor).ok().map(Arc::new)
}

/// What is read of a file of any bytes does not depend on how the scan is divided.
pub fn any_file(name: &str, bytes: &[u8]) {
    // the hook of libFuzzer aborts at panics that are caught, as those of Arrow and Parquet are at
    // damaged files; it aborts at the others all the same, where they leave the target
    static HOOK: Once = Once::new();
    HOOK.call_once(|| panic::set_hook(Box::new(|_| {})));
    let Some(source) = source(name, bytes, None) else { return };
    for items in ["*", "count(*)"] {
        property::answers_ignore_morsels(&source, &format!("SELECT {items} FROM '{name}'"));
    }
}
