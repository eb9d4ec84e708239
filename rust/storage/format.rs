//! The bytes of a `.snap` file: header, section table, checksums. `docs/FORMAT.md` specifies them, and no other code knows
//! offsets. Reading checks every size against the file's length before it allocates.

use std::path::Path;

use crate::error::{Error, FormatError};
use crate::matrix::MAX_DIM;
use crate::parallel::Interrupt;

/// First bytes of every `.snap` file. As in PNG, the high bit and the line ends reveal a transfer in text mode.
pub const MAGIC: [u8; 8] = *b"\x89SNAP\r\n\x1a";

/// Newest version that this crate reads, and the version it writes.
pub const VERSION: u32 = 1;

/// Kind number of a flat index.
pub const KIND_FLAT: u32 = 1;

/// Kind number of an IVF index.
pub const KIND_IVF: u32 = 2;

/// Sections are aligned to this many bytes, so that a mapped section can be cast to any type.
pub const ALIGN: u64 = 64;

/// Sections longer than this also have a checksum for every chunk of this many bytes.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Longest header that is read, in any version.
pub const HEADER_MAX: usize = 1 << 16;

/// Largest number of rows in a file: a row number is a `u32`.
pub const MAX_ROWS: usize = u32::MAX as usize;

const FIXED_BYTES: usize = 48;
const ENTRY_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
const HEADER_MIN: usize = FIXED_BYTES + CRC_BYTES;

// Files are little-endian, and mapped sections are read in place.
const _: () =
    assert!(cfg!(target_endian = "little"), "snapseek reads its files in place on little-endian CPUs only");

/// Name of a section: ASCII, padded with zero bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; 8]);

impl Tag {
    /// int8 codes, shape (rows, stride).
    pub const CODES: Self = Self(*b"codes\0\0\0");
    /// float32 scales, shape (rows,).
    pub const SCALES: Self = Self(*b"scales\0\0");
    /// uint32 checksums of the chunks of the sections before it.
    pub const CHUNKS: Self = Self(*b"chunks\0\0");
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii().to_string().trim_end_matches("\\x00"))
    }
}

/// An entry of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name.
    pub tag: Tag,
    /// First byte in the file.
    pub offset: u64,
    /// Length without padding.
    pub size: u64,
    /// CRC-32C of the whole section.
    pub crc: u32,
}

impl Section {
    fn end(&self) -> u64 {
        self.offset + self.size
    }

    /// Return the section's bytes in `file`, whose length [`Header::decode`] has checked.
    pub fn bytes<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        &file[self.offset as usize..self.end() as usize]
    }
}

/// The header of a `.snap` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Kind number, such as [`KIND_FLAT`].
    pub kind: u32,
    /// Number of rows.
    pub rows: u64,
    /// Dimension of a vector.
    pub dim: u32,
    /// The sections in file order.
    pub sections: Vec<Section>,
}

/// Length of a header with `sections` entries in its table.
pub const fn header_bytes(sections: usize) -> usize {
    HEADER_MIN + sections * ENTRY_BYTES
}

/// The first multiple of [`ALIGN`] at or after `offset`.
pub const fn align(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGN)
}

/// Number of chunk checksums for a section of `size` bytes: none unless it is longer than one chunk.
pub const fn chunk_count(size: u64) -> u64 {
    if size > CHUNK_BYTES as u64 { size.div_ceil(CHUNK_BYTES as u64) } else { 0 }
}

impl Header {
    /// Lay out sections of these tags, sizes and checksums one after another.
    pub fn new(kind: u32, rows: u64, dim: u32, contents: &[(Tag, u64, u32)]) -> Self {
        let mut end = header_bytes(contents.len()) as u64;
        let section = |&(tag, size, crc): &(Tag, u64, u32)| {
            let section = Section { tag, offset: align(end), size, crc };
            end = section.end();
            section
        };
        Self { kind, rows, dim, sections: contents.iter().map(section).collect() }
    }

    /// Length of the whole file: the end of the last section.
    pub fn file_bytes(&self) -> u64 {
        self.sections.last().map_or(self.header_bytes() as u64, Section::end)
    }

    fn header_bytes(&self) -> usize {
        header_bytes(self.sections.len())
    }

    /// Encode the header, with its checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.header_bytes());
        out.extend(MAGIC);
        for word in [VERSION, self.header_bytes() as u32, self.kind, self.sections.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.rows.to_le_bytes());
        out.extend(self.dim.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.file_bytes().to_le_bytes());
        self.sections.iter().for_each(|section| encode_section(section, &mut out));
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Decode and check the header of `file`: the checksum first, to distinguish damage from a newer version.
    ///
    /// # Errors
    /// The first [`FormatError`] found. The contents of the sections are not checked.
    pub fn decode(file: &[u8]) -> Result<Self, FormatError> {
        let bytes = checked_header(file)?;
        let (sections, got) = (read_u32(bytes, 20), bytes.len() as u64);
        let expected = HEADER_MIN as u64 + u64::from(sections) * ENTRY_BYTES as u64;
        if expected != got {
            return Err(FormatError::TableSize { sections, expected, got });
        }
        let table = &bytes[FIXED_BYTES..bytes.len() - CRC_BYTES];
        let header = Self {
            kind: read_u32(bytes, 16),
            rows: read_u64(bytes, 24),
            dim: read_u32(bytes, 32),
            sections: table.chunks_exact(ENTRY_BYTES).map(decode_section).collect(),
        };
        header.validate_section_table(read_u64(bytes, 40), file.len() as u64)?;
        Ok(header)
    }

    /// Check that the file is of this kind, and that its rows and dimensions are within bounds.
    ///
    /// # Errors
    /// [`FormatError::Kind`], [`FormatError::Dim`] or [`FormatError::Rows`].
    pub fn expect(&self, kind: u32) -> Result<(), FormatError> {
        if self.kind != kind {
            return Err(FormatError::Kind { expected: kind, got: self.kind });
        }
        if self.dim == 0 || self.dim as usize > MAX_DIM {
            return Err(FormatError::Dim { max: MAX_DIM as u64, got: u64::from(self.dim) });
        }
        if self.rows > MAX_ROWS as u64 {
            return Err(FormatError::Rows { max: MAX_ROWS as u64, got: self.rows });
        }
        Ok(())
    }

    /// Sections follow one another without gap or overlap, and the file ends with the last.
    fn validate_section_table(&self, claimed: u64, got: u64) -> Result<(), FormatError> {
        let mut end = self.header_bytes() as u64;
        for section in &self.sections {
            let tag = section.tag.to_string();
            if section.offset != align(end) {
                return Err(FormatError::SectionOffset { tag, expected: align(end), got: section.offset });
            }
            if section.size > got || section.end() > got {
                return Err(FormatError::Truncated {
                    expected: section.offset.saturating_add(section.size),
                    got,
                });
            }
            end = section.end();
        }
        for length in [claimed, got] {
            if end != length {
                return Err(FormatError::FileSize { expected: end, got: length });
            }
        }
        Ok(())
    }

    /// Check that the sections are these, of these sizes, in this order.
    ///
    /// # Errors
    /// [`FormatError::SectionCount`], [`FormatError::SectionTag`] or [`FormatError::SectionSize`].
    pub fn expect_sections(&self, expected: &[(Tag, u64)]) -> Result<(), FormatError> {
        if self.sections.len() != expected.len() {
            let (expected, got) = (expected.len() as u64, self.sections.len() as u64);
            return Err(FormatError::SectionCount { expected, got });
        }
        for (section, &(tag, size)) in self.sections.iter().zip(expected) {
            if section.tag != tag {
                return Err(FormatError::SectionTag {
                    expected: tag.to_string(),
                    got: section.tag.to_string(),
                });
            }
            if section.size != size {
                return Err(FormatError::SectionSize {
                    tag: tag.to_string(),
                    expected: size,
                    got: section.size,
                });
            }
        }
        Ok(())
    }

    /// Check every byte of `file` that [`Header::decode`] did not: sections, chunks and padding.
    ///
    /// # Errors
    /// [`Error::Format`] with the first [`FormatError`] found: a damaged chunk or section, or padding that is not zero;
    /// [`Error::Stopped`] if `interrupt` says so.
    pub fn verify(&self, file: &[u8], path: &Path, interrupt: Interrupt<'_>) -> Result<(), Error> {
        let chunks = self.sections.iter().find(|section| section.tag == Tag::CHUNKS);
        let mut stored = chunks.map_or(&[][..], |section| section.bytes(file));
        let mut end = self.header_bytes() as u64;
        for section in &self.sections {
            check_padding(file, end, section.offset).map_err(Error::format(path))?;
            let own = stored.len().min(chunk_count(section.size) as usize * CRC_BYTES);
            let (crcs, tail) = stored.split_at(own);
            let mut crc = 0;
            for (index, chunk) in section.bytes(file).chunks(CHUNK_BYTES).enumerate() {
                interrupt.check()?;
                check_chunk(section, index, chunk, crcs).map_err(Error::format(path))?;
                crc = crc32c::crc32c_append(crc, chunk);
            }
            check_crc(section, crc).map_err(Error::format(path))?;
            (stored, end) = (tail, section.end());
        }
        Ok(())
    }
}

/// The header's bytes, once their length, checksum and version are known to be right.
fn checked_header(file: &[u8]) -> Result<&[u8], FormatError> {
    let got = file.len() as u64;
    if !file.starts_with(&MAGIC[..file.len().min(MAGIC.len())]) {
        return Err(FormatError::Magic);
    }
    if file.len() < HEADER_MIN {
        return Err(FormatError::Truncated { expected: HEADER_MIN as u64, got });
    }
    let size = read_u32(file, 12) as usize;
    if !(HEADER_MIN..=HEADER_MAX).contains(&size) {
        return Err(FormatError::HeaderSize {
            min: HEADER_MIN as u64,
            max: HEADER_MAX as u64,
            got: size as u64,
        });
    }
    let bytes = file.get(..size).ok_or(FormatError::Truncated { expected: size as u64, got })?;
    let (expected, got) = (read_u32(bytes, size - CRC_BYTES), crc32c::crc32c(&bytes[..size - CRC_BYTES]));
    if expected != got {
        return Err(FormatError::HeaderChecksum { expected, got });
    }
    match read_u32(bytes, 8) {
        VERSION => Ok(bytes),
        version => Err(FormatError::Version { supported: VERSION, got: version }),
    }
}

fn encode_section(section: &Section, out: &mut Vec<u8>) {
    out.extend(section.tag.0);
    out.extend(section.offset.to_le_bytes());
    out.extend(section.size.to_le_bytes());
    out.extend(section.crc.to_le_bytes());
    out.extend([0; 4]);
}

fn decode_section(entry: &[u8]) -> Section {
    let tag = Tag(read_u64(entry, 0).to_le_bytes());
    Section { tag, offset: read_u64(entry, 8), size: read_u64(entry, 16), crc: read_u32(entry, 24) }
}

fn check_padding(file: &[u8], start: u64, end: u64) -> Result<(), FormatError> {
    let padding = &file[start as usize..end as usize];
    match padding.iter().position(|&byte| byte != 0) {
        Some(index) => Err(FormatError::Padding { offset: start + index as u64, got: padding[index] }),
        None => Ok(()),
    }
}

/// Check one chunk of a section, if the section has checksums of its chunks.
fn check_chunk(section: &Section, index: usize, chunk: &[u8], crcs: &[u8]) -> Result<(), FormatError> {
    let Some(stored) = crcs.chunks_exact(CRC_BYTES).nth(index) else { return Ok(()) };
    let (expected, got) = (read_u32(stored, 0), crc32c::crc32c(chunk));
    if expected != got {
        let (tag, offset) = (section.tag.to_string(), (index * CHUNK_BYTES) as u64);
        return Err(FormatError::ChunkChecksum { tag, offset, expected, got });
    }
    Ok(())
}

/// Check one section against the checksum in the section table.
pub(crate) fn check_section(section: &Section, bytes: &[u8]) -> Result<(), FormatError> {
    check_crc(section, crc32c::crc32c(bytes))
}

fn check_crc(section: &Section, got: u32) -> Result<(), FormatError> {
    let (tag, expected) = (section.tag.to_string(), section.crc);
    if expected == got { Ok(()) } else { Err(FormatError::SectionChecksum { tag, expected, got }) }
}

fn read_u32(bytes: &[u8], offset: usize) -> u32 {
    bytemuck::pod_read_unaligned(&bytes[offset..offset + 4])
}

fn read_u64(bytes: &[u8], offset: usize) -> u64 {
    bytemuck::pod_read_unaligned(&bytes[offset..offset + 8])
}

#[cfg(test)]
mod tests;
