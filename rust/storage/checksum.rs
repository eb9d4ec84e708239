//! CRC-32C of a section while it is written: of the whole section and of each chunk.

use crate::storage::format::{CHUNK_BYTES, Tag, chunk_count};

/// The running checksums of a section.
#[derive(Debug, Default)]
pub(crate) struct Checksum {
    size: u64,
    whole: u32,
    chunk: u32,
    chunks: Vec<u32>,
}

impl Checksum {
    /// Bytes added so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Add the next bytes of the section.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.whole = crc32c::crc32c_append(self.whole, bytes);
        while !bytes.is_empty() {
            let free = CHUNK_BYTES - (self.size % CHUNK_BYTES as u64) as usize;
            let (head, tail) = bytes.split_at(free.min(bytes.len()));
            self.chunk = crc32c::crc32c_append(self.chunk, head);
            self.size += head.len() as u64;
            if head.len() == free {
                self.chunks.push(std::mem::take(&mut self.chunk));
            }
            bytes = tail;
        }
    }

    /// Return the section's entry for [`crate::storage::format::Header::new`], and its chunks' checksums.
    pub(crate) fn finish(mut self, tag: Tag) -> ((Tag, u64, u32), Vec<u32>) {
        if !self.size.is_multiple_of(CHUNK_BYTES as u64) {
            self.chunks.push(self.chunk);
        }
        self.chunks.truncate(chunk_count(self.size) as usize);
        ((tag, self.size, self.whole), self.chunks)
    }
}
