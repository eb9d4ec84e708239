//! A file whose sections are known beforehand and filled side by side; like a shard it appears whole or not at all.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::file::checksum::Checksum;
use crate::file::format::{CHUNK_BYTES, Header, Tag};
use crate::file::temporary::TemporaryName;

/// A file being written. Dropping it before [`Draft::publish`] leaves nothing on the disk.
#[derive(Debug)]
pub(crate) struct Draft {
    // Declared, and so dropped, before the name: the file is closed before it is removed.
    file: File,
    name: TemporaryName,
    header: Header,
    sums: Vec<Checksum>,
}

impl Draft {
    /// Begin a file that will appear at `path`; `layout` names every section and its size, `chunks` last.
    pub(crate) fn create(path: &Path, kind: u32, rows: u64, dim: u32, layout: &[(Tag, u64)]) -> Result<Self> {
        let contents: Vec<(Tag, u64, u32)> = layout.iter().map(|&(tag, size)| (tag, size, 0)).collect();
        let header = Header::new(kind, rows, dim, &contents);
        let (name, file) = TemporaryName::create(path)?;
        Ok(Self { file, name, header, sums: layout.iter().map(|_| Checksum::default()).collect() })
    }

    /// Where the file is until it is published.
    pub(crate) fn path(&self) -> &Path {
        self.name.temporary()
    }

    /// Add the next bytes of a section.
    ///
    /// # Panics
    /// If there is no such section, or no room left in it.
    pub(crate) fn append(&mut self, tag: Tag, bytes: &[u8]) -> Result<()> {
        let at = self.place(tag);
        let section = self.header.sections[at];
        let written = self.sums[at].size();
        assert!(bytes.len() as u64 <= section.size - written, "section {tag} is full");
        self.sums[at].update(bytes);
        self.write_at(section.offset + written, bytes)
    }

    /// Write the checksums and the header: the file can be read now, under its temporary name.
    ///
    /// # Panics
    /// If a section is not full.
    pub(crate) fn seal(&mut self) -> Result<()> {
        let mut chunks = Vec::new();
        for (section, sum) in self.header.sections.iter_mut().zip(std::mem::take(&mut self.sums)) {
            if section.tag != Tag::CHUNKS {
                assert_eq!(sum.size(), section.size, "section {} is not full", section.tag);
                let ((_, _, crc), crcs) = sum.finish(section.tag);
                section.crc = crc;
                chunks.extend(crcs);
            }
        }
        // What is empty at the end was never written, yet belongs to the file.
        let sized = self.file.set_len(self.header.file_bytes());
        sized.map_err(Error::storage("write", self.name.temporary()))?;
        self.replace(Tag::CHUNKS, bytemuck::cast_slice(&chunks))
    }

    /// Write a section anew after [`Draft::seal`]; it must be one without checksums of its chunks.
    ///
    /// # Panics
    /// If the bytes are not as many as the section has.
    pub(crate) fn replace(&mut self, tag: Tag, bytes: &[u8]) -> Result<()> {
        let at = self.place(tag);
        let section = &mut self.header.sections[at];
        assert_eq!(section.size, bytes.len() as u64, "section {tag} has another size");
        assert!(
            tag == Tag::CHUNKS || bytes.len() <= CHUNK_BYTES,
            "section {tag} has checksums of its chunks"
        );
        section.crc = crc32c::crc32c(bytes);
        let offset = section.offset;
        self.write_at(offset, bytes)?;
        let header = self.header.encode();
        self.write_at(0, &header)
    }

    /// Flush the file to the disk and make it appear.
    pub(crate) fn publish(self) -> Result<()> {
        let Self { file, name, .. } = self;
        file.sync_all().map_err(Error::storage("write", name.temporary()))?;
        drop(file);
        name.publish()
    }

    fn place(&self, tag: Tag) -> usize {
        let place = self.header.sections.iter().position(|section| section.tag == tag);
        place.unwrap_or_else(|| panic!("there is no section {tag}"))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let moved = self.file.seek(SeekFrom::Start(offset));
        moved.and_then(|_| self.file.write_all(bytes)).map_err(Error::storage("write", self.name.temporary()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::file::format::{KIND_FLAT, chunk_count};
    use crate::parallel::Interrupt;

    const SIZE: u64 = 2 * CHUNK_BYTES as u64 + 13;

    fn draft(path: &Path) -> Draft {
        let layout = [(Tag::CODES, SIZE), (Tag::SCALES, 8), (Tag::CHUNKS, chunk_count(SIZE) * 4)];
        Draft::create(path, KIND_FLAT, 2, 16, &layout).unwrap()
    }

    fn fill(draft: &mut Draft) {
        draft.append(Tag::SCALES, &[1; 4]).unwrap();
        for piece in 0..3 {
            draft.append(Tag::CODES, &vec![piece; SIZE as usize / 3]).unwrap();
        }
        draft.append(Tag::SCALES, &[2; 4]).unwrap();
    }

    #[test]
    fn sections_are_filled_side_by_side_and_verified() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let mut draft = draft(&path);
        fill(&mut draft);
        draft.seal().unwrap();
        draft.replace(Tag::SCALES, &[7; 8]).unwrap();
        assert!(draft.path().exists() && !path.exists());
        draft.publish().unwrap();
        let bytes = fs::read(&path).unwrap();
        let header = Header::decode(&bytes).unwrap();
        header.verify(&bytes, &path, Interrupt::NEVER).unwrap();
        assert_eq!(header.sections[1].bytes(&bytes), [7; 8]);
        assert_eq!(header.sections[0].bytes(&bytes)[SIZE as usize / 3], 1);
    }

    #[test]
    fn a_dropped_draft_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut draft = draft(&home.path().join("a.snap"));
        fill(&mut draft);
        drop(draft);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
