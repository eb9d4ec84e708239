//! In which order lists are probed: by the product of the query with `mean / |mean|^e`.
//!
//! A list's mean is the shorter, the more its rows differ; and rows that differ more have better best ones than their mean
//! tells. So the mean is made longer: for CLIP's vectors `e = 1.5` asks for a third of the rows that `e = 0`
//! asks for at the same recall. The power is chosen by held-out queries.

use crate::build::trial::Trial;
use crate::clustering::kmeans::Members;
use crate::index::lists::Means;
use crate::math::linalg::products;

/// Powers that are tried; the first is taken if there is nothing to try them on.
const POWERS: [f32; 5] = [1.0, 0.0, 0.5, 1.5, 2.0];

/// Shares of the true neighbours whose lists are to be probed: the power that asks for the fewest rows, by geometric
/// mean over these, is the best.
const REACHED: [f64; 3] = [0.955, 0.985, 0.9965];

/// Set the pulls of `means` to `|mean|^-e` with the best power for the held-out queries. `lists` is the list of
/// each row, `truth` the true neighbours of each query.
pub(crate) fn choose(means: &mut Means, members: &Members, lists: &[u32], trial: &Trial, truth: &[Vec<u32>]) {
    let scores = scores(means, trial);
    let asked = |power: f32| {
        let pulls = raised(&means.pulls, power);
        rows_asked(&scores, &pulls, members, lists, truth)
    };
    let best = POWERS
        .into_iter()
        .map(|power| (asked(power), power))
        .reduce(|best, next| if next.0 < best.0 { next } else { best });
    means.pulls = raised(&means.pulls, best.map_or(POWERS[0], |(_, power)| power));
}

/// Product of each held-out query with each mean, shape (queries, lists).
fn scores(means: &Means, trial: &Trial) -> Vec<f32> {
    let dim = trial.dim();
    let mut values = vec![0.0; means.len() * dim];
    values.chunks_exact_mut(dim).enumerate().for_each(|(list, mean)| means.decode(list, mean));
    let mut scores = vec![0.0; trial.len() * means.len()];
    products(&trial.held_out, &values, dim, &mut scores);
    scores
}

/// One over the length of each mean, to a power; what is 0 stays 0.
fn raised(pulls: &[f32], power: f32) -> Vec<f32> {
    pulls.iter().map(|&pull| if pull > 0.0 { pull.powf(power) } else { 0.0 }).collect()
}

/// Logarithm of the rows to be scanned, on average, so that so many neighbours are reached.
fn rows_asked(scores: &[f32], pulls: &[f32], members: &Members, lists: &[u32], truth: &[Vec<u32>]) -> f64 {
    let mut ranks = Vec::new();
    let mut scanned = vec![0.0; pulls.len()];
    for (scores, truth) in scores.chunks_exact(pulls.len()).zip(truth) {
        let order = order(scores, pulls);
        let mut places = vec![0; pulls.len()];
        let mut rows = 0;
        for (place, &list) in order.iter().enumerate() {
            places[list as usize] = place;
            rows += members.of(list as usize).len();
            scanned[place] += rows as f64;
        }
        ranks.extend(truth.iter().map(|&row| places[lists[row as usize] as usize]));
    }
    ranks.sort_unstable();
    let at = |share: f64| ranks.get((share * ranks.len() as f64) as usize).or(ranks.last());
    REACHED.iter().filter_map(|&share| at(share)).map(|&rank| scanned[rank].ln()).sum()
}

/// Lists, the one with the most pull first.
fn order(scores: &[f32], pulls: &[f32]) -> Vec<u32> {
    let pulled: Vec<f32> = scores.iter().zip(pulls).map(|(score, pull)| score * pull).collect();
    let mut order: Vec<u32> = (0..pulls.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| pulled[b as usize].total_cmp(&pulled[a as usize]).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::rows::{Rows, Values};

    /// Two lists of two rows: a tight one with a long mean, and a wide one that holds the neighbour.
    fn setting() -> (Means, Members, Trial) {
        let means = Means::new(&[0.5, 0.0, 0.0, 0.3], 2);
        let queries = [0.8, 1.0, 0.9, 1.0, 0.85, 1.0, 0.95, 1.0];
        let rows = Rows::new(Values::Single(&queries), 2).unwrap();
        let trial = Trial::new(&rows, Some(&rows), 0).unwrap();
        (means, Members::new(&[0, 0, 1, 1], 2), trial)
    }

    #[test]
    fn the_power_that_asks_for_fewest_rows_is_taken() {
        let (mut means, members, trial) = setting();
        let before = means.pulls.clone();
        choose(&mut means, &members, &[0, 0, 1, 1], &trial, &vec![vec![2]; trial.len()]);
        assert_eq!(means.pulls, before);
        let (mut means, members, trial) = setting();
        choose(&mut means, &members, &[0, 0, 1, 1], &trial, &vec![vec![0]; trial.len()]);
        assert_eq!(means.pulls, raised(&before, 0.0));
    }

    #[test]
    fn with_nothing_to_try_the_mean_is_made_unit_long() {
        let (mut means, members, trial) = setting();
        let before = means.pulls.clone();
        choose(&mut means, &members, &[], &trial, &[]);
        assert_eq!(means.pulls, before);
        assert_eq!(raised(&[0.0, 2.0], 0.0), [0.0, 1.0]);
    }
}
