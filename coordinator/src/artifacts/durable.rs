//! Folders, and syncs of files and folders. One that fails ends the process: see [`mod@crate::failed_sync`].

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::failed_sync;

/// Makes the content of `file`, which lies at `path`, durable.
///
/// # Errors
/// The sync failed; the process is about to end.
pub(super) fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all().map_err(|error| {
        let error = at(path, &error);
        failed_sync::note(&error.to_string());
        error
    })
}

/// Makes a new name in `folder` as durable as the file that it names.
///
/// # Errors
/// As for [`sync_file`], or the folder cannot be opened: that alone loses nothing.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let opened = File::open(folder).map_err(|error| at(folder, &error))?;
    sync_file(&opened, folder)
}

/// Makes a folder for its owner only, and those above it that are missing.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The error with the path that it is about.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
