//! k-means by Lloyd's algorithm: assign every row to its nearest centroid, move every centroid to the mean of its rows, repeat.

use crate::error::Result;
use crate::ivf::build::int8_centroids::Int8Centroids;
use crate::kernels::gemm_i8::Int8Matrix;
use crate::linalg::rng::Rng;
use crate::parallel::Interrupt;

/// Return `k` centroids of `rows`, shape (n, dim), after some iterations that start from random rows.
///
/// Rows are assigned by their int8 codes. With fewer rows than `k`, every row is a centroid.
///
/// # Errors
/// [`crate::Error::Stopped`].
pub(crate) fn lloyd(
    rows: &[f32],
    dim: usize,
    (k, iterations): (usize, usize),
    rng: &mut Rng,
    interrupt: Interrupt<'_>,
) -> Result<Vec<f32>> {
    let n = rows.len() / dim;
    let seeds = rng.sample(n, k);
    let mut centroids = gather(rows, dim, &seeds);
    let mut mean = vec![0.0; dim];
    mean_into(&mut mean, rows.chunks_exact(dim));
    let encoded = Int8Matrix::centered(&mean, rows);
    for _ in 0..iterations {
        let lists = Int8Centroids::new(&centroids, &mean).nearest(&encoded, interrupt)?;
        centroids = update_centroids(rows, dim, &lists, centroids, rng);
    }
    Ok(centroids)
}

/// Copy the rows of these numbers.
pub(crate) fn gather(rows: &[f32], dim: usize, numbers: &[u32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(numbers.len() * dim);
    numbers.iter().for_each(|&row| out.extend_from_slice(&rows[row as usize * dim..][..dim]));
    out
}

/// Move each centroid to the mean of its rows; an empty list is reseeded.
fn update_centroids(
    rows: &[f32],
    dim: usize,
    lists: &[u32],
    mut centroids: Vec<f32>,
    rng: &mut Rng,
) -> Vec<f32> {
    let assignment = Assignment::new(lists, centroids.len() / dim);
    for (list, centroid) in centroids.chunks_exact_mut(dim).enumerate() {
        let rows = assignment.rows_of(list).iter().map(|&row| &rows[row as usize * dim..][..dim]);
        mean_into(centroid, rows);
    }
    for (empty, row) in assignment.reseed_empty(rng) {
        centroids[empty * dim..][..dim].copy_from_slice(&rows[row as usize * dim..][..dim]);
    }
    centroids
}

/// Set `mean` to the mean of `rows`; leave it unchanged if there are none.
pub(crate) fn mean_into<'a>(mean: &mut [f32], rows: impl ExactSizeIterator<Item = &'a [f32]>) {
    let count = rows.len();
    if count == 0 {
        return;
    }
    let mut sums = vec![0.0_f64; mean.len()];
    rows.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value)));
    mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / count as f64) as f32);
}

/// The rows of each list, in compressed sparse row (CSR) form.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// First index of each list in `rows`, and the end: shape (lists + 1,).
    pub(crate) offsets: Vec<usize>,
    /// Row numbers in list order, rising within a list.
    pub(crate) rows: Vec<u32>,
}

impl Assignment {
    /// Sort rows by list; `lists` has one list number for each row.
    pub(crate) fn new(lists: &[u32], count: usize) -> Self {
        let mut offsets = vec![0; count + 1];
        lists.iter().for_each(|&list| offsets[list as usize + 1] += 1);
        (0..count).for_each(|list| offsets[list + 1] += offsets[list]);
        let mut next = offsets.clone();
        let mut rows = vec![0; lists.len()];
        for (row, &list) in lists.iter().enumerate() {
            rows[next[list as usize]] = row as u32;
            next[list as usize] += 1;
        }
        Self { offsets, rows }
    }

    /// Number of lists.
    pub(crate) fn lists(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The rows of a list, rising.
    pub(crate) fn rows_of(&self, list: usize) -> &[u32] {
        &self.rows[self.offsets[list]..self.offsets[list + 1]]
    }

    /// Return for each empty list a random row of one of the largest lists, to reseed it with.
    pub(crate) fn reseed_empty(&self, rng: &mut Rng) -> Vec<(usize, u32)> {
        let size = |list: usize| self.offsets[list + 1] - self.offsets[list];
        let (empty, mut filled): (Vec<usize>, Vec<usize>) =
            (0..self.lists()).partition(|&list| size(list) == 0);
        filled.sort_by_key(|&list| std::cmp::Reverse(size(list)));
        let seed = |(empty, &large): (usize, &usize)| {
            let rows = self.rows_of(large);
            (empty, rows[rng.uniform_below(rows.len())])
        };
        empty.into_iter().zip(filled.iter().cycle()).map(seed).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::linalg::gemm::dot;

    /// The nearest centroid of each row, exactly and one by one; ties go to the first.
    pub(crate) fn nearest(rows: &[f32], centroids: &[f32], dim: usize) -> Vec<u32> {
        let score = |row: &[f32], centroid: &[f32]| dot(row, centroid) - dot(centroid, centroid) / 2.0;
        let nearest_of = |row: &[f32]| {
            let scores: Vec<f32> = centroids.chunks_exact(dim).map(|centroid| score(row, centroid)).collect();
            let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scores.iter().position(|&score| score == max).unwrap_or(0) as u32
        };
        rows.chunks_exact(dim).map(nearest_of).collect()
    }

    fn lloyd(rows: &[f32], dim: usize, k: usize, iterations: usize, seed: u64) -> Vec<f32> {
        super::lloyd(rows, dim, (k, iterations), &mut Rng::new(seed, 0), Interrupt::NEVER).unwrap()
    }

    fn blobs(count: usize, each: usize) -> Vec<f32> {
        let mut rng = Rng::new(3, 0);
        let row = |i: usize| [(i % count) as f32 * 10.0, (i % count % 3) as f32 * 7.0];
        (0..count * each).flat_map(row).map(|value| value + rng.normal() * 0.1).collect()
    }

    #[test]
    fn separated_blobs_get_their_own_centroids() {
        let rows = blobs(6, 50);
        let centroids = lloyd(&rows, 2, 12, 20, 1);
        for (row, &list) in nearest(&rows, &centroids, 2).iter().enumerate() {
            let centroid = &centroids[list as usize * 2..][..2];
            assert!((centroid[0] - (row % 6) as f32 * 10.0).abs() < 1.0, "row {row}");
        }
    }

    #[test]
    fn few_equal_and_no_rows_are_clustered() {
        assert_eq!(lloyd(&[1.0, 2.0], 2, 5, 3, 0), [1.0, 2.0]);
        assert_eq!(lloyd(&[7.0; 64], 1, 4, 5, 0), [7.0; 4]);
        assert!(lloyd(&[], 3, 4, 5, 0).is_empty());
    }

    #[test]
    fn rows_are_sorted_by_list_and_empty_lists_reseeded() {
        let assignment = Assignment::new(&[2, 0, 2, 2], 4);
        let rows = [0, 1, 2].map(|list| assignment.rows_of(list).to_vec());
        assert_eq!(rows, [vec![1], vec![], vec![0, 2, 3]]);
        let reseeds = assignment.reseed_empty(&mut Rng::new(0, 0));
        assert_eq!(reseeds.iter().map(|&(list, _)| list).collect::<Vec<_>>(), [1, 3]);
        assert!([0, 2, 3].contains(&reseeds[0].1) && reseeds[1].1 == 1);
    }
}
