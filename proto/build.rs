//! Compiles the .proto files in pure Rust: no protoc on the machine is needed.

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=besom");
    let files = protox::compile(
        ["besom/v1/sweep.proto", "besom/v1/worker.proto", "besom/v1/artifact.proto", "besom/v1/query.proto"],
        ["."],
    )?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?).join("besom.v1.bin");
    std::fs::write(out, files.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
