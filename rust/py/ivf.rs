//! An open IVF index, and the row bitmaps made for it.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::arrays::{FloatArray, Found, bool_array, count, found, int64_array, matrix, readonly, refused};
use super::build::ProgressReporter;
use super::interrupt::interruptible;
use crate::ivf::build::calibrate::recalibrate;
use crate::ivf::build::options::parse_choice;
use crate::ivf::calibration::{CalibrationPoint, QUERY_KINDS, QueryKind, TABLES};
use crate::ivf::filter;
use crate::ivf::index::{self, Allow};
use crate::ivf::search::{SearchParams, SearchPlan};
use crate::storage::mmap::LOAD_MODES;

/// The kind of query, the number of hits, the source and its number of queries, and the points.
type CalibrationTable = (&'static str, usize, &'static str, u32, Vec<(f32, u32, u32)>);

/// Return the name of a kind of query.
fn name_of(kind: QueryKind) -> &'static str {
    QUERY_KINDS.iter().find(|&&(_, other)| other == kind).map_or("samples", |&(name, _)| name)
}

/// An immutable IVF index, mapped or loaded into memory.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct IvfIndex {
    index: index::IvfIndex,
}

#[pymethods]
impl IvfIndex {
    /// Open the index at path and validate its structure.
    #[staticmethod]
    #[pyo3(signature = (path, *, load="map"))]
    fn open(py: Python<'_>, path: PathBuf, load: &str) -> PyResult<Self> {
        let load = parse_choice("load", &LOAD_MODES, load)?;
        let index = py.detach(|| index::IvfIndex::open(&path, load))?;
        index.copy_to_huge_pages();
        Ok(Self { index })
    }

    /// Bytes that searches read from huge pages; 0 until they are copied.
    #[getter]
    fn huge_page_bytes(&self) -> usize {
        self.index.huge_page_bytes()
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.index.layout().rows
    }

    /// Dimension of a vector.
    #[getter]
    fn dim(&self) -> usize {
        self.index.layout().dim
    }

    /// Number of subquantizers of a code.
    #[getter]
    fn m(&self) -> usize {
        self.index.layout().m
    }

    /// Number of inverted lists.
    #[getter]
    fn nlist(&self) -> usize {
        self.index.layout().nlist
    }

    /// Name of the refine codec.
    #[getter]
    fn refine(&self) -> &'static str {
        self.index.layout().refine.name()
    }

    /// Number of the transform.
    #[getter]
    fn transform(&self) -> u32 {
        self.index.layout().transform
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

    /// Calibration tables: the kind of query, "samples" or "rows", the number of hits, what was measured with, "samples",
    /// "rows" or "unknown", how many queries, and (recall, nprobe, shortlist) for each point.
    #[getter]
    fn calibrations(&self) -> PyResult<Vec<CalibrationTable>> {
        self.index.check_length()?;
        let table = |((kind, k), points): ((QueryKind, usize), Vec<CalibrationPoint>)| {
            let (source, queries) = points.first().map_or(("unknown", 0), |point| point.source.name());
            let points = points.iter().map(|point| (point.recall, point.nprobe, point.shortlist));
            (name_of(kind), k, source, queries, points.collect())
        };
        Ok(TABLES.into_iter().zip(self.index.calibrations()).map(table).collect())
    }

    /// What a query, shape (dim,), is like: "samples" or "rows".
    fn query_kind(&self, query: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        let query = readonly::<f32>("query", query)?;
        Ok(name_of(self.index.query_kind(query.as_slice()?)?))
    }

    /// Calibrate with sample queries, shape (n, dim), and replace the file; this object keeps the old table.
    #[pyo3(signature = (queries, *, threads=1, progress=None))]
    fn calibrate(
        &self,
        py: Python<'_>,
        queries: &Bound<'_, PyAny>,
        threads: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let queries = FloatArray::new("queries", queries)?;
        let queries = queries.rows()?;
        let mut reporter = ProgressReporter::new(progress);
        let done = interruptible(py, |interrupt| {
            let mut on_progress = |progress| reporter.on_progress(progress);
            recalibrate(&self.index, &queries, threads, &mut on_progress, interrupt)
        });
        reporter.finish(done)
    }

    /// Recall of each transform that was tried, by number.
    #[getter]
    fn transform_recalls(&self) -> PyResult<Vec<f32>> {
        self.index.check_length()?;
        Ok(self.index.transform_recalls().to_vec())
    }

    /// Checksum of what the index was trained to.
    #[getter]
    fn training_checksum(&self) -> PyResult<u64> {
        self.index.check_length()?;
        Ok(self.index.training_checksum())
    }

    /// Ids in row order, shape (rows,) int64.
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        self.index.check_length()?;
        Ok(PyArray1::from_vec(py, self.index.ids()))
    }

    /// Reconstruct the stored vectors of rows, shape (n, dim) float32.
    fn reconstruct<'py>(
        &self,
        py: Python<'py>,
        rows: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows = int64_array("rows", rows)?;
        let rows: Vec<usize> =
            rows.as_slice()?.iter().map(|&row| usize::try_from(row).unwrap_or(usize::MAX)).collect();
        let values = interruptible(py, |interrupt| self.index.reconstruct_with(&rows, interrupt))?;
        PyArray1::from_vec(py, values).reshape([rows.len(), self.index.layout().dim])
    }

    /// Prepare the rows that allow specifies for searches: flags by id, bits by id, ids, or flags by row.
    #[pyo3(signature = (allow, *, by_row=false))]
    fn filter(&self, py: Python<'_>, allow: &Bound<'_, PyAny>, by_row: bool) -> PyResult<IvfFilter> {
        if allow.cast::<PyArrayDyn<i64>>().is_ok() {
            let ids = int64_array("allow", allow)?;
            let ids = ids.as_slice()?;
            return Ok(IvfFilter { filter: py.detach(|| self.index.filter(Allow::Ids(ids)))? });
        }
        if allow.cast::<PyArrayDyn<u8>>().is_ok() {
            let bytes = readonly::<u8>("allow", allow)?;
            if bytes.ndim() != 1 {
                return Err(refused("allow", "shape (n,)", &format!("shape {:?}", bytes.shape())));
            }
            let bytes = bytes.as_slice()?;
            return Ok(IvfFilter { filter: py.detach(|| self.index.filter(Allow::Bits(bytes)))? });
        }
        let flags = bool_array(allow)?;
        let allow = if by_row { Allow::Rows(&flags) } else { Allow::Flags(&flags) };
        Ok(IvfFilter { filter: py.detach(|| self.index.filter(allow))? })
    }

    /// Return ids and scores of the best k allowed rows for each query, best first.
    ///
    /// Queries like rows take nprobe and shortlist of `like_rows`, if it is passed.
    #[pyo3(signature = (queries, k, *, nprobe, shortlist, like_rows=None, exact=false, allow=None, threads=1))]
    #[allow(clippy::too_many_arguments)]
    fn search<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        k: &Bound<'py, PyAny>,
        nprobe: usize,
        shortlist: usize,
        like_rows: Option<(usize, usize)>,
        exact: bool,
        allow: Option<&Bound<'py, PyAny>>,
        threads: usize,
    ) -> PyResult<Found<'py>> {
        let queries = readonly::<f32>("queries", queries)?;
        let queries = matrix("queries", &queries, &[1, 2])?;
        let samples = SearchParams { k: count("k", k)?, nprobe, shortlist, exact };
        let (nprobe, shortlist) = like_rows.unwrap_or((nprobe, shortlist));
        let plan = SearchPlan { samples, rows: SearchParams { nprobe, shortlist, ..samples } };
        let allow = allow.map(|allow| self.prepared(py, allow)).transpose()?;
        let filter = allow.as_ref().map(|allow| &allow.get().filter);
        let results =
            interruptible(py, |interrupt| self.index.search_with(queries, plan, filter, threads, interrupt))?;
        found(py, &results.ids, &results.scores, [queries.len(), results.k_effective])
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

impl IvfIndex {
    /// Take a filter as it is, or make one of flags by id or of ids.
    fn prepared<'py>(&self, py: Python<'py>, allow: &Bound<'py, PyAny>) -> PyResult<Bound<'py, IvfFilter>> {
        match allow.cast::<IvfFilter>() {
            Ok(filter) => Ok(filter.clone()),
            Err(_) => Bound::new(py, self.filter(py, allow, false)?),
        }
    }
}

/// The rows of an IVF index that may be found.
#[pyclass(frozen, module = "snapseek._core")]
pub(super) struct IvfFilter {
    filter: filter::IvfFilter,
}

#[pymethods]
impl IvfFilter {
    /// Number of allowed rows.
    #[getter]
    fn allowed(&self) -> usize {
        self.filter.allowed()
    }
}
