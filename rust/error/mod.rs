//! Errors: one variant per broken invariant, with what was expected, what was got, and how to fix it.

mod format_error;

use std::path::{Path, PathBuf};
use std::{fmt, io};

use thiserror::Error as ThisError;

pub use format_error::FormatError;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who must act on an [`Error`]: the binding raises one Python class for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller passed something that cannot be used.
    Input,
    /// A file is damaged, is not a `.snap` file, or is newer than this version reads.
    Format,
    /// The operating system refused: disk full, no permission, no such file.
    Storage,
}

/// What the flags of a filter count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterUnit {
    /// One flag for each row, in row order.
    Rows,
    /// One flag for each id from 0 to the largest.
    Ids,
    /// One bit for each id from 0 to the largest, in whole bytes.
    Bytes,
}

impl fmt::Display for FilterUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FilterUnit::Rows => "rows",
            FilterUnit::Ids => "ids from 0 to the largest",
            FilterUnit::Bytes => "groups of eight ids from 0 to the largest",
        })
    }
}

/// Every error of this crate.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A dimension out of range.
    #[error("vectors must have 1 to {max} dimensions, these have {got}: use a model with fewer dimensions")]
    DimRange {
        /// Largest dimension supported.
        max: usize,
        /// Dimension given.
        got: usize,
    },
    /// Vectors of another dimension than the index's.
    #[error(
        "expected vectors of {expected} dimensions, got {got}: embed with the model that made this index"
    )]
    Dim {
        /// Dimension of the index.
        expected: usize,
        /// Dimension of the vectors passed.
        got: usize,
    },
    /// A buffer that does not contain complete rows only.
    #[error("expected complete rows of {dim} values, got {got} values: pass a row-major (n, {dim}) array")]
    PartialRow {
        /// Dimension of one row.
        dim: usize,
        /// Number of values passed.
        got: usize,
    },
    /// A NaN or an infinity.
    #[error(
        "expected finite values, found {value} at row {row}, column {column}: remove or repair that vector"
    )]
    NotFinite {
        /// Row of the value.
        row: usize,
        /// Column of the value.
        column: usize,
        /// The value.
        value: f32,
    },
    /// Vectors whose values are too large or too small for the arithmetic of an index.
    #[error(
        "the largest absolute value of the vectors must be 0, or {min:e} to {max:e}, it is {got:e}: multiply all \
         vectors by the same constant"
    )]
    MagnitudeRange {
        /// The smallest magnitude accepted.
        min: f32,
        /// The largest magnitude accepted.
        max: f32,
        /// The magnitude given.
        got: f32,
    },
    /// A filter that does not have one flag for each row, or for each id.
    #[error("allow must hold one flag for each of the {expected} {by}, it holds {got}")]
    FilterLength {
        /// What the flags count.
        by: FilterUnit,
        /// Flags needed.
        expected: usize,
        /// Flags passed.
        got: usize,
    },
    /// A filter that was prepared for another index.
    #[error("allow was prepared for another index: make it with the filter method of this one")]
    OtherFilter,
    /// Flags by id for an index with negative ids.
    #[error("flags by id need ids from 0 up, this index has id {id}: pass the allowed ids instead")]
    NegativeIds {
        /// The smallest id of the index.
        id: i64,
    },
    /// A row number past the end.
    #[error("the index has {rows} rows, so there is no row {got}: rows count from 0")]
    RowRange {
        /// Rows of the index.
        rows: usize,
        /// Row given.
        got: usize,
    },
    /// More rows than a row number can count.
    #[error("an index holds at most {max} rows, got {got}: split the rows over several indexes")]
    TooManyRows {
        /// Largest number of rows.
        max: usize,
        /// Rows given.
        got: usize,
    },
    /// Not one id for each row.
    #[error("ids must hold one id for each of the {expected} rows, it holds {got}")]
    IdsLength {
        /// Rows.
        expected: usize,
        /// Ids passed.
        got: usize,
    },
    /// An id of two rows.
    #[error("ids must differ, {id} is the id of more than one row: renumber the rows or omit ids")]
    IdsRepeated {
        /// The id.
        id: i64,
    },
    /// A build option out of range.
    #[error("{name} must be {expected}, got {got}")]
    OptionOutOfRange {
        /// Name of the option.
        name: &'static str,
        /// The accepted values.
        expected: String,
        /// The value given.
        got: u64,
    },
    /// An unknown name for an option with named choices.
    #[error("{name} must be one of {expected}, got {got:?}")]
    UnknownChoice {
        /// Name of the option.
        name: &'static str,
        /// The accepted values.
        expected: String,
        /// The value given.
        got: String,
    },
    /// A calibration without queries.
    #[error("a calibration needs sample queries, got none: pass a thousand, (n, dim)")]
    NoQueries,
    /// The caller stopped a long job.
    #[error("stopped before the end: what was written is removed")]
    Stopped,
    /// A path without a file name.
    #[error("expected the path of a file, got {path:?}: add a file name")]
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// A file that is not a valid index.
    #[error("{path} cannot be read as an index: {violation}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The violated invariant of the format.
        violation: FormatError,
    },
    /// The operating system refused.
    #[error("could not {action} {path}: {source}", path = path.display())]
    Storage {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl Error {
    /// Who must act on this error.
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

    /// Attach the path that a [`FormatError`] lacks.
    pub(crate) fn format(path: &Path) -> impl FnOnce(FormatError) -> Error {
        move |violation| Error::Format { path: path.to_path_buf(), violation }
    }
}
