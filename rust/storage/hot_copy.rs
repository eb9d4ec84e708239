//! A copy of the parts of a mapped file that every search reads, on huge pages, made in the background.
//!
//! A mapped file has pages of 4 KiB, so scanning codes of a hundred megabytes misses the TLB all the time. The copy is read with
//! `pread`, not through the mapping: should another program truncate the file meanwhile, there is no copy, and no SIGBUS.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use memmap2::MmapMut;

use crate::storage::mmap::IndexBytes;

/// Smaller parts are not copied: the TLB covers them.
#[cfg(target_os = "linux")]
const MIN_BYTES: u64 = 4 << 20;

/// A copy is made if this many times its size is free.
#[cfg(target_os = "linux")]
const FREE_FACTOR: u64 = 4;

/// Bytes read between two checks whether the copy is still wanted.
#[cfg(target_os = "linux")]
const STEP_BYTES: usize = 1 << 20;

/// The copies of some parts of a file; empty until all of them are complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct HotCopy {
    parts: Arc<OnceLock<Vec<Part>>>,
}

/// The place of a part in the file, and its copy.
type Part = (Range<usize>, Mmap);

impl HotCopy {
    /// Begin to copy these parts of the file on another thread: if the system has huge pages, enough memory is free, and the
    /// parts are large. Dropping the file ends it.
    #[cfg(target_os = "linux")]
    pub(crate) fn start(&self, file: &Arc<IndexBytes>, parts: Vec<Range<usize>>) {
        use crate::storage::free_memory::{free_memory, has_huge_pages};

        let size: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let fits = || free_memory().is_some_and(|free| free / FREE_FACTOR >= size);
        if size < MIN_BYTES || !has_huge_pages() || !fits() {
            return;
        }
        let (file, copies) = (Arc::downgrade(file), Arc::downgrade(&self.parts));
        let work = move || {
            let copied: Option<Vec<Part>> = parts
                .into_iter()
                .map(|part| {
                    let copy =
                        copy(part.clone(), |memory, offset| file.upgrade()?.read_at(memory, offset).ok())?;
                    Some((part, copy))
                })
                .collect();
            if let (Some(copies), Some(copied)) = (copies.upgrade(), copied) {
                let _ = copies.set(copied);
            }
        };
        // Without a thread the mapping serves.
        let _ = std::thread::Builder::new().name("snapseek-hot-copy".to_owned()).spawn(work);
    }

    /// Other systems search the mapping.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn start(&self, _: &Arc<IndexBytes>, _: Vec<Range<usize>>) {}

    /// Return the copy of a part, if it is complete.
    #[inline]
    pub(crate) fn get(&self, part: &Range<usize>) -> Option<&[u8]> {
        let parts = self.parts.get()?;
        parts.iter().find(|(other, _)| other == part).map(|(_, copy)| &copy[..])
    }

    /// Bytes copied.
    pub(crate) fn size_bytes(&self) -> usize {
        self.parts.get().map_or(0, |parts| parts.iter().map(|(part, _)| part.len()).sum())
    }
}

/// Copy a part into anonymous memory on huge pages; `read` fills memory from an offset of the file.
#[cfg(target_os = "linux")]
fn copy(part: Range<usize>, read: impl Fn(&mut [u8], u64) -> Option<()>) -> Option<Mmap> {
    let mut memory = MmapMut::map_anon(part.len()).ok()?;
    memory.advise(memmap2::Advice::HugePage).ok()?;
    for (step, piece) in memory.chunks_mut(STEP_BYTES).enumerate() {
        read(piece, (part.start + step * STEP_BYTES) as u64)?;
    }
    memory.make_read_only().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::storage::mmap::LoadMode;

    const SIZE: usize = 6 << 20;

    fn file(home: &tempfile::TempDir) -> Arc<IndexBytes> {
        let path = home.path().join("a");
        std::fs::write(&path, (0..SIZE).map(|index| (index % 251) as u8).collect::<Vec<_>>()).unwrap();
        Arc::new(LoadMode::Map.open(&path).unwrap())
    }

    fn is_copied(hot: &HotCopy) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while hot.size_bytes() == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        hot.size_bytes() > 0
    }

    #[test]
    fn large_parts_are_copied() {
        use crate::storage::free_memory::{free_memory, has_huge_pages};
        let home = tempfile::tempdir().unwrap();
        let (file, hot) = (file(&home), HotCopy::default());
        let parts = vec![3..70, 4096..SIZE - 1];
        hot.start(&file, parts.clone());
        if !has_huge_pages() || free_memory().is_none_or(|free| free < 8 * SIZE as u64) {
            return;
        }
        assert!(is_copied(&hot));
        parts.iter().for_each(|part| assert!(hot.get(part).unwrap() == &file[part.clone()]));
        assert!(hot.get(&(0..3)).is_none());
    }

    #[test]
    fn small_parts_and_truncated_files_are_not_copied() {
        let home = tempfile::tempdir().unwrap();
        let (file, hot) = (file(&home), HotCopy::default());
        hot.start(&file, vec![0..500, 500..1000]);
        let truncated = std::fs::File::options().write(true).open(home.path().join("a")).unwrap();
        truncated.set_len(5 << 20).unwrap();
        hot.start(&file, vec![0..4096, 4096..SIZE]);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(hot.size_bytes(), 0);
    }
}
