//! What can go wrong, one variant per broken invariant: what was expected, what was found, how to mend it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who has to act on an [`Error`]: the binding raises one Python class for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller passed something that cannot be used.
    Input,
    /// A file is damaged, is no `.snap` file, or is newer than this version reads.
    Format,
    /// The operating system refused: disk full, no permission, no such file.
    Storage,
}

/// Everything this crate refuses.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The dimension itself is impossible.
    #[error("vectors must have 1 to {max} dimensions, these have {got}: use a model with fewer dimensions")]
    DimRange {
        /// Largest dimension supported.
        max: usize,
        /// Dimension asked for.
        got: usize,
    },
    /// Vectors of another dimension than the shard's.
    #[error(
        "expected vectors of {expected} dimensions, got {got}: embed with the model that made this shard"
    )]
    Dim {
        /// Dimension of the shard.
        expected: usize,
        /// Dimension of the vectors passed.
        got: usize,
    },
    /// A flat buffer that is not a whole number of rows.
    #[error(
        "expected whole rows of {dim} values, got {got} values in all: pass a row-major (n, {dim}) array"
    )]
    Ragged {
        /// Dimension of one row.
        dim: usize,
        /// Number of values passed.
        got: usize,
    },
    /// A NaN or an infinity.
    #[error(
        "expected finite values, found {value} at row {row}, column {column}: leave out or repair that vector"
    )]
    NotFinite {
        /// Row of the value.
        row: usize,
        /// Column of the value.
        column: usize,
        /// The value.
        value: f32,
    },
    /// A filter that is not one flag per row.
    #[error("allow must hold one flag for each of the {expected} rows of the shard, it holds {got}")]
    AllowLength {
        /// Rows of the shard.
        expected: usize,
        /// Flags passed.
        got: usize,
    },
    /// Flags by id for an index whose ids are no positions.
    #[error("flags by id need ids from 0 up, this index has id {id}: pass the allowed ids instead")]
    NegativeIds {
        /// The least id of the index.
        id: i64,
    },
    /// A row number past the end.
    #[error("the shard has {rows} rows, so there is no row {got}: rows count from 0")]
    RowRange {
        /// Rows of the shard.
        rows: usize,
        /// Row asked for.
        got: usize,
    },
    /// More rows than a row number can count.
    #[error("a shard holds at most {max} rows, this would make {got}: begin another shard")]
    TooManyRows {
        /// Most rows in a shard.
        max: usize,
        /// Rows there would be.
        got: usize,
    },
    /// A writer used after its end.
    #[error("this writer has finished, was aborted or has failed: make a new ShardWriter")]
    WriterClosed,
    /// Ids that are not one for each row.
    #[error("ids must hold one id for each of the {expected} rows, it holds {got}")]
    IdsLength {
        /// Rows.
        expected: usize,
        /// Ids passed.
        got: usize,
    },
    /// An id given to two rows.
    #[error("ids must differ, {id} is given to more than one row: number the rows anew or leave ids out")]
    IdsRepeated {
        /// The id.
        id: i64,
    },
    /// A setting of a build that is out of range.
    #[error("{name} must be {expected}, got {got}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it was.
        got: u64,
    },
    /// A setting of a build that is none of its names.
    #[error("{name} must be one of {expected}, got {got:?}")]
    Choice {
        /// Name of the setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it was.
        got: String,
    },
    /// The listener of a long job asked it to stop.
    #[error("stopped before the end: what was written is removed")]
    Stopped,
    /// A path that names no file.
    #[error("expected the path of a file, got {path:?}: add a file name")]
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// A file that cannot be read as a shard.
    #[error("{path} cannot be read as a shard: {fault}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The operating system refused.
    #[error("could not {action} {path}: {source}", path = path.display())]
    Storage {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl Error {
    /// Who has to act on this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Format { .. } => ErrorKind::Format,
            Error::Storage { .. } => ErrorKind::Storage,
            _ => ErrorKind::Input,
        }
    }

    /// Attach the verb and the path that an operating system error lacks.
    pub(crate) fn storage(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Storage { action, path: path.to_path_buf(), source }
    }

    /// Attach the path that a [`Fault`] lacks.
    pub(crate) fn format(path: &Path) -> impl FnOnce(Fault) -> Error {
        move |fault| Error::Format { path: path.to_path_buf(), fault }
    }
}

/// The invariant of the `.snap` format that a file breaks. `docs/FORMAT.md` describes each field.
#[derive(Clone, Debug, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Fault {
    /// The first eight bytes are not the magic number.
    #[error("it does not begin as a .snap file does; check the path")]
    Magic,
    /// The file is shorter than what it must hold.
    #[error("it needs at least {expected} bytes and has {got}; it was cut off, copy or build it again")]
    Truncated {
        /// Bytes needed.
        expected: u64,
        /// Bytes present.
        got: u64,
    },
    /// The header claims an impossible length.
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
        "it is of kind {got} and kind {expected} was expected (1 is a flat shard, 2 an index of lists); check the path"
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
        /// Length of a header with so many.
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
    /// A section stands where another belongs.
    #[error("section {expected} was expected and {got} was found; build it again")]
    SectionTag {
        /// Tag expected.
        expected: String,
        /// Tag found.
        got: String,
    },
    /// A section does not start where the one before it ends.
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
    /// An impossible dimension.
    #[error("its dimension must be 1 to {max} and is {got}; build it again")]
    Dim {
        /// Largest dimension.
        max: u64,
        /// Dimension found.
        got: u64,
    },
    /// An impossible number of rows.
    #[error("it may have at most {max} rows and claims {got}; build it again")]
    Rows {
        /// Most rows.
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
    /// A number of section `shape` that no index has.
    #[error("{name} in section shape may be at most {max}, in its steps, and is {got}; build it again")]
    Shape {
        /// Name of the number.
        name: &'static str,
        /// Largest value.
        max: u64,
        /// Value found.
        got: u64,
    },
    /// Lists that do not divide the rows among them.
    #[error("list {list} must start at row {least} to {most} and claims {got}; build it again")]
    Start {
        /// Number of the list, or of lists for the end of the last.
        list: usize,
        /// Where the list before starts.
        least: u64,
        /// Number of rows.
        most: u64,
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
    /// A row's scale is no scale.
    #[error("the scale of row {row} must be finite and not negative and is {got}; build it again")]
    Scale {
        /// The row.
        row: usize,
        /// Scale found.
        got: f32,
    },
    /// Ids of a flat shard that do not rise.
    #[error("the ids of its rows must rise and row {row} has {got} after {before}; build it again")]
    IdOrder {
        /// The row.
        row: usize,
        /// Id of the row before.
        before: i64,
        /// Id found.
        got: i64,
    },
    /// Bytes between sections that are not zero.
    #[error("byte {offset} lies between sections and must be 0, not {got}; copy or build it again")]
    Padding {
        /// Offset in the file.
        offset: u64,
        /// Value found.
        got: u8,
    },
}
