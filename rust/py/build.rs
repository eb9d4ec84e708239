//! Builds of both kinds of files, and what they tell Python on the way.

use std::path::PathBuf;
use std::time::Instant;

use pyo3::prelude::*;

use super::arguments::{Floats, numbers_of};
use super::interrupt::PERIOD;
use crate::build;
use crate::build::settings::{Options, TIERS, TRANSFORMS, named};
use crate::error::Error;
use crate::flat::build as flat;
use crate::parallel::Progress;

/// Write vectors, shape (n, dim) float16 or float32, to a flat shard.
#[pyfunction]
#[pyo3(signature = (path, vectors, *, ids=None, progress=None))]
pub(super) fn build_flat(
    py: Python<'_>,
    path: PathBuf,
    vectors: &Bound<'_, PyAny>,
    ids: Option<&Bound<'_, PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let vectors = Floats::new("vectors", vectors)?;
    let ids = ids.map(|ids| numbers_of("ids", ids)).transpose()?;
    let (rows, ids) = (vectors.rows()?, ids.as_ref().map(|ids| ids.as_slice()).transpose()?);
    let mut listener = Listener::new(progress);
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
pub(super) fn build_index(
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
    let mut listener = Listener::new(progress);
    let built = py.detach(|| {
        build::build(&rows, queries.as_ref(), ids, &path, &options, &mut |at| listener.hear(at)).map(drop)
    });
    listener.end(built)
}

/// Tells Python how far a build is, lets it be interrupted, and keeps what it raises.
struct Listener {
    progress: Option<Py<PyAny>>,
    failure: Option<PyErr>,
    last: Option<(Progress, Instant)>,
}

impl Listener {
    fn new(progress: Option<Py<PyAny>>) -> Self {
        Self { progress, failure: None, last: None }
    }

    fn hear(&mut self, at: Progress) -> Result<(), Error> {
        // A long computation reports the same progress again and again, to be stopped.
        let repeated = self.last.is_some_and(|(last, heard)| last == at && heard.elapsed() < PERIOD);
        if repeated {
            return Ok(());
        }
        self.last = Some((at, Instant::now()));
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
