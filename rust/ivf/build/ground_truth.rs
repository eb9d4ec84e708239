//! Exact ground truth with pruning: the true neighbours among all rows, most of which are skipped by their int8 codes.
//!
//! The inner product of the int8 codes of a row and a query bounds their exact inner product, by the Cauchy–Schwarz
//! inequality: the error is at most `|q| |x - x̂| + |q - q̂| |x̂|`. A row whose upper bound is below the score of the last of enough rows of a sample
//! cannot be a neighbour and is skipped. The other rows are scored exactly, so the result is the same as without pruning.

use std::cmp::Ordering;
use std::ops::Range;

use crate::error::Result;
use crate::ivf::build::held_out::{QuerySplit, TopKPerQuery};
use crate::kernels::gemm_i8::{GemmI8, Int8Matrix, PackedB};
use crate::linalg::gemm::dot;
use crate::parallel::Interrupt;

/// Bound on the float32 rounding error of an inner product, relative to the product of the lengths: 16 interleaved sums of at
/// most 4096 values round at most 272 times, each by 6e-8.
const FLOAT_ERROR: f32 = 1e-4;

/// Rows between two checks of the interrupt.
const STEP_ROWS: usize = 1024;

/// Queries whose bounds are compared at once.
const CHUNK: usize = 16;

/// Held-out queries, and the scores that a neighbour must reach.
#[derive(Debug)]
pub(crate) struct PrunedScan<'a> {
    split: &'a QuerySplit,
    gemm: GemmI8,
    queries: PackedB,
    bounds: Vec<QueryBound>,
    /// Length of the mean.
    mean_length: f32,
    /// `√dim / 2`: the length of a rounding error is at most this many steps.
    half_root: f32,
}

/// The query's part of the upper bound.
#[derive(Clone, Copy, Debug)]
struct QueryBound {
    /// Step of its codes.
    scale: f32,
    /// Its length.
    length: f32,
    /// Bound on the length of its rounding error.
    rounding_error: f32,
    /// Score that a centred row must reach.
    threshold: f32,
}

impl<'a> PrunedScan<'a> {
    /// Prepare for rows that are centred with `mean`, shape (dim,). `seeds` has the best of a sample of rows.
    pub(crate) fn new(split: &'a QuerySplit, mean: &[f32], seeds: &TopKPerQuery) -> Self {
        let encoded = Int8Matrix::new(&split.held_out, split.dim());
        let half_root = (split.dim() as f32).sqrt() / 2.0;
        let length = |values: &[f32]| dot(values, values).sqrt();
        let bound = |((query, &scale), kth_score): ((&[f32], &f32), f32)| {
            // The score of the mean is rounded, too.
            let mean_score = dot(query, mean) + FLOAT_ERROR * length(query) * length(mean);
            QueryBound {
                scale,
                length: length(query),
                rounding_error: scale * half_root,
                threshold: kth_score - mean_score,
            }
        };
        let kth_scores = seeds.kth_scores(split.depth());
        let queries = split.held_out.chunks_exact(split.dim()).zip(encoded.scales());
        let bounds = queries.zip(kth_scores).map(bound).collect();
        let (gemm, queries) = (GemmI8::fastest(), PackedB::new(&encoded));
        Self { split, gemm, queries, bounds, mean_length: length(mean), half_root }
    }

    /// Return for each held-out query the best of those rows that can be among the [`QuerySplit::depth`] best of all rows.
    ///
    /// The rows are numbered `numbers`, their values are `rows` and their centred codes `encoded`.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub(crate) fn best(
        &self,
        rows: &[f32],
        encoded: &Int8Matrix,
        numbers: Range<u32>,
        interrupt: Interrupt<'_>,
    ) -> Result<TopKPerQuery> {
        let mut best = TopKPerQuery::new(self.split.len(), self.split.depth());
        let dim = self.split.dim();
        let mut push = |row: usize, products: &[i32]| {
            let row_bound = self.row_bound(encoded, row);
            let chunks = products.chunks(CHUNK).zip(self.bounds.chunks(CHUNK));
            for (chunk, (products, bounds)) in chunks.enumerate() {
                let pairs = || products.iter().zip(bounds);
                if !pairs().fold(false, |any, (&product, bound)| any | row_bound.can_reach(product, bound)) {
                    continue;
                }
                let reaching =
                    pairs().enumerate().filter(|(_, (product, bound))| row_bound.can_reach(**product, bound));
                for (index, _) in reaching {
                    let query = chunk * CHUNK + index;
                    let values = &self.split.held_out[query * dim..][..dim];
                    best.push_one(query, numbers.start + row as u32, dot(values, &rows[row * dim..][..dim]));
                }
            }
        };
        for start in (0..encoded.len()).step_by(STEP_ROWS) {
            interrupt.check()?;
            let range = start..encoded.len().min(start + STEP_ROWS);
            self.gemm.products(encoded, range, &self.queries, &mut push);
        }
        Ok(best)
    }

    fn row_bound(&self, encoded: &Int8Matrix, row: usize) -> RowBound {
        let scale = encoded.scales()[row];
        let squares: i32 = encoded.codes(row).iter().map(|&code| i32::from(code) * i32::from(code)).sum();
        let (length, rounding_error) = (scale * (squares as f32).sqrt(), scale * self.half_root);
        let float_error = FLOAT_ERROR * (length + rounding_error + self.mean_length);
        RowBound { scale, length, rounding_error: rounding_error + float_error }
    }
}

/// The row's part of the upper bound.
#[derive(Clone, Copy)]
struct RowBound {
    scale: f32,
    /// Length of the decoded row.
    length: f32,
    /// Bound on the length of its rounding error, and of float32 rounding.
    rounding_error: f32,
}

impl RowBound {
    /// Whether the upper bound of the score reaches the query's threshold. NaN counts as reaching it.
    #[inline(always)]
    fn can_reach(self, product: i32, query: &QueryBound) -> bool {
        let upper_bound = product as f32 * (self.scale * query.scale)
            + query.length * self.rounding_error
            + query.rounding_error * self.length;
        upper_bound.partial_cmp(&query.threshold) != Some(Ordering::Less)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    // Not the trait of proptest's prelude.
    use crate::linalg::rng::Rng;
    use crate::matrix::{RowsView, Values};

    fn split_of(values: &[f32], dim: usize, seed: u64) -> QuerySplit {
        QuerySplit::new(&RowsView::new(Values::F32(values), dim).unwrap(), None, seed).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn pruning_keeps_the_true_neighbours(seed: u64, dim in 1_usize..40, spread in -4_i32..5, offset in 0_f32..20.0) {
            let mut rng = Rng::new(seed, 0);
            let deviation = |i: usize| if i.is_multiple_of(dim) { 2_f32.powi(spread) } else { 1.0 };
            let values: Vec<f32> = (0..150 * dim).map(|i| offset + deviation(i) * rng.normal()).collect();
            let split = split_of(&values, dim, seed);
            let mean = vec![offset; dim];
            let seeds = split.best(&values[..40 * dim], 0..40, Interrupt::NEVER).unwrap();
            let pruned_scan = PrunedScan::new(&split, &mean, &seeds);
            let encoded = Int8Matrix::centered(&mean, &values);
            let found = pruned_scan.best(&values, &encoded, 0..150, Interrupt::NEVER).unwrap();
            let found = TopKPerQuery::merged_rows(vec![found], split.len(), split.depth());
            let mut exact = TopKPerQuery::new(split.len(), split.depth());
            for (query, query_values) in split.held_out.chunks_exact(dim).enumerate() {
                for (row, values) in values.chunks_exact(dim).enumerate() {
                    exact.push_one(query, row as u32, dot(query_values, values));
                }
            }
            prop_assert_eq!(found, TopKPerQuery::merged_rows(vec![exact], split.len(), split.depth()));
        }
    }

    #[test]
    fn most_rows_are_pruned() {
        let mut rng = Rng::new(2, 0);
        let values: Vec<f32> = (0..4000 * 32).map(|_| rng.normal()).collect();
        let split = split_of(&values, 32, 0);
        let seeds = split.best(&values, 0..4000, Interrupt::NEVER).unwrap();
        let pruned_scan = PrunedScan::new(&split, &[0.0; 32], &seeds);
        let encoded = Int8Matrix::new(&values, 32);
        let mut scored = 0;
        pruned_scan.gemm.products(&encoded, 0..encoded.len(), &pruned_scan.queries, |row, products| {
            let row_bound = pruned_scan.row_bound(&encoded, row);
            let pairs = products.iter().zip(&pruned_scan.bounds);
            scored += pairs.filter(|(product, bound)| row_bound.can_reach(**product, bound)).count();
        });
        assert!(
            (split.depth() * split.len()..3 * split.depth() * split.len()).contains(&scored),
            "{scored} for {}",
            split.len()
        );
    }
}
