//! The coarse quantizer: thousands of centroids, trained and searched in two levels.
//!
//! Comparing 1.5 million rows with 8192 centroids of 512 dimensions takes 12 TFLOP. So the centroids are grouped around
//! *super-centroids*, and a row is compared only with the centroids of its nearest groups. Small groups work best: with 16
//! centroids in each, 8 of 512 groups contain the nearest of 8192 centroids for 99.8 % of CLIP-like rows, at an eighth of the
//! work. The other rows get a centroid so near that the energy of all residuals grows by 0.14 %.

use crate::error::Result;
use crate::ivf::build::argmax::{argmax, top_k_indices};
use crate::ivf::build::int8_centroids::Int8Centroids;
use crate::ivf::build::kmeans::{Assignment, gather, lloyd, mean_into};
use crate::kernels::gemm_i8::Int8Matrix;
use crate::linalg::rng::Rng;
use crate::matrix::RowsView;
use crate::parallel::{Interrupt, ScopedWorkers};

/// Smallest average number of centroids in a group.
const GROUP_CENTROIDS: usize = 16;

/// With more centroids, both the groups and their number grow: a group has about the root of `centroids / 32`.
const CENTROIDS_PER_SQUARED_GROUP: usize = 32;

/// Largest number of lists, in average groups, that a super-centroid is split into: beyond that its rows are probably
/// duplicates.
const MAX_SPLIT_GROUPS: usize = 4;

/// Training rows for every super-centroid and for every centroid of a group.
const ROWS_PER_CENTROID: usize = 64;

/// Iterations of Lloyd's algorithm while splitting, and to group centroids around super-centroids.
const SPLIT_ITERATIONS: usize = 8;
const GROUPING_ITERATIONS: usize = 4;

/// Iterations over all lists after that.
const REFINING_ITERATIONS: usize = 3;

/// Groups probed for each row while training, and for the final assignment.
const TRAIN_GROUP_PROBES: usize = 4;
const GROUP_PROBES: usize = 8;

/// Rows of the sample whose mean is subtracted from everything before it is encoded.
const MEAN_ROWS: usize = 8192;

/// Lists whose centroids are updated in one piece of work.
const LISTS_PER_PIECE: usize = 64;

/// Rows of one piece of work.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Centroids in groups: a row is compared with a centroid only if its group is near.
#[derive(Debug)]
pub(crate) struct TwoLevelKmeans {
    /// Mean of the rows, shape (dim,).
    mean: Vec<f32>,
    super_centroids: Int8Centroids,
    groups: Vec<Group>,
    group_probes: usize,
}

#[derive(Debug)]
struct Group {
    /// Their numbers among all centroids, rising.
    numbers: Vec<u32>,
    centroids: Int8Centroids,
}

impl TwoLevelKmeans {
    /// Group `centroids`, shape (k, dim), around super-centroids; all are centred with `mean`, shape (dim,).
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub(crate) fn new(
        centroids: &[f32],
        mean: Vec<f32>,
        group_probes: usize,
        rng: &mut Rng,
        interrupt: Interrupt<'_>,
    ) -> Result<Self> {
        let dim = mean.len();
        let count = super_centroid_count(centroids.len() / dim);
        let super_centroids = lloyd(centroids, dim, (count, GROUPING_ITERATIONS), rng, interrupt)?;
        let super_centroids = Int8Centroids::new(&super_centroids, &mean);
        let nearest = super_centroids.nearest(&Int8Matrix::centered(&mean, centroids), interrupt)?;
        let assignment = Assignment::new(&nearest, super_centroids.len());
        let group = |list| {
            let numbers = assignment.rows_of(list).to_vec();
            let centroids = Int8Centroids::new(&gather(centroids, dim, &numbers), &mean);
            Group { numbers, centroids }
        };
        let groups = (0..super_centroids.len()).map(group).collect();
        Ok(Self { mean, super_centroids, groups, group_probes })
    }

    /// Group the given centroids for the final assignment of rows; their own mean centres them.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub(crate) fn of_centroids(
        centroids: &[f32],
        dim: usize,
        seed: u64,
        interrupt: Interrupt<'_>,
    ) -> Result<Self> {
        let mut mean = vec![0.0; dim];
        mean_into(&mut mean, centroids.chunks_exact(dim));
        Self::new(centroids, mean, GROUP_PROBES, &mut Rng::new(seed, 1), interrupt)
    }

    /// Number of centroids.
    pub(crate) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.numbers.len()).sum()
    }

    /// The mean that rows are centred with, shape (dim,).
    pub(crate) fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Return for each of `rows`, centred with [`TwoLevelKmeans::mean`], the nearest centroid of its nearest groups.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub(crate) fn assign(&self, rows: &Int8Matrix, interrupt: Interrupt<'_>) -> Result<Vec<u32>> {
        let mut best = vec![(f32::NEG_INFINITY, 0); rows.len()];
        for (group, rows_of_group) in self.groups.iter().zip(self.rows_by_group(rows)) {
            interrupt.check()?;
            let selected = rows_of_group.into_iter().map(|row| row as usize);
            group.centroids.score(rows, selected, |row, scores| {
                let (index, score) = argmax(scores);
                let number = group.numbers[index];
                if score > best[row].0 || score == best[row].0 && number < best[row].1 {
                    best[row] = (score, number);
                }
            });
        }
        Ok(best.into_iter().map(|(_, number)| number).collect())
    }

    /// Return the rows that are compared with each group: those that have it among their nearest groups that are not empty.
    fn rows_by_group(&self, rows: &Int8Matrix) -> Vec<Vec<u32>> {
        let capacity = 2 * rows.len() * self.group_probes / self.groups.len().max(1);
        let mut rows_by_group = vec![Vec::with_capacity(capacity); self.groups.len()];
        let is_empty = |&group: &usize| self.groups[group].numbers.is_empty();
        let empty: Vec<usize> = (0..self.groups.len()).filter(is_empty).collect();
        let mut group_scores = vec![0.0; self.groups.len()];
        let mut nearest = Vec::new();
        self.super_centroids.score(rows, 0..rows.len(), |row, scores| {
            group_scores.copy_from_slice(scores);
            empty.iter().for_each(|&group| group_scores[group] = f32::NEG_INFINITY);
            top_k_indices(&group_scores, self.group_probes, &mut nearest);
            let full = nearest.iter().filter(|&&group| !is_empty(&(group as usize)));
            full.for_each(|&group| rows_by_group[group as usize].push(row as u32));
        });
        rows_by_group
    }
}

/// Train about `nlist` centroids on the rows numbered `sample`: first super-centroids, then a split of the rows of each, then
/// iterations over all. Rows with many duplicates give fewer centroids.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or the progress callback's error.
pub(crate) fn train(
    rows: &RowsView<'_>,
    sample: &[u32],
    nlist: usize,
    seed: u64,
    workers: &mut ScopedWorkers<'_>,
) -> Result<TwoLevelKmeans> {
    let (dim, interrupt) = (rows.dim(), workers.interrupt());
    let mut rng = Rng::new(seed, 1);
    workers.begin_stage("lists", (0.0, 0.2));
    let mean = mean(rows, sample, seed)?;
    let mut centroids = split_clusters(rows, sample, nlist, &mean, seed, workers)?;
    for iteration in 0..REFINING_ITERATIONS {
        let share = |iteration: usize| 0.2 + 0.8 * iteration as f64 / REFINING_ITERATIONS as f64;
        workers.begin_stage("lists", (share(iteration), share(iteration + 1)));
        let kmeans = TwoLevelKmeans::new(&centroids, mean.clone(), TRAIN_GROUP_PROBES, &mut rng, interrupt)?;
        let lists = assign(rows, sample, &kmeans, workers)?;
        let assignment = Assignment::new(&lists, centroids.len() / dim);
        update_centroids(rows, sample, &assignment, &mut centroids, workers)?;
        for (empty, index) in assignment.reseed_empty(&mut rng) {
            let row = rows.gather(&[sample[index as usize]])?;
            centroids[empty * dim..][..dim].copy_from_slice(&row);
        }
    }
    TwoLevelKmeans::new(&centroids, mean, GROUP_PROBES, &mut rng, interrupt)
}

/// Return the mean of a subsample of the rows numbered `sample`, shape (dim,).
fn mean(rows: &RowsView<'_>, sample: &[u32], seed: u64) -> Result<Vec<f32>> {
    let subset = rows.gather(&subsample(sample, MEAN_ROWS, &mut Rng::new(seed, 6)))?;
    let mut mean = vec![0.0; rows.dim()];
    mean_into(&mut mean, subset.chunks_exact(rows.dim()));
    Ok(mean)
}

/// Return the first centroids: super-centroids, each split into a number of lists proportional to its rows.
fn split_clusters(
    rows: &RowsView<'_>,
    sample: &[u32],
    nlist: usize,
    mean: &[f32],
    seed: u64,
    workers: &mut ScopedWorkers<'_>,
) -> Result<Vec<f32>> {
    let (dim, count, interrupt) = (rows.dim(), super_centroid_count(nlist), workers.interrupt());
    let mut rng = Rng::new(seed, 2);
    let subset = subsample(sample, count * ROWS_PER_CENTROID, &mut rng);
    let super_centroids = lloyd(&rows.gather(&subset)?, dim, (count, SPLIT_ITERATIONS), &mut rng, interrupt)?;
    let super_centroids = Int8Centroids::new(&super_centroids, mean);
    let nearest = |numbers: &[u32]| {
        super_centroids.nearest(&Int8Matrix::centered(mean, &rows.gather(numbers)?), interrupt)
    };
    let lists = workers.run(sample.chunks(BATCH_ROWS), nearest)?.concat();
    let assignment = Assignment::new(&lists, super_centroids.len());
    let shares = apportion(nlist, &assignment);
    let split = |(group, share): (usize, usize)| {
        let mut rng = Rng::new(seed, 1000 + group as u64);
        let numbers: Vec<u32> =
            assignment.rows_of(group).iter().map(|&index| sample[index as usize]).collect();
        let values = rows.gather(&subsample(&numbers, share * ROWS_PER_CENTROID, &mut rng))?;
        lloyd(&values, dim, (share, SPLIT_ITERATIONS), &mut rng, interrupt)
    };
    Ok(workers.run(shares.into_iter().enumerate(), split)?.concat())
}

/// Sample up to `count` of these rows, in their order.
fn subsample(rows: &[u32], count: usize, rng: &mut Rng) -> Vec<u32> {
    rng.sample(rows.len(), count).into_iter().map(|index| rows[index as usize]).collect()
}

/// Number of super-centroids for a number of centroids: 512 for 8192, 1448 for 65536.
fn super_centroid_count(centroids: usize) -> usize {
    let group = GROUP_CENTROIDS.max((centroids / CENTROIDS_PER_SQUARED_GROUP).isqrt());
    centroids.div_ceil(group).max(1)
}

/// Apportion `nlist` lists to the super-centroids by their rows: at least one to each that has rows, no more than
/// [`MAX_SPLIT_GROUPS`] allows and no more than its rows.
fn apportion(nlist: usize, assignment: &Assignment) -> Vec<usize> {
    let total = assignment.rows.len().max(1);
    let max_share = MAX_SPLIT_GROUPS * nlist.div_ceil(assignment.lists().max(1));
    let share = |list| {
        let rows = assignment.rows_of(list).len();
        (rows * nlist).div_ceil(total).min(max_share).min(rows)
    };
    let mut shares: Vec<usize> = (0..assignment.lists()).map(share).collect();
    // Rounding up gave too many: take the excess from the largest shares.
    while shares.iter().sum::<usize>() > nlist {
        let Some(largest) = shares.iter_mut().max().filter(|share| **share > 1) else { break };
        *largest -= 1;
    }
    shares
}

/// Return the list of each of the rows numbered `numbers`.
fn assign(
    rows: &RowsView<'_>,
    numbers: &[u32],
    kmeans: &TwoLevelKmeans,
    workers: &mut ScopedWorkers<'_>,
) -> Result<Vec<u32>> {
    let interrupt = workers.interrupt();
    let nearest = |numbers: &[u32]| {
        kmeans.assign(&Int8Matrix::centered(kmeans.mean(), &rows.gather(numbers)?), interrupt)
    };
    Ok(workers.run(numbers.chunks(BATCH_ROWS), nearest)?.concat())
}

/// Move each centroid to the mean of its list; `numbers` are the rows that `assignment` counts. Empty lists keep theirs.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or the progress callback's error.
pub(crate) fn update_centroids(
    rows: &RowsView<'_>,
    numbers: &[u32],
    assignment: &Assignment,
    centroids: &mut [f32],
    workers: &mut ScopedWorkers<'_>,
) -> Result<()> {
    let (dim, interrupt) = (rows.dim(), workers.interrupt());
    let pieces = centroids.chunks_mut(LISTS_PER_PIECE * dim).enumerate();
    let update = |(piece, centroids): (usize, &mut [f32])| {
        for (index, centroid) in centroids.chunks_exact_mut(dim).enumerate() {
            interrupt.check()?;
            let list = assignment.rows_of(piece * LISTS_PER_PIECE + index);
            let list: Vec<u32> = list.iter().map(|&index| numbers[index as usize]).collect();
            mean_into(centroid, rows.gather(&list)?.chunks_exact(dim));
        }
        Ok(())
    };
    workers.run(pieces, update).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Values;
    use crate::parallel::Progress;

    const DIM: usize = 6;

    fn values(n: usize) -> Vec<f32> {
        let mut rng = Rng::new(9, 0);
        (0..n * DIM).map(|_| rng.normal()).collect()
    }

    fn trained(values: &[f32], nlist: usize, threads: usize) -> TwoLevelKmeans {
        let rows = RowsView::new(Values::F32(values), DIM).unwrap();
        let sample: Vec<u32> = (0..rows.len() as u32).collect();
        let mut on_progress = |_: Progress| Ok(());
        train(&rows, &sample, nlist, 5, &mut ScopedWorkers::new(threads, &mut on_progress, Interrupt::NEVER))
            .unwrap()
    }

    fn assigned(kmeans: &TwoLevelKmeans, values: &[f32]) -> Vec<u32> {
        kmeans.assign(&Int8Matrix::centered(kmeans.mean(), values), Interrupt::NEVER).unwrap()
    }

    #[test]
    fn two_levels_assign_90_percent_as_exact_search_does() {
        let values = values(6000);
        let kmeans = trained(&values, 300, 2);
        assert_eq!(kmeans.len(), 300);
        let rows = Int8Matrix::centered(kmeans.mean(), &values);
        let all = TwoLevelKmeans { group_probes: kmeans.groups.len(), ..kmeans };
        let exact = all.assign(&rows, Interrupt::NEVER).unwrap();
        let subset = TwoLevelKmeans { group_probes: TRAIN_GROUP_PROBES, ..all };
        let found = subset.assign(&rows, Interrupt::NEVER).unwrap();
        let same = exact.iter().zip(&found).filter(|(a, b)| a == b).count();
        assert!(same > 5400, "{same} of 6000");
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_result() {
        let values = values(3000);
        let one = assigned(&trained(&values, 150, 1), &values);
        assert_eq!(one, assigned(&trained(&values, 150, 3), &values));
    }

    #[test]
    fn equal_rows_and_few_rows_are_clustered() {
        let same = [2.0; 900 * DIM];
        let kmeans = trained(&same, 600, 1);
        assert!((1..=600).contains(&kmeans.len()));
        assert_eq!(assigned(&kmeans, &same).iter().max(), Some(&0));
        assert_eq!(trained(&values(5), 5, 1).len(), 5);
    }
}
