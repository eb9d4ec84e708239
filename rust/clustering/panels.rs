//! The nearest of a few centroids for rows picked here and there: no row is copied, and sixteen centroids stand side by
//! side in the registers. A general matrix product spends most of its time on packing where one side is so small.

use crate::clustering::kmeans::largest;
use crate::math::linalg::dot;

/// Centroids compared side by side.
const LANES: usize = 16;

/// Rows compared side by side: with sixteen centroids each, their sums fill half of the registers.
const TOGETHER: usize = 4;

type Lanes = [f32; LANES];

/// A few centroids, laid out for [`Panels::nearest`].
#[derive(Debug)]
pub struct Panels {
    dim: usize,
    /// For every sixteen centroids and every dimension, the values of the sixteen.
    lanes: Vec<Lanes>,
    /// Half the squared length of each; infinite for the places after the last centroid.
    halves: Vec<Lanes>,
}

impl Panels {
    /// Lay out centroids of shape (k, dim).
    pub fn new(centroids: &[f32], dim: usize) -> Self {
        let mut panels = Self { dim, lanes: Vec::new(), halves: Vec::new() };
        for sixteen in centroids.chunks(LANES * dim) {
            let value = |lane: usize, at: usize| sixteen.get(lane * dim + at).copied().unwrap_or(0.0);
            panels.lanes.extend((0..dim).map(|at| std::array::from_fn(|lane| value(lane, at))));
            let half = |centroid: &[f32]| dot(centroid, centroid) / 2.0;
            let mut halves = [f32::INFINITY; LANES];
            halves.iter_mut().zip(sixteen.chunks_exact(dim)).for_each(|(to, centroid)| *to = half(centroid));
            panels.halves.push(halves);
        }
        panels
    }

    /// For each of the `picked` rows of `rows` (n, dim) call `found` with its number, the place of its nearest centroid
    /// and its score `x·c - |c|²/2`; of equally near ones the first.
    pub fn nearest(&self, rows: &[f32], picked: &[u32], found: impl FnMut(u32, usize, f32)) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: this CPU has AVX2 and FMA.
            unsafe { self.nearest_avx2(rows, picked, found) };
            return;
        }
        self.nearest_by(rows, picked, found, |a, b, sum| a * b + sum);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn nearest_avx2(&self, rows: &[f32], picked: &[u32], found: impl FnMut(u32, usize, f32)) {
        self.nearest_by(rows, picked, found, f32::mul_add);
    }

    #[inline(always)]
    fn nearest_by(
        &self,
        rows: &[f32],
        picked: &[u32],
        mut found: impl FnMut(u32, usize, f32),
        multiply_add: impl Fn(f32, f32, f32) -> f32 + Copy,
    ) {
        for (panel, (lanes, halves)) in self.lanes.chunks_exact(self.dim).zip(&self.halves).enumerate() {
            for few in picked.chunks(TOGETHER) {
                // Where there are fewer, the last is taken again, and what comes of it is not looked at.
                let row = |at: usize| &rows[few[at.min(few.len() - 1)] as usize * self.dim..][..self.dim];
                let mut scores = sums(std::array::from_fn(row), lanes, multiply_add);
                for (&row, scores) in few.iter().zip(&mut scores) {
                    scores.iter_mut().zip(halves).for_each(|(score, half)| *score -= half);
                    let (place, score) = largest(scores);
                    found(row, panel * LANES + place, score);
                }
            }
        }
    }
}

/// Products of four rows with sixteen centroids.
#[inline(always)]
fn sums(
    rows: [&[f32]; TOGETHER],
    lanes: &[Lanes],
    multiply_add: impl Fn(f32, f32, f32) -> f32,
) -> [Lanes; TOGETHER] {
    let mut sums = [[0.0; LANES]; TOGETHER];
    let rows = rows.map(|row| &row[..lanes.len()]);
    for (at, lanes) in lanes.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let value = row[at];
            for lane in 0..LANES {
                sums[lane] = multiply_add(value, lanes[lane], sums[lane]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clustering::kmeans::Centroids;

    proptest! {
        // Small whole numbers: every sum is exact, in every order.
        #[test]
        fn the_nearest_is_that_of_plain_centroids(
            (dim, values, centroids) in (1_usize..9).prop_flat_map(|dim| {
                let rows = |most| prop::collection::vec((-6_i8..6).prop_map(f32::from), dim..dim * most)
                    .prop_map(move |mut rows| { rows.truncate(rows.len() / dim * dim); rows });
                (Just(dim), rows(12), rows(40))
            })
        ) {
            let picked: Vec<u32> = (0..(values.len() / dim) as u32).rev().collect();
            let mut best = vec![(f32::NEG_INFINITY, 0); picked.len()];
            Panels::new(&centroids, dim).nearest(&values, &picked, |row, place, score| {
                let best = &mut best[row as usize];
                if score > best.0 { *best = (score, place as u32); }
            });
            let expected = Centroids::new(centroids, dim).nearest(&values);
            prop_assert_eq!(best.into_iter().map(|(_, place)| place).collect::<Vec<_>>(), expected);
        }
    }
}
