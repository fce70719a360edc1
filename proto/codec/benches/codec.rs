//! The codec.

fn main() {}
