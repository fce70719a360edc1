//! Compiles the `.proto` with protox, so that nobody needs to install `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/sift.proto");
    let descriptors = protox::compile(["proto/sift.proto"], ["proto"])?;
    // it may contain a password
    prost_build::Config::new().skip_debug([".sift.v1.Hello"]).compile_fds(descriptors)?;
    Ok(())
}
