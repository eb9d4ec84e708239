//! Bringing a file to where it is searched: mapped, or copied into memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use memmap2::{Mmap, MmapMut};

use crate::error::{Error, Fault, Result};
use crate::parallel::Interrupt;

/// Where an index is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// In the mapped file: opens at once, and the system keeps in memory what is used.
    Map,
    /// In a copy in memory, on large pages where the system has them: opens slowly, answers a little faster.
    Ram,
}

/// Names of the ways to load.
pub const LOADS: [(&str, Load); 2] = [("map", Load::Map), ("ram", Load::Ram)];

impl Load {
    /// The bytes of the file at `path`, which must not be empty.
    pub(crate) fn bytes(self, path: &Path) -> Result<Mmap> {
        match self {
            Load::Map => map(path),
            Load::Ram => read(path),
        }
    }
}

/// Have the system bring bytes of a mapped file into memory and tell this process where they are.
///
/// So that no search has to wait for a page: each that is touched first costs a thousandth of a millisecond, or a
/// read of the disk.
///
/// # Errors
/// [`Error::Stopped`] if `interrupt` says so.
pub(crate) fn touch(bytes: &[u8], interrupt: Interrupt<'_>) -> Result<()> {
    const PAGE_BYTES: usize = 4096;
    const STEP_BYTES: usize = 1 << 22;
    for step in bytes.chunks(STEP_BYTES) {
        interrupt.check()?;
        std::hint::black_box(step.iter().step_by(PAGE_BYTES).fold(0_u8, |all, &byte| all ^ byte));
    }
    Ok(())
}

/// Map a whole file that is not empty.
fn map(path: &Path) -> Result<Mmap> {
    let refused = |action| Error::storage(action, path);
    let found = fs::metadata(path).map_err(refused("open"))?;
    if !found.is_file() {
        // To open a pipe would wait for its writer.
        return Err(refused("open")(io::Error::other("it is not a regular file")));
    }
    if found.len() == 0 {
        return Err(Error::format(path)(Fault::Truncated { expected: 1, got: 0 }));
    }
    let file = File::open(path).map_err(refused("open"))?;
    // SAFETY: such a file is never written in place (see `Shard`), so the mapped bytes do not change under a
    // reader.
    unsafe { Mmap::map(&file) }.map_err(refused("map"))
}

/// Copy the file into memory of its own.
fn read(path: &Path) -> Result<Mmap> {
    let mapped = map(path)?;
    let refused = |action| Error::storage(action, path);
    let mut copy = MmapMut::map_anon(mapped.len()).map_err(refused("make room in memory for"))?;
    #[cfg(target_os = "linux")]
    // Only a wish: without large pages all works as well, a little slower.
    let _ = copy.advise(memmap2::Advice::HugePage);
    let mut file = File::open(path).map_err(refused("open"))?;
    file.read_exact(&mut copy).map_err(refused("read"))?;
    copy.make_read_only().map_err(refused("load"))
}
