//! How much SQLite's temporary files hold.
//!
//! What a sort cannot keep in memory goes to files that have no name any more, so nobody else can
//! count them. SQLite has no bound on them but the space of the disk.

use std::{fs, os::unix::fs::MetadataExt};

/// How SQLite names its temporary files.
const PREFIX: &str = "etilqs_";

/// The bytes of all such files that this process has open. Systems other than Linux do not tell;
/// there time alone is the bound.
pub(super) fn bytes() -> u64 {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return 0 };
    open.flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let is_temporary = target.file_name()?.to_str()?.starts_with(PREFIX);
            if is_temporary { fs::metadata(entry.path()).ok().map(|metadata| metadata.blocks() * 512) } else { None }
        })
        .sum()
}
