//! The lookup table of a query: what each code of each subquantizer adds to a score, in small integers.
//!
//! With float32 entries a score is `sum_j t[j][code_j]`. For the scan the entries are rounded to 0..=127 with one scale
//! for all subquantizers, so that sums are exact in 16 bits on every kernel, in every order; for the few rows that are
//! scored last they are rounded finely, to 21 bits.

use crate::codes::blocks::{self, GROUP_BYTES, STRETCH_LEAST, STRETCH_ONE};
use crate::codes::{DSUB, KSUB, MAX_M};

/// Largest entry of a table.
///
/// 127 and not 255, because a sum of two then fits a byte, and the scan widens once for two lookups instead of once for
/// each. With 63, and four lookups, recall suffered.
pub const LUT_LIMIT: u8 = 127;

/// Largest magnitude of a fine entry.
const FINE_LIMIT: i32 = 1 << 20;

// Sums of fine entries fit 32 bits.
const _: () = assert!(FINE_LIMIT as i64 * MAX_M as i64 <= i32::MAX as i64);

/// Entries that a kernel may add in a byte before it widens.
pub const BYTE_TERMS: usize = 2;

// The sums of a kernel overflow neither the bytes in which it begins nor the 16 bits, one of them a sign, in which it
// takes the zero away: that is between 0 and the largest sum.
const _: () = assert!(LUT_LIMIT as usize * BYTE_TERMS <= u8::MAX as usize);
const _: () = assert!(LUT_LIMIT as usize * MAX_M <= i16::MAX as usize);

/// Steps to the unit of a stretched sum.
const UNIT: f32 = 2.0;

/// Steps by which a score from [`Lut::unstretched`] is off at most because a stretched sum was rounded to a whole number: a
/// half, of units that the least stretch makes twice as large.
const SUM_ROUNDING: f32 = UNIT / 2.0 * (STRETCH_ONE as f32 / STRETCH_LEAST);

/// Standard deviations within which the difference of two errors is taken to be: it is farther off once in 10^14 times.
const DEVIATIONS: f32 = 8.0;

/// What float32 may add to a doubt: scores are sums of a few hundred values.
const FLOAT_ROUNDING: f32 = 1e-5;

/// Codebooks turned so that a table is filled sixteen entries at a time: shape (m, 4, 16).
#[derive(Clone, Debug)]
pub struct Books {
    turned: Vec<[[f32; KSUB]; DSUB]>,
}

impl Books {
    /// Turn codebooks of shape (m, 16, 4).
    pub fn new(books: &[f32]) -> Self {
        let turn =
            |book: &[f32]| std::array::from_fn(|value| std::array::from_fn(|code| book[code * DSUB + value]));
        Self { turned: books.chunks_exact(KSUB * DSUB).map(turn).collect() }
    }

    /// Subquantizers.
    pub fn m(&self) -> usize {
        self.turned.len()
    }

    /// What the codes of row `row` of a block, 0 to 31, stand for: shape (4m,).
    ///
    /// # Panics
    /// If `row` is past the block.
    pub fn decode(&self, block: &[u8], row: usize, values: &mut [f32]) {
        let mut codes = [0; MAX_M];
        let codes = &mut codes[..self.m()];
        blocks::unpack_row(block, row, codes);
        let (values, _) = values.as_chunks_mut::<DSUB>();
        for ((values, book), &code) in values.iter_mut().zip(&self.turned).zip(&*codes) {
            *values = std::array::from_fn(|at| book[at][usize::from(code)]);
        }
    }
}

/// A table, reusable from query to query.
#[derive(Clone, Debug, Default)]
pub struct Lut {
    exact: Vec<[f32; KSUB]>,
    fine: Vec<[i32; KSUB]>,
    fine_scale: f32,
    steps: Vec<u8>,
    scale: f32,
    /// The sum of steps that stands for a product of 0, and the product that it really stands for.
    zero: i16,
    rest: f32,
    most: i32,
}

impl Lut {
    /// Fill the table for a transformed query, shape (4m,).
    ///
    /// # Panics
    /// If the query and the codebooks do not agree in `m`.
    pub fn fill(&mut self, query: &[f32], books: &Books) {
        assert_eq!(query.len(), books.m() * DSUB, "query and codebooks have not the same m");
        self.exact.clear();
        let (query, _) = query.as_chunks::<DSUB>();
        self.exact.extend(query.iter().zip(&books.turned).map(|(query, book)| entries(query, book)));
        self.round();
    }

    fn round(&mut self) {
        let bounds = || self.exact.iter().map(bounds_of);
        let widest = bounds().fold(0.0_f32, |widest, (low, high)| widest.max(high - low));
        let scale = widest / f32::from(LUT_LIMIT);
        // A query of zeros has no steps; nor has one so small that a step would lose its digits.
        let (scale, inverse) = if scale.is_normal() { (scale, scale.recip()) } else { (0.0, 0.0) };
        let (mut offset, mut most) = (0.0, 0);
        self.steps.clear();
        for entries in &self.exact {
            let (low, _) = bounds_of(entries);
            let steps = entries.map(|entry| step(entry - low, inverse));
            offset += low;
            most += steps.iter().fold(0, |most, &step| most.max(i16::from(step)));
            self.steps.extend(steps);
        }
        self.zero = ((-offset * inverse).round() as i16).clamp(0, most);
        self.most = i32::from(most - self.zero);
        self.rest = offset + f32::from(self.zero) * scale;
        self.scale = scale;
    }

    /// Round the entries finely as well, for [`Lut::fine_part`].
    pub fn refine(&mut self) {
        let widest = self.exact.as_flattened().iter().fold(0.0_f32, |widest, entry| widest.max(entry.abs()));
        let scale = widest / FINE_LIMIT as f32;
        self.fine_scale = if scale.is_normal() { scale } else { 0.0 };
        let divisor = if self.fine_scale == 0.0 { f32::INFINITY } else { scale };
        self.fine.clear();
        self.fine.extend(self.exact.iter().map(|entries| entries.map(|entry| fine_step(entry / divisor))));
    }

    /// What the codes of row `row` of a block add to its score, from fine entries.
    #[inline]
    pub fn fine_part(&self, block: &[u8], row: usize) -> f64 {
        let (byte, shift) = blocks::place(row);
        let groups = block.chunks_exact(GROUP_BYTES).zip(&self.fine);
        let sum: i32 = groups.map(|(group, fine)| fine[usize::from(group[byte] >> shift & 15)]).sum();
        f64::from(sum) * f64::from(self.fine_scale)
    }

    /// By how much the errors of two scores from [`Lut::unstretched`] may differ. To be asked for after [`Lut::refine`].
    ///
    /// Of few tables that is what rounding took from their entries at most. The errors of many cancel out: they are bounded
    /// as sums of independent values that are spread evenly, which are sub-Gaussian with their own variance.
    pub fn doubt(&self) -> f32 {
        let (steps, _) = self.steps.as_chunks::<KSUB>();
        let (mut width, mut variance) = (0.0, 0.0);
        for (entries, steps) in self.exact.iter().zip(steps) {
            let errors = std::array::from_fn(|code| entries[code] - f32::from(steps[code]) * self.scale);
            let (low, high) = bounds_of(&errors);
            width += high - low;
            variance += variance_of(&errors);
        }
        let likely = DEVIATIONS * (2.0 * variance).sqrt();
        let fine = self.fine_scale * self.exact.len() as f32;
        let most = self.scale * f32::from(LUT_LIMIT) * self.exact.len() as f32;
        width.min(likely) + fine + 2.0 * SUM_ROUNDING * self.scale + FLOAT_ROUNDING * (most + self.rest.abs())
    }

    /// The entries, shape (m, 16), each at most [`LUT_LIMIT`].
    pub fn steps(&self) -> &[u8] {
        &self.steps
    }

    /// The sum of entries that stands for a product of 0.
    pub fn zero(&self) -> i16 {
        self.zero
    }

    /// The largest stretched sum that codes can have.
    pub fn most(&self) -> i32 {
        self.most
    }

    /// A part of a score outside the table, such as that of a list's mean, in the units of stretched sums.
    pub fn steps_of(&self, part: f32) -> i32 {
        const FURTHEST: f32 = (1 << 24) as f32;
        let unit = self.scale * UNIT;
        if unit == 0.0 { 0 } else { (part / unit).round().clamp(-FURTHEST, FURTHEST) as i32 }
    }

    /// The score of a stretched sum.
    pub fn score(&self, steps: i32) -> f32 {
        self.rest + steps as f32 * (self.scale * UNIT)
    }

    /// What the codes stand for by themselves, from a stretched sum and its stretch.
    pub fn unstretched(&self, steps: i32, stretch: u8) -> f32 {
        self.rest + steps as f32 * (self.scale * UNIT * f32::from(STRETCH_ONE)) / f32::from(stretch.max(1))
    }
}

#[inline]
fn entries(query: &[f32; DSUB], book: &[[f32; KSUB]; DSUB]) -> [f32; KSUB] {
    std::array::from_fn(|code| {
        (query[0] * book[0][code] + query[1] * book[1][code])
            + (query[2] * book[2][code] + query[3] * book[3][code])
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

/// The nearest step; adding 2^23 leaves no bits for a fraction, so the sum's low bits are the rounded integer.
#[inline]
fn step(value: f32, inverse: f32) -> u8 {
    const SHIFT: f32 = 8_388_608.0;
    (((value * inverse) + SHIFT).to_bits() as u8).min(LUT_LIMIT)
}

/// The nearest integer, ties to even, as in [`step`] but with a sign.
#[inline]
fn fine_step(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codes::pqscan::{PqScanner, Table};

    proptest! {
        #[test]
        fn steps_are_within_half_a_step(
            values in prop::collection::vec(-1_f32..1.0, 3 * (KSUB + 1) * DSUB),
            size in -20_i32..20,
        ) {
            let (books, query) = values.split_at(3 * KSUB * DSUB);
            let query: Vec<f32> = query.iter().map(|value| value * (size as f32).exp2()).collect();
            let mut lut = Lut::default();
            lut.fill(&query, &Books::new(books));
            prop_assert!(lut.steps().iter().all(|&step| step <= LUT_LIMIT));
            prop_assert_eq!(*lut.steps().iter().max().unwrap(), LUT_LIMIT);
            for code in 0..KSUB {
                let sum: i32 = (0..3).map(|j| i32::from(lut.steps()[j * KSUB + code])).sum();
                let stretched = (sum - i32::from(lut.zero()) + 1) >> 1;
                let expected: f32 = (0..3 * DSUB)
                    .map(|at| query[at] * books[(at / DSUB * KSUB + code) * DSUB + at % DSUB])
                    .sum();
                let error = (lut.score(stretched) - expected).abs();
                prop_assert!(error <= 2.6 * lut.scale, "{} steps off", error / lut.scale);
                prop_assert_eq!(lut.unstretched(stretched, STRETCH_ONE), lut.score(stretched));
                prop_assert!(stretched <= lut.most());
                let mut block = vec![0; blocks::block_bytes(3)];
                blocks::pack(&[0, 0, 0, code as u8, code as u8, code as u8], &[1, 1], 3, &mut block);
                lut.refine();
                let error = (lut.fine_part(&block, 1) - f64::from(expected)).abs();
                prop_assert!(error <= 1e-3 * f64::from(lut.scale), "{} steps off", error / f64::from(lut.scale));
            }
        }
    }

    proptest! {
        #[test]
        fn scores_of_sums_are_off_alike_within_the_doubt(
            values in prop::collection::vec(-1_f32..1.0, 8 * (KSUB + 1) * DSUB),
            idle in 0_usize..8,
            rows in prop::collection::vec((any::<u64>(), STRETCH_LEAST as u8..=u8::MAX), 1..32),
        ) {
            let (books, query) = values.split_at(8 * KSUB * DSUB);
            let mut query = query.to_vec();
            query[..idle * DSUB].fill(0.0);
            let mut lut = Lut::default();
            lut.fill(&query, &Books::new(books));
            lut.refine();
            let (mut block, mut sums) = (vec![0; blocks::block_bytes(8)], [[0; blocks::BLOCK_ROWS]]);
            let codes: Vec<u8> = rows.iter().flat_map(|(bits, _)| bits.to_le_bytes().map(|byte| byte & 15)).collect();
            let stretches: Vec<u8> = rows.iter().map(|&(_, stretch)| stretch).collect();
            blocks::pack(&codes, &stretches, 8, &mut block);
            let table = Table { steps: lut.steps(), zero: lut.zero(), floor: i16::MIN };
            PqScanner::scalar().scan(&block, table, &[], &mut sums, &mut [0]);
            let off = |row: usize| {
                lut.fine_part(&block, row) as f32 - lut.unstretched(i32::from(sums[0][row]), stretches[row])
            };
            let (least, most) = (0..rows.len()).map(off).fold((f32::MAX, f32::MIN), |(low, high), off| (low.min(off), high.max(off)));
            prop_assert!(most - least <= lut.doubt(), "{} for {}", most - least, lut.doubt());
        }
    }

    #[test]
    fn a_query_of_zeros_has_an_empty_table() {
        let mut lut = Lut::default();
        lut.fill(&[0.0; 8], &Books::new(&[1.0; 2 * KSUB * DSUB]));
        assert!(lut.steps().iter().all(|&step| step == 0));
        assert_eq!((lut.most(), lut.steps_of(3.0), lut.score(7)), (0, 0, 0.0));
    }
}
