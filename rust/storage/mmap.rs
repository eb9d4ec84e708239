//! Maps a file into memory, or copies it there.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapMut};

use crate::error::{Error, FormatError, Result};
use crate::parallel::Interrupt;

/// Where an index is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadMode {
    /// In the mapped file: opens at once, and the system caches what is used.
    Map,
    /// In a copy in memory, on huge pages where the system has them: opens slowly, searches a little faster.
    Ram,
}

/// Names of the load modes.
pub const LOAD_MODES: [(&str, LoadMode); 2] = [("map", LoadMode::Map), ("ram", LoadMode::Ram)];

impl LoadMode {
    /// Return the bytes of the file at `path`, which must not be empty.
    pub(crate) fn open(self, path: &Path) -> Result<IndexBytes> {
        match self {
            LoadMode::Map => map(path),
            LoadMode::Ram => read(path),
        }
    }
}

/// The bytes of an index file: mapped, or a copy in memory.
#[derive(Debug)]
pub(crate) struct IndexBytes {
    path: PathBuf,
    bytes: Mmap,
    /// The mapped file, open; [`None`] for a copy.
    file: Option<File>,
}

impl IndexBytes {
    /// Wrap bytes that no file backs.
    pub(crate) fn copied(bytes: Mmap, path: &Path) -> Self {
        Self { path: path.to_path_buf(), bytes, file: None }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The memory, for advice to the system.
    #[cfg(unix)]
    pub(crate) fn memory(&self) -> &Mmap {
        &self.bytes
    }

    /// Read bytes of the mapped file from `offset` on, not through the mapping.
    ///
    /// # Errors
    /// If the file has ended before, or the system refuses. A copy in memory has no file.
    #[cfg(target_os = "linux")]
    pub(crate) fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        let file = self.file.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        file.read_exact_at(bytes, offset)
    }

    /// Check that another program has not truncated the mapped file: the system ends a process that reads a mapped page past
    /// the end of its file. The file that was opened counts, not one that has been renamed over it since.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], or [`Error::Storage`] if the system refuses.
    pub(crate) fn check_length(&self) -> Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        // A tenth of the time of `metadata`. Nobody else uses the position in this file.
        let got = file.seek(SeekFrom::End(0)).map_err(Error::storage("read the length of", &self.path))?;
        let expected = self.bytes.len() as u64;
        if got < expected {
            return Err(Error::format(&self.path)(FormatError::Truncated { expected, got }));
        }
        Ok(())
    }
}

impl Deref for IndexBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Touch every page of a mapped file, so that no search has to wait for a page fault: about a microsecond for a cached page,
/// or a read of the disk.
///
/// # Errors
/// [`Error::Stopped`] if `interrupt` says so.
pub(crate) fn prefault(bytes: &[u8], interrupt: Interrupt<'_>) -> Result<()> {
    const PAGE_BYTES: usize = 4096;
    const STEP_BYTES: usize = 1 << 22;
    for step in bytes.chunks(STEP_BYTES) {
        interrupt.check()?;
        std::hint::black_box(step.iter().step_by(PAGE_BYTES).fold(0_u8, |all, &byte| all ^ byte));
    }
    Ok(())
}

/// Map a file that is not empty.
fn map(path: &Path) -> Result<IndexBytes> {
    let refused = |action| Error::storage(action, path);
    let found = fs::metadata(path).map_err(refused("open"))?;
    if !found.is_file() {
        // Opening a pipe would wait for its writer.
        return Err(refused("open")(io::Error::other("it is not a regular file")));
    }
    if found.len() == 0 {
        return Err(Error::format(path)(FormatError::Truncated { expected: 1, got: 0 }));
    }
    let file = File::open(path).map_err(refused("open"))?;
    // SAFETY: such a file is never written in place (see `FlatIndex`), so the mapped bytes do not change under a reader. Every
    // query begins with `check_length`, for programs that truncate it all the same.
    let bytes = unsafe { Mmap::map(&file) }.map_err(refused("map"))?;
    Ok(IndexBytes { path: path.to_path_buf(), bytes, file: Some(file) })
}

/// Copy the file into anonymous memory.
fn read(path: &Path) -> Result<IndexBytes> {
    let mapped = map(path)?;
    let refused = |action| Error::storage(action, path);
    let mut copy = MmapMut::map_anon(mapped.len()).map_err(refused("allocate memory for"))?;
    #[cfg(target_os = "linux")]
    // Only advice: without huge pages everything works, a little slower.
    let _ = copy.advise(memmap2::Advice::HugePage);
    let mut file = File::open(path).map_err(refused("open"))?;
    file.read_exact(&mut copy).map_err(refused("read"))?;
    Ok(IndexBytes::copied(copy.make_read_only().map_err(refused("load"))?, path))
}
