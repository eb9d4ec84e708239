//! Held-out queries and their true neighbours: what a build measures its own recall with.

use std::ops::Range;

use crate::error::Result;
use crate::hits::topk::{Hit, TopK};
use crate::math::linalg::{dot, products};
use crate::math::random::Random;
use crate::vectors::rows::Rows;

/// Neighbours of a query that recall counts.
pub const NEIGHBOURS: usize = 10;

/// Most held-out queries: with 10 neighbours each, the standard error of a recall of 0.95 is about 0.003.
pub const MOST: usize = 1024;

/// Standard errors below the mean at which its one-sided lower bound of 99 % confidence lies, by the normal
/// distribution (Cochran, Sampling Techniques, 1977, chapter 2).
const BELOW: f64 = 2.326;

/// Most queries that the transform learns from.
const MOST_LEARNT: usize = 20_000;

/// Length of the noise that makes a query of a row, in lengths of the row.
const NOISE: f32 = 0.5;

/// Rows scored together: their scores stay in the cache until the best are picked.
const TILE: usize = 1024;

/// Scores whose largest is compared with what is wanted before each is looked at.
const GLANCE: usize = 64;

/// Queries held out, and queries to learn from.
#[derive(Debug)]
pub struct Trial {
    /// Shape (count, dim).
    pub held_out: Vec<f32>,
    /// Shape (n, dim); empty if the caller gave no queries.
    pub learnt: Vec<f32>,
    dim: usize,
}

impl Trial {
    /// Split sample queries, or make queries of `rows` by noise if there are fewer than two.
    ///
    /// # Errors
    /// [`crate::Error::NotFinite`] for a bad query or row.
    pub fn new(rows: &Rows<'_>, queries: Option<&Rows<'_>>, seed: u64) -> Result<Self> {
        let mut random = Random::new(seed, 3);
        match queries.filter(|queries| queries.len() > 1) {
            Some(queries) => Self::split(queries, &mut random),
            None => Self::perturb(rows, &mut random),
        }
    }

    fn split(queries: &Rows<'_>, random: &mut Random) -> Result<Self> {
        let held: Vec<u32> = random.sample(queries.len(), MOST.min(queries.len().div_ceil(4)));
        let others = (0..queries.len() as u32).filter(|number| held.binary_search(number).is_err());
        let others: Vec<u32> = others.collect();
        let learnt = random.sample(others.len(), MOST_LEARNT).into_iter().map(|at| others[at as usize]);
        let learnt = queries.gather(&learnt.collect::<Vec<u32>>())?;
        Ok(Self { held_out: queries.gather(&held)?, learnt, dim: queries.dim() })
    }

    fn perturb(rows: &Rows<'_>, random: &mut Random) -> Result<Self> {
        let dim = rows.dim();
        let mut held_out = rows.gather(&random.sample(rows.len(), MOST))?;
        for row in held_out.chunks_exact_mut(dim) {
            let size = NOISE * (dot(row, row) / dim as f32).sqrt();
            row.iter_mut().for_each(|value| *value += size * random.normal());
        }
        Ok(Self { held_out, learnt: Vec::new(), dim })
    }

    /// Dimension of a query.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of held-out queries.
    pub fn len(&self) -> usize {
        self.held_out.len() / self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held_out.is_empty()
    }

    /// The best of the rows numbered `numbers`, whose values are `rows`, for each held-out query.
    pub fn best(&self, rows: &[f32], numbers: Range<u32>) -> Best {
        let mut best = Best::new(self.len(), NEIGHBOURS);
        let mut scores = vec![0.0; self.len() * TILE.min(rows.len() / self.dim)];
        for (first, rows) in numbers.step_by(TILE).zip(rows.chunks(TILE * self.dim)) {
            let n = rows.len() / self.dim;
            let scores = &mut scores[..self.len() * n];
            products(&self.held_out, rows, self.dim, scores);
            best.offer(scores, n, first..first + n as u32);
        }
        best
    }
}

/// The best few rows of each query.
#[derive(Debug)]
pub struct Best {
    tops: Vec<TopK>,
}

impl Best {
    /// Of `queries` queries, the best `k` each.
    pub fn new(queries: usize, k: usize) -> Self {
        Self { tops: (0..queries).map(|_| TopK::new(k)).collect() }
    }

    /// Offer rows numbered `numbers`; `scores` has shape (queries, n).
    pub fn offer(&mut self, scores: &[f32], n: usize, numbers: Range<u32>) {
        for (top, scores) in self.tops.iter_mut().zip(scores.chunks_exact(n.max(1))) {
            for (first, scores) in numbers.clone().step_by(GLANCE).zip(scores.chunks(GLANCE)) {
                let most = scores
                    .iter()
                    .fold(f32::NEG_INFINITY, |most, &score| if score > most { score } else { most });
                if top.wants(most) {
                    // Adding 0 turns -0 into 0, which orders as equal.
                    (first..).zip(scores).for_each(|(row, &score)| top.offer(row, score + 0.0));
                }
            }
        }
    }

    /// Offer a row to one query.
    pub fn offer_one(&mut self, query: usize, row: u32, score: f32) {
        self.tops[query].offer(row, score + 0.0);
    }

    /// The score of the row of rank `k` for each query: every row that is among the best `k` of more rows has as much. No
    /// score at all, -∞, where there are fewer.
    pub fn floors(&self, k: usize) -> Vec<f32> {
        let floor =
            |top: &TopK| top.clone().into_hits().get(k - 1).map_or(f32::NEG_INFINITY, |hit| hit.score);
        self.tops.iter().map(floor).collect()
    }

    /// The best of all parts together.
    pub fn joined(parts: Vec<Self>, queries: usize, k: usize) -> Self {
        let mut all = Self::new(queries, k);
        for part in parts {
            for (top, mine) in all.tops.iter_mut().zip(part.tops) {
                mine.into_hits().into_iter().for_each(|Hit { row, score }| top.offer(row, score));
            }
        }
        all
    }

    /// The best of all parts, best first: one list of row numbers for each query.
    pub fn merge(parts: Vec<Self>, queries: usize, k: usize) -> Vec<Vec<u32>> {
        let all = Self::joined(parts, queries, k);
        all.tops.into_iter().map(|top| top.into_hits().into_iter().map(|hit| hit.row).collect()).collect()
    }
}

/// Share of the true rows that are among those found, over all queries; 1 if there are none to find.
pub fn recall(truth: &[Vec<u32>], found: &[Vec<u32>]) -> f32 {
    let wanted: usize = truth.iter().map(Vec::len).sum();
    let hit = |(truth, found): (&Vec<u32>, &Vec<u32>)| truth.iter().filter(|row| found.contains(row)).count();
    let hits: usize = truth.iter().zip(found).map(hit).sum();
    if wanted == 0 { 1.0 } else { hits as f32 / wanted as f32 }
}

/// What the mean recall of all such queries is at least, with 99 % confidence: queries are a sample of what will be
/// asked, and it is a promise to those that are not among them. The mean itself of fewer than two.
pub fn assured_recall(truth: &[Vec<u32>], found: &[Vec<u32>]) -> f32 {
    let n = truth.len() as f64;
    let mean = f64::from(recall(truth, found));
    if truth.len() < 2 {
        return mean as f32;
    }
    let off = |(truth, found): (&Vec<u32>, &Vec<u32>)| {
        f64::from(recall(std::slice::from_ref(truth), std::slice::from_ref(found))) - mean
    };
    let squares: f64 = truth.iter().zip(found).map(off).map(|off| off * off).sum();
    (mean - BELOW * (squares / (n - 1.0) / n).sqrt()).max(0.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::rows::Values;

    fn values(n: usize) -> Vec<f32> {
        let mut random = Random::new(8, 0);
        (0..n * 4).map(|_| random.normal()).collect()
    }

    #[test]
    fn queries_are_split_without_overlap() {
        let (rows, queries) = (values(30), values(90));
        let rows = Rows::new(Values::Single(&rows), 4).unwrap();
        let trial = Trial::new(&rows, Some(&Rows::new(Values::Single(&queries), 4).unwrap()), 0).unwrap();
        assert_eq!((trial.len(), trial.learnt.len() / 4), (23, 67));
        assert!(trial.held_out.chunks(4).all(|query| !trial.learnt.chunks(4).any(|other| other == query)));
    }

    #[test]
    fn without_queries_rows_are_perturbed() {
        let rows = values(30);
        let rows = Rows::new(Values::Single(&rows), 4).unwrap();
        let trial = Trial::new(&rows, None, 0).unwrap();
        assert!(trial.learnt.is_empty() && trial.len() == 30);
        assert_ne!(trial.held_out, rows.read(0..30).unwrap());
    }

    #[test]
    fn parts_give_the_same_truth_as_the_whole() {
        let all = values(50);
        let trial = Trial::new(&Rows::new(Values::Single(&all), 4).unwrap(), None, 1).unwrap();
        let whole = Best::merge(vec![trial.best(&all, 0..50)], trial.len(), NEIGHBOURS);
        let parts = vec![trial.best(&all[120..], 30..50), trial.best(&all[..120], 0..30)];
        assert_eq!(whole, Best::merge(parts, trial.len(), NEIGHBOURS));
        assert_eq!(recall(&whole, &whole), 1.0);
        assert_eq!(recall(&[vec![1, 2]], &[vec![2, 3]]), 0.5);
        assert_eq!(recall(&[], &[]), 1.0);
    }

    #[test]
    fn an_assured_recall_is_below_the_mean_by_its_standard_errors() {
        let truth = vec![vec![1, 2]; 4];
        let found = vec![vec![1, 2], vec![1, 3], vec![1, 2], vec![1, 3]];
        // Of 1, 0.5, 1, 0.5: the mean is 0.75, the variance 1/12, the standard error 0.144338.
        assert!((assured_recall(&truth, &found) - (0.75 - 2.326 * 0.144_338)).abs() < 1e-5);
        assert_eq!(assured_recall(&truth, &truth), 1.0);
        assert_eq!(assured_recall(&truth[..1], &found[1..2]), 0.5);
        assert_eq!(assured_recall(&truth, &[vec![], vec![], vec![], vec![1, 2]]), 0.0);
    }
}
