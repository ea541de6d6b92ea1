//! A disk that is full, made of a small file system in memory.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Home, tiny_sweep};

/// A file system of so many bytes, gone with this.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Or why this machine makes none.
    fn new(size: &str) -> Result<Self, String> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(disk.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(disk),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("the command mount: {error}")),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the space that is left, byte by byte at the end.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = fs::File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Processes that have files there have ended: they are dropped first.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_with_its_folder_and_once_more_when_it_is_over() {
    let disk = match Disk::new("8m") {
        Ok(disk) => disk,
        Err(problem) => {
            let mut stderr = std::io::stderr();
            let _ = writeln!(
                stderr,
                "\n*** SKIPPED: full disks are not tested on this machine: it needs root and `mount -t tmpfs`: {problem} ***\n"
            );
            return;
        }
    };
    let home = Home::new().with_variable("BESOM_STORE", &format!("sqlite:{}", disk.path().join("besom.db").display()));
    let file = home.write("drawings.yaml", &tiny_sweep("drawings", 3, 2));
    let (coordinator, url) = home.coordinator::<&str>([]);
    let filler = disk.fill();
    let client = Home::new();
    let submit = client.start(["submit", file.to_str().unwrap(), "--coordinator", &url]);
    let told = coordinator.wait_for("no space is left on the disk that holds");
    assert!(told.contains(disk.path().to_str().unwrap()) && told.contains("an artifact needs 1 MiB"), "{told}");
    submit.wait_for("no space is left on the coordinator's disk");
    fs::remove_file(&filler).unwrap();
    // It asks again by itself.
    submit.wait().expect(0);
    coordinator.wait_for("there is space again on the disk that holds");
    let worker = client.start(["worker", "--coordinator", &url, "--slots", "1"]);
    client.besom(["watch", "drawings", "--coordinator", &url]).expect(0);
    worker.terminate().expect(0);
    let ended = coordinator.terminate().expect(0);
    assert_eq!(ended.stderr.matches("no space is left").count(), 1, "once a minute: {ended}");
}
