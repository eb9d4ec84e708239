//! Writes a file whose sections and sizes are known beforehand, in any interleaving of sections.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::parallel::Interrupt;
use crate::storage::atomic_file::AtomicFile;
use crate::storage::checksum::Checksum;
use crate::storage::format::{CHUNK_BYTES, Header, Tag};

/// A file being written. Dropping it before [`SectionWriter::persist`] leaves nothing on the disk.
#[derive(Debug)]
pub(crate) struct SectionWriter {
    file: AtomicFile,
    header: Header,
    checksums: Vec<Checksum>,
}

impl SectionWriter {
    /// Begin a file that will appear at `path`. `sections` has every section and its size, `chunks` last.
    pub(crate) fn create(
        path: &Path,
        kind: u32,
        rows: u64,
        dim: u32,
        sections: &[(Tag, u64)],
    ) -> Result<Self> {
        let contents: Vec<(Tag, u64, u32)> = sections.iter().map(|&(tag, size)| (tag, size, 0)).collect();
        let header = Header::new(kind, rows, dim, &contents);
        let checksums = sections.iter().map(|_| Checksum::default()).collect();
        Ok(Self { file: AtomicFile::create(path)?, header, checksums })
    }

    /// Begin a copy of a complete file, `bytes` with this header, that will appear at `path`.
    pub(crate) fn copy_of(
        bytes: &[u8],
        header: Header,
        path: &Path,
        interrupt: Interrupt<'_>,
    ) -> Result<Self> {
        let mut writer = Self { file: AtomicFile::create(path)?, header, checksums: Vec::new() };
        for (index, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
            interrupt.check()?;
            writer.write_at((index * CHUNK_BYTES) as u64, chunk)?;
        }
        Ok(writer)
    }

    /// The path of the file until it is persisted.
    pub(crate) fn temporary_path(&self) -> &Path {
        self.file.temporary_path()
    }

    /// Append bytes to a section.
    ///
    /// # Panics
    /// If there is no such section, or it is full.
    pub(crate) fn append(&mut self, tag: Tag, bytes: &[u8]) -> Result<()> {
        let index = self.section_index(tag);
        let section = self.header.sections[index];
        let written = self.checksums[index].size();
        assert!(bytes.len() as u64 <= section.size - written, "section {tag} is full");
        self.checksums[index].update(bytes);
        self.write_at(section.offset + written, bytes)
    }

    /// Write the checksums and the header: the file can be opened now, at its temporary path.
    ///
    /// # Panics
    /// If a section is not full.
    pub(crate) fn finalize(&mut self) -> Result<()> {
        let mut chunks = Vec::new();
        for (section, checksum) in self.header.sections.iter_mut().zip(std::mem::take(&mut self.checksums)) {
            if section.tag != Tag::CHUNKS {
                assert_eq!(checksum.size(), section.size, "section {} is not full", section.tag);
                let ((_, _, crc), crcs) = checksum.finish(section.tag);
                section.crc = crc;
                chunks.extend(crcs);
            }
        }
        // An empty section at the end was never written, yet its padding belongs to the file.
        let resized = self.file.file().set_len(self.header.file_bytes());
        resized.map_err(Error::storage("write", self.file.temporary_path()))?;
        self.rewrite_section(Tag::CHUNKS, bytemuck::cast_slice(&chunks))
    }

    /// Rewrite a section after [`SectionWriter::finalize`]; it must be one without chunk checksums.
    ///
    /// # Panics
    /// If the size differs from the section's.
    pub(crate) fn rewrite_section(&mut self, tag: Tag, bytes: &[u8]) -> Result<()> {
        let index = self.section_index(tag);
        let section = &mut self.header.sections[index];
        assert_eq!(section.size, bytes.len() as u64, "section {tag} has another size");
        assert!(tag == Tag::CHUNKS || bytes.len() <= CHUNK_BYTES, "section {tag} has chunk checksums");
        section.crc = crc32c::crc32c(bytes);
        let offset = section.offset;
        self.write_at(offset, bytes)?;
        let header = self.header.encode();
        self.write_at(0, &header)
    }

    /// Flush the file to the disk and rename it to its path.
    pub(crate) fn persist(self) -> Result<()> {
        self.file.persist()
    }

    fn section_index(&self, tag: Tag) -> usize {
        let index = self.header.sections.iter().position(|section| section.tag == tag);
        index.unwrap_or_else(|| panic!("there is no section {tag}"))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let file = self.file.file();
        let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes));
        written.map_err(Error::storage("write", self.file.temporary_path()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::storage::format::{KIND_FLAT, chunk_count};

    const SIZE: u64 = 2 * CHUNK_BYTES as u64 + 13;

    fn writer(path: &Path) -> SectionWriter {
        let layout = [(Tag::CODES, SIZE), (Tag::SCALES, 8), (Tag::CHUNKS, chunk_count(SIZE) * 4)];
        SectionWriter::create(path, KIND_FLAT, 2, 16, &layout).unwrap()
    }

    fn fill(writer: &mut SectionWriter) {
        writer.append(Tag::SCALES, &[1; 4]).unwrap();
        for piece in 0..3 {
            writer.append(Tag::CODES, &vec![piece; SIZE as usize / 3]).unwrap();
        }
        writer.append(Tag::SCALES, &[2; 4]).unwrap();
    }

    #[test]
    fn interleaved_sections_are_written_and_verified() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let mut writer = writer(&path);
        fill(&mut writer);
        writer.finalize().unwrap();
        writer.rewrite_section(Tag::SCALES, &[7; 8]).unwrap();
        assert!(writer.temporary_path().exists() && !path.exists());
        writer.persist().unwrap();
        let bytes = fs::read(&path).unwrap();
        let header = Header::decode(&bytes).unwrap();
        header.verify(&bytes, &path, Interrupt::NEVER).unwrap();
        assert_eq!(header.sections[1].bytes(&bytes), [7; 8]);
        assert_eq!(header.sections[0].bytes(&bytes)[SIZE as usize / 3], 1);
    }

    #[test]
    fn a_dropped_writer_leaves_no_file() {
        let home = tempfile::tempdir().unwrap();
        let mut writer = writer(&home.path().join("a.snap"));
        fill(&mut writer);
        drop(writer);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
