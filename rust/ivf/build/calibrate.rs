//! Calibration: how many lists to probe and how many candidates to rerank for a given recall, measured on the new index.
//!
//! A greedy path leads from a cheap operating point to thorough ones: at each step more lists or a larger shortlist, whichever
//! gains more recall for its cost. What counts is the lower bound of the mean recall, which holds for queries that were not
//! held out. Costs are counted, not timed, so that the same input always gives the same table.

use std::collections::HashMap;
use std::iter::successors;

use crate::error::{Error, Result};
use crate::ivf::build::held_out::{MAX_HELD_OUT, NEIGHBOURS, QuerySplit, recall_lower_bound};
use crate::ivf::index::IvfIndex;
use crate::ivf::layout::{CalibrationPoint, CalibrationSource, IvfLayout};
use crate::linalg::rng::Rng;
use crate::matrix::RowsView;
use crate::parallel::{Interrupt, ProgressCallback, ScopedWorkers};
use crate::quantizer::magnitude::ordinary_rows;
use crate::storage::format::Tag;
use crate::storage::mmap::LoadMode;
use crate::storage::section_writer::SectionWriter;
use crate::topk::reservoir::Hit;

/// Points of the calibration table.
pub(crate) const POINTS: usize = 17;

/// Recalls that the table has a point for, as far as they can be reached.
const TARGETS: [f32; POINTS] = [
    0.50, 0.70, 0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999,
];

/// Cost of reranking one candidate, in scanned rows: a refine code is a random access, a scanned code a sequential one.
const RERANK_COST: f64 = 25.0;

/// The first operating point.
const START: OperatingPoint = OperatingPoint { nprobe: 2, shortlist: 20 };

/// Largest shortlist.
const MAX_SHORTLIST: u32 = 4000;

/// Largest cost: one scanned row for this many rows of the index, and a constant. To score every row costs 18 for each; the limit
/// bounds the time of a calibration.
const MAX_COST: (f64, f64) = (2.0, 200_000.0);

/// From this cost on a step of the path doubles lists or shortlist, in the same form.
const DOUBLING_COST: (f64, f64) = (10.0, 50_000.0);

/// Shortlists measured by each scan of lists: the current one, and the larger ones that the path looks at next.
const SHORTLISTS_PER_SCAN: usize = 3;

/// Queries of one piece of work.
const BATCH_QUERIES: usize = 8;

/// Search parameters on the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OperatingPoint {
    nprobe: u32,
    shortlist: u32,
}

impl OperatingPoint {
    fn cost(self, layout: &IvfLayout) -> f64 {
        let scanned = f64::from(self.nprobe) * layout.rows as f64 / layout.nlist as f64;
        scanned + RERANK_COST * f64::from(self.shortlist)
    }

    /// Whether it is worth its cost.
    fn is_worthwhile(self, layout: &IvfLayout) -> bool {
        !self.exceeds(MAX_COST, layout)
    }

    fn exceeds(self, (rows_per_unit, constant): (f64, f64), layout: &IvfLayout) -> bool {
        self.cost(layout) > layout.rows as f64 / rows_per_unit + constant
    }

    /// Return a number that is half as large again, or twice as large if this point is expensive.
    fn grown(self, number: u32, layout: &IvfLayout) -> u32 {
        number + if self.exceeds(DOUBLING_COST, layout) { number } else { number.div_ceil(2) }
    }

    /// Return it with more lists, if there are more.
    fn more_probes(self, layout: &IvfLayout) -> Option<Self> {
        let max = layout.nlist as u32;
        let nprobe = self.grown(self.nprobe, layout).min(max);
        (self.nprobe < max).then_some(Self { nprobe, ..self })
    }

    /// Return it with a longer shortlist, if candidates are reranked and there are more.
    fn larger_shortlist(self, layout: &IvfLayout) -> Option<Self> {
        let max = MAX_SHORTLIST.min(layout.rows.max(1) as u32);
        let shortlist = self.grown(self.shortlist, layout).min(max);
        (self.shortlist < max && layout.refine.has_scales()).then_some(Self { shortlist, ..self })
    }
}

/// Measure the index that `writer` has written, and write the table into it.
///
/// `order` has the input row of each row of the index, `truth` the input rows that are the true neighbours of each held-out
/// query.
///
/// # Errors
/// [`crate::Error::Storage`] if the disk refuses, or the progress callback's error.
pub(crate) fn measure(
    writer: &mut SectionWriter,
    layout: &IvfLayout,
    split: &QuerySplit,
    truth: &[Vec<u32>],
    order: &[u32],
    workers: &mut ScopedWorkers<'_>,
) -> Result<()> {
    let index = IvfIndex::open(writer.temporary_path(), LoadMode::Map)?;
    let row_of = |row: u32| order[row as usize];
    let calibrator = Calibrator {
        index: &index,
        layout,
        held_out: &split.held_out,
        truth,
        row_of: &row_of,
        releases: true,
        measured: HashMap::new(),
    };
    writer.rewrite_section(Tag::CALIBRATION, &calibrator.table(split.source(), workers)?)
}

/// Calibrate an open index with sample queries: measure it, and put a copy with the new table in the place of its file.
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
    let find = |queries: &[f32]| {
        let rows = |query| index.exact_rows(query, NEIGHBOURS, interrupt);
        queries.chunks_exact(layout.dim).map(rows).collect::<Result<Vec<_>>>()
    };
    let truth = workers.run(held_out.chunks(BATCH_QUERIES * layout.dim), find)?.concat();
    let source = CalibrationSource::Samples(truth.len() as u32);
    let calibrator = Calibrator {
        index,
        layout,
        held_out: &held_out,
        truth: &truth,
        row_of: &|row| row,
        releases: false,
        measured: HashMap::new(),
    };
    let table = calibrator.table(source, &mut workers)?;
    index.replace_calibration(&table, interrupt)
}

struct Calibrator<'a> {
    index: &'a IvfIndex,
    layout: &'a IvfLayout,
    /// Shape (count, dim).
    held_out: &'a [f32],
    truth: &'a [Vec<u32>],
    /// Returns the row in `truth` of a row of the index.
    row_of: &'a (dyn Fn(u32) -> u32 + Sync),
    /// Whether pages of the refine codes are dropped after each query.
    releases: bool,
    measured: HashMap<OperatingPoint, f32>,
}

impl Calibrator<'_> {
    /// Measure and return the table, encoded, with as many points as the index holds.
    fn table(mut self, source: CalibrationSource, workers: &mut ScopedWorkers<'_>) -> Result<Vec<u8>> {
        let path = if self.held_out.is_empty() { Vec::new() } else { self.greedy_path(workers)? };
        let points = table(&path, source, self.layout.calibration_points);
        let words: Vec<u32> = points.iter().flat_map(|point| point.encode()).collect();
        Ok(bytemuck::cast_slice(&words).to_vec())
    }

    /// Return operating points and their recalls, from the cheapest on.
    fn greedy_path(&mut self, workers: &mut ScopedWorkers<'_>) -> Result<Vec<(OperatingPoint, f32)>> {
        let mut current = (START, self.recall(START, workers, 0.0)?);
        let mut path = vec![current];
        while current.1 < TARGETS[POINTS - 1] {
            let mut next = Vec::new();
            let points = [current.0.more_probes(self.layout), current.0.larger_shortlist(self.layout)];
            let points = points.into_iter().flatten().filter(|point| point.is_worthwhile(self.layout));
            for point in points {
                next.push((point, self.recall(point, workers, f64::from(current.1))?));
            }
            let gain = |&(point, recall): &(OperatingPoint, f32)| {
                let cost = point.cost(self.layout) - current.0.cost(self.layout);
                f64::from(recall - current.1) / cost.max(1.0)
            };
            let Some(best) = next.into_iter().max_by(|a, b| gain(a).total_cmp(&gain(b))) else { break };
            current = best;
            path.push(current);
        }
        Ok(path)
    }

    /// Return the lower bound of the recall of an operating point.
    fn recall(&mut self, point: OperatingPoint, workers: &mut ScopedWorkers<'_>, share: f64) -> Result<f32> {
        if let Some(&recall) = self.measured.get(&point) {
            return Ok(recall);
        }
        workers.begin_stage("calibrate", (share, share));
        let larger = |point: &OperatingPoint| {
            point.larger_shortlist(self.layout).filter(|point| point.is_worthwhile(self.layout))
        };
        let points: Vec<OperatingPoint> = successors(Some(point), larger).take(SHORTLISTS_PER_SCAN).collect();
        let recalls = self.recalls(&points, workers)?;
        self.measured.extend(points.into_iter().zip(recalls.iter().copied()));
        Ok(recalls[0])
    }

    /// Return which queries measure a point: each, or one in this many if the point is expensive and its recall varies little.
    fn query_step(&self, point: OperatingPoint) -> usize {
        let is_expensive = point.exceeds(DOUBLING_COST, self.layout);
        if is_expensive && self.truth.len() >= MAX_HELD_OUT / 2 { 2 } else { 1 }
    }

    /// Return the recalls of operating points with the same number of lists and rising shortlists.
    fn recalls(&self, points: &[OperatingPoint], workers: &mut ScopedWorkers<'_>) -> Result<Vec<f32>> {
        let shortlists: Vec<usize> = points.iter().map(|point| point.shortlist as usize).collect();
        let params = (NEIGHBOURS, points[0].nprobe as usize);
        let interrupt = workers.interrupt();
        let step = self.query_step(points[0]);
        let search = |queries: &[&[f32]]| {
            let find = |&query: &&[f32]| {
                interrupt.check()?;
                let depths = self.index.hits_by_depth(query, params, &shortlists)?;
                if self.releases {
                    self.index.release();
                }
                let rows = |hits: Vec<Hit>| hits.iter().map(|hit| (self.row_of)(hit.row)).collect();
                Ok(depths.into_iter().map(rows).collect())
            };
            queries.iter().map(find).collect()
        };
        let queries: Vec<&[f32]> = self.held_out.chunks_exact(self.layout.dim).step_by(step).collect();
        let truth: Vec<Vec<u32>> = self.truth.iter().step_by(step).cloned().collect();
        let found: Vec<Vec<Vec<Vec<u32>>>> = workers.run(queries.chunks(BATCH_QUERIES), search)?;
        let mut found = found.concat();
        let of_depth =
            |depth: usize| found.iter_mut().map(|depths| std::mem::take(&mut depths[depth])).collect();
        let by_depth: Vec<Vec<Vec<u32>>> = (0..points.len()).map(of_depth).collect();
        Ok(by_depth.iter().map(|found| recall_lower_bound(&truth, found)).collect())
    }
}

/// Return for each target the cheapest operating point that reaches it, interpolated on the path; the best one for targets out
/// of reach. An index of an earlier version has fewer points: the last targets, then.
fn table(path: &[(OperatingPoint, f32)], source: CalibrationSource, points: usize) -> Vec<CalibrationPoint> {
    let mut rising: Vec<(OperatingPoint, f32)> = Vec::new();
    for &point in path {
        if rising.last().is_none_or(|last| point.1 > last.1) {
            rising.push(point);
        }
    }
    let first = POINTS.saturating_sub(points);
    let targets = TARGETS[first..].iter().copied().chain(std::iter::repeat(TARGETS[POINTS - 1])).take(points);
    targets.map(|target| interpolate(&rising, target, source)).collect()
}

fn interpolate(path: &[(OperatingPoint, f32)], target: f32, source: CalibrationSource) -> CalibrationPoint {
    let point = |recall, nprobe: f32, shortlist: f32| CalibrationPoint {
        recall,
        nprobe: nprobe.ceil() as u32,
        shortlist: shortlist.ceil() as u32,
        source,
    };
    let (Some(first), Some(last)) = (path.first(), path.last()) else { return point(0.0, 1.0, 1.0) };
    let reached = path.iter().position(|&(_, recall)| recall >= target);
    match reached {
        None => point(last.1, last.0.nprobe as f32, last.0.shortlist as f32),
        Some(0) => point(first.1, first.0.nprobe as f32, first.0.shortlist as f32),
        Some(index) => {
            let ((low, below), (high, above)) = (path[index - 1], path[index]);
            let share = ((target - below) / (above - below)).clamp(0.0, 1.0);
            let between = |low: u32, high: u32| low as f32 + share * (high as f32 - low as f32);
            point(target, between(low.nprobe, high.nprobe), between(low.shortlist, high.shortlist))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Vec<(OperatingPoint, f32)> {
        let point = |nprobe, shortlist| OperatingPoint { nprobe, shortlist };
        vec![(point(2, 20), 0.6), (point(4, 20), 0.8), (point(4, 40), 0.78), (point(8, 40), 0.96)]
    }

    #[test]
    fn targets_are_interpolated_on_the_path() {
        let source = CalibrationSource::Samples(7);
        let point = |recall, nprobe, shortlist| CalibrationPoint { recall, nprobe, shortlist, source };
        let table = table(&path(), source, POINTS);
        let of = |target| table[TARGETS.iter().position(|&other| other == target).unwrap()];
        assert_eq!(of(0.5), point(0.6, 2, 20));
        assert_eq!(of(0.7), point(0.7, 3, 20));
        assert_eq!(of(0.85), point(0.85, 6, 27));
        assert_eq!(of(0.998), point(0.96, 8, 40));
    }

    #[test]
    fn the_table_is_monotonic() {
        let table = table(&path(), CalibrationSource::Unknown, POINTS);
        let is_rising =
            |a: &CalibrationPoint, b: &CalibrationPoint| a.recall <= b.recall && a.nprobe <= b.nprobe;
        assert!(table.len() == POINTS && table.is_sorted_by(is_rising));
        assert_eq!(super::table(&[], CalibrationSource::Unknown, POINTS)[0].nprobe, 1);
        let shorter = super::table(&path(), CalibrationSource::Unknown, POINTS - 1);
        assert_eq!(shorter, table[1..]);
        assert_eq!(super::table(&path(), CalibrationSource::Unknown, POINTS + 1)[POINTS], table[POINTS - 1]);
    }
}
