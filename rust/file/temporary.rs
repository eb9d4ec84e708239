//! A file that appears under its name whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// A file name that is removed when dropped, unless it was published first.
#[derive(Debug)]
pub(crate) struct TemporaryName {
    temporary: PathBuf,
    path: PathBuf,
}

impl TemporaryName {
    pub(crate) fn create(path: &Path) -> Result<(Self, File)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = path.file_name().ok_or_else(|| Error::NoFileName { path: path.to_path_buf() })?;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let mut unique = name.to_os_string();
            unique.push(format!(".{}-{count}.tmp", std::process::id()));
            let temporary = path.with_file_name(unique);
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => return Ok((Self { temporary, path: path.to_path_buf() }, file)),
                // Left by a crashed process of the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::storage("create", &temporary)(error)),
            }
        }
    }

    /// Where the file is until it is published.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    pub(crate) fn publish(self) -> Result<()> {
        fs::rename(&self.temporary, &self.path)
            .map_err(Error::storage("rename a new file to", &self.path))?;
        sync_directory(&self.path)
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        // After `publish` there is nothing of that name; and a failure here has nobody to hear it.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Flush the directory, so that the new name survives a crash too.
fn sync_directory(path: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|file| file.sync_all()).map_err(Error::storage("flush", directory))
}
