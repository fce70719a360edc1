//! Properties that hold for any text: for fuzz targets and for tests with seeded input.

use crate::copybook::{Copybook, CopybookOptions, Encoding};
use crate::descriptor::Descriptor;

/// A text is refused as a copybook with its line and column, or makes a descriptor that is one.
///
/// # Panics
/// If the property does not hold.
pub fn copybooks_make_descriptors(text: &str) {
    for encoding in [Encoding::Utf8, Encoding::Cp037] {
        let options = CopybookOptions { encoding, ..CopybookOptions::default() };
        match Copybook::parse("f.cpy", text, &options) {
            Ok(copybook) => {
                let descriptor = copybook.to_descriptor("none");
                if let Err(error) = Descriptor::parse("f.toml", &descriptor) {
                    unreachable!("{error}\n{descriptor}");
                }
            }
            Err(error) => assert!(error.to_string().starts_with("f.cpy: "), "{error}"),
        }
    }
}
