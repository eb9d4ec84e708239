//! Held-out queries and their true neighbours: what a build measures its own recall with.

use std::ops::Range;

use crate::error::Result;
use crate::ivf::calibration::{CalibrationSource, TABLES};
use crate::linalg::gemm::{dot, gemm_nt};
use crate::linalg::rng::Rng;
use crate::matrix::RowsView;
use crate::parallel::Interrupt;
use crate::topk::reservoir::{Hit, TopK};

/// Neighbours of a query that recall counts while an index is trained.
pub(crate) const NEIGHBOURS: usize = 10;

/// Neighbours that are found for a calibration.
const DEPTH: usize = TABLES[1].1;

/// Largest number of rows that are queries.
const MAX_ROW_QUERIES: usize = 512;

/// Largest number of held-out queries: with 10 neighbours each, the standard error of a recall of 0.95 is about 0.003.
pub(crate) const MAX_HELD_OUT: usize = 1024;

/// Standard errors from the mean to its one-sided lower bound of 99 % confidence, by the normal distribution (Cochran,
/// Sampling Techniques, 1977, chapter 2).
const STANDARD_ERRORS: f64 = 2.326;

/// Largest number of queries that the transform is trained on.
const MAX_TRAIN: usize = 20_000;

/// Length of the noise that turns a row, less the mean of rows, into a query: relative to that difference.
///
/// Queries of another kind than rows, as texts for pictures, are further from their neighbours than rows with a little noise.
/// Measured with 150,000 CLIP-like pictures: at every operating point these queries have a lower recall than texts (with 70 lists
/// and 70 rows 0.86 and 0.93, with 300 and 500 0.974 and 0.991). With noise of 3 times they have a higher one at some points.
const NOISE: f32 = 4.0;

/// Rows scored at once: their scores stay in the cache until the best are selected.
const TILE: usize = 1024;

/// Scores whose maximum is compared with the threshold before any is looked at singly.
const CHUNK: usize = 64;

/// Sample queries, split into a training set and a held-out set.
#[derive(Debug)]
pub(crate) struct QuerySplit {
    /// Shape (count, dim).
    pub(crate) held_out: Vec<f32>,
    /// Shape (n, dim); empty if the caller gave no queries.
    pub(crate) train: Vec<f32>,
    /// The row that each held-out query is; empty if they are no rows.
    pub(crate) own_rows: Vec<u32>,
    dim: usize,
}

impl QuerySplit {
    /// Split sample queries; with fewer than two, make queries of some `rows` by noise and hold those out.
    ///
    /// # Errors
    /// [`crate::Error::NotFinite`] for a bad query or row.
    pub(crate) fn new(rows: &RowsView<'_>, queries: Option<&RowsView<'_>>, seed: u64) -> Result<Self> {
        let mut rng = Rng::new(seed, 3);
        match queries.filter(|queries| queries.len() > 1) {
            Some(queries) => Self::split(queries, &mut rng),
            None => Self::perturb(rows, &mut rng),
        }
    }

    /// Hold out some rows as queries, each as if it were not among the rows.
    ///
    /// # Errors
    /// [`crate::Error::NotFinite`] for a bad row.
    pub(crate) fn of_rows(rows: &RowsView<'_>, seed: u64) -> Result<Self> {
        let own_rows = Rng::new(seed, 9).sample(rows.len(), MAX_ROW_QUERIES);
        Ok(Self { held_out: rows.gather(&own_rows)?, train: Vec::new(), own_rows, dim: rows.dim() })
    }

    fn split(queries: &RowsView<'_>, rng: &mut Rng) -> Result<Self> {
        let held_out = rng.sample(queries.len(), MAX_HELD_OUT.min(queries.len().div_ceil(4)));
        let is_left = |number: &u32| held_out.binary_search(number).is_err();
        let remaining: Vec<u32> = (0..queries.len() as u32).filter(is_left).collect();
        let train = rng.sample(remaining.len(), MAX_TRAIN);
        let train: Vec<u32> = train.into_iter().map(|index| remaining[index as usize]).collect();
        let train = queries.gather(&train)?;
        let held_out = queries.gather(&held_out)?;
        Ok(Self { held_out, train, own_rows: Vec::new(), dim: queries.dim() })
    }

    fn perturb(rows: &RowsView<'_>, rng: &mut Rng) -> Result<Self> {
        let dim = rows.dim();
        let mut held_out = rows.gather(&rng.sample(rows.len(), MAX_HELD_OUT))?;
        let mut mean = vec![0.0; dim];
        let count = (held_out.len() / dim).max(1) as f32;
        for row in held_out.chunks_exact(dim) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / count);
        }
        for row in held_out.chunks_exact_mut(dim) {
            row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
            let deviation = NOISE * (dot(row, row) / dim as f32).sqrt();
            row.iter_mut().for_each(|value| *value += deviation * rng.normal());
        }
        Ok(Self { held_out, train: Vec::new(), own_rows: Vec::new(), dim })
    }

    /// What the held-out queries are.
    pub(crate) fn source(&self) -> CalibrationSource {
        let queries = self.len() as u32;
        if self.train.is_empty() {
            CalibrationSource::Rows(queries)
        } else {
            CalibrationSource::Samples(queries)
        }
    }

    /// Neighbours to find for each held-out query.
    pub(crate) fn depth(&self) -> usize {
        DEPTH + usize::from(!self.own_rows.is_empty())
    }

    /// Return the neighbours of each held-out query, best first, of all that were found: without the query itself.
    pub(crate) fn neighbours(&self, parts: Vec<TopKPerQuery>) -> Vec<Vec<u32>> {
        let mut truth = TopKPerQuery::merged_rows(parts, self.len(), self.depth());
        for (truth, own_row) in truth.iter_mut().zip(&self.own_rows) {
            truth.retain(|row| row != own_row);
        }
        truth.iter_mut().for_each(|truth| truth.truncate(DEPTH));
        truth
    }

    /// Dimension of a query.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Number of held-out queries.
    pub(crate) fn len(&self) -> usize {
        self.held_out.len() / self.dim
    }

    /// Return the best of the rows numbered `numbers`, whose values are `rows`, for each held-out query.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub(crate) fn best(
        &self,
        rows: &[f32],
        numbers: Range<u32>,
        interrupt: Interrupt<'_>,
    ) -> Result<TopKPerQuery> {
        let mut best = TopKPerQuery::new(self.len(), self.depth());
        let mut scores = vec![0.0; self.len() * TILE.min(rows.len() / self.dim)];
        for (first, rows) in numbers.step_by(TILE).zip(rows.chunks(TILE * self.dim)) {
            interrupt.check()?;
            let n = rows.len() / self.dim;
            let scores = &mut scores[..self.len() * n];
            gemm_nt(&self.held_out, rows, self.dim, scores);
            best.push(scores, n, first..first + n as u32);
        }
        Ok(best)
    }
}

/// The best k rows of each query.
#[derive(Debug)]
pub(crate) struct TopKPerQuery {
    queries: Vec<TopK>,
}

impl TopKPerQuery {
    /// Collect the best `k` rows for each of `queries` queries.
    pub(crate) fn new(queries: usize, k: usize) -> Self {
        Self { queries: (0..queries).map(|_| TopK::new(k)).collect() }
    }

    /// Push rows numbered `numbers`; `scores` has shape (queries, n).
    pub(crate) fn push(&mut self, scores: &[f32], n: usize, numbers: Range<u32>) {
        for (top, scores) in self.queries.iter_mut().zip(scores.chunks_exact(n.max(1))) {
            for (first, scores) in numbers.clone().step_by(CHUNK).zip(scores.chunks(CHUNK)) {
                let max = scores
                    .iter()
                    .fold(f32::NEG_INFINITY, |max, &score| if score > max { score } else { max });
                if top.admits(max) {
                    // Adding 0 turns -0 into 0, which orders as equal.
                    (first..).zip(scores).for_each(|(row, &score)| top.push(row, score + 0.0));
                }
            }
        }
    }

    /// Push a row to one query.
    pub(crate) fn push_one(&mut self, query: usize, row: u32, score: f32) {
        self.queries[query].push(row, score + 0.0);
    }

    /// Return the k-th best score of each query: a lower bound of the k-th best score among more rows. -∞ where there are
    /// fewer than k rows.
    pub(crate) fn kth_scores(&self, k: usize) -> Vec<f32> {
        let kth = |top: &TopK| top.clone().into_hits().get(k - 1).map_or(f32::NEG_INFINITY, |hit| hit.score);
        self.queries.iter().map(kth).collect()
    }

    /// Merge the best rows of all parts.
    pub(crate) fn merge(parts: Vec<Self>, queries: usize, k: usize) -> Self {
        let mut all = Self::new(queries, k);
        for part in parts {
            for (top, other) in all.queries.iter_mut().zip(part.queries) {
                other.into_hits().into_iter().for_each(|Hit { row, score }| top.push(row, score));
            }
        }
        all
    }

    /// Merge the best rows of all parts and return their numbers, best first, for each query.
    pub(crate) fn merged_rows(parts: Vec<Self>, queries: usize, k: usize) -> Vec<Vec<u32>> {
        let all = Self::merge(parts, queries, k);
        let rows = |top: TopK| top.into_hits().into_iter().map(|hit| hit.row).collect();
        all.queries.into_iter().map(rows).collect()
    }
}

/// Return the share of the true neighbours that were found, over all queries; 1 if there are none.
pub(crate) fn recall(truth: &[Vec<u32>], found: &[Vec<u32>]) -> f32 {
    let total: usize = truth.iter().map(Vec::len).sum();
    let hit = |(truth, found): (&Vec<u32>, &Vec<u32>)| truth.iter().filter(|row| found.contains(row)).count();
    let hits: usize = truth.iter().zip(found).map(hit).sum();
    if total == 0 { 1.0 } else { hits as f32 / total as f32 }
}

/// Return a lower bound of the mean recall of such queries, with 99 % confidence, by the recall of each held-out one.
///
/// The held-out queries are a sample, and users ask other queries: the bound is the mean less `STANDARD_ERRORS` standard
/// errors. The mean itself for fewer than two queries.
pub(crate) fn recall_lower_bound(recalls: &[f64]) -> f32 {
    let n = recalls.len() as f64;
    let mean = recalls.iter().sum::<f64>() / n;
    if recalls.len() < 2 {
        return mean as f32;
    }
    let squares: f64 = recalls.iter().map(|recall| (recall - mean) * (recall - mean)).sum();
    (mean - STANDARD_ERRORS * (squares / (n - 1.0) / n).sqrt()).max(0.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Values;

    fn values(n: usize) -> Vec<f32> {
        let mut rng = Rng::new(8, 0);
        (0..n * 4).map(|_| rng.normal()).collect()
    }

    #[test]
    fn queries_are_split_without_overlap() {
        let (rows, queries) = (values(30), values(90));
        let rows = RowsView::new(Values::F32(&rows), 4).unwrap();
        let split =
            QuerySplit::new(&rows, Some(&RowsView::new(Values::F32(&queries), 4).unwrap()), 0).unwrap();
        assert_eq!((split.len(), split.train.len() / 4), (23, 67));
        assert!(split.held_out.chunks(4).all(|query| !split.train.chunks(4).any(|other| other == query)));
    }

    #[test]
    fn without_queries_rows_are_perturbed() {
        let rows = values(30);
        let rows = RowsView::new(Values::F32(&rows), 4).unwrap();
        let split = QuerySplit::new(&rows, None, 0).unwrap();
        assert!(split.train.is_empty() && split.len() == 30);
        assert_ne!(split.held_out, rows.read(0..30).unwrap());
    }

    #[test]
    fn merged_parts_equal_the_whole() {
        let all = values(50);
        let split = QuerySplit::new(&RowsView::new(Values::F32(&all), 4).unwrap(), None, 1).unwrap();
        let whole = TopKPerQuery::merged_rows(
            vec![split.best(&all, 0..50, Interrupt::NEVER).unwrap()],
            split.len(),
            split.depth(),
        );
        let parts = [(&all[120..], 30..50), (&all[..120], 0..30)];
        let best = |(rows, numbers)| split.best(rows, numbers, Interrupt::NEVER).unwrap();
        let parts = parts.map(best).into();
        assert_eq!(whole, TopKPerQuery::merged_rows(parts, split.len(), split.depth()));
        assert_eq!(recall(&whole, &whole), 1.0);
        assert_eq!(recall(&[vec![1, 2]], &[vec![2, 3]]), 0.5);
        assert_eq!(recall(&[], &[]), 1.0);
    }

    #[test]
    fn the_lower_bound_is_the_mean_less_its_standard_errors() {
        // Mean 0.75, variance 1/12, standard error 0.144338.
        assert!((recall_lower_bound(&[1.0, 0.5, 1.0, 0.5]) - (0.75 - 2.326 * 0.144_338)).abs() < 1e-5);
        assert_eq!(recall_lower_bound(&[1.0; 4]), 1.0);
        assert_eq!(recall_lower_bound(&[0.5]), 0.5);
        assert_eq!(recall_lower_bound(&[0.0, 0.0, 0.0, 1.0]), 0.0);
    }

    #[test]
    fn a_row_is_not_among_its_own_neighbours() {
        let all = values(150);
        let rows = RowsView::new(Values::F32(&all), 4).unwrap();
        let split = QuerySplit::of_rows(&rows, 0).unwrap();
        assert_eq!((split.len(), split.depth()), (150, DEPTH + 1));
        let found = split.neighbours(vec![split.best(&all, 0..150, Interrupt::NEVER).unwrap()]);
        for (row, truth) in found.iter().enumerate() {
            assert!(truth.len() == DEPTH && !truth.contains(&(row as u32)));
        }
    }
}
