//! Early termination: how many lists a query probes, by what it has found.
//!
//! The *margin* of a list is its rank score less the tenth best score by codes so far, for a query of length 1. The larger it
//! is, the likelier the list holds a better row. A search stops at the first list whose margin is below a threshold. So an easy
//! query probes fewer lists, and a hard one more. The same thresholds serve a search with a filter: of a share s of allowed rows, a
//! list of the same margin holds s times as many better ones. (Li, Zhang, Andersen and He, "Improving approximate nearest neighbor search
//! through learned adaptive early termination", 2020, predict the number of lists by decision trees.)
//!
//! The threshold for `nprobe` is the one at which held-out queries probe `nprobe` lists on average. It is fitted for the numbers
//! of lists [`nprobes`], separately for each kind of query, and interpolated between them.

use std::iter::successors;

/// Numbers of lists that a threshold is fitted for.
pub(crate) const STEPS: usize = 16;

/// A query probes at most this many times as many lists as queries do on average. More lowers the mean further, at the same
/// recall, but the slowest queries take longer.
const MAX_FACTOR: f64 = 1.75;

/// Best scores that are tracked, without a filter: a margin is less the worst of them.
pub(crate) const TRACKED_SCORES: usize = 10;

/// Lists that every query probes.
pub(crate) const MIN_LISTS: usize = 2;

/// With fewer lists, or more than one of this many probed on average, there is no early termination: nothing would be gained.
const MIN_NLIST: usize = 256;
const MIN_LISTS_PER_PROBE: usize = 4;

/// The threshold that no margin is below.
pub(crate) const NEVER: f32 = f32::MIN;

const BISECTIONS: usize = 40;

/// When a search without a filter stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EarlyStop {
    /// Lists to probe at most.
    pub(crate) max_lists: usize,
    /// It stops at a list whose margin is below this.
    pub(crate) threshold: f32,
}

/// The thresholds for one kind of query, shape ([`STEPS`],); none in an index of an earlier version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopThresholds<'a>(pub(crate) &'a [f32]);

impl StopThresholds<'_> {
    /// When to stop so that queries probe `nprobe` lists on average.
    pub(crate) fn stop(self, nprobe: usize) -> EarlyStop {
        let threshold = self.threshold(nprobe);
        let max_lists = if threshold > NEVER { max_lists(nprobe) } else { nprobe };
        EarlyStop { max_lists, threshold }
    }

    /// Whether searches terminate early at all.
    pub(crate) fn is_fitted(self) -> bool {
        self.0.iter().any(|&threshold| threshold > NEVER)
    }

    fn threshold(self, nprobe: usize) -> f32 {
        let points = || nprobes().zip(self.0.iter().copied());
        let below = points().take_while(|&(number, _)| number <= nprobe).last();
        let above = points().find(|&(number, _)| number >= nprobe);
        let (Some((lower, from)), Some((upper, to))) = (below, above) else { return NEVER };
        if from == NEVER || to == NEVER {
            return NEVER;
        }
        let share = (nprobe - lower) as f32 / (upper - lower).max(1) as f32;
        from + share * (to - from)
    }
}

/// The numbers of lists that thresholds are fitted for: each half as large again as the one before.
fn nprobes() -> impl Iterator<Item = usize> {
    successors(Some(MIN_LISTS), |&number| Some(number + number.div_ceil(2))).take(STEPS)
}

fn max_lists(nprobe: usize) -> usize {
    (MAX_FACTOR * nprobe as f64) as usize
}

/// Lists to trace for [`fit`], in an index of `nlist` lists.
pub(crate) fn traced_lists(nlist: usize) -> usize {
    let is_fitted = |&nprobe: &usize| nlist >= MIN_NLIST && nprobe * MIN_LISTS_PER_PROBE <= nlist;
    nprobes().filter(is_fitted).last().map_or(0, max_lists)
}

/// Fit the thresholds, shape ([`STEPS`],). A trace has the smallest margin up to each list that a query would probe, infinite
/// for the first [`MIN_LISTS`].
pub(crate) fn fit(traces: &[Vec<f32>]) -> Vec<f32> {
    let mut limit = f32::INFINITY;
    let fitted = nprobes().map(|nprobe| {
        let max_lists = max_lists(nprobe);
        if traces.is_empty() || traces.iter().any(|trace| trace.len() < max_lists) {
            return NEVER;
        }
        // Falling with the number of lists, so that more lists contain fewer.
        limit = limit.min(threshold_of(traces, nprobe, max_lists));
        limit
    });
    fitted.collect()
}

/// Return the largest threshold at which queries probe at least `nprobe` lists on average.
fn threshold_of(traces: &[Vec<f32>], nprobe: usize, max_lists: usize) -> f32 {
    let mean = |threshold: f32| {
        let lists = |trace: &Vec<f32>| trace[..max_lists].partition_point(|&margin| margin >= threshold);
        traces.iter().map(lists).sum::<usize>() as f64 / traces.len() as f64
    };
    let margins = traces.iter().flat_map(|trace| &trace[..max_lists]).filter(|margin| margin.is_finite());
    let (mut low, mut high) = margins
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &margin| (low.min(margin), high.max(margin)));
    if low > high {
        return NEVER;
    }
    for _ in 0..BISECTIONS {
        let middle = low + (high - low) / 2.0;
        if mean(middle) >= nprobe as f64 { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::rng::Rng;

    /// Traces of easy and of hard queries: margins that fall fast or slowly.
    fn traces(lists: usize) -> Vec<Vec<f32>> {
        let mut rng = Rng::new(4, 0);
        let trace = |query: usize| {
            let slope = 0.01 + 0.02 * query as f32 / 64.0;
            let mut lowest = f32::INFINITY;
            let margin = |list: usize| {
                if list >= MIN_LISTS {
                    lowest = lowest.min(1.0 - slope * list as f32 + 0.01 * rng.normal());
                }
                lowest
            };
            (0..lists).map(margin).collect()
        };
        (0..64).map(trace).collect()
    }

    fn mean_lists(traces: &[Vec<f32>], stop: EarlyStop) -> f64 {
        let lists =
            |trace: &Vec<f32>| trace[..stop.max_lists].partition_point(|&margin| margin >= stop.threshold);
        traces.iter().map(lists).sum::<usize>() as f64 / traces.len() as f64
    }

    #[test]
    fn queries_probe_the_number_of_lists_on_average() {
        let traces = traces(traced_lists(500));
        let fitted = fit(&traces);
        let thresholds = StopThresholds(&fitted);
        assert!(thresholds.is_fitted() && fitted.len() == STEPS && fitted.is_sorted_by(|a, b| a >= b));
        for nprobe in [8, 10, 27, 40, 80, 93] {
            let stop = thresholds.stop(nprobe);
            let mean = mean_lists(&traces, stop);
            assert!((0.93..1.07).contains(&(mean / nprobe as f64)), "{nprobe}: {mean}");
            assert_eq!(stop.max_lists, nprobe * 7 / 4);
        }
    }

    #[test]
    fn numbers_without_a_threshold_are_probed_exactly() {
        let fitted = fit(&traces(traced_lists(500)));
        let nothing = |nprobe| EarlyStop { max_lists: nprobe, threshold: NEVER };
        for nprobe in [0, 1, 94, 500, 100_000] {
            assert_eq!(StopThresholds(&fitted).stop(nprobe), nothing(nprobe));
        }
        assert_eq!(StopThresholds(&[]).stop(40), nothing(40));
        assert_eq!(StopThresholds(&fit(&[])).stop(40), nothing(40));
        assert!(!StopThresholds(&fit(&[])).is_fitted());
        assert_eq!((traced_lists(255), traced_lists(500), traced_lists(1 << 20)), (0, 162, 1863));
    }
}
