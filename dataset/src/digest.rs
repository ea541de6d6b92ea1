//! SHA-256 digests as texts of 64 lower-case hex digits, which name artifacts and pin sources.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::DataError;

/// Lower-case hex of a digest.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is a SHA-256 in lower-case hex, which is also safe as a file name.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// SHA-256 of a file's bytes, lower-case hex.
///
/// # Errors
/// The file cannot be read.
pub fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Compares a digest with the one that the sweep file gives.
///
/// # Errors
/// [`DataError::Refused`] where they differ.
pub fn check_pin(what: &str, sha256: &str, pinned: Option<&str>) -> Result<(), DataError> {
    match pinned {
        Some(pinned) if pinned != sha256 => Err(DataError::refused(
            what,
            format!(
                "has sha256 {sha256}, but besom.dataset.sha256 asks for {pinned}: the data are not the expected ones"
            ),
        )),
        _ => Ok(()),
    }
}
