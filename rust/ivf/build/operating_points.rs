//! Operating points of a search, and the path from cheap to thorough ones.
//!
//! A greedy path leads from a cheap operating point to thorough ones: at each step more lists or a larger shortlist, whichever
//! gains more recall for its cost. Costs are counted, not timed, so that the same input always gives the same table.

use crate::error::Result;
use crate::ivf::calibration::{CalibrationPoint, CalibrationSource};
use crate::ivf::layout::IvfLayout;

/// Points of a calibration table.
pub(crate) const POINTS: usize = 17;

/// Recalls that the table has a point for, as far as they can be reached.
const TARGETS: [f32; POINTS] = [
    0.50, 0.70, 0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999,
];

/// Cost of reranking one candidate, in scanned rows: a refine code is a random access, a scanned code a sequential one.
const RERANK_COST: f64 = 25.0;

/// Lists and shortlist of the first operating point.
const START: (u32, u32) = (2, 20);

/// Largest shortlist.
const MAX_SHORTLIST: u32 = 4000;

/// Largest cost: one scanned row for this many rows of the index, and a constant. To score every row costs 18 for each; the limit
/// bounds the time of a calibration.
const MAX_COST: (f64, f64) = (2.0, 200_000.0);

/// From this target on, the path ends if the next one is not reached for this many times the cost.
const LAST_FREE_TARGET: f32 = 0.995;
const MAX_COST_FACTOR: f64 = 2.5;

/// From this cost on a point is expensive, in the same form.
const EXPENSIVE: (f64, f64) = (10.0, 50_000.0);

/// Search parameters on the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OperatingPoint {
    pub(crate) nprobe: u32,
    pub(crate) shortlist: u32,
}

impl OperatingPoint {
    /// The first point of a path for `k` hits.
    pub(crate) fn first(k: usize) -> Self {
        Self { nprobe: START.0, shortlist: START.1.max(k as u32) }
    }

    /// Its cost in scanned rows.
    pub(crate) fn cost(self, layout: &IvfLayout) -> f64 {
        let scanned = f64::from(self.nprobe) * layout.rows as f64 / layout.nlist as f64;
        scanned + RERANK_COST * f64::from(self.shortlist)
    }

    /// Whether fewer queries measure it: its recall varies little.
    pub(crate) fn is_expensive(self, layout: &IvfLayout) -> bool {
        self.cost(layout) > limit_of(EXPENSIVE, layout)
    }

    /// Return it with half as many lists again, if there are more.
    pub(crate) fn more_probes(self, layout: &IvfLayout) -> Option<Self> {
        let max = layout.nlist as u32;
        (self.nprobe < max).then_some(Self { nprobe: grown(self.nprobe).min(max), ..self })
    }

    /// Return it with a shortlist that is half as long again, if candidates are reranked and there are more.
    pub(crate) fn larger_shortlist(self, layout: &IvfLayout) -> Option<Self> {
        let max = MAX_SHORTLIST.min(layout.rows.max(1) as u32);
        let grows = self.shortlist < max && layout.refine.has_scales();
        grows.then_some(Self { shortlist: grown(self.shortlist).min(max), ..self })
    }
}

fn limit_of((rows_per_unit, constant): (f64, f64), layout: &IvfLayout) -> f64 {
    layout.rows as f64 / rows_per_unit + constant
}

fn grown(number: u32) -> u32 {
    number + number.div_ceil(2)
}

/// Return operating points for `k` hits and their recalls, from the cheapest on, until the last target is reached.
///
/// `recall` gets the last point of the path, a point next to it, and the largest cost of a point; it returns the recall of the
/// second.
///
/// # Errors
/// Those of `recall`.
pub(crate) fn greedy_path(
    layout: &IvfLayout,
    k: usize,
    mut recall: impl FnMut(OperatingPoint, OperatingPoint, f64) -> Result<f32>,
) -> Result<Vec<(OperatingPoint, f32)>> {
    let first = OperatingPoint::first(k);
    let mut limit = limit_of(MAX_COST, layout);
    let mut current = (first, recall(first, first, limit)?);
    let mut path = vec![current];
    while current.1 < TARGETS[POINTS - 1] {
        let mut next = Vec::new();
        let points = [current.0.more_probes(layout), current.0.larger_shortlist(layout)];
        for point in points.into_iter().flatten().filter(|point| point.cost(layout) <= limit) {
            next.push((point, recall(current.0, point, limit)?));
        }
        let gain = |&(point, recall): &(OperatingPoint, f32)| {
            let cost = point.cost(layout) - current.0.cost(layout);
            f64::from(recall - current.1) / cost.max(1.0)
        };
        let Some(best) = next.into_iter().max_by(|a, b| gain(a).total_cmp(&gain(b))) else { break };
        let is_reached = |&target: &f32| current.1 < target && target <= best.1;
        if TARGETS.into_iter().any(|target| target >= LAST_FREE_TARGET && is_reached(&target)) {
            limit = limit.min(MAX_COST_FACTOR * best.0.cost(layout));
        }
        current = best;
        path.push(current);
    }
    Ok(path)
}

/// Return for each target the cheapest operating point that reaches it, interpolated on the path; the best one for targets out
/// of reach. An index of an earlier version has fewer points: the last targets, then.
pub(crate) fn table(
    path: &[(OperatingPoint, f32)],
    source: CalibrationSource,
    points: usize,
) -> Vec<CalibrationPoint> {
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
    use crate::ivf::storage_forms::StorageForms;
    use crate::quantizer::refine_codec::RefineCodec;
    use crate::topk::packed_ids::IdForm;

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
    fn the_path_takes_the_larger_gain_for_its_cost() {
        let (rows, dim, m, nlist) = (1_000_000, 16, 4, 10_000);
        let layout = IvfLayout {
            rows,
            dim,
            m,
            nlist,
            refine: RefineCodec::Int8,
            transform: 0,
            calibration_points: POINTS,
            calibration_tables: 1,
            stop_thresholds: 0,
            forms: StorageForms::smallest(IdForm::INT64),
        };
        // Only more lists help up to 9 of them, then only longer shortlists.
        let recall = |_: OperatingPoint, point: OperatingPoint, _: f64| {
            let lists = f64::from(point.nprobe.min(9)) / 9.0;
            Ok((0.6 * lists + 0.39999 * f64::from(point.shortlist.min(100)) / 100.0) as f32)
        };
        let path = greedy_path(&layout, 10, recall).unwrap();
        let (last, found) = *path.last().unwrap();
        assert!(last.nprobe == 12 && (100..200).contains(&last.shortlist) && found > 0.999, "{path:?}");
        assert!(path.is_sorted_by(|a, b| a.0.cost(&layout) < b.0.cost(&layout)));
        assert_eq!(OperatingPoint::first(100).shortlist, 100);
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
