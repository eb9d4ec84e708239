//! Calibration: how many lists to probe and how many candidates to rerank for a given recall, measured on the new index.
//!
//! There is a table for each kind of query and number of hits ([`TABLES`]). Queries like samples are held-out samples; queries
//! like rows are rows, each as if it were not in the index. What counts is the lower bound of the mean recall, which holds for
//! queries that were not held out.

use std::collections::HashMap;
use std::iter::successors;

use crate::error::{Error, Result};
use crate::ivf::build::held_out::{MAX_HELD_OUT, QuerySplit, recall_lower_bound};
use crate::ivf::build::operating_points::{OperatingPoint, greedy_path, table};
use crate::ivf::calibration::{CalibrationPoint, CalibrationSource, KindRule, QueryKind, TABLES};
use crate::ivf::early_stop::{StopThresholds, fit, traced_lists};
use crate::ivf::index::IvfIndex;
use crate::ivf::layout::IvfLayout;
use crate::ivf::measure::{Neighbours, WholeScores, Window};
use crate::linalg::rng::Rng;
use crate::matrix::RowsView;
use crate::parallel::{Interrupt, ProgressCallback, ScopedWorkers};
use crate::quantizer::magnitude::ordinary_rows;
use crate::storage::format::Tag;
use crate::storage::mmap::LoadMode;
use crate::storage::section_writer::SectionWriter;

/// Steps of the path that one scan measures, in each direction.
const STEPS_PER_SCAN: usize = 4;

/// Queries of one piece of work.
const BATCH_QUERIES: usize = 8;

/// Queries that the thresholds of early termination are fitted to.
const TRACED_QUERIES: usize = 256;

/// More hits than this are measured with every second query: a recall of many hits varies less.
const FEW_HITS: usize = 10;

/// Queries, and the rows of the index that are their true neighbours, best first.
pub(crate) struct MeasuredQueries<'a> {
    /// Shape (count, dim).
    pub(crate) values: &'a [f32],
    pub(crate) truth: Vec<Vec<u32>>,
    /// The row that each query is; none for other queries.
    pub(crate) own_rows: Vec<u32>,
    pub(crate) source: CalibrationSource,
}

impl<'a> MeasuredQueries<'a> {
    /// Take the held-out queries of a split; `truth` has rows of the input, and `row_of` the row of the index of each.
    pub(crate) fn new(split: &'a QuerySplit, truth: &[Vec<u32>], row_of: &[u32]) -> Self {
        let rows = |rows: &[u32]| -> Vec<u32> { rows.iter().map(|&row| row_of[row as usize]).collect() };
        Self {
            values: &split.held_out,
            truth: truth.iter().map(|truth| rows(truth)).collect(),
            own_rows: rows(&split.own_rows),
            source: split.source(),
        }
    }
}

/// Measure the index that `writer` has written with queries like samples and queries like rows, and write the tables into it.
/// The thresholds of early termination are fitted before, unless they are given.
///
/// # Errors
/// [`crate::Error::Storage`] if the disk refuses, or the progress callback's error.
pub(crate) fn measure(
    writer: &mut SectionWriter,
    queries: [&MeasuredQueries<'_>; 2],
    thresholds: Option<[Vec<f32>; 2]>,
    workers: &mut ScopedWorkers<'_>,
) -> Result<()> {
    let index = IvfIndex::open(writer.temporary_path(), LoadMode::Map)?;
    let thresholds = match thresholds {
        Some(thresholds) => thresholds,
        None => {
            [stop_thresholds(&index, queries[0], workers)?, stop_thresholds(&index, queries[1], workers)?]
        }
    };
    let mut tables = Vec::new();
    for (kind, k) in TABLES {
        let of_kind = usize::from(kind == QueryKind::Rows);
        let thresholds = StopThresholds(&thresholds[of_kind]);
        tables.extend(Calibrator::new(&index, queries[of_kind], k, thresholds, true).table(workers)?);
    }
    writer.rewrite_section(Tag::STOP_THRESHOLDS, bytemuck::cast_slice(&thresholds.concat()))?;
    writer.rewrite_section(Tag::CALIBRATION, &encoded(&tables))
}

/// Fit the thresholds of early termination to some of the queries.
fn stop_thresholds(
    index: &IvfIndex,
    queries: &MeasuredQueries<'_>,
    workers: &mut ScopedWorkers<'_>,
) -> Result<Vec<f32>> {
    let (dim, lists) = (index.layout().dim, traced_lists(index.layout().nlist));
    if lists == 0 {
        return Ok(fit(&[]));
    }
    let step = queries.truth.len().div_ceil(TRACED_QUERIES).max(1);
    let numbers: Vec<usize> = (0..queries.truth.len()).step_by(step).collect();
    let interrupt = workers.interrupt();
    let trace = |numbers: &[usize]| {
        let trace = |&query: &usize| {
            interrupt.check()?;
            index.trace_margins(&queries.values[query * dim..][..dim], lists)
        };
        numbers.iter().map(trace).collect::<Result<Vec<_>>>()
    };
    workers.begin_stage("calibrate", (0.0, 0.0));
    Ok(fit(&workers.run(numbers.chunks(BATCH_QUERIES), trace)?.concat()))
}

/// Calibrate an open index with sample queries: measure it, and put a copy with the new tables in the place of its file. The
/// tables for queries like rows stay.
///
/// The true neighbours are those by the stored vectors.
///
/// # Errors
/// [`Error::Dim`], [`Error::NotFinite`] or [`Error::MagnitudeRange`] for bad queries, [`Error::NoQueries`],
/// [`Error::Storage`] if the disk refuses or another file is in that place, the progress callback's error, or
/// [`Error::Stopped`]. The file is as it was then.
pub fn recalibrate<'a>(
    index: &IvfIndex,
    queries: &RowsView<'_>,
    threads: usize,
    on_progress: &'a mut ProgressCallback<'a>,
    interrupt: Interrupt<'a>,
) -> Result<()> {
    let layout = index.layout();
    if queries.dim() != layout.dim {
        return Err(Error::Dim { expected: layout.dim, got: queries.dim() });
    }
    if queries.is_empty() {
        return Err(Error::NoQueries);
    }
    let (queries, _) = ordinary_rows(queries, interrupt)?;
    let held_out = queries.gather(&Rng::new(0, 3).sample(queries.len(), MAX_HELD_OUT))?;
    let mut workers = ScopedWorkers::new(threads, on_progress, interrupt);
    workers.begin_stage("neighbours", (0.0, 1.0));
    let deepest = TABLES[..layout.calibration_tables].iter().map(|&(_, k)| k).max().unwrap_or(0);
    let find = |queries: &[f32]| {
        let rows = |query| index.exact_rows(query, deepest, interrupt);
        queries.chunks_exact(layout.dim).map(rows).collect::<Result<Vec<_>>>()
    };
    let truth = workers.run(held_out.chunks(BATCH_QUERIES * layout.dim), find)?.concat();
    let source = CalibrationSource::Samples(truth.len() as u32);
    let queries = MeasuredQueries { values: &held_out, truth, own_rows: Vec::new(), source };
    let (of_samples, of_rows) = index.stored_stop_thresholds().split_at(layout.stop_thresholds);
    let of_samples =
        if of_samples.is_empty() { Vec::new() } else { stop_thresholds(index, &queries, &mut workers)? };
    let mut tables = Vec::new();
    for ((kind, k), old) in TABLES.into_iter().zip(index.calibrations()) {
        let is_measured = kind == QueryKind::Samples;
        let calibrator = || Calibrator::new(index, &queries, k, StopThresholds(&of_samples), false);
        let new = is_measured.then(|| calibrator().table(&mut workers));
        tables.extend(new.unwrap_or(Ok(old))?);
    }
    let mut sections = vec![(Tag::CALIBRATION, encoded(&tables))];
    if layout.stop_thresholds > 0 {
        let thresholds = [&of_samples[..], of_rows].concat();
        sections.push((Tag::STOP_THRESHOLDS, bytemuck::cast_slice(&thresholds).to_vec()));
    }
    if layout.has_query_kinds() {
        let numbers = Rng::new(0, 9).sample(layout.rows, MAX_HELD_OUT);
        let numbers: Vec<usize> = numbers.into_iter().map(|row| row as usize).collect();
        let rows = index.reconstruct_with(&numbers, interrupt)?;
        let rule = KindRule::fit(&held_out, &rows, layout.dim);
        sections.push((Tag::QUERY_KINDS, bytemuck::cast_slice(&rule).to_vec()));
    }
    index.replace_sections(&sections, interrupt)
}

fn encoded(points: &[CalibrationPoint]) -> Vec<u8> {
    let words: Vec<u32> = points.iter().flat_map(|point| point.encode()).collect();
    bytemuck::cast_slice(&words).to_vec()
}

struct Calibrator<'a> {
    index: &'a IvfIndex,
    layout: &'a IvfLayout,
    queries: &'a MeasuredQueries<'a>,
    k: usize,
    thresholds: StopThresholds<'a>,
    /// Whether pages of the refine codes are dropped after each piece of work.
    releases: bool,
    /// Lower bounds of recalls.
    measured: HashMap<OperatingPoint, f32>,
}

impl<'a> Calibrator<'a> {
    fn new(
        index: &'a IvfIndex,
        queries: &'a MeasuredQueries<'a>,
        k: usize,
        thresholds: StopThresholds<'a>,
        releases: bool,
    ) -> Self {
        Self { index, layout: index.layout(), queries, k, thresholds, releases, measured: HashMap::new() }
    }

    /// Measure and return the table.
    fn table(mut self, workers: &mut ScopedWorkers<'_>) -> Result<Vec<CalibrationPoint>> {
        let (layout, queries, k) = (self.layout, self.queries, self.k);
        let recall = |current, point, limit| self.recall(current, point, limit, workers);
        let path = if queries.truth.is_empty() { Vec::new() } else { greedy_path(layout, k, recall)? };
        Ok(table(&path, queries.source, layout.calibration_points))
    }

    /// Return the recall of a point that is next to the current one.
    fn recall(
        &mut self,
        current: OperatingPoint,
        point: OperatingPoint,
        limit: f64,
        workers: &mut ScopedWorkers<'_>,
    ) -> Result<f32> {
        if !self.measured.contains_key(&point) {
            let share = f64::from(self.measured.get(&current).copied().unwrap_or(0.0));
            workers.begin_stage("calibrate", (share, share));
            self.measure_from(current, limit, workers)?;
        }
        Ok(self.measured.get(&point).copied().unwrap_or(0.0))
    }

    /// Measure the points that follow a point, up to a cost. What was measured before stays.
    fn measure_from(
        &mut self,
        point: OperatingPoint,
        limit: f64,
        workers: &mut ScopedWorkers<'_>,
    ) -> Result<()> {
        let layout = self.layout;
        let steps = |next: fn(OperatingPoint, &IvfLayout) -> Option<OperatingPoint>| {
            let fits = |point: &OperatingPoint| point.cost(layout) <= limit;
            let points = successors(Some(point), |point| next(*point, layout).filter(fits));
            points.take(STEPS_PER_SCAN).collect::<Vec<_>>()
        };
        let (probes, shortlists) =
            (steps(OperatingPoint::more_probes), steps(OperatingPoint::larger_shortlist));
        let window = Window {
            thresholds: self.thresholds,
            nprobes: probes.iter().map(|point| point.nprobe as usize).collect(),
            shortlists: shortlists.iter().map(|point| point.shortlist as usize).collect(),
        };
        let recalls = self.recalls(&window, self.query_step(point), workers)?;
        let points = probes.iter().flat_map(|a| shortlists.iter().map(|b| (a.nprobe, b.shortlist)));
        for ((nprobe, shortlist), recall) in points.zip(recalls) {
            self.measured.entry(OperatingPoint { nprobe, shortlist }).or_insert(recall);
        }
        Ok(())
    }

    /// Return which queries measure the points from this one on: each, or one in this many.
    fn query_step(&self, point: OperatingPoint) -> usize {
        if self.queries.truth.len() < MAX_HELD_OUT / 2 {
            return 1;
        }
        let halvings = u32::from(point.is_expensive(self.layout)) + u32::from(self.k > FEW_HITS);
        1 << halvings
    }

    /// Return the recalls of a window of operating points, shape (nprobes, shortlists).
    fn recalls(&self, window: &Window<'_>, step: usize, workers: &mut ScopedWorkers<'_>) -> Result<Vec<f32>> {
        let (interrupt, dim) = (workers.interrupt(), self.layout.dim);
        let measure = |numbers: &[usize]| {
            let mut scores = WholeScores::new(self.layout.rows);
            let mut count = |&query: &usize| {
                interrupt.check()?;
                let truth = &self.queries.truth[query];
                let mut rows = truth[..truth.len().min(self.k)].to_vec();
                rows.sort_unstable();
                let own_row = self.queries.own_rows.get(query).copied();
                let neighbours = Neighbours { k: self.k, rows: &rows, own_row };
                let values = &self.queries.values[query * dim..][..dim];
                let share =
                    |found: u32| if rows.is_empty() { 1.0 } else { f64::from(found) / rows.len() as f64 };
                let found = self.index.count_found(values, window, neighbours, &mut scores)?;
                Ok(found.into_iter().map(share).collect::<Vec<f64>>())
            };
            let counts = numbers.iter().map(&mut count).collect::<Result<Vec<_>>>();
            if self.releases {
                self.index.release();
            }
            counts
        };
        let numbers: Vec<usize> = (0..self.queries.truth.len()).step_by(step).collect();
        let by_query = workers.run(numbers.chunks(BATCH_QUERIES), measure)?.concat();
        let points = window.nprobes.len() * window.shortlists.len();
        let of_point = |point: usize| by_query.iter().map(|recalls| recalls[point]).collect::<Vec<f64>>();
        Ok((0..points).map(|point| recall_lower_bound(&of_point(point))).collect())
    }
}
