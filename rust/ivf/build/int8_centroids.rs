//! Centroids in int8: finds the nearest centroid, or one nearly as near, with int8 matrix products.
//!
//! Rows and centroids are centred first, which changes no distance, and keeps the error of a product to about a thousandth of
//! the lengths. Integer products are the same on every CPU.

use crate::error::Result;
use crate::ivf::build::argmax::argmax;
use crate::kernels::gemm_i8::{GemmI8, Int8Matrix, PackedB};
use crate::linalg::gemm::dot;
use crate::parallel::Interrupt;

/// Rows between two checks of the interrupt.
const STEP_ROWS: usize = 1024;

/// Centroids in int8 codes.
#[derive(Debug)]
pub(crate) struct Int8Centroids {
    gemm: GemmI8,
    packed: PackedB,
    scales: Vec<f32>,
    /// `|c|²/2` of the centred centroids: the nearest `c` to `x` has the largest `x·c - |c|²/2`.
    half_norms: Vec<f32>,
}

impl Int8Centroids {
    /// Encode centroids of shape (k, dim), less `mean`, shape (dim,).
    pub(crate) fn new(centroids: &[f32], mean: &[f32]) -> Self {
        let encoded = Int8Matrix::centered(mean, centroids);
        let half_norm = |centroid: &[f32]| {
            let centered: Vec<f32> = centroid.iter().zip(mean).map(|(value, mean)| value - mean).collect();
            dot(&centered, &centered) / 2.0
        };
        Self {
            gemm: GemmI8::fastest(),
            packed: PackedB::new(&encoded),
            half_norms: centroids.chunks_exact(mean.len()).map(half_norm).collect(),
            scales: encoded.scales,
        }
    }

    /// Number of centroids.
    pub(crate) fn len(&self) -> usize {
        self.half_norms.len()
    }

    /// Call `found` with the number of each `selected` row and its scores `x·c - |c|²/2`, shape (k,). The rows are centred
    /// with the same mean.
    pub(crate) fn score(
        &self,
        rows: &Int8Matrix,
        selected: impl Iterator<Item = usize>,
        mut found: impl FnMut(usize, &[f32]),
    ) {
        let mut scores = vec![0.0; self.len()];
        self.gemm.products(rows, selected, &self.packed, |row, products| {
            let row_scale = rows.scales()[row];
            let centroids = self.scales.iter().zip(&self.half_norms);
            for (score, (&product, (scale, half_norm))) in
                scores.iter_mut().zip(products.iter().zip(centroids))
            {
                *score = product as f32 * (row_scale * scale) - half_norm;
            }
            found(row, &scores);
        });
    }

    /// Return the nearest centroid of each row; ties go to the first.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub(crate) fn nearest(&self, rows: &Int8Matrix, interrupt: Interrupt<'_>) -> Result<Vec<u32>> {
        let mut nearest = vec![0; rows.len()];
        for start in (0..rows.len()).step_by(STEP_ROWS) {
            interrupt.check()?;
            let range = start..rows.len().min(start + STEP_ROWS);
            self.score(rows, range, |row, scores| nearest[row] = argmax(scores).0 as u32);
        }
        Ok(nearest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ivf::build::kmeans::tests::nearest;

    proptest! {
        // Integers of which one is 127 are encoded exactly, so every product is exact.
        #[test]
        fn the_nearest_centroid_agrees_with_the_reference(
            (dim, values, centroids) in (2_usize..9).prop_flat_map(|dim| {
                let rows = move |max| prop::collection::vec(prop::collection::vec((-6_i8..6).prop_map(f32::from), dim), 1..max)
                    .prop_map(|mut rows| { rows.iter_mut().for_each(|row| row[0] = 127.0); rows.concat() });
                (Just(dim), rows(30), rows(40))
            })
        ) {
            let found = Int8Centroids::new(&centroids, &vec![0.0; dim]).nearest(&Int8Matrix::new(&values, dim), Interrupt::NEVER).unwrap();
            prop_assert_eq!(found, nearest(&values, &centroids, dim));
        }
    }

    #[test]
    fn centering_separates_centroids_far_from_the_origin() {
        // Without it, both centroids would have the same codes.
        let (mean, rows) = ([1e4, -1e4], [1e4 + 1.0, -1e4, 1e4, -1e4 + 1.0]);
        let nearest = Int8Centroids::new(&rows, &mean)
            .nearest(&Int8Matrix::centered(&mean, &rows), Interrupt::NEVER)
            .unwrap();
        assert_eq!(nearest, [0, 1]);
    }
}
