//! Rounding rows to the steps of a tier so that the error lies where queries do not look.
//!
//! Rounding each value by itself makes an error that points everywhere alike. But queries do not: with `C` their second
//! moment, an error `d` costs `d' C d` on average. With `C = L D L'` that is `sum_i D_i (L' d)_i^2`, so the values
//! are rounded from the last to the first, each together with what the later ones left over in its direction. On vectors
//! of CLIP this halves the error of a score, at no cost to a search.

use crate::tier::refine::Tier;
use crate::vectors::stride;

/// Values rounded before their errors are carried on to the values before them.
const STEP: usize = 16;

/// Rows side by side in the registers: rounding one value waits for the one before it, but not for those of other rows.
const TOGETHER: usize = 16;

/// Values of sixteen places whose sums fit the registers while errors are carried to them.
const PLACES: usize = 4;

/// One value of each of the rows.
type Lanes = [f32; TOGETHER];

/// A part of the factor: sixteen of its rows, sixteen of their columns.
type Square = [[f32; STEP]; STEP];

/// The factor of a second moment of queries, ready to round rows.
#[derive(Clone, Debug)]
pub struct Shaper {
    dim: usize,
    /// For each sixteen rows of `L` and each sixteen columns at or before them, shape (16, 16).
    tiles: Vec<Square>,
}

impl Shaper {
    /// Factor a second moment of queries, shape (dim, dim); made positive definite first.
    pub fn new(moment: &[f64], dim: usize) -> Self {
        let lower = factor(moment, dim);
        let steps = stride(dim) / STEP;
        let mut tiles = Vec::with_capacity(steps * (steps + 1) / 2);
        let entry = |row: usize, column: usize| {
            if column < row && row < dim { lower[row * dim + column] as f32 } else { 0.0 }
        };
        for step in 0..steps {
            for column in 0..=step {
                let lanes = |at| std::array::from_fn(|lane| entry(step * STEP + at, column * STEP + lane));
                tiles.push(std::array::from_fn(lanes));
            }
        }
        Self { dim, tiles }
    }

    /// Code rows of finite values, shape (n, dim), into `codes` of [`Tier::row_bytes`] each and `scales`, shape (n,).
    ///
    /// # Panics
    /// If the shapes do not agree or the tier has no codes.
    pub fn encode(&self, tier: Tier, rows: &[f32], codes: &mut [u8], scales: &mut [f32]) {
        let bytes = tier.row_bytes(self.dim);
        assert!(
            bytes > 0 && codes.len() == scales.len() * bytes,
            "codes are not one row of {bytes} per scale"
        );
        assert_eq!(rows.len(), scales.len() * self.dim, "there is not one row per scale");
        let mut some = Sixteen::new(self.dim);
        let mut row = vec![0; stride(self.dim)];
        let groups = rows.chunks(TOGETHER * self.dim).zip(codes.chunks_mut(TOGETHER * bytes));
        for ((rows, codes), scales) in groups.zip(scales.chunks_mut(TOGETHER)) {
            some.load(rows, self.dim, tier);
            self.round(&mut some, tier.limit());
            for (at, (codes, scale)) in codes.chunks_exact_mut(bytes).zip(scales).enumerate() {
                *scale = some.scales[at];
                row.iter_mut().zip(some.codes.as_flattened()).for_each(|(code, lanes)| *code = lanes[at]);
                tier.pack_row(&row, codes);
            }
        }
    }

    fn round(&self, some: &mut Sixteen, limit: f32) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was found just now.
            return unsafe { round_avx2(&self.tiles, some, limit) };
        }
        round_all(&self.tiles, some, limit);
    }
}

/// Up to sixteen rows being rounded.
struct Sixteen {
    /// Values, and what was carried to them: shape (steps, 16 places, 16 rows).
    values: Vec<[Lanes; STEP]>,
    carried: Vec<[Lanes; STEP]>,
    scales: Lanes,
    /// Shape (steps, 16 places, 16 rows).
    codes: Vec<[[i8; TOGETHER]; STEP]>,
}

impl Sixteen {
    fn new(dim: usize) -> Self {
        let zeros = vec![[[0.0; TOGETHER]; STEP]; stride(dim) / STEP];
        let codes = vec![[[0; TOGETHER]; STEP]; stride(dim) / STEP];
        Self { values: zeros.clone(), carried: zeros, scales: [0.0; TOGETHER], codes }
    }

    fn load(&mut self, rows: &[f32], dim: usize, tier: Tier) {
        self.values.fill([[0.0; TOGETHER]; STEP]);
        self.carried.fill([[0.0; TOGETHER]; STEP]);
        self.scales = [0.0; TOGETHER];
        for (at, row) in rows.chunks_exact(dim).enumerate() {
            let scale = span(tier, row) / tier.limit();
            self.scales[at] = if scale.is_normal() { scale } else { 0.0 };
            self.values.as_flattened_mut().iter_mut().zip(row).for_each(|(lanes, &value)| lanes[at] = value);
        }
    }
}

/// The magnitude of a row's values that gets the largest code.
///
/// Fifteen steps over all of a row are coarse: as a rule it costs less to cut off its few largest values, and to round
/// all the others more finely. For values of a normal distribution the best steps end at 2.4 to 2.5 times the root of
/// their mean square (Max, Quantizing for minimum distortion, 1960); what is cut off is carried on like any other error.
fn span(tier: Tier, row: &[f32]) -> f32 {
    const INT4_SPAN: f32 = 2.5;
    let widest = row.iter().fold(0.0_f32, |widest, value| widest.max(value.abs()));
    if tier != Tier::Int4 {
        return widest;
    }
    let square = row.iter().map(|value| value * value).sum::<f32>() / row.len() as f32;
    let narrow = widest.min(INT4_SPAN * square.sqrt());
    let limit = tier.limit();
    // False too where squares are too large or too small for a float32.
    if rounding_error(row, narrow, limit) < rounding_error(row, widest, limit) { narrow } else { widest }
}

/// The sum of the squared errors of values rounded each by itself to steps that end at `span`.
fn rounding_error(row: &[f32], span: f32, limit: f32) -> f32 {
    let (scale, inverse) = (span / limit, limit / span);
    let off = row.iter().map(|value| value - round(value * inverse).clamp(-limit, limit) * scale);
    off.map(|off| off * off).sum()
}

/// The same code, compiled for wider registers: it multiplies and adds one by one, so every CPU gives the same codes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn round_avx2(tiles: &[Square], some: &mut Sixteen, limit: f32) {
    round_all(tiles, some, limit);
}

#[inline(always)]
fn round_all(tiles: &[Square], some: &mut Sixteen, limit: f32) {
    let inverses = some.scales.map(|scale| if scale == 0.0 { 0.0 } else { scale.recip() });
    for step in (0..some.values.len()).rev() {
        let first = step * (step + 1) / 2;
        let (before, own) = tiles[first..=first + step].split_at(step);
        let (earlier, rest) = some.carried.split_at_mut(step);
        let scales = (&some.scales, &inverses);
        let errors =
            round_step(&some.values[step], &mut rest[0], &own[0], scales, limit, &mut some.codes[step]);
        for (tile, carried) in before.iter().zip(earlier) {
            carry(tile, &errors, carried);
        }
    }
}

/// Round sixteen values of each row from the last to the first; return the error of each.
#[inline(always)]
fn round_step(
    values: &[Lanes; STEP],
    carried: &mut [Lanes; STEP],
    tile: &Square,
    (scales, inverses): (&Lanes, &Lanes),
    limit: f32,
    codes: &mut [[i8; TOGETHER]; STEP],
) -> [Lanes; STEP] {
    let mut errors = [[0.0; TOGETHER]; STEP];
    for at in (0..STEP).rev() {
        for row in 0..TOGETHER {
            let code = round((values[at][row] + carried[at][row]) * inverses[row]).clamp(-limit, limit);
            codes[at][row] = code as i8;
            errors[at][row] = values[at][row] - code * scales[row];
        }
        for place in 0..at {
            for row in 0..TOGETHER {
                carried[place][row] += errors[at][row] * tile[at][place];
            }
        }
    }
    errors
}

/// Add to each row what its errors leave for sixteen earlier values.
#[inline(always)]
fn carry(tile: &Square, errors: &[Lanes; STEP], carried: &mut [Lanes; STEP]) {
    for (first, carried) in (0..STEP).step_by(PLACES).zip(carried.as_chunks_mut::<PLACES>().0) {
        let mut sums = *carried;
        for (errors, factors) in errors.iter().zip(tile) {
            for place in 0..PLACES {
                for row in 0..TOGETHER {
                    sums[place][row] += errors[row] * factors[first + place];
                }
            }
        }
        *carried = sums;
    }
}

/// Nearest integer, ties to even: adding 1.5 * 2^23 leaves no bits for a fraction.
#[inline(always)]
fn round(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}

/// The unit lower triangle `L` of `C = L D L'`, shape (dim, dim).
fn factor(moment: &[f64], dim: usize) -> Vec<f64> {
    // A part of the identity keeps the factor bounded where no query was seen.
    const SHRINK: f64 = 0.02;
    let trace: f64 = (0..dim).map(|at| moment[at * dim + at]).sum();
    let floor = (SHRINK * trace / dim as f64).max(f64::MIN_POSITIVE);
    let mut lower = vec![0.0; dim * dim];
    let mut diagonal = vec![0.0; dim];
    for row in 0..dim {
        let (done, rest) = lower.split_at_mut(row * dim);
        let mine = &mut rest[..dim];
        // `mine` holds L_ij D_j while it is filled.
        for column in 0..row {
            let other = &done[column * dim..][..column];
            let sum: f64 = mine[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            mine[column] = (1.0 - SHRINK) * moment[row * dim + column] - sum;
        }
        let mut own = (1.0 - SHRINK) * moment[row * dim + row] + floor;
        for (value, scale) in mine[..row].iter_mut().zip(&diagonal) {
            let scaled = *value / scale;
            own -= *value * scaled;
            *value = scaled;
        }
        diagonal[row] = own.max(floor * 0.5);
    }
    lower
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::math::random::Random;

    const DIM: usize = 37;

    /// Values that look random, between -1 and 1.
    fn values(count: usize, seed: u32) -> Vec<f32> {
        (0..count).map(|n| ((n as f32 + 0.5) * 78.233 + seed as f32 * 3.1).sin() * 43_758.547 % 1.0).collect()
    }

    fn moment(rows: &[f32]) -> Vec<f64> {
        let mut moment = vec![0.0; DIM * DIM];
        for row in rows.chunks_exact(DIM) {
            for (at, value) in moment.iter_mut().enumerate() {
                *value += f64::from(row[at / DIM]) * f64::from(row[at % DIM]);
            }
        }
        moment
    }

    /// The mean squared error of the scores of rows coded by `shaper`.
    fn cost(shaper: &Shaper, rows: &[f32], queries: &[f32]) -> f64 {
        let (n, bytes) = (rows.len() / DIM, Tier::Int8.row_bytes(DIM));
        let (mut codes, mut scales) = (vec![0; n * bytes], vec![0.0; n]);
        shaper.encode(Tier::Int8, rows, &mut codes, &mut scales);
        let mut sum = 0.0;
        for ((row, codes), scale) in rows.chunks_exact(DIM).zip(codes.chunks_exact(bytes)).zip(scales) {
            for query in queries.chunks_exact(DIM) {
                let errors =
                    row.iter().zip(codes).map(|(&value, &code)| value - f32::from(code as i8) * scale);
                let error: f32 = errors.zip(query).map(|(error, query)| error * query).sum();
                sum += f64::from(error) * f64::from(error);
            }
        }
        sum / (n * queries.len() / DIM) as f64
    }

    #[test]
    fn errors_turn_away_from_the_queries() {
        // Queries that mostly look in three directions.
        let directions = values(3 * DIM, 1);
        let mut queries = values(200 * DIM, 2);
        for (at, query) in queries.chunks_exact_mut(DIM).enumerate() {
            let direction = &directions[at % 3 * DIM..][..DIM];
            query.iter_mut().zip(direction).for_each(|(value, most)| *value = 0.1 * *value + most);
        }
        let mut plain = vec![0.0; DIM * DIM];
        (0..DIM).for_each(|at| plain[at * DIM + at] = 1.0);
        let rows = values(301 * DIM, 3);
        let (plain, shaped) = (Shaper::new(&plain, DIM), Shaper::new(&moment(&queries), DIM));
        assert!(cost(&shaped, &rows, &queries) < 0.25 * cost(&plain, &rows, &queries));
    }

    #[test]
    fn int4_cuts_off_few_values_to_round_the_many_more_finely() {
        let mut random = Random::new(7, 0);
        let row: Vec<f32> = (0..512).map(|_| random.normal()).collect();
        let (narrow, widest) = (span(Tier::Int4, &row), span(Tier::Int8, &row));
        assert_eq!(widest, row.iter().fold(0.0, |most, value| f32::max(most, value.abs())));
        assert!(rounding_error(&row, narrow, 7.0) < 0.8 * rounding_error(&row, widest, 7.0));
        for factor in [1e-35, 1e-30, 1.0, 1e30] {
            let lonely: Vec<f32> = (0..16).map(|at| if at == 3 { factor } else { 0.0 }).collect();
            assert_eq!(span(Tier::Int4, &lonely), factor);
        }
        assert_eq!(span(Tier::Int4, &[0.0; 16]), 0.0);
    }

    #[test]
    fn zeros_and_moments_of_zeros_are_coded() {
        let shaper = Shaper::new(&[0.0; DIM * DIM], DIM);
        let (mut codes, mut scales) = (vec![7; 48], vec![7.0]);
        shaper.encode(Tier::Int8, &[0.0; DIM], &mut codes, &mut scales);
        assert_eq!((codes, scales), (vec![0; 48], vec![0.0]));
    }

    proptest! {
        #[test]
        fn without_a_direction_each_value_is_rounded_by_itself(rows in prop::collection::vec(-9_f32..9.0, 5 * DIM)) {
            let (mut codes, mut scales) = (vec![0; 5 * 48], vec![0.0; 5]);
            let mut plain = vec![0.0; DIM * DIM];
            (0..DIM).for_each(|at| plain[at * DIM + at] = 1.0);
            Shaper::new(&plain, DIM).encode(Tier::Int8, &rows, &mut codes, &mut scales);
            for ((row, codes), scale) in rows.chunks_exact(DIM).zip(codes.chunks_exact(48)).zip(scales) {
                for (&value, &code) in row.iter().zip(codes) {
                    prop_assert!((value - f32::from(code as i8) * scale).abs() <= 0.501 * scale);
                }
            }
        }

        #[test]
        fn every_cpu_rounds_alike(rows in prop::collection::vec(-1_f32..1.0, TOGETHER * DIM)) {
            let shaper = Shaper::new(&moment(&values(90 * DIM, 5)), DIM);
            let (mut wide, mut plain) = (Sixteen::new(DIM), Sixteen::new(DIM));
            for some in [&mut wide, &mut plain] {
                some.load(&rows, DIM, Tier::Int8);
            }
            shaper.round(&mut wide, 127.0);
            round_all(&shaper.tiles, &mut plain, 127.0);
            prop_assert_eq!(wide.codes, plain.codes);
        }
    }
}
