//! Syncs of files and folders. One that fails ends the process: see [`mod@crate::failed_sync`].

use std::{fs::File, io, path::Path};

use crate::failed_sync;

/// Makes the content of `file`, which lies at `path`, durable.
///
/// # Errors
/// The sync failed; the process is about to end.
pub(super) fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all().map_err(|error| {
        let error = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        failed_sync::note(&error.to_string());
        error
    })
}

/// Makes a new name in `folder` as durable as the file that it names.
///
/// # Errors
/// As for [`sync_file`], or the folder cannot be opened: that alone loses nothing.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let opened = File::open(folder);
    let opened = opened.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    sync_file(&opened, folder)
}
