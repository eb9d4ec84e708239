//! Chooses the list weights: lists are probed in the order of `q·c / |c|^e`, and `e` is chosen by held-out queries.
//!
//! Spread-out lists have short means, so their mean understates their best row; dividing by `|c|^e` compensates. On CLIP
//! vectors `e = 1.5` needs a third of the rows that `e = 0` needs for the same recall.

use crate::error::Result;
use crate::ivf::build::held_out::{NEIGHBOURS, QuerySplit};
use crate::ivf::build::kmeans::Assignment;
use crate::ivf::layout::CoarseCentroids;
use crate::linalg::gemm::gemm_nt;
use crate::parallel::Interrupt;

/// Exponents that are tried; the first is taken if there are no held-out queries.
const EXPONENTS: [f32; 5] = [1.0, 0.0, 0.5, 1.5, 2.0];

/// Shares of the true neighbours whose lists are to be probed. The best exponent scans the fewest rows, by geometric mean over
/// these.
const TARGET_RECALLS: [f64; 3] = [0.955, 0.985, 0.9965];

/// Set the list weights, which are `1 / |c|`, to `|c|^-e` with the best exponent for the held-out queries. `lists` has the
/// list of each row, `truth` the true neighbours of each query.
pub(crate) fn choose(
    centroids: &mut CoarseCentroids,
    assignment: &Assignment,
    lists: &[u32],
    split: &QuerySplit,
    truth: &[Vec<u32>],
    interrupt: Interrupt<'_>,
) -> Result<()> {
    let scores = scores(centroids, split);
    let mut best = (f64::INFINITY, EXPONENTS[0]);
    for exponent in EXPONENTS {
        let list_weights = powers(&centroids.list_weights, exponent);
        let cost = rows_scanned(&scores, &list_weights, assignment, lists, truth, interrupt)?;
        if cost < best.0 {
            best = (cost, exponent);
        }
    }
    centroids.list_weights = powers(&centroids.list_weights, best.1);
    Ok(())
}

/// Return the inner product of each held-out query with each centroid, shape (queries, lists).
fn scores(centroids: &CoarseCentroids, split: &QuerySplit) -> Vec<f32> {
    let dim = split.dim();
    let mut values = vec![0.0; centroids.len() * dim];
    values.chunks_exact_mut(dim).enumerate().for_each(|(list, centroid)| centroids.decode(list, centroid));
    let mut scores = vec![0.0; split.len() * centroids.len()];
    gemm_nt(&split.held_out, &values, dim, &mut scores);
    scores
}

/// Raise weights to a power; 0 stays 0.
fn powers(list_weights: &[f32], exponent: f32) -> Vec<f32> {
    list_weights.iter().map(|&weight| if weight > 0.0 { weight.powf(exponent) } else { 0.0 }).collect()
}

/// Return the sum, over the target recalls, of the logarithm of the rows scanned to reach them.
fn rows_scanned(
    scores: &[f32],
    list_weights: &[f32],
    assignment: &Assignment,
    lists: &[u32],
    truth: &[Vec<u32>],
    interrupt: Interrupt<'_>,
) -> Result<f64> {
    let mut ranks = Vec::new();
    let mut scanned = vec![0.0; list_weights.len()];
    for (scores, truth) in scores.chunks_exact(list_weights.len()).zip(truth) {
        interrupt.check()?;
        let mut rank_of = vec![0; list_weights.len()];
        let mut rows = 0;
        for (rank, &list) in order(scores, list_weights).iter().enumerate() {
            rank_of[list as usize] = rank;
            rows += assignment.rows_of(list as usize).len();
            scanned[rank] += rows as f64;
        }
        ranks.extend(truth.iter().take(NEIGHBOURS).map(|&row| rank_of[lists[row as usize] as usize]));
    }
    ranks.sort_unstable();
    let quantile = |share: f64| ranks.get((share * ranks.len() as f64) as usize).or(ranks.last());
    Ok(TARGET_RECALLS.iter().filter_map(|&share| quantile(share)).map(|&rank| scanned[rank].ln()).sum())
}

/// Return the lists in the order in which they are probed.
fn order(scores: &[f32], list_weights: &[f32]) -> Vec<u32> {
    let rank_scores: Vec<f32> =
        scores.iter().zip(list_weights).map(|(score, weight)| score * weight).collect();
    let mut order: Vec<u32> = (0..list_weights.len() as u32).collect();
    let better =
        |&a: &u32, &b: &u32| rank_scores[b as usize].total_cmp(&rank_scores[a as usize]).then(a.cmp(&b));
    order.sort_unstable_by(better);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{RowsView, Values};

    /// Two lists of two rows: a compact one with a long centroid, and a spread-out one.
    fn setting() -> (CoarseCentroids, Assignment, QuerySplit) {
        let centroids = CoarseCentroids::new(&[0.5, 0.0, 0.0, 0.3], 2);
        let queries = [0.8, 1.0, 0.9, 1.0, 0.85, 1.0, 0.95, 1.0];
        let rows = RowsView::new(Values::F32(&queries), 2).unwrap();
        let split = QuerySplit::new(&rows, Some(&rows), 0).unwrap();
        (centroids, Assignment::new(&[0, 0, 1, 1], 2), split)
    }

    #[test]
    fn the_exponent_that_scans_the_fewest_rows_is_chosen() {
        let (mut centroids, assignment, split) = setting();
        let before = centroids.list_weights.clone();
        choose(
            &mut centroids,
            &assignment,
            &[0, 0, 1, 1],
            &split,
            &vec![vec![2]; split.len()],
            Interrupt::NEVER,
        )
        .unwrap();
        assert_eq!(centroids.list_weights, before);
        let (mut centroids, assignment, split) = setting();
        choose(
            &mut centroids,
            &assignment,
            &[0, 0, 1, 1],
            &split,
            &vec![vec![0]; split.len()],
            Interrupt::NEVER,
        )
        .unwrap();
        assert_eq!(centroids.list_weights, powers(&before, 0.0));
    }

    #[test]
    fn without_held_out_queries_the_exponent_is_1() {
        let (mut centroids, assignment, split) = setting();
        let before = centroids.list_weights.clone();
        choose(&mut centroids, &assignment, &[], &split, &[], Interrupt::NEVER).unwrap();
        assert_eq!(centroids.list_weights, before);
        assert_eq!(powers(&[0.0, 2.0], 0.0), [0.0, 1.0]);
    }
}
