//! LDLQ: error-feedback rounding, so that the rounding error is small in the norm of the query second moment.
//!
//! With `C` the second moment of queries, a rounding error `d` costs `dᵀ C d` on average. With `C = L D Lᵀ` this is
//! `Σ_i D_i (Lᵀ d)_i²`. So values are rounded from the last to the first, each together with the feedback of the later
//! errors: `code_i = round((x_i + Σ_{j>i} L_ji d_j) / scale)`. This is LDLQ (QuIP; Chee et al., 2023), which is equivalent
//! to GPTQ (Frantar et al., 2022). On CLIP vectors it halves the error of a score and costs a search nothing.

use crate::error::Result;
use crate::kernels::stride;
use crate::parallel::Interrupt;
use crate::quantizer::refine_codec::RefineCodec;
use crate::quantizer::row_scales::round_up;
use crate::simd::multiversion;

/// Values rounded before their errors are fed back to all earlier values.
const TILE: usize = 16;

/// Rows rounded at once: rounding a value depends on the one before it, but not on other rows.
const BLOCK_ROWS: usize = 16;

/// Values of a tile whose sums fit the registers while feedback is added.
const FEEDBACK_VALUES: usize = 4;

/// One value of each of the rows.
type Lanes = [f32; BLOCK_ROWS];

/// Sixteen rows and sixteen columns of the factor `L`.
type FactorTile = [[f32; TILE]; TILE];

/// The factor `L` of a query second moment.
#[derive(Clone, Debug)]
pub struct LdlqEncoder {
    dim: usize,
    /// The lower triangle of tiles, row after row.
    tiles: Vec<FactorTile>,
}

impl LdlqEncoder {
    /// Factor a query second moment, shape (dim, dim), which is regularised first.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn new(query_second_moment: &[f64], dim: usize, interrupt: Interrupt<'_>) -> Result<Self> {
        let lower = ldl_factor(query_second_moment, dim, interrupt)?;
        let steps = stride(dim) / TILE;
        let mut tiles = Vec::with_capacity(steps * (steps + 1) / 2);
        let entry = |row: usize, column: usize| {
            if column < row && row < dim { lower[row * dim + column] as f32 } else { 0.0 }
        };
        for step in 0..steps {
            for column in 0..=step {
                let lanes = |row| std::array::from_fn(|lane| entry(step * TILE + row, column * TILE + lane));
                tiles.push(std::array::from_fn(lanes));
            }
        }
        Ok(Self { dim, tiles })
    }

    /// Encode rows of finite values, shape (n, dim), into `codes` of [`RefineCodec::row_bytes`] each and `scales`, shape
    /// (n,).
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    ///
    /// # Panics
    /// If the shapes do not agree or the codec has no integer codes.
    pub fn encode(
        &self,
        codec: RefineCodec,
        rows: &[f32],
        codes: &mut [u8],
        scales: &mut [f32],
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let bytes = codec.row_bytes(self.dim);
        assert!(
            bytes > 0 && codes.len() == scales.len() * bytes,
            "codes are not one row of {bytes} per scale"
        );
        assert_eq!(rows.len(), scales.len() * self.dim, "there is not one row per scale");
        let mut block = RowBlock::new(self.dim);
        let mut row_codes = vec![0; stride(self.dim)];
        let groups = rows.chunks(BLOCK_ROWS * self.dim).zip(codes.chunks_mut(BLOCK_ROWS * bytes));
        for ((rows, codes), scales) in groups.zip(scales.chunks_mut(BLOCK_ROWS)) {
            interrupt.check()?;
            block.load(rows, self.dim, codec);
            round_widest(&self.tiles, &mut block, codec.limit());
            for (lane, (codes, scale)) in codes.chunks_exact_mut(bytes).zip(scales).enumerate() {
                *scale = block.scales[lane];
                let lanes = block.codes.as_flattened();
                row_codes.iter_mut().zip(lanes).for_each(|(code, lanes)| *code = lanes[lane]);
                codec.pack_row(&row_codes, codes);
            }
        }
        Ok(())
    }
}

/// Up to sixteen rows that are rounded together.
struct RowBlock {
    /// Shape (tiles, 16 values, 16 rows).
    values: Vec<[Lanes; TILE]>,
    /// Error feedback to each value.
    feedback: Vec<[Lanes; TILE]>,
    scales: Lanes,
    codes: Vec<[[i8; BLOCK_ROWS]; TILE]>,
}

impl RowBlock {
    fn new(dim: usize) -> Self {
        let zeros = vec![[[0.0; BLOCK_ROWS]; TILE]; stride(dim) / TILE];
        let codes = vec![[[0; BLOCK_ROWS]; TILE]; stride(dim) / TILE];
        Self { values: zeros.clone(), feedback: zeros, scales: [0.0; BLOCK_ROWS], codes }
    }

    fn load(&mut self, rows: &[f32], dim: usize, codec: RefineCodec) {
        self.values.fill([[0.0; BLOCK_ROWS]; TILE]);
        self.feedback.fill([[0.0; BLOCK_ROWS]; TILE]);
        self.scales = [0.0; BLOCK_ROWS];
        for (lane, row) in rows.chunks_exact(dim).enumerate() {
            let scale = round_up(clip_range(codec, row) / codec.limit());
            self.scales[lane] = if scale.is_normal() { scale } else { 0.0 };
            let lanes = self.values.as_flattened_mut().iter_mut();
            lanes.zip(row).for_each(|(lanes, &value)| lanes[lane] = value);
        }
    }
}

/// Return the magnitude that gets the largest code.
///
/// For int8 it is the row's largest. Fifteen int4 levels over the full range are coarse: clipping a few large values to
/// round the others more finely usually costs less. For normal values the best range is 2.4 to 2.5 standard deviations
/// (Max, "Quantizing for minimum distortion", 1960). The clipping error is fed back like any other.
fn clip_range(codec: RefineCodec, row: &[f32]) -> f32 {
    const INT4_SIGMAS: f32 = 2.5;
    let full = row.iter().fold(0.0_f32, |full, value| full.max(value.abs()));
    if codec != RefineCodec::Int4 {
        return full;
    }
    let square = row.iter().map(|value| value * value).sum::<f32>() / row.len() as f32;
    let clipped = full.min(INT4_SIGMAS * square.sqrt());
    let limit = codec.limit();
    // Also false where squares overflow or underflow a float32.
    if rounding_error(row, clipped, limit) < rounding_error(row, full, limit) { clipped } else { full }
}

/// Sum of the squared errors of values that are rounded independently within `range`.
fn rounding_error(row: &[f32], range: f32, limit: f32) -> f32 {
    let (scale, inverse) = (range / limit, limit / range);
    let errors = row.iter().map(|value| value - round(value * inverse).clamp(-limit, limit) * scale);
    errors.map(|error| error * error).sum()
}

multiversion! {
    fn round_widest(tiles: &[FactorTile], block: &mut RowBlock, limit: f32) = round_block
}

#[inline(always)]
fn round_block(tiles: &[FactorTile], block: &mut RowBlock, limit: f32) {
    let inverses = block.scales.map(|scale| if scale == 0.0 { 0.0 } else { scale.recip() });
    for step in (0..block.values.len()).rev() {
        let first = step * (step + 1) / 2;
        let (earlier_tiles, diagonal) = tiles[first..=first + step].split_at(step);
        let (earlier, later) = block.feedback.split_at_mut(step);
        let scales = (&block.scales, &inverses);
        let codes = &mut block.codes[step];
        let errors = round_tile(&block.values[step], &mut later[0], &diagonal[0], scales, limit, codes);
        for (tile, feedback) in earlier_tiles.iter().zip(earlier) {
            propagate_feedback(tile, &errors, feedback);
        }
    }
}

/// Round sixteen values of each row from the last to the first; return the error of each.
#[inline(always)]
fn round_tile(
    values: &[Lanes; TILE],
    feedback: &mut [Lanes; TILE],
    tile: &FactorTile,
    (scales, inverses): (&Lanes, &Lanes),
    limit: f32,
    codes: &mut [[i8; BLOCK_ROWS]; TILE],
) -> [Lanes; TILE] {
    let mut errors = [[0.0; BLOCK_ROWS]; TILE];
    for i in (0..TILE).rev() {
        for row in 0..BLOCK_ROWS {
            let code = round((values[i][row] + feedback[i][row]) * inverses[row]).clamp(-limit, limit);
            codes[i][row] = code as i8;
            errors[i][row] = values[i][row] - code * scales[row];
        }
        for earlier in 0..i {
            for row in 0..BLOCK_ROWS {
                feedback[earlier][row] += errors[i][row] * tile[i][earlier];
            }
        }
    }
    errors
}

/// Add the feedback of one tile of errors to sixteen earlier values.
#[inline(always)]
fn propagate_feedback(tile: &FactorTile, errors: &[Lanes; TILE], feedback: &mut [Lanes; TILE]) {
    for (first, feedback) in
        (0..TILE).step_by(FEEDBACK_VALUES).zip(feedback.as_chunks_mut::<FEEDBACK_VALUES>().0)
    {
        let mut sums = *feedback;
        for (errors, factors) in errors.iter().zip(tile) {
            for value in 0..FEEDBACK_VALUES {
                for row in 0..BLOCK_ROWS {
                    sums[value][row] += errors[row] * factors[first + value];
                }
            }
        }
        *feedback = sums;
    }
}

/// Round to the nearest integer, ties to even: adding 1.5 * 2^23 leaves no bits for a fraction.
#[inline(always)]
fn round(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}

/// Return the unit lower triangle `L` of `C = L D Lᵀ`, shape (dim, dim).
fn ldl_factor(moment: &[f64], dim: usize, interrupt: Interrupt<'_>) -> Result<Vec<f64>> {
    // A share of the identity keeps the factor bounded in directions without queries.
    const SHRINK: f64 = 0.02;
    let trace: f64 = (0..dim).map(|i| moment[i * dim + i]).sum();
    let floor = (SHRINK * trace / dim as f64).max(f64::MIN_POSITIVE);
    let mut lower = vec![0.0; dim * dim];
    let mut diagonal = vec![0.0; dim];
    for row in 0..dim {
        interrupt.check()?;
        let (done, rows) = lower.split_at_mut(row * dim);
        let current = &mut rows[..dim];
        // `current` holds L_ij D_j while it is filled.
        for column in 0..row {
            let other = &done[column * dim..][..column];
            let sum: f64 = current[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            current[column] = (1.0 - SHRINK) * moment[row * dim + column] - sum;
        }
        let mut pivot = (1.0 - SHRINK) * moment[row * dim + row] + floor;
        for (value, scale) in current[..row].iter_mut().zip(&diagonal) {
            let scaled = *value / scale;
            pivot -= *value * scaled;
            *value = scaled;
        }
        diagonal[row] = pivot.max(floor * 0.5);
    }
    Ok(lower)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linalg::rng::Rng;

    const DIM: usize = 37;

    fn encoder(query_second_moment: &[f64]) -> LdlqEncoder {
        LdlqEncoder::new(query_second_moment, DIM, Interrupt::NEVER).unwrap()
    }

    /// Pseudorandom values between -1 and 1.
    fn values(count: usize, seed: u32) -> Vec<f32> {
        (0..count).map(|n| ((n as f32 + 0.5) * 78.233 + seed as f32 * 3.1).sin() * 43_758.547 % 1.0).collect()
    }

    fn moment(rows: &[f32]) -> Vec<f64> {
        let mut moment = vec![0.0; DIM * DIM];
        for row in rows.chunks_exact(DIM) {
            for (i, value) in moment.iter_mut().enumerate() {
                *value += f64::from(row[i / DIM]) * f64::from(row[i % DIM]);
            }
        }
        moment
    }

    /// Return the mean squared error of the scores of rows that `ldlq` encodes.
    fn cost(ldlq: &LdlqEncoder, rows: &[f32], queries: &[f32]) -> f64 {
        let (n, bytes) = (rows.len() / DIM, RefineCodec::Int8.row_bytes(DIM));
        let (mut codes, mut scales) = (vec![0; n * bytes], vec![0.0; n]);
        ldlq.encode(RefineCodec::Int8, rows, &mut codes, &mut scales, Interrupt::NEVER).unwrap();
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
    fn ldlq_reduces_the_error_of_query_scores() {
        // Queries close to three directions.
        let directions = values(3 * DIM, 1);
        let mut queries = values(200 * DIM, 2);
        for (i, query) in queries.chunks_exact_mut(DIM).enumerate() {
            let direction = &directions[i % 3 * DIM..][..DIM];
            query.iter_mut().zip(direction).for_each(|(value, max)| *value = 0.1 * *value + max);
        }
        let mut identity = vec![0.0; DIM * DIM];
        (0..DIM).for_each(|i| identity[i * DIM + i] = 1.0);
        let rows = values(301 * DIM, 3);
        let (identity, aware) = (encoder(&identity), encoder(&moment(&queries)));
        assert!(cost(&aware, &rows, &queries) < 0.25 * cost(&identity, &rows, &queries));
    }

    #[test]
    fn int4_clips_large_values_if_that_reduces_the_error() {
        let mut rng = Rng::new(7, 0);
        let row: Vec<f32> = (0..512).map(|_| rng.normal()).collect();
        let (clipped, full) = (clip_range(RefineCodec::Int4, &row), clip_range(RefineCodec::Int8, &row));
        assert_eq!(full, row.iter().fold(0.0, |max, value| f32::max(max, value.abs())));
        assert!(rounding_error(&row, clipped, 7.0) < 0.8 * rounding_error(&row, full, 7.0));
        for ldl_factor in [1e-35, 1e-30, 1.0, 1e30] {
            let single: Vec<f32> = (0..16).map(|i| if i == 3 { ldl_factor } else { 0.0 }).collect();
            assert_eq!(clip_range(RefineCodec::Int4, &single), ldl_factor);
        }
        assert_eq!(clip_range(RefineCodec::Int4, &[0.0; 16]), 0.0);
    }

    #[test]
    fn zero_rows_and_zero_moments_are_encoded() {
        let ldlq = encoder(&[0.0; DIM * DIM]);
        let (mut codes, mut scales) = (vec![7; 48], vec![7.0]);
        ldlq.encode(RefineCodec::Int8, &[0.0; DIM], &mut codes, &mut scales, Interrupt::NEVER).unwrap();
        assert_eq!((codes, scales), (vec![0; 48], vec![0.0]));
    }

    proptest! {
        #[test]
        fn an_isotropic_moment_rounds_each_value_independently(rows in prop::collection::vec(-9_f32..9.0, 5 * DIM)) {
            let (mut codes, mut scales) = (vec![0; 5 * 48], vec![0.0; 5]);
            let mut identity = vec![0.0; DIM * DIM];
            (0..DIM).for_each(|i| identity[i * DIM + i] = 1.0);
            let _ = encoder(&identity).encode(RefineCodec::Int8, &rows, &mut codes, &mut scales, Interrupt::NEVER);
            for ((row, codes), scale) in rows.chunks_exact(DIM).zip(codes.chunks_exact(48)).zip(scales) {
                for (&value, &code) in row.iter().zip(codes) {
                    prop_assert!((value - f32::from(code as i8) * scale).abs() <= 0.501 * scale);
                }
            }
        }

        #[test]
        fn every_cpu_rounds_the_same(rows in prop::collection::vec(-1_f32..1.0, BLOCK_ROWS * DIM)) {
            let ldlq = encoder(&moment(&values(90 * DIM, 5)));
            let (mut fast, mut identity) = (RowBlock::new(DIM), RowBlock::new(DIM));
            for block in [&mut fast, &mut identity] {
                block.load(&rows, DIM, RefineCodec::Int8);
            }
            round_widest(&ldlq.tiles, &mut fast, 127.0);
            round_block(&ldlq.tiles, &mut identity, 127.0);
            prop_assert_eq!(fast.codes, identity.codes);
        }
    }
}
