//! The Python face, `snapseek._core`: convert, release the GIL, call, map the error. It has no ideas of its
//! own; `python/snapseek/_core.pyi` is its contract.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{
    Element, PyArray1, PyArray2, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::build;
use crate::build::settings::{Options, TIERS, TRANSFORMS, named};
use crate::error::{Error, ErrorKind};
use crate::file::load::LOADS;
use crate::flat::build as flat;
use crate::flat::shard;
use crate::flat::writer;
use crate::hits::filter;
use crate::index::ivf::Plan;
use crate::index::{self, Allow};
use crate::parallel::Progress;
use crate::vectors::Vectors;
use crate::vectors::rows::{Rows, Values};

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
    use super::{Filter, Index, Shard, ShardWriter, build_flat, build_index};

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

    /// The ids of the rows, shape (rows,) int64, if the file has any.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<i64>>> {
        self.shard.ids().map(|ids| PyArray1::from_slice(py, ids))
    }

    /// Bring the whole file into memory.
    fn warm(&self, py: Python<'_>) {
        py.detach(|| self.shard.warm());
    }

    /// Check every byte against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.shard.verify())?)
    }
}

/// An index of inverted lists, mapped or loaded into memory.
#[pyclass(frozen, module = "snapseek._core")]
struct Index {
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
        let values = py.detach(|| self.index.vectors(&rows))?;
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
        let mut groups =
            self.index.groups(queries, plan, allow.as_ref().map(|allow| &allow.get().filter), threads)?;
        let (shape, mut ids, mut scores) = ([queries.len(), groups.width()], Vec::new(), Vec::new());
        while let Some(answers) = py.detach(|| groups.next()) {
            ids.extend(answers.ids);
            scores.extend(answers.scores);
            py.check_signals()?;
        }
        let ids = PyArray1::from_vec(py, ids).reshape(shape)?;
        Ok((ids, PyArray1::from_vec(py, scores).reshape(shape)?))
    }

    /// Bring the whole file into memory.
    fn warm(&self, py: Python<'_>) {
        py.detach(|| self.index.warm());
    }

    /// Check every byte against its checksum.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.index.verify())?)
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
struct Filter {
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

/// Write vectors, shape (n, dim) float16 or float32, to a flat shard.
#[pyfunction]
#[pyo3(signature = (path, vectors, *, ids=None, progress=None))]
fn build_flat(
    py: Python<'_>,
    path: PathBuf,
    vectors: &Bound<'_, PyAny>,
    ids: Option<&Bound<'_, PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let vectors = Floats::new("vectors", vectors)?;
    let ids = ids.map(|ids| numbers_of("ids", ids)).transpose()?;
    let (rows, ids) = (vectors.rows()?, ids.as_ref().map(|ids| ids.as_slice()).transpose()?);
    let mut listener = Listener { progress, failure: None };
    let built = py.detach(|| flat::build(&rows, ids, &path, &mut |at| listener.hear(at)));
    listener.end(built)
}

/// Build an index of inverted lists of vectors, shape (n, dim) float16 or float32.
#[pyfunction]
#[pyo3(signature = (
    path, vectors, *, queries=None, ids=None, m=None, nlist=None, tier=None, transform=None, memory_bytes=None,
    threads=None, seed=0, progress=None
))]
#[allow(clippy::too_many_arguments)]
fn build_index(
    py: Python<'_>,
    path: PathBuf,
    vectors: &Bound<'_, PyAny>,
    queries: Option<&Bound<'_, PyAny>>,
    ids: Option<&Bound<'_, PyAny>>,
    m: Option<usize>,
    nlist: Option<usize>,
    tier: Option<&str>,
    transform: Option<&str>,
    memory_bytes: Option<u64>,
    threads: Option<usize>,
    seed: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let options = Options {
        m,
        nlist,
        tier: tier.map(|name| named("tier", &TIERS, name)).transpose()?,
        transform: transform.map(|name| named("transform", &TRANSFORMS, name)).transpose()?,
        memory_bytes,
        threads: threads.unwrap_or(Options::default().threads),
        seed,
    };
    let vectors = Floats::new("vectors", vectors)?;
    let queries = queries.map(|queries| Floats::new("queries", queries)).transpose()?;
    let ids = ids.map(|ids| numbers_of("ids", ids)).transpose()?;
    let (rows, ids) = (vectors.rows()?, ids.as_ref().map(|ids| ids.as_slice()).transpose()?);
    let queries = queries.as_ref().map(Floats::rows).transpose()?;
    let mut listener = Listener { progress, failure: None };
    let built = py.detach(|| {
        build::build(&rows, queries.as_ref(), ids, &path, &options, &mut |at| listener.hear(at)).map(drop)
    });
    listener.end(built)
}

/// An array of float16 or float32, borrowed as it lies in memory or in a mapped file.
enum Floats<'py> {
    Half(PyReadonlyArrayDyn<'py, u16>),
    Single(PyReadonlyArrayDyn<'py, f32>),
}

impl<'py> Floats<'py> {
    fn new(name: &str, array: &Bound<'py, PyAny>) -> PyResult<Self> {
        let Ok(untyped) = array.cast::<PyUntypedArray>() else { return Err(wrong_type::<f32>(name, array)) };
        if untyped.dtype().str()? != "float16" {
            return Ok(Self::Single(readable(name, array)?));
        }
        let array = if untyped.is_c_contiguous() { array.clone() } else { array.call_method0("copy")? };
        Ok(Self::Half(readable(name, &array.call_method1("view", ("uint16",))?)?))
    }

    /// Its rows, shape (n, dim).
    fn rows(&self) -> PyResult<Rows<'_>> {
        let (values, shape) = match self {
            Self::Half(array) => (Values::Half(array.as_slice()?), array.shape()),
            Self::Single(array) => (Values::Single(array.as_slice()?), array.shape()),
        };
        match *shape {
            [_, dim] => Ok(Rows::new(values, dim)?),
            _ => Err(refused("vectors", "shape (n, dim)", &format!("shape {shape:?}"))),
        }
    }
}

/// Tells Python how far a build is, lets it be interrupted, and keeps what it raises.
struct Listener {
    progress: Option<Py<PyAny>>,
    failure: Option<PyErr>,
}

impl Listener {
    fn hear(&mut self, at: Progress) -> Result<(), Error> {
        let told = Python::attach(|py| {
            py.check_signals()?;
            let told = self.progress.as_ref().map(|progress| progress.call1(py, (at.stage, at.share)));
            told.transpose().map(drop)
        });
        told.map_err(|failure| {
            self.failure = Some(failure);
            Error::Stopped
        })
    }

    fn end(self, built: Result<(), Error>) -> PyResult<()> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(built?),
        }
    }
}

type Found<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

fn whole_number(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let found = || value.repr().map_or_else(|_| value.get_type().to_string(), |text| text.to_string());
    value.extract().map_err(|_| refused(name, "a whole number, 0 or more", &found()))
}

/// The array in C order, aligned and borrowed; copied only if it is not so already.
fn readable<'py, T: Element>(name: &str, array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let mut array = array.cast::<PyArrayDyn<T>>().map_err(|_| wrong_type::<T>(name, array))?.clone();
    if !(array.is_c_contiguous() && array.is_aligned()) {
        array = array.call_method0("copy")?.cast_into()?;
    }
    array.try_readonly().map_err(|_| refused(name, "an array that nobody is writing", "one in use"))
}

/// Whole numbers, shape (n,) int64.
fn numbers_of<'py>(name: &str, array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArrayDyn<'py, i64>> {
    let array = readable::<i64>(name, array)?;
    if array.ndim() != 1 {
        return Err(refused(name, "shape (n,)", &format!("shape {:?}", array.shape())));
    }
    Ok(array)
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
