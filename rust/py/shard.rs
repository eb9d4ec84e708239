//! Flat shards: the writer and the open file.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;

use super::arguments::{Found, flags_of, readable, rows_of, whole_number};
use super::interrupt::interruptible;
use crate::flat::{shard, writer};

/// Writes one shard: append rows, then finish.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct ShardWriter {
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
pub(super) struct Shard {
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
    #[pyo3(signature = (queries, k, *, allow=None, threads=1))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        allow: Option<&Bound<'py, PyAny>>,
        threads: usize,
    ) -> PyResult<Found<'py>> {
        let queries = readable::<f32>("queries", queries)?;
        let queries = rows_of("queries", &queries, &[1, 2])?;
        let allow = allow.map(flags_of).transpose()?;
        let k = whole_number("k", k)?;
        let hits = interruptible(py, |interrupt| {
            self.shard.search_with(queries, k, allow.as_deref(), threads, interrupt)
        })?;
        let rows: Vec<i64> = hits.iter().flatten().map(|hit| i64::from(hit.row)).collect();
        let scores: Vec<f32> = hits.iter().flatten().map(|hit| hit.score).collect();
        let shape = [queries.len(), self.shard.k_effective(k, allow.as_deref())];
        let rows = PyArray1::from_vec(py, rows).reshape(shape)?;
        Ok((rows, PyArray1::from_vec(py, scores).reshape(shape)?))
    }

    /// The stored vector of a row, shape (dim,) float32.
    fn vector<'py>(&self, py: Python<'py>, row: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        Ok(PyArray1::from_vec(py, self.shard.vector(whole_number("row", row)?)?))
    }

    /// The ids of the rows, shape (rows,) int64, if the file has any.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<i64>>> {
        self.shard.ids().map(|ids| PyArray1::from_slice(py, ids))
    }

    /// Bring the whole file into memory.
    fn warm(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, |interrupt| self.shard.warm(interrupt))
    }

    /// Check every byte against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, |interrupt| self.shard.verify_with(interrupt))
    }
}
