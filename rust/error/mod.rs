//! What can go wrong, one variant per broken invariant: what was expected, what was found, how to mend it.

mod fault;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

pub use fault::Fault;

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
