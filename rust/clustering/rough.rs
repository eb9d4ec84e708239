//! Centroids compared with rows by their int8 codes: what is nearest by them is nearest or nearly so.
//!
//! Both sides are coded as they lie around one middle, which changes no distance, and keeps the error of a product to about
//! a thousandth of the lengths. Integer products are the same on every CPU.

use crate::clustering::largest::largest;
use crate::math::linalg::dot;
use crate::vectors::cross::{Coded, Crosser, Panels};

/// Centroids in codes.
#[derive(Debug)]
pub struct Rough {
    crosser: Crosser,
    panels: Panels,
    scales: Vec<f32>,
    /// Half the squared length of each, from the middle: the nearest `c` to `x` has the largest `x·c - |c|²/2`.
    halves: Vec<f32>,
}

impl Rough {
    /// Code centroids of shape (k, dim) around `middle`, shape (dim,).
    pub fn new(centroids: &[f32], middle: &[f32]) -> Self {
        let coded = Coded::around(middle, centroids);
        let half = |centroid: &[f32]| {
            let off: Vec<f32> = centroid.iter().zip(middle).map(|(value, middle)| value - middle).collect();
            dot(&off, &off) / 2.0
        };
        let halves = centroids.chunks_exact(middle.len()).map(half).collect();
        Self {
            crosser: Crosser::fastest(),
            panels: Panels::new(&coded),
            scales: coded.scales().to_vec(),
            halves,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.halves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.halves.is_empty()
    }

    /// Call `found` with the number of each of the `picked` rows and its scores `x·c - |c|²/2`, shape (k,). The rows are
    /// coded around the same middle.
    pub fn score(
        &self,
        rows: &Coded,
        picked: impl Iterator<Item = usize>,
        mut found: impl FnMut(usize, &[f32]),
    ) {
        let mut scores = vec![0.0; self.len()];
        self.crosser.products(rows, picked, &self.panels, |row, products| {
            let scale = rows.scales()[row];
            let centroids = self.scales.iter().zip(&self.halves);
            for (score, (&product, (other, half))) in scores.iter_mut().zip(products.iter().zip(centroids)) {
                *score = product as f32 * (scale * other) - half;
            }
            found(row, &scores);
        });
    }

    /// The nearest centroid of each row; of equally near ones the first.
    pub fn nearest(&self, rows: &Coded) -> Vec<u32> {
        let mut nearest = vec![0; rows.len()];
        self.score(rows, 0..rows.len(), |row, scores| nearest[row] = largest(scores).0 as u32);
        nearest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clustering::kmeans::Centroids;

    proptest! {
        // Whole numbers of which one is 127 are coded as they are, so that every product is exact.
        #[test]
        fn the_nearest_is_that_of_plain_centroids(
            (dim, values, centroids) in (2_usize..9).prop_flat_map(|dim| {
                let rows = move |most| prop::collection::vec(prop::collection::vec((-6_i8..6).prop_map(f32::from), dim), 1..most)
                    .prop_map(|mut rows| { rows.iter_mut().for_each(|row| row[0] = 127.0); rows.concat() });
                (Just(dim), rows(30), rows(40))
            })
        ) {
            let nearest = Rough::new(&centroids, &vec![0.0; dim]).nearest(&Coded::new(&values, dim));
            prop_assert_eq!(nearest, Centroids::new(centroids, dim).nearest(&values));
        }
    }

    #[test]
    fn what_all_rows_have_in_common_is_left_out() {
        // Far from the origin: of codes around it, both centroids would be the same.
        let (middle, rows) = ([1e4, -1e4], [1e4 + 1.0, -1e4, 1e4, -1e4 + 1.0]);
        let nearest = Rough::new(&rows, &middle).nearest(&Coded::around(&middle, &rows));
        assert_eq!(nearest, [0, 1]);
    }
}
