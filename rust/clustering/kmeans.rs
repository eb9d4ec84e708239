//! Lloyd's k-means: every row goes to its nearest centroid, every centroid to the mean of its rows, again and again.

use crate::clustering::largest::largest;
use crate::clustering::rough::Rough;
use crate::math::linalg::{dot, products};
use crate::math::random::Random;
use crate::vectors::cross::Coded;

/// Rows that are scored together: so many that laying the centroids out for each tile costs little beside the
/// products, and so few that their scores stay in the cache until the best is picked.
const TILE: usize = 1024;

/// Centroids, and how to find the nearest.
#[derive(Clone, Debug)]
pub struct Centroids {
    dim: usize,
    values: Vec<f32>,
    /// Half the squared length of each: the nearest centroid `c` to `x` has the largest `x·c - |c|²/2`.
    halves: Vec<f32>,
}

impl Centroids {
    /// Centroids of shape (k, dim).
    pub fn new(values: Vec<f32>, dim: usize) -> Self {
        let halves = values.chunks_exact(dim).map(|row| dot(row, row) / 2.0).collect();
        Self { dim, values, halves }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.halves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.halves.is_empty()
    }

    /// Their values, shape (k, dim).
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Call `found` for each of `rows` (n, dim) with its number and its scores `x·c - |c|²/2`, shape (k,).
    pub fn score(&self, rows: &[f32], mut found: impl FnMut(usize, &[f32])) {
        let mut scores = vec![0.0; TILE.min(rows.len() / self.dim) * self.len()];
        for (tile, rows) in rows.chunks(TILE * self.dim).enumerate() {
            let scores = &mut scores[..rows.len() / self.dim * self.len()];
            products(rows, &self.values, self.dim, scores);
            for (row, scores) in scores.chunks_exact_mut(self.len()).enumerate() {
                scores.iter_mut().zip(&self.halves).for_each(|(score, half)| *score -= half);
                found(tile * TILE + row, scores);
            }
        }
    }

    /// The nearest centroid of each of `rows`, shape (n, dim); of equally near ones the first.
    pub fn nearest(&self, rows: &[f32]) -> Vec<u32> {
        let mut nearest = vec![0; rows.len() / self.dim];
        self.score(rows, |row, scores| nearest[row] = largest(scores).0 as u32);
        nearest
    }
}

/// `k` centroids of `rows`, shape (n, dim), by `rounds` of Lloyd's algorithm from random rows on; rows are compared with
/// them by codes around the rows' mean. With fewer rows than `k`, every row is a centroid.
pub fn lloyd(rows: &[f32], dim: usize, k: usize, rounds: usize, random: &mut Random) -> Centroids {
    let n = rows.len() / dim;
    let seeds = random.sample(n, k);
    let mut centroids = copied(rows, dim, &seeds);
    let mut middle = vec![0.0; dim];
    set_mean(&mut middle, rows.chunks_exact(dim));
    let coded = Coded::around(&middle, rows);
    for _ in 0..rounds {
        let lists = Rough::new(&centroids, &middle).nearest(&coded);
        centroids = means(rows, dim, &lists, centroids, random);
    }
    Centroids::new(centroids, dim)
}

/// The rows of these numbers, one after another.
pub fn copied(rows: &[f32], dim: usize, numbers: &[u32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(numbers.len() * dim);
    numbers.iter().for_each(|&row| out.extend_from_slice(&rows[row as usize * dim..][..dim]));
    out
}

/// The means of lists of rows; an empty list becomes a random row of the fullest one.
fn means(rows: &[f32], dim: usize, lists: &[u32], mut values: Vec<f32>, random: &mut Random) -> Vec<f32> {
    let members = Members::new(lists, values.len() / dim);
    for (list, mean) in values.chunks_exact_mut(dim).enumerate() {
        let rows = members.of(list).iter().map(|&row| &rows[row as usize * dim..][..dim]);
        set_mean(mean, rows);
    }
    for (empty, row) in members.reseeds(random) {
        values[empty * dim..][..dim].copy_from_slice(&rows[row as usize * dim..][..dim]);
    }
    values
}

/// Set `mean` to the mean of `rows`; leave it if there are none.
pub fn set_mean<'a>(mean: &mut [f32], rows: impl ExactSizeIterator<Item = &'a [f32]>) {
    let count = rows.len();
    if count == 0 {
        return;
    }
    let mut sums = vec![0.0_f64; mean.len()];
    rows.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value)));
    mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / count as f64) as f32);
}

/// Which rows are in which list.
#[derive(Debug)]
pub struct Members {
    /// First place of each list in `rows`, and the end: shape (lists + 1,).
    pub starts: Vec<usize>,
    /// Row numbers in list order, rising within a list.
    pub rows: Vec<u32>,
}

impl Members {
    /// Sort rows by list; `lists` has one list number for each row.
    pub fn new(lists: &[u32], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        lists.iter().for_each(|&list| starts[list as usize + 1] += 1);
        (0..count).for_each(|list| starts[list + 1] += starts[list]);
        let mut next = starts.clone();
        let mut rows = vec![0; lists.len()];
        for (row, &list) in lists.iter().enumerate() {
            rows[next[list as usize]] = row as u32;
            next[list as usize] += 1;
        }
        Self { starts, rows }
    }

    /// Number of lists.
    pub fn lists(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of a list, rising.
    pub fn of(&self, list: usize) -> &[u32] {
        &self.rows[self.starts[list]..self.starts[list + 1]]
    }

    /// For each empty list a random row of one of the fullest lists, to begin anew from.
    pub fn reseeds(&self, random: &mut Random) -> Vec<(usize, u32)> {
        let size = |list: usize| self.starts[list + 1] - self.starts[list];
        let (empty, mut filled): (Vec<usize>, Vec<usize>) =
            (0..self.lists()).partition(|&list| size(list) == 0);
        filled.sort_by_key(|&list| std::cmp::Reverse(size(list)));
        let from_fullest = |(empty, &full): (usize, &usize)| {
            let rows = self.of(full);
            (empty, rows[random.below(rows.len())])
        };
        empty.into_iter().zip(filled.iter().cycle()).map(from_fullest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(count: usize, each: usize) -> Vec<f32> {
        let mut random = Random::new(3, 0);
        let row = |at: usize| [(at % count) as f32 * 10.0, (at % count % 3) as f32 * 7.0];
        (0..count * each).flat_map(row).map(|value| value + random.normal() * 0.1).collect()
    }

    #[test]
    fn blobs_are_told_apart() {
        let rows = blobs(6, 50);
        let centroids = lloyd(&rows, 2, 12, 20, &mut Random::new(1, 0));
        let nearest = centroids.nearest(&rows);
        for (row, &list) in nearest.iter().enumerate() {
            let centroid = &centroids.values()[list as usize * 2..][..2];
            assert!((centroid[0] - (row % 6) as f32 * 10.0).abs() < 1.0, "row {row}");
        }
    }

    #[test]
    fn degenerate_rows_do_no_harm() {
        assert_eq!(lloyd(&[1.0, 2.0], 2, 5, 3, &mut Random::new(0, 0)).values(), [1.0, 2.0]);
        let same = lloyd(&[7.0; 64], 1, 4, 5, &mut Random::new(0, 0));
        assert_eq!(same.values(), [7.0; 4]);
        assert!(lloyd(&[], 3, 4, 5, &mut Random::new(0, 0)).is_empty());
    }

    #[test]
    fn members_are_sorted_and_empty_lists_begin_anew() {
        let members = Members::new(&[2, 0, 2, 2], 4);
        assert_eq!((members.of(0), members.of(1), members.of(2)), (&[1][..], &[][..], &[0, 2, 3][..]));
        let reseeds = members.reseeds(&mut Random::new(0, 0));
        assert_eq!(reseeds.iter().map(|&(list, _)| list).collect::<Vec<_>>(), [1, 3]);
        assert!([0, 2, 3].contains(&reseeds[0].1) && reseeds[1].1 == 1);
    }
}
