//! The common parts of the targets: files of any bytes.

use std::fs::{self, File};
use std::io::Write;
use std::panic;
use std::sync::{Arc, Once};

use sift_select::{Descriptor, Source, property};

/// Opens a file of these bytes. Returns `None` if it does not open with this name and descriptor.
pub fn source(name: &str, bytes: &[u8], descriptor: Option<Descriptor>) -> Option<Arc<Source>> {
    let path = std::env::temp_dir().join(format!("sift-fuzz-{}-{name}", std::process::id()));
    let open = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    let mut file = open.expect("a file");
    fs::remove_file(&path).expect("remove its name");
    file.write_all(bytes).expect("write the file");
    Source::open(name, file, descriptor).ok().map(Arc::new)
}

/// Checks that the records of a file of any bytes do not depend on how the scan is divided.
pub fn any_file(name: &str, bytes: &[u8]) {
    // the hook of libFuzzer aborts at every panic, also at caught ones, such as those of Arrow and
    // Parquet in damaged files; without it libFuzzer still aborts if a panic leaves the target
    static HOOK: Once = Once::new();
    HOOK.call_once(|| panic::set_hook(Box::new(|_| {})));
    let Some(source) = source(name, bytes, None) else { return };
    for items in ["*", "count(*)"] {
        property::answers_ignore_morsels(&source, &format!("SELECT {items} FROM '{name}'"));
    }
}
