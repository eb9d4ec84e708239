//! The checksums of a file that is being written.

use crate::file::format::{CHUNK_BYTES, Tag, chunk_count};

/// The checksums of a section while it is being written: of all of it, and of each chunk.
#[derive(Debug, Default)]
pub(crate) struct Checksum {
    size: u64,
    whole: u32,
    chunk: u32,
    chunks: Vec<u32>,
}

impl Checksum {
    /// Bytes taken in so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Take in the next bytes of the section.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.whole = crc32c::crc32c_append(self.whole, bytes);
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - (self.size % CHUNK_BYTES as u64) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk = crc32c::crc32c_append(self.chunk, now);
            self.size += now.len() as u64;
            if now.len() == room {
                self.chunks.push(std::mem::take(&mut self.chunk));
            }
            bytes = later;
        }
    }

    /// The section's line for [`Header::new`], and its chunks' checksums.
    pub(crate) fn finish(mut self, tag: Tag) -> ((Tag, u64, u32), Vec<u32>) {
        if !self.size.is_multiple_of(CHUNK_BYTES as u64) {
            self.chunks.push(self.chunk);
        }
        self.chunks.truncate(chunk_count(self.size) as usize);
        ((tag, self.size, self.whole), self.chunks)
    }
}
