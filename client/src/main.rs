//! The `sift` command.

fn main() {}
