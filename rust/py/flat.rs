//! An open flat index.

use std::path::PathBuf;

use numpy::PyArray1;
use pyo3::prelude::*;

use super::arrays::{Found, count, flag_bytes, found, matrix, readonly};
use super::interrupt::interruptible;
use crate::flat::index;
use crate::ivf::build::options::parse_choice;
use crate::storage::mmap::LOAD_MODES;
use crate::topk::bitmap;

/// An immutable flat index, mapped or loaded into memory.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct FlatIndex {
    index: index::FlatIndex,
}

#[pymethods]
impl FlatIndex {
    /// Open the index at path and validate its structure.
    #[staticmethod]
    #[pyo3(signature = (path, *, load="map"))]
    fn open(py: Python<'_>, path: PathBuf, load: &str) -> PyResult<Self> {
        let load = parse_choice("load", &LOAD_MODES, load)?;
        Ok(Self { index: py.detach(|| index::FlatIndex::open(&path, load))? })
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.index.rows()
    }

    /// Dimension of a vector.
    #[getter]
    fn dim(&self) -> usize {
        self.index.dim()
    }

    /// Name of the kernel that scans.
    #[getter]
    fn kernel(&self) -> &'static str {
        self.index.kernel()
    }

    /// Make the bitmap of the rows whose flag is set, shape (rows,) bool.
    #[staticmethod]
    fn filter(flags: &Bound<'_, PyAny>) -> PyResult<RowBitmap> {
        Ok(RowBitmap { bitmap: bitmap::RowBitmap::of_flags(flag_bytes(flags)?.as_slice()?) })
    }

    /// Return rows and scores of the best k allowed rows for each query, best first.
    #[pyo3(signature = (queries, k, *, allow=None, threads=1))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        allow: Option<&Bound<'py, PyAny>>,
        threads: usize,
    ) -> PyResult<Found<'py>> {
        let queries = readonly::<f32>("queries", queries)?;
        let queries = matrix("queries", &queries, &[1, 2])?;
        let k = count("k", k)?;
        let allow = allow.map(|allow| row_bitmap(py, allow)).transpose()?;
        let allow = allow.as_ref().map(|allow| &allow.get().bitmap);
        let hits =
            interruptible(py, |interrupt| self.index.search_with(queries, k, allow, threads, interrupt))?;
        let rows: Vec<i64> = hits.iter().flatten().map(|hit| i64::from(hit.row)).collect();
        let scores: Vec<f32> = hits.iter().flatten().map(|hit| hit.score).collect();
        let shape = [queries.len(), self.index.k_effective(k, allow)];
        found(py, &rows, &scores, shape)
    }

    /// Return the stored vector of a row, shape (dim,) float32.
    fn vector<'py>(&self, py: Python<'py>, row: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        Ok(PyArray1::from_vec(py, self.index.vector(count("row", row)?)?))
    }

    /// Ids of the rows, shape (rows,) int64, if the file has any.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray1<i64>>>> {
        self.index.check_length()?;
        Ok(self.index.ids().map(|ids| PyArray1::from_slice(py, ids)))
    }

    /// Prefault the whole file.
    fn warm(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, |interrupt| self.index.warm_up(interrupt))
    }

    /// Check every byte against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, |interrupt| self.index.verify_with(interrupt))
    }
}

/// Take a bitmap as it is, or make one of flags by row.
fn row_bitmap<'py>(py: Python<'py>, allow: &Bound<'py, PyAny>) -> PyResult<Bound<'py, RowBitmap>> {
    match allow.cast::<RowBitmap>() {
        Ok(bitmap) => Ok(bitmap.clone()),
        Err(_) => Bound::new(py, FlatIndex::filter(allow)?),
    }
}

/// The rows of a flat index that may be found.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct RowBitmap {
    bitmap: bitmap::RowBitmap,
}

#[pymethods]
impl RowBitmap {
    /// Number of allowed rows.
    #[getter]
    fn allowed(&self) -> usize {
        self.bitmap.allowed()
    }
}
