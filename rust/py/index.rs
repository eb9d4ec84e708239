//! An open index of inverted lists, and the filters made for it.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;

use super::arguments::{Found, flags_of, numbers_of, readable, rows_of, whole_number};
use super::interrupt::interruptible;
use crate::build::settings::named;
use crate::file::load::LOADS;
use crate::hits::filter;
use crate::index::ivf::Plan;
use crate::index::{self, Allow};

/// An index of inverted lists, mapped or loaded into memory.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct Index {
    index: index::Index,
}

#[pymethods]
impl Index {
    /// Open the index at path and check its structure.
    #[staticmethod]
    #[pyo3(signature = (path, *, load="map"))]
    fn open(py: Python<'_>, path: PathBuf, load: &str) -> PyResult<Self> {
        let load = named("load", &LOADS, load)?;
        Ok(Self { index: py.detach(|| index::Index::open(&path, load))? })
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.index.shape().rows
    }

    /// Dimension of a vector.
    #[getter]
    fn dim(&self) -> usize {
        self.index.shape().dim
    }

    /// Bytes of a code: two subquantizers each.
    #[getter]
    fn m(&self) -> usize {
        self.index.shape().m
    }

    /// Number of inverted lists.
    #[getter]
    fn nlist(&self) -> usize {
        self.index.shape().nlist
    }

    /// Name of the tier.
    #[getter]
    fn tier(&self) -> &'static str {
        self.index.shape().tier.name()
    }

    /// Number of the transform.
    #[getter]
    fn transform(&self) -> u32 {
        self.index.shape().transform
    }

    /// Name of the kernel that scans.
    #[getter]
    fn kernel(&self) -> &'static str {
        self.index.kernel()
    }

    /// Length of the file.
    #[getter]
    fn size_bytes(&self) -> u64 {
        self.index.size_bytes()
    }

    /// Calibrated points: (recall, nprobe, shortlist).
    #[getter]
    fn efforts(&self) -> Vec<(f32, u32, u32)> {
        self.index.efforts().iter().map(|point| (point.recall, point.nprobe, point.shortlist)).collect()
    }

    /// Ids in row order, shape (rows,) int64.
    fn ids<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_slice(py, self.index.ids())
    }

    /// The stored vectors of rows, shape (n, dim) float32.
    fn vectors<'py>(&self, py: Python<'py>, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows = numbers_of("rows", rows)?;
        let rows: Vec<usize> =
            rows.as_slice()?.iter().map(|&row| usize::try_from(row).unwrap_or(usize::MAX)).collect();
        let values = interruptible(py, |interrupt| self.index.vectors_with(&rows, interrupt))?;
        PyArray1::from_vec(py, values).reshape([rows.len(), self.index.shape().dim])
    }

    /// Recall of each transform that was tried, in the order of their numbers.
    #[getter]
    fn gains(&self) -> Vec<f32> {
        self.index.gains().to_vec()
    }

    /// The rows that allow names: flags by id, ids, or flags by row.
    #[pyo3(signature = (allow, *, by_row=false))]
    fn filter(&self, py: Python<'_>, allow: &Bound<'_, PyAny>, by_row: bool) -> PyResult<Filter> {
        if allow.cast::<PyArrayDyn<i64>>().is_ok() {
            let ids = numbers_of("allow", allow)?;
            let ids = ids.as_slice()?;
            return Ok(Filter { filter: py.detach(|| self.index.filter(Allow::Ids(ids)))? });
        }
        let flags = flags_of(allow)?;
        let allow = if by_row { Allow::Rows(&flags) } else { Allow::Flags(&flags) };
        Ok(Filter { filter: py.detach(|| self.index.filter(allow))? })
    }

    /// The best k allowed rows for each query, best first.
    #[pyo3(signature = (queries, k, *, nprobe, shortlist, exact=false, allow=None, threads=1))]
    #[allow(clippy::too_many_arguments)]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        nprobe: usize,
        shortlist: usize,
        exact: bool,
        allow: Option<&Bound<'py, PyAny>>,
        threads: usize,
    ) -> PyResult<Found<'py>> {
        let queries = readable::<f32>("queries", queries)?;
        let queries = rows_of("queries", &queries, &[1, 2])?;
        let plan = Plan { k: whole_number("k", k)?, nprobe, shortlist, exact };
        let allow = allow.map(|allow| self.allowed(py, allow)).transpose()?;
        let filter = allow.as_ref().map(|allow| &allow.get().filter);
        let answers =
            interruptible(py, |interrupt| self.index.search_with(queries, plan, filter, threads, interrupt))?;
        let shape = [queries.len(), answers.width];
        let ids = PyArray1::from_vec(py, answers.ids).reshape(shape)?;
        Ok((ids, PyArray1::from_vec(py, answers.scores).reshape(shape)?))
    }

    /// Bring the whole file into memory.
    fn warm(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, |interrupt| self.index.warm(interrupt))
    }

    /// Check every byte against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, |interrupt| self.index.verify_with(interrupt))
    }
}

impl Index {
    /// A filter as it is, or one made of flags by id or of ids.
    fn allowed<'py>(&self, py: Python<'py>, allow: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Filter>> {
        match allow.cast::<Filter>() {
            Ok(filter) => Ok(filter.clone()),
            Err(_) => Bound::new(py, self.filter(py, allow, false)?),
        }
    }
}

/// The rows of an index that may be found.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct Filter {
    filter: filter::Filter,
}

#[pymethods]
impl Filter {
    /// Number of allowed rows.
    #[getter]
    fn allowed(&self) -> usize {
        self.filter.allowed()
    }
}
