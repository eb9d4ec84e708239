//! The Python face, `snapseek._core`: convert, release the GIL, call, map the error. It has no ideas of its own;
//! `python/snapseek/_core.pyi` is its contract.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{
    Element, PyArray1, PyArray2, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::error::{Error, ErrorKind};
use crate::shard;
use crate::vectors::Vectors;
use crate::writer;

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
    use super::{Shard, ShardWriter};

    #[allow(non_upper_case_globals)]
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// Writes one shard: append rows, then finish.
#[pyclass(frozen, module = "snapseek._core")]
struct ShardWriter {
    // Locked with the GIL released only, so that two threads cannot wait for each other.
    writer: Mutex<writer::ShardWriter>,
}

impl ShardWriter {
    fn lock(&self) -> MutexGuard<'_, writer::ShardWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl ShardWriter {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, dim: &Bound<'_, PyAny>) -> PyResult<Self> {
        let dim = whole_number("dim", dim)?;
        let writer = py.detach(|| writer::ShardWriter::create(&path, dim))?;
        Ok(Self { writer: Mutex::new(writer) })
    }

    /// Add rows, shape (n, dim) float32.
    fn append(&self, py: Python<'_>, vectors: &Bound<'_, PyAny>) -> PyResult<()> {
        let array = readable::<f32>("vectors", vectors)?;
        let vectors = rows_of("vectors", &array, &[2])?;
        Ok(py.detach(|| self.lock().append(vectors))?)
    }

    /// Make the file appear; return its number of rows.
    fn finish(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(py.detach(|| self.lock().finish())?)
    }

    /// Remove the temporary file.
    fn abort(&self, py: Python<'_>) {
        py.detach(|| self.lock().abort());
    }
}

/// An immutable shard, mapped into memory.
#[pyclass(frozen, module = "snapseek._core")]
struct Shard {
    shard: shard::Shard,
}

#[pymethods]
impl Shard {
    /// Map the shard at path and check its structure.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(Self { shard: py.detach(|| shard::Shard::open(&path))? })
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.shard.rows()
    }

    /// Dimension of a vector.
    #[getter]
    fn dim(&self) -> usize {
        self.shard.dim()
    }

    /// Name of the kernel that searches.
    #[getter]
    fn kernel(&self) -> &'static str {
        self.shard.kernel()
    }

    /// The best k allowed rows for each query, best first.
    #[pyo3(signature = (queries, k, *, allow=None))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        allow: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Found<'py>> {
        let queries = readable::<f32>("queries", queries)?;
        let queries = rows_of("queries", &queries, &[1, 2])?;
        let allow = allow.map(flags_of).transpose()?;
        let mut answers = self.shard.answers(queries, whole_number("k", k)?, allow.as_deref())?;
        let (mut rows, mut scores) = (Vec::new(), Vec::new());
        while let Some(group) = py.detach(|| answers.next()) {
            rows.extend(group.iter().flatten().map(|hit| i64::from(hit.row)));
            scores.extend(group.iter().flatten().map(|hit| hit.score));
            py.check_signals()?;
        }
        let shape = [queries.len(), answers.width()];
        let rows = PyArray1::from_vec(py, rows).reshape(shape)?;
        Ok((rows, PyArray1::from_vec(py, scores).reshape(shape)?))
    }

    /// The stored vector of a row, shape (dim,) float32.
    fn vector<'py>(&self, py: Python<'py>, row: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        Ok(PyArray1::from_vec(py, self.shard.vector(whole_number("row", row)?)?))
    }

    /// Check every byte against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.shard.verify())?)
    }
}

type Found<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

fn whole_number(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    value.extract().map_err(|_| refused(name, "a whole number, 0 or more", &value.to_string()))
}

/// The array in C order, aligned and borrowed; copied only if it is not so already.
fn readable<'py, T: Element>(name: &str, array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let mut array = array.cast::<PyArrayDyn<T>>().map_err(|_| wrong_type::<T>(name, array))?.clone();
    if !(array.is_c_contiguous() && array.is_aligned()) {
        array = array.call_method0("copy")?.cast_into()?;
    }
    array.try_readonly().map_err(|_| refused(name, "an array that nobody is writing", "one in use"))
}

fn rows_of<'a>(name: &str, array: &'a PyReadonlyArrayDyn<'_, f32>, ndims: &[usize]) -> PyResult<Vectors<'a>> {
    let shape = array.shape();
    let dim = shape.last().filter(|_| ndims.contains(&shape.len()));
    let dim = dim.ok_or_else(|| refused(name, "shape (n, dim)", &format!("shape {shape:?}")))?;
    Ok(Vectors::new(array.as_slice()?, *dim)?)
}

/// The flags, shape (rows,). Read as bytes: NumPy lets a bool hold any byte, and Rust does not.
fn flags_of(array: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    let flags = array.cast::<PyArrayDyn<bool>>().map_err(|_| wrong_type::<bool>("allow", array))?;
    if flags.ndim() != 1 {
        return Err(refused("allow", "shape (rows,)", &format!("shape {:?}", flags.shape())));
    }
    let bytes = readable::<u8>("allow", &flags.call_method1("view", ("uint8",))?)?;
    Ok(bytes.as_slice()?.iter().map(|&byte| byte != 0).collect())
}

fn wrong_type<T: Element>(name: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let wanted = numpy::dtype::<T>(found.py()).typeobj();
    let wanted = wanted.name().map_or_else(|_| "other".to_owned(), |kind| kind.to_string());
    let found = match found.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of {}", array.dtype()),
        Err(_) => found.get_type().to_string(),
    };
    let mend = format!("a NumPy array of {wanted} (numpy.asarray(x, dtype=numpy.{wanted}) makes one)");
    refused(name, &mend, &found)
}

fn refused(name: &str, expected: &str, got: &str) -> PyErr {
    classes::InputError::new_err(format!("{name} must be {expected}, got {got}"))
}
