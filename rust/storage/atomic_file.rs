//! A file that appears at its path complete or not at all: written under a temporary name, flushed, then renamed.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, Result};

/// A file under a temporary name in the directory of its path. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Create the temporary file `<path>.<process id>-<random>.tmp`.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::NoFileName { path: path.to_path_buf() })?;
        let mut prefix = name.to_os_string();
        prefix.push(format!(".{}-", std::process::id()));
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        // As any new file, and not for the owner alone: the umask applies.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let created = builder.tempfile_in(directory_of(path));
        let temporary = created.map_err(Error::storage("create a temporary file for", path))?;
        Ok(Self { temporary, path: path.to_path_buf() })
    }

    /// The open file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Its path until it is persisted.
    pub(crate) fn temporary_path(&self) -> &Path {
        self.temporary.path()
    }

    /// Flush the file to the disk, rename it to its path, and flush the directory.
    pub(crate) fn persist(self) -> Result<()> {
        let Self { temporary, path } = self;
        temporary.as_file().sync_all().map_err(Error::storage("write", temporary.path()))?;
        let renamed = temporary.persist(&path).map_err(|error| error.error);
        renamed.map_err(Error::storage("rename a new file to", &path))?;
        sync_directory(directory_of(&path))
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Flush the directory, so that the new name survives a crash too.
fn sync_directory(directory: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(directory).and_then(|file| file.sync_all()).map_err(Error::storage("flush", directory))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_appears_only_when_persisted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.file().write_all(b"new").unwrap();
        let temporary = names(home.path()).remove(1);
        assert!(temporary.starts_with("a.snap.") && temporary.ends_with(".tmp"), "{temporary}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.persist().unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), names(home.path())),
            (b"new".to_vec(), vec!["a.snap".to_owned()])
        );
    }

    #[test]
    fn a_dropped_file_leaves_no_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let (one, other) = (AtomicFile::create(&path).unwrap(), AtomicFile::create(&path).unwrap());
        assert_ne!(one.temporary_path(), other.temporary_path());
        drop((one, other));
        assert_eq!(names(home.path()), Vec::<String>::new());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_the_mode_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (path, other) = (home.path().join("a.snap"), home.path().join("b"));
        AtomicFile::create(&path).unwrap().persist().unwrap();
        File::create(&other).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&other));
    }

    #[test]
    fn a_missing_directory_and_a_missing_name_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let missing = AtomicFile::create(&home.path().join("none/a.snap"));
        assert!(matches!(missing, Err(Error::Storage { .. })));
        assert!(matches!(AtomicFile::create(Path::new("/")), Err(Error::NoFileName { .. })));
    }
}
