//! The Python binding, `snapseek._core`: it converts arguments, releases the GIL, calls, and maps errors.
//! `python/snapseek/_core.pyi` is its contract.

mod arrays;
mod build;
mod flat;
mod interrupt;
mod ivf;
mod words;

use pyo3::prelude::*;

use crate::error::{Error, ErrorKind};

mod classes {
    pyo3::import_exception!(snapseek.errors, InputError);
    pyo3::import_exception!(snapseek.errors, FormatError);
    pyo3::import_exception!(snapseek.errors, StorageError);
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error.kind() {
            ErrorKind::Input => classes::InputError::new_err(message),
            ErrorKind::Format => classes::FormatError::new_err(message),
            ErrorKind::Storage => classes::StorageError::new_err(message),
        }
    }
}

/// Nearest-neighbour search in immutable, memory-mapped files.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::build::{build_flat, build_ivf};
    #[pymodule_export]
    use super::flat::{FlatIndex, RowBitmap};
    #[pymodule_export]
    use super::ivf::{IvfFilter, IvfIndex};
    #[pymodule_export]
    use super::words::{best_rows_by_words, unite_rows};

    #[allow(non_upper_case_globals)]
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
