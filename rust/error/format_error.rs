//! Violated invariants of the `.snap` format.

use thiserror::Error as ThisError;

/// The invariant of the `.snap` format that a file violates. `docs/FORMAT.md` describes each field.
#[derive(Clone, Debug, PartialEq, ThisError)]
#[non_exhaustive]
pub enum FormatError {
    /// The first eight bytes are not the magic number.
    #[error("it does not begin with the magic bytes of a .snap file; check the path")]
    Magic,
    /// The file is shorter than its contents.
    #[error("it needs at least {expected} bytes and has {got}; it was truncated, copy or build it again")]
    Truncated {
        /// Bytes needed.
        expected: u64,
        /// Bytes present.
        got: u64,
    },
    /// A header length out of range.
    #[error("its header must be {min} to {max} bytes long and claims {got}; copy or build it again")]
    HeaderSize {
        /// Shortest header.
        min: u64,
        /// Longest header.
        max: u64,
        /// Length claimed.
        got: u64,
    },
    /// The header is damaged.
    #[error("its header has checksum {got:08x} instead of {expected:08x}; copy or build it again")]
    HeaderChecksum {
        /// Checksum stored.
        expected: u32,
        /// Checksum of the bytes found.
        got: u32,
    },
    /// Written by a later version.
    #[error(
        "it has format version {got} and this snapseek reads up to {supported}; install a newer snapseek"
    )]
    Version {
        /// Newest version this crate reads.
        supported: u32,
        /// Version found.
        got: u32,
    },
    /// A `.snap` file of another kind.
    #[error(
        "it is of kind {got} and kind {expected} was expected (1 is a flat index, 2 an IVF index); check the path"
    )]
    Kind {
        /// Kind number expected.
        expected: u32,
        /// Kind number found.
        got: u32,
    },
    /// The header's length and its section count disagree.
    #[error(
        "with {sections} sections its header must be {expected} bytes long and claims {got}; build it again"
    )]
    TableSize {
        /// Sections claimed.
        sections: u32,
        /// Length of a header with that many sections.
        expected: u64,
        /// Length claimed.
        got: u64,
    },
    /// Too few or too many sections for the kind of file.
    #[error("it must have {expected} sections and has {got}; build it again")]
    SectionCount {
        /// Sections expected.
        expected: u64,
        /// Sections found.
        got: u64,
    },
    /// A section in the place of another.
    #[error("section {expected} was expected and {got} was found; build it again")]
    SectionTag {
        /// Tag expected.
        expected: String,
        /// Tag found.
        got: String,
    },
    /// A section that does not begin at the end of the previous one.
    #[error("section {tag} must start at byte {expected} and claims {got}; build it again")]
    SectionOffset {
        /// Tag of the section.
        tag: String,
        /// Offset expected.
        expected: u64,
        /// Offset claimed.
        got: u64,
    },
    /// A section's size does not follow from rows and dim.
    #[error("section {tag} must be {expected} bytes long and claims {got}; build it again")]
    SectionSize {
        /// Tag of the section.
        tag: String,
        /// Size expected.
        expected: u64,
        /// Size claimed.
        got: u64,
    },
    /// The file's length is not what the header says.
    #[error("it must be {expected} bytes long and has {got}; copy or build it again")]
    FileSize {
        /// Length by the header.
        expected: u64,
        /// Length found.
        got: u64,
    },
    /// A dimension out of range.
    #[error("its dimension must be 1 to {max} and is {got}; build it again")]
    Dim {
        /// Largest dimension.
        max: u64,
        /// Dimension found.
        got: u64,
    },
    /// Too many rows.
    #[error("it may have at most {max} rows and claims {got}; build it again")]
    Rows {
        /// Largest number of rows.
        max: u64,
        /// Rows claimed.
        got: u64,
    },
    /// A section is damaged.
    #[error("section {tag} has checksum {got:08x} instead of {expected:08x}; copy or build it again")]
    SectionChecksum {
        /// Tag of the section.
        tag: String,
        /// Checksum stored.
        expected: u32,
        /// Checksum of the bytes found.
        got: u32,
    },
    /// A chunk of a section is damaged.
    #[error(
        "the chunk at byte {offset} of section {tag} has checksum {got:08x} instead of {expected:08x}; \
         copy or build it again"
    )]
    ChunkChecksum {
        /// Tag of the section.
        tag: String,
        /// Offset of the chunk within the section.
        offset: u64,
        /// Checksum stored.
        expected: u32,
        /// Checksum of the bytes found.
        got: u32,
    },
    /// A value of section `shape` that is out of range.
    #[error(
        "{name} in section shape must be at most {max} (and a valid multiple) and is {got}; build it again"
    )]
    Shape {
        /// Name of the value.
        name: &'static str,
        /// Largest value.
        max: u64,
        /// Value found.
        got: u64,
    },
    /// Lists that do not partition the rows.
    #[error("list {list} must start at row {min} to {max} and claims {got}; build it again")]
    ListOffset {
        /// Number of the list, or of lists for the end of the last.
        list: usize,
        /// Start of the previous list.
        min: u64,
        /// Number of rows.
        max: u64,
        /// Start found.
        got: u64,
    },
    /// A float that is not finite.
    #[error("value {index} of section {tag} must be finite and is {got}; build it again")]
    NotFinite {
        /// Tag of the section.
        tag: String,
        /// Position of the value.
        index: usize,
        /// Value found.
        got: f32,
    },
    /// A scale that is negative or not finite.
    #[error("the scale of row {row} must be finite and not negative and is {got}; build it again")]
    Scale {
        /// The row.
        row: usize,
        /// Scale found.
        got: f32,
    },
    /// Ids of a flat index that do not rise.
    #[error("the ids of its rows must rise and row {row} has {got} after {before}; build it again")]
    IdOrder {
        /// The row.
        row: usize,
        /// Id of the previous row.
        before: i64,
        /// Id found.
        got: i64,
    },
    /// Bytes between sections that are not zero.
    #[error("byte {offset} is padding and must be 0, not {got}; copy or build it again")]
    Padding {
        /// Offset in the file.
        offset: u64,
        /// Value found.
        got: u8,
    },
}
