//! The path of a SQLite database: its folder, the file behind its links, and where such a file must
//! not be.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    error::OpenError,
    url::{IS_FOLDER, StoreUrl},
};

/// Where the mounted file systems are listed; other systems than Linux have no such file and are
/// not checked.
const MOUNTS: &str = "/proc/self/mounts";

/// Types of file systems whose files several machines can open. SQLite's locks and its shared
/// memory fail there.
const NETWORK_FILE_SYSTEMS: [&str; 11] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs"];

/// The file that the path leads to, where it exists. SQLite keeps its own files beside that one,
/// too.
pub(crate) fn resolve_symlinks(database: &Path) -> PathBuf {
    database.canonicalize().unwrap_or_else(|_| database.to_owned())
}

/// The folder that holds a file.
pub(crate) fn folder_of(database: &Path) -> PathBuf {
    match database.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The folder of the database, made (for its owner only) where it is missing.
pub(crate) fn prepare_folder(database: &Path) -> Result<(), OpenError> {
    if database.is_dir() {
        let url = StoreUrl::of_file(database).to_string();
        return Err(OpenError::BadUrl { url, problem: IS_FOLDER.to_owned() });
    }
    let folder = folder_of(database);
    let io = |source| OpenError::Io { path: folder.clone(), source };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(io)?;
    let folder = folder_of(&resolve_symlinks(database)).canonicalize().map_err(io)?;
    if let Ok(mounts) = fs::read_to_string(MOUNTS)
        && let Some(kind) = network_file_system(&mounts, &folder)
    {
        let problem = format!(
            "{} is on a network file system ({kind}), where SQLite loses data; use a local disk, or Postgres",
            folder.display()
        );
        return Err(OpenError::BadUrl { url: StoreUrl::of_file(database).to_string(), problem });
    }
    Ok(())
}

/// Refuses a database that has several names (hard links): the lock lies beside one of them, so
/// that two coordinators could open one file. Symbolic links are followed instead. A single file
/// that is mounted in two places cannot be told apart.
pub(crate) fn refuse_other_names(database: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::MetadataExt;
    let database = resolve_symlinks(database);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(suffix);
        let path = PathBuf::from(name);
        let names = match fs::metadata(&path) {
            Ok(metadata) => metadata.nlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        if names > 1 {
            let problem = format!(
                "{} has {names} names (hard links), and a second coordinator that opens it by another one would damage \
                 it; remove the others (find / -xdev -samefile FILE lists them), or use a copy",
                path.display()
            );
            return Err(OpenError::Unavailable { store: StoreUrl::Sqlite(database).to_string(), problem });
        }
    }
    Ok(())
}

/// The type of the file system that holds `folder` (absolute), if it is one of the network. The
/// last of the longest mount points counts: a later mount covers an earlier one.
fn network_file_system<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mut holder: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(point), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let point = unescape(point);
        let depth = point.components().count();
        if folder.starts_with(&point) && holder.is_none_or(|(deepest, _)| depth >= deepest) {
            holder = Some((depth, kind));
        }
    }
    holder.map(|(_, kind)| kind).filter(|kind| NETWORK_FILE_SYSTEMS.contains(kind))
}

/// The kernel writes space, tab, newline and backslash in octal.
fn unescape(point: &str) -> PathBuf {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")]
        .iter()
        .fold(point.to_owned(), |text, (escape, character)| text.replace(escape, character))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_the_deepest_mount() {
        let mounts = "/dev/vda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/vdb /home/me/local\\040disk xfs rw 0 0\n\
                      //server/share /mnt/share cifs rw 0 0\nproc /proc proc rw 0 0\n";
        for (folder, kind) in [
            ("/var/lib/besom", None),
            ("/home/me/besom", Some("nfs4")),
            ("/home/me/local disk/besom", None),
            ("/homes/besom", None),
            ("/mnt/share", Some("cifs")),
        ] {
            assert_eq!(network_file_system(mounts, Path::new(folder)), kind, "{folder}");
        }
    }

    #[test]
    fn the_home_folder_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        prepare_folder(&dir.path().join("new/home/besom.db")).unwrap();
        assert_eq!(fs::metadata(dir.path().join("new/home")).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
