//! A copy of a part of a mapped file that every search reads, on huge pages, made in the background.
//!
//! A mapped file has pages of 4 KiB, so scanning codes of a hundred megabytes misses the TLB all the time. The copy is read with
//! `pread`, not through the mapping: should another program truncate the file meanwhile, there is no copy, and no SIGBUS.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use memmap2::MmapMut;

use crate::storage::mmap::IndexBytes;

/// A smaller part is not copied: the TLB covers it.
#[cfg(target_os = "linux")]
const MIN_BYTES: u64 = 4 << 20;

/// Bytes read between two checks whether the copy is still wanted.
#[cfg(target_os = "linux")]
const STEP_BYTES: usize = 1 << 20;

/// Length and alignment of a huge page.
#[cfg(target_os = "linux")]
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// The copy of a part of a file; empty until it is complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct HotCopy {
    copy: Arc<OnceLock<Copied>>,
}

#[derive(Debug)]
struct Copied {
    /// Place of the part in the file.
    part: Range<usize>,
    memory: Mmap,
    /// Where the part begins in the memory.
    offset: usize,
}

impl HotCopy {
    /// Begin to copy this part of the file on another thread: if the system has huge pages, enough memory is free, and the part
    /// is large. Dropping the file ends it.
    #[cfg(target_os = "linux")]
    pub(crate) fn start(&self, file: &Arc<IndexBytes>, part: Range<usize>) {
        use crate::storage::free_memory::{has_huge_pages, has_memory_for};

        let size = part.len() as u64;
        if size < MIN_BYTES || !has_huge_pages() || !has_memory_for(size) {
            return;
        }
        let (file, target) = (Arc::downgrade(file), Arc::downgrade(&self.copy));
        let work = move || {
            let copied = copy(part, |memory, offset| file.upgrade()?.read_at(memory, offset).ok());
            if let (Some(target), Some(copied)) = (target.upgrade(), copied) {
                let _ = target.set(copied);
            }
        };
        // Without a thread the mapping serves.
        let _ = std::thread::Builder::new().name("snapseek-hot-copy".to_owned()).spawn(work);
    }

    /// Other systems search the mapping.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn start(&self, _: &Arc<IndexBytes>, _: Range<usize>) {}

    /// Return the copy of these bytes of the file, if they are in the part and it is complete.
    #[inline]
    pub(crate) fn get(&self, bytes: &Range<usize>) -> Option<&[u8]> {
        let Copied { part, memory, offset } = self.copy.get()?;
        let is_within = part.start <= bytes.start && bytes.end <= part.end;
        is_within.then(|| &memory[offset + bytes.start - part.start..][..bytes.len()])
    }

    /// Bytes copied.
    pub(crate) fn size_bytes(&self) -> usize {
        self.copy.get().map_or(0, |copied| copied.part.len())
    }
}

/// Copy a part into anonymous memory on huge pages; `read` fills memory from an offset of the file.
#[cfg(target_os = "linux")]
fn copy(part: Range<usize>, read: impl Fn(&mut [u8], u64) -> Option<()>) -> Option<Copied> {
    // Not every kernel aligns a mapping to huge pages.
    let mut memory = MmapMut::map_anon(part.len() + HUGE_PAGE_BYTES).ok()?;
    memory.advise(memmap2::Advice::HugePage).ok()?;
    let offset = memory.as_ptr().align_offset(HUGE_PAGE_BYTES).min(HUGE_PAGE_BYTES);
    for (step, piece) in memory[offset..][..part.len()].chunks_mut(STEP_BYTES).enumerate() {
        read(piece, (part.start + step * STEP_BYTES) as u64)?;
    }
    Some(Copied { part, memory: memory.make_read_only().ok()?, offset })
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
    fn a_large_part_is_copied() {
        use crate::storage::free_memory::{free_memory, has_huge_pages};
        let home = tempfile::tempdir().unwrap();
        let (file, hot) = (file(&home), HotCopy::default());
        hot.start(&file, 4096..SIZE - 1);
        if !has_huge_pages() || free_memory().is_none_or(|free| free < 8 * SIZE as u64) {
            return;
        }
        assert!(is_copied(&hot));
        for bytes in [4096..SIZE - 1, 4096..4096, 5000..6001, SIZE - 3..SIZE - 1] {
            assert_eq!(hot.get(&bytes).unwrap(), &file[bytes]);
        }
        assert_eq!([4095..5000, 5000..SIZE, 0..3].map(|bytes| hot.get(&bytes)), [None; 3]);
        assert_eq!(hot.get(&(4096..5000)).unwrap().as_ptr().align_offset(HUGE_PAGE_BYTES), 0);
    }

    #[test]
    fn a_small_part_and_a_truncated_file_are_not_copied() {
        let home = tempfile::tempdir().unwrap();
        let (file, hot) = (file(&home), HotCopy::default());
        hot.start(&file, 0..1000);
        let truncated = std::fs::File::options().write(true).open(home.path().join("a")).unwrap();
        truncated.set_len(5 << 20).unwrap();
        hot.start(&file, 0..SIZE);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(hot.size_bytes(), 0);
    }
}
