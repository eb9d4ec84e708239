//! The lookup table (LUT) of a query: the inner product of each subvector of the query with each codeword.
//!
//! With float32 entries the PQ score of a row is `Σ_j t[j][code_j]`. Two quantized tables stand for it:
//!
//! * `entries_u7`, rounded to 0..=127 with one scale for all subquantizers, for the fast scan. Sums are exact in 16 bits on
//!   every kernel, in every order.
//! * `lut21`, rounded to 21 bits, for the few rows that are scored last.

use crate::kernels::fastscan::blocks::{self, GROUP_BYTES};
use crate::kernels::fastscan::{KSUB, LUT_LIMIT, MAX_M};
use crate::quantizer::codebook::Codebooks;
use crate::quantizer::length_correction::{CORRECTION_MIN, CORRECTION_ONE};
use crate::quantizer::pq::DSUB;

/// Largest magnitude of an entry of `lut21`.
const LUT21_LIMIT: i32 = 1 << 20;

// Sums of such entries fit 32 bits.
const _: () = assert!(LUT21_LIMIT as i64 * MAX_M as i64 <= i32::MAX as i64);

/// Table steps to the unit of a corrected sum: the scan divides by 256, and [`CORRECTION_ONE`] is 128.
const STEPS_PER_UNIT: f32 = 2.0;

/// Largest error, in table steps, of [`Lut::uncorrected`] from the rounding of a corrected sum to an integer: half a unit,
/// which the smallest correction doubles.
const SUM_ROUNDING: f32 = STEPS_PER_UNIT / 2.0 * (CORRECTION_ONE as f32 / CORRECTION_MIN);

/// Standard deviations of the likely error bound. For a sub-Gaussian sum, `P(|error| > 8 σ) <= 2 exp(-32)`: about 10^-14.
const SIGMAS: f32 = 8.0;

/// Relative error of float32 sums of a few hundred values.
const FLOAT_ROUNDING: f32 = 1e-5;

/// A lookup table, reusable from query to query.
#[derive(Clone, Debug, Default)]
pub struct Lut {
    exact: Vec<[f32; KSUB]>,
    lut21: Vec<[i32; KSUB]>,
    lut21_scale: f32,
    entries_u7: Vec<u8>,
    scale: f32,
    /// The sum of entries that stands for a score of about 0.
    zero_point: i16,
    /// The score that `zero_point` really stands for.
    bias: f32,
    max_sum: i32,
}

impl Lut {
    /// Build the table of a projected query, shape (4m,).
    ///
    /// # Panics
    /// If the query and the codebooks do not agree in `m`.
    pub fn build(&mut self, query: &[f32], codebooks: &Codebooks) {
        assert_eq!(query.len(), codebooks.m() * DSUB, "query and codebooks have different m");
        self.exact.clear();
        let (query, _) = query.as_chunks::<DSUB>();
        let pairs = query.iter().zip(&codebooks.transposed);
        self.exact.extend(pairs.map(|(query, codebook)| entries(query, codebook)));
        self.quantize();
    }

    fn quantize(&mut self) {
        let bounds = || self.exact.iter().map(bounds_of);
        let widest = bounds().fold(0.0_f32, |widest, (low, high)| widest.max(high - low));
        let scale = widest / f32::from(LUT_LIMIT);
        // The table of a zero query, or of one so small that a step would be subnormal, is empty.
        let (scale, inverse) = if scale.is_normal() { (scale, scale.recip()) } else { (0.0, 0.0) };
        let (mut offset, mut max_sum) = (0.0, 0);
        self.entries_u7.clear();
        for entries in &self.exact {
            let (low, _) = bounds_of(entries);
            let quantized = entries.map(|entry| to_u7(entry - low, inverse));
            offset += low;
            max_sum += quantized.iter().fold(0, |max, &entry| max.max(i16::from(entry)));
            self.entries_u7.extend(quantized);
        }
        self.zero_point = ((-offset * inverse).round() as i16).clamp(0, max_sum);
        self.max_sum = i32::from(max_sum - self.zero_point);
        self.bias = offset + f32::from(self.zero_point) * scale;
        self.scale = scale;
    }

    /// Build the 21-bit table as well, for [`Lut::fine_score`].
    pub fn build_fine(&mut self) {
        let widest = self.exact.as_flattened().iter().fold(0.0_f32, |widest, entry| widest.max(entry.abs()));
        let scale = widest / LUT21_LIMIT as f32;
        self.lut21_scale = if scale.is_normal() { scale } else { 0.0 };
        let divisor = if self.lut21_scale == 0.0 { f32::INFINITY } else { scale };
        self.lut21.clear();
        self.lut21.extend(self.exact.iter().map(|entries| entries.map(|entry| to_i21(entry / divisor))));
    }

    /// Return the PQ score of row `row` of a block from the 21-bit table, without length correction.
    #[inline]
    pub fn fine_score(&self, block: &[u8], row: usize) -> f64 {
        let (byte, shift) = blocks::nibble_of(row);
        let groups = block.chunks_exact(GROUP_BYTES).zip(&self.lut21);
        let sum: i32 = groups.map(|(group, table)| table[usize::from(group[byte] >> shift & 15)]).sum();
        f64::from(sum) * f64::from(self.lut21_scale)
    }

    /// Return a bound on how much the errors of two scores from [`Lut::uncorrected`] differ. Call [`Lut::build_fine`] first.
    ///
    /// The minimum of two bounds: the sum of each subquantizer's range of rounding errors, which never fails, and
    /// `SIGMAS` standard deviations of the sum of independent errors, which fails about once in 10^14 pairs.
    pub fn likely_error_bound(&self) -> f32 {
        let (tables, _) = self.entries_u7.as_chunks::<KSUB>();
        let (mut hard_width, mut variance) = (0.0, 0.0);
        for (entries, quantized) in self.exact.iter().zip(tables) {
            let errors = std::array::from_fn(|code| entries[code] - f32::from(quantized[code]) * self.scale);
            let (low, high) = bounds_of(&errors);
            hard_width += high - low;
            variance += variance_of(&errors);
        }
        let likely_width = SIGMAS * (2.0 * variance).sqrt();
        let fine_rounding = self.lut21_scale * self.exact.len() as f32;
        let largest = self.scale * f32::from(LUT_LIMIT) * self.exact.len() as f32;
        hard_width.min(likely_width)
            + fine_rounding
            + 2.0 * SUM_ROUNDING * self.scale
            + FLOAT_ROUNDING * (largest + self.bias.abs())
    }

    /// The entries, shape (m, 16), each at most [`LUT_LIMIT`].
    pub fn entries_u7(&self) -> &[u8] {
        &self.entries_u7
    }

    /// The sum of entries that stands for 0.
    pub fn zero_point(&self) -> i16 {
        self.zero_point
    }

    /// Upper bound of corrected sums.
    pub fn max_sum(&self) -> i32 {
        self.max_sum
    }

    /// Convert a score from outside the table, such as that of a centroid, to the unit of corrected sums.
    pub fn to_lut_units(&self, score: f32) -> i32 {
        const LIMIT: f32 = (1 << 24) as f32;
        let unit = self.scale * STEPS_PER_UNIT;
        if unit == 0.0 { 0 } else { (score / unit).round().clamp(-LIMIT, LIMIT) as i32 }
    }

    /// Convert a corrected sum to a score.
    pub fn score(&self, sum: i32) -> f32 {
        self.bias + sum as f32 * (self.scale * STEPS_PER_UNIT)
    }

    /// Convert a corrected sum to the score without its length correction.
    pub fn uncorrected(&self, sum: i32, correction: u8) -> f32 {
        let unit = self.scale * STEPS_PER_UNIT * f32::from(CORRECTION_ONE);
        self.bias + sum as f32 * unit / f32::from(correction.max(1))
    }
}

#[inline]
fn entries(query: &[f32; DSUB], codebook: &[[f32; KSUB]; DSUB]) -> [f32; KSUB] {
    std::array::from_fn(|code| {
        (query[0] * codebook[0][code] + query[1] * codebook[1][code])
            + (query[2] * codebook[2][code] + query[3] * codebook[3][code])
    })
}

#[inline]
fn bounds_of(entries: &[f32; KSUB]) -> (f32, f32) {
    let low = entries.iter().fold(f32::INFINITY, |low, &entry| if entry < low { entry } else { low });
    let high = entries.iter().fold(f32::NEG_INFINITY, |high, &entry| if entry > high { entry } else { high });
    (low, high)
}

#[inline]
fn variance_of(errors: &[f32; KSUB]) -> f32 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for error in errors {
        sum += error;
        squares += error * error;
    }
    let count = KSUB as f32;
    (squares - sum * sum / count).max(0.0) / count
}

/// Round to the nearest integer: adding 2^23 leaves no bits for a fraction, so the low bits of the sum are the integer.
#[inline]
fn to_u7(value: f32, inverse: f32) -> u8 {
    const SHIFT: f32 = 8_388_608.0;
    (((value * inverse) + SHIFT).to_bits() as u8).min(LUT_LIMIT)
}

/// Round to the nearest integer, ties to even, as [`to_u7`] but with a sign.
#[inline]
fn to_i21(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::fastscan::{FastScan, ScanTable};

    proptest! {
        #[test]
        fn quantized_scores_are_within_the_rounding_error(
            values in prop::collection::vec(-1_f32..1.0, 3 * (KSUB + 1) * DSUB),
            size in -20_i32..20,
        ) {
            let (codebooks, query) = values.split_at(3 * KSUB * DSUB);
            let query: Vec<f32> = query.iter().map(|value| value * (size as f32).exp2()).collect();
            let mut lut = Lut::default();
            lut.build(&query, &Codebooks::new(codebooks));
            prop_assert!(lut.entries_u7().iter().all(|&entry_u7| entry_u7 <= LUT_LIMIT));
            prop_assert_eq!(*lut.entries_u7().iter().max().unwrap(), LUT_LIMIT);
            for code in 0..KSUB {
                let sum: i32 = (0..3).map(|j| i32::from(lut.entries_u7()[j * KSUB + code])).sum();
                let corrected = (sum - i32::from(lut.zero_point()) + 1) >> 1;
                let expected: f32 = (0..3 * DSUB)
                    .map(|i| query[i] * codebooks[(i / DSUB * KSUB + code) * DSUB + i % DSUB])
                    .sum();
                let error = (lut.score(corrected) - expected).abs();
                prop_assert!(error <= 2.6 * lut.scale, "{} steps off", error / lut.scale);
                prop_assert_eq!(lut.uncorrected(corrected, CORRECTION_ONE), lut.score(corrected));
                prop_assert!(corrected <= lut.max_sum());
                let mut block = vec![0; blocks::block_bytes(3)];
                blocks::pack(&[0, 0, 0, code as u8, code as u8, code as u8], &[1, 1], 3, &mut block);
                lut.build_fine();
                let error = (lut.fine_score(&block, 1) - f64::from(expected)).abs();
                prop_assert!(error <= 1e-3 * f64::from(lut.scale), "{} steps off", error / f64::from(lut.scale));
            }
        }
    }

    proptest! {
        #[test]
        fn score_errors_differ_by_less_than_the_likely_error_bound(
            values in prop::collection::vec(-1_f32..1.0, 8 * (KSUB + 1) * DSUB),
            idle in 0_usize..8,
            rows in prop::collection::vec((any::<u64>(), CORRECTION_MIN as u8..=u8::MAX), 1..32),
        ) {
            let (codebooks, query) = values.split_at(8 * KSUB * DSUB);
            let mut query = query.to_vec();
            query[..idle * DSUB].fill(0.0);
            let mut lut = Lut::default();
            lut.build(&query, &Codebooks::new(codebooks));
            lut.build_fine();
            let (mut block, mut sums) = (vec![0; blocks::block_bytes(8)], [[0; blocks::BLOCK_ROWS]]);
            let codes: Vec<u8> = rows.iter().flat_map(|(bits, _)| bits.to_le_bytes().map(|byte| byte & 15)).collect();
            let corrections: Vec<u8> = rows.iter().map(|&(_, correction)| correction).collect();
            blocks::pack(&codes, &corrections, 8, &mut block);
            let table = ScanTable { entries: lut.entries_u7(), zero_point: lut.zero_point(), threshold: i16::MIN };
            FastScan::scalar().scan(&block, table, &[], &mut sums, &mut [0]);
            let error_of = |row: usize| {
                lut.fine_score(&block, row) as f32 - lut.uncorrected(i32::from(sums[0][row]), corrections[row])
            };
            let (smallest, largest) = (0..rows.len()).map(error_of).fold((f32::MAX, f32::MIN), |(low, high), error_of| (low.min(error_of), high.max(error_of)));
            prop_assert!(largest - smallest <= lut.likely_error_bound(), "{} for {}", largest - smallest, lut.likely_error_bound());
        }
    }

    #[test]
    fn a_query_of_zeros_has_an_empty_table() {
        let mut lut = Lut::default();
        lut.build(&[0.0; 8], &Codebooks::new(&[1.0; 2 * KSUB * DSUB]));
        assert!(lut.entries_u7().iter().all(|&entry_u7| entry_u7 == 0));
        assert_eq!((lut.max_sum(), lut.to_lut_units(3.0), lut.score(7)), (0, 0, 0.0));
    }
}
