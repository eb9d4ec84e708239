//! Builds of both kinds of index, with progress reported to Python.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::arrays::{FloatArray, int64_array};
use super::interrupt::interruptible;
use crate::error::Error;
use crate::flat::build as flat;
use crate::ivf::build;
use crate::ivf::build::options::{BuildOptions, parse_choice};
use crate::parallel::Progress;
use crate::quantizer::query_transform::TRANSFORMS;
use crate::quantizer::refine_codec::REFINE_CODECS;

/// Build a flat index of vectors, shape (n, dim) float16 or float32.
#[pyfunction]
#[pyo3(signature = (path, vectors, *, ids=None, progress=None))]
pub(super) fn build_flat(
    py: Python<'_>,
    path: PathBuf,
    vectors: &Bound<'_, PyAny>,
    ids: Option<&Bound<'_, PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let vectors = FloatArray::new("vectors", vectors)?;
    let ids = ids.map(|ids| int64_array("ids", ids)).transpose()?;
    let (rows, ids) = (vectors.rows()?, ids.as_ref().map(|ids| ids.as_slice()).transpose()?);
    let mut reporter = ProgressReporter::new(progress);
    let built = interruptible(py, |interrupt| {
        flat::build(&rows, ids, &path, &mut |progress| reporter.on_progress(progress), interrupt)
    });
    reporter.finish(built)
}

/// Build an IVF index of vectors, shape (n, dim) float16 or float32.
#[pyfunction]
#[pyo3(signature = (
    path, vectors, *, queries=None, ids=None, m=None, nlist=None, refine=None, transform=None,
    memory_bytes=None, training=None, threads=None, seed=0, progress=None
))]
#[allow(clippy::too_many_arguments)]
pub(super) fn build_ivf(
    py: Python<'_>,
    path: PathBuf,
    vectors: &Bound<'_, PyAny>,
    queries: Option<&Bound<'_, PyAny>>,
    ids: Option<&Bound<'_, PyAny>>,
    m: Option<usize>,
    nlist: Option<usize>,
    refine: Option<&str>,
    transform: Option<&str>,
    memory_bytes: Option<u64>,
    training: Option<PathBuf>,
    threads: Option<usize>,
    seed: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let options = BuildOptions {
        m,
        nlist,
        refine: refine.map(|name| parse_choice("refine", &REFINE_CODECS, name)).transpose()?,
        transform: transform.map(|name| parse_choice("transform", &TRANSFORMS, name)).transpose()?,
        memory_bytes,
        training,
        threads: threads.unwrap_or(BuildOptions::default().threads),
        seed,
    };
    let vectors = FloatArray::new("vectors", vectors)?;
    let queries = queries.map(|queries| FloatArray::new("queries", queries)).transpose()?;
    let ids = ids.map(|ids| int64_array("ids", ids)).transpose()?;
    let (rows, ids) = (vectors.rows()?, ids.as_ref().map(|ids| ids.as_slice()).transpose()?);
    let queries = queries.as_ref().map(FloatArray::rows).transpose()?;
    let mut reporter = ProgressReporter::new(progress);
    let built = interruptible(py, |interrupt| {
        let mut on_progress = |progress| reporter.on_progress(progress);
        build::build(&rows, queries.as_ref(), ids, &path, &options, &mut on_progress, interrupt).map(drop)
    });
    reporter.finish(built)
}

/// Calls Python with the progress of a build, and keeps the exception that it raises.
pub(super) struct ProgressReporter {
    callback: Option<Py<PyAny>>,
    exception: Option<PyErr>,
}

impl ProgressReporter {
    pub(super) fn new(callback: Option<Py<PyAny>>) -> Self {
        Self { callback, exception: None }
    }

    pub(super) fn on_progress(&mut self, progress: Progress) -> Result<(), Error> {
        let Some(callback) = &self.callback else { return Ok(()) };
        let called = Python::attach(|py| callback.call1(py, (progress.stage, progress.share)).map(drop));
        called.map_err(|exception| {
            self.exception = Some(exception);
            Error::Stopped
        })
    }

    pub(super) fn finish(self, built: PyResult<()>) -> PyResult<()> {
        self.exception.map_or(built, Err)
    }
}
