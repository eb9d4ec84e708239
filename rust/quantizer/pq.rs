//! Product quantization (Jégou, Douze and Schmid, 2011) with 4-bit codes: each subvector of four dimensions is replaced by
//! the number of the nearest of sixteen centroids.
//!
//! Matrices are column-major here, shape (4m, n): one dimension of many rows is contiguous, so the loops over rows are
//! vectorised on every CPU.

use crate::error::Result;
use crate::kernels::fastscan::{KSUB, M_MULTIPLE, MAX_M};
use crate::linalg::rng::Rng;
use crate::parallel::{Interrupt, ScopedWorkers};
use crate::simd::multiversion;

/// Dimensions of one subquantizer.
pub const DSUB: usize = 4;

/// Values of one subquantizer's codebook.
const CODEBOOK_LEN: usize = KSUB * DSUB;

/// Iterations of Lloyd's algorithm. After twenty, the error falls by less than a thousandth an iteration.
pub const ITERATIONS: usize = 20;

/// Rows that are compared with the centroids at once.
const LANES: usize = 16;

/// Number of subquantizers that encode every dimension, or as many as possible: 128 for 512 dimensions.
pub const fn default_m(dim: usize) -> usize {
    let m = dim.div_ceil(DSUB).next_multiple_of(M_MULTIPLE);
    if m < MAX_M { m } else { MAX_M }
}

/// Train the codebooks, shape (m, 16, 4), on columns of shape (4m, n), with some iterations of Lloyd's algorithm.
///
/// # Errors
/// The progress callback's error.
pub fn train(
    columns: &[f32],
    m: usize,
    (seed, iterations): (u64, usize),
    workers: &mut ScopedWorkers<'_>,
) -> Result<Vec<f32>> {
    let (n, interrupt) = (columns.len() / (m * DSUB), workers.interrupt());
    let train_codebook = |group: usize| {
        let columns = &columns[group * DSUB * n..][..DSUB * n];
        train_one(columns, n, iterations, &mut Rng::new(seed, 2000 + group as u64), interrupt)
    };
    Ok(workers.run(0..m, train_codebook)?.concat())
}

/// Train one codebook, shape (16, 4), on columns of shape (4, n).
fn train_one(
    columns: &[f32],
    n: usize,
    iterations: usize,
    rng: &mut Rng,
    interrupt: Interrupt<'_>,
) -> Result<Vec<f32>> {
    let mut codebook = init_codebook(columns, n, rng);
    let mut codes = vec![0; n];
    for _ in 0..iterations {
        interrupt.check()?;
        encode_one(columns, n, &codebook, &mut codes);
        update_centroids(columns, n, &codes, &mut codebook, rng);
    }
    Ok(codebook)
}

/// Sample sixteen rows; with fewer, some are repeated, and with none, all centroids are zero.
fn init_codebook(columns: &[f32], n: usize, rng: &mut Rng) -> Vec<f32> {
    let rows = rng.sample(n, KSUB);
    let mut codebook = vec![0.0; CODEBOOK_LEN];
    for (centroid, &row) in codebook.chunks_exact_mut(DSUB).zip(rows.iter().cycle()) {
        centroid.copy_from_slice(&row_of(columns, n, row as usize));
    }
    codebook
}

fn row_of(columns: &[f32], n: usize, row: usize) -> [f32; DSUB] {
    std::array::from_fn(|d| columns[d * n + row])
}

/// Move each centroid to the mean of its rows; an empty one is reseeded with a random row.
fn update_centroids(columns: &[f32], n: usize, codes: &[u8], codebook: &mut [f32], rng: &mut Rng) {
    let mut counts = [0_u32; KSUB];
    codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
    for d in 0..DSUB {
        let mut sums = [0.0_f64; KSUB];
        let column = &columns[d * n..][..n];
        codes.iter().zip(column).for_each(|(&code, &value)| sums[usize::from(code)] += f64::from(value));
        for (code, sum) in sums.into_iter().enumerate().filter(|&(code, _)| counts[code] > 0) {
            codebook[code * DSUB + d] = (sum / f64::from(counts[code])) as f32;
        }
    }
    for code in (0..KSUB).filter(|&code| counts[code] == 0 && n > 0) {
        codebook[code * DSUB..][..DSUB].copy_from_slice(&row_of(columns, n, rng.uniform_below(n)));
    }
}

/// Encode columns of shape (4m, n) into `codes`, shape (m, n), values 0 to 15.
///
/// # Panics
/// If the shapes do not agree.
pub fn encode(columns: &[f32], n: usize, codebooks: &[f32], codes: &mut [u8]) {
    assert_eq!(columns.len() * KSUB, codebooks.len() * n, "columns and codebooks have different m");
    assert_eq!(codes.len() * DSUB, columns.len(), "there is not one code for four values");
    if n == 0 {
        return;
    }
    let groups = columns.chunks_exact(DSUB * n).zip(codebooks.chunks_exact(CODEBOOK_LEN));
    let groups = groups.zip(codes.chunks_exact_mut(n));
    groups.for_each(|((columns, codebook), codes)| encode_one(columns, n, codebook, codes));
}

multiversion! {
    /// Encode columns of shape (4, n); ties go to the lower code.
    fn encode_one(columns: &[f32], n: usize, codebook: &[f32], codes: &mut [u8]) = encode_lanes
}

#[inline(always)]
fn encode_lanes(columns: &[f32], n: usize, codebook: &[f32], codes: &mut [u8]) {
    let (centroids, _) = codebook.as_chunks::<DSUB>();
    let half_norm = |centroid: &[f32; DSUB]| centroid.iter().map(|value| value * value).sum::<f32>() / 2.0;
    for (batch, codes) in codes.chunks_mut(LANES).enumerate() {
        let mut values = [[0.0; LANES]; DSUB];
        for (d, lanes) in values.iter_mut().enumerate() {
            let start = d * n + batch * LANES;
            lanes[..codes.len()].copy_from_slice(&columns[start..][..codes.len()]);
        }
        let (mut best_scores, mut best) = ([f32::NEG_INFINITY; LANES], [0; LANES]);
        for (code, centroid) in centroids.iter().enumerate() {
            let scores = scores(&values, centroid, half_norm(centroid));
            keep_best(&scores, code as i32, &mut best_scores, &mut best);
        }
        codes.iter_mut().zip(best).for_each(|(code, best)| *code = best as u8);
    }
}

/// Score sixteen rows against one centroid: `x·c - |c|²/2`, which is largest for the nearest centroid.
#[inline(always)]
fn scores(values: &[[f32; LANES]; DSUB], centroid: &[f32; DSUB], half_norm: f32) -> [f32; LANES] {
    let mut scores = [-half_norm; LANES];
    for (values, centroid) in values.iter().zip(centroid) {
        for lane in 0..LANES {
            scores[lane] += values[lane] * centroid;
        }
    }
    scores
}

#[inline(always)]
fn keep_best(scores: &[f32; LANES], code: i32, best_scores: &mut [f32; LANES], best: &mut [i32; LANES]) {
    for lane in 0..LANES {
        let better = scores[lane] > best_scores[lane];
        best_scores[lane] = if better { scores[lane] } else { best_scores[lane] };
        best[lane] = if better { code } else { best[lane] };
    }
}

/// Decode codes of shape (m, n) to columns of shape (4m, n).
///
/// # Panics
/// If the shapes do not agree.
pub fn decode(codes: &[u8], n: usize, codebooks: &[f32]) -> Vec<f32> {
    assert_eq!(codes.len() * CODEBOOK_LEN, codebooks.len() * n, "codes and codebooks have different m");
    let mut columns = vec![0.0; codes.len() * DSUB];
    for (index, column) in columns.chunks_exact_mut(n.max(1)).enumerate() {
        let (group, d) = (index / DSUB, index % DSUB);
        let codebook = &codebooks[group * CODEBOOK_LEN..][..CODEBOOK_LEN];
        let codes = &codes[group * n..][..n];
        column
            .iter_mut()
            .zip(codes)
            .for_each(|(value, &code)| *value = codebook[usize::from(code) * DSUB + d]);
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    // Not the trait of proptest's prelude.
    use crate::linalg::rng::Rng;

    fn train(columns: &[f32], m: usize, threads: usize) -> Vec<f32> {
        super::train(
            columns,
            m,
            (1, ITERATIONS),
            &mut ScopedWorkers::new(threads, &mut |_| Ok(()), Interrupt::NEVER),
        )
        .unwrap()
    }

    #[test]
    fn sixteen_points_are_encoded_exactly() {
        let points: Vec<f32> = (0..2 * DSUB * 16).map(|i| ((i * 37) % 101) as f32).collect();
        let codebooks = train(&points, 2, 2);
        let mut codes = vec![9; 2 * 16];
        encode(&points, 16, &codebooks, &mut codes);
        assert_eq!(decode(&codes, 16, &codebooks), points);
    }

    #[test]
    fn the_distortion_of_normal_values_is_near_the_optimum() {
        let mut rng = Rng::new(0, 0);
        let n = 4000;
        let columns: Vec<f32> = (0..DSUB * n).map(|_| rng.normal()).collect();
        let codebooks = train(&columns, 1, 1);
        let mut codes = vec![0; n];
        encode(&columns, n, &codebooks, &mut codes);
        let decoded = decode(&codes, n, &codebooks);
        let error: f32 = decoded.iter().zip(&columns).map(|(a, b)| (a - b) * (a - b)).sum();
        // The best sixteen centroids in four dimensions have a distortion of about 0.36 of the energy.
        assert!(error / (DSUB * n) as f32 <= 0.39, "{}", error / (DSUB * n) as f32);
    }

    #[test]
    fn no_rows_and_equal_rows_are_encoded() {
        assert_eq!(train(&[], 2, 1), [0.0; 2 * CODEBOOK_LEN]);
        let codebooks = train(&[5.0; DSUB * 3], 1, 1);
        let mut codes = [9; 3];
        encode(&[5.0; DSUB * 3], 3, &codebooks, &mut codes);
        assert_eq!((codes, &codebooks[..4]), ([0; 3], &[5.0; 4][..]));
    }

    proptest! {
        #[test]
        fn the_nearest_centroid_is_chosen(
            values in prop::collection::vec(-8_i8..8, DSUB * 37),
            codebook in prop::collection::vec(-8_i8..8, CODEBOOK_LEN),
        ) {
            let float = |values: &[i8]| values.iter().map(|&value| f32::from(value)).collect::<Vec<_>>();
            let (columns, codebook) = (float(&values), float(&codebook));
            let mut codes = vec![0; 37];
            encode(&columns, 37, &codebook, &mut codes);
            for (row, &code) in codes.iter().enumerate() {
                let point = row_of(&columns, 37, row);
                let distance = |centroid: &[f32]| centroid.iter().zip(point).map(|(c, x)| (c - x) * (c - x)).sum::<f32>();
                let distances: Vec<f32> = codebook.chunks(DSUB).map(distance).collect();
                let nearest = distances.iter().copied().fold(f32::INFINITY, f32::min);
                prop_assert_eq!(distances.iter().position(|&d| d == nearest), Some(usize::from(code)));
            }
        }
    }
}
