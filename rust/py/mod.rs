//! The Python face, `snapseek._core`: convert, release the GIL, call, map the error. It has no ideas of its
//! own; `python/snapseek/_core.pyi` is its contract.
//!
//! May import every room; none imports it.

mod arguments;
mod build;
mod index;
mod interrupt;
mod shard;

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

/// Exact search over immutable files of int8 vectors.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::build::{build_flat, build_index};
    #[pymodule_export]
    use super::index::{Filter, Index};
    #[pymodule_export]
    use super::shard::{Shard, ShardWriter};

    #[allow(non_upper_case_globals)]
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
