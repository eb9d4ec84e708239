//! Subtracts the PQ reconstruction from residuals, with a lookup table of decoded codewords.
//!
//! The reconstruction is `Bᵀ ŷ` where each four values of `ŷ` are one of sixteen codewords. So the sixteen products of each
//! subquantizer with its four rows of `B` are computed once, and a row costs one addition per subquantizer and dimension
//! instead of four multiplications.

use crate::error::Result;
use crate::kernels::fastscan::KSUB;
use crate::linalg::gemm::gemm_nn_acc;
use crate::parallel::Interrupt;
use crate::quantizer::pq::DSUB;
use crate::simd::multiversion;

/// Dimensions that are summed in registers.
const WIDTH: usize = 32;

/// Subquantizers whose tables (16 KiB) stay in the level-1 cache while a block of rows passes.
const GROUPS: usize = 8;

/// Rows of a block: 12 KiB of [`WIDTH`] dimensions. They are copied, because rows at a power-of-two distance would compete for
/// the same cache lines.
const ROWS: usize = 96;

/// Rows between two checks of the interrupt.
const STEP_ROWS: usize = 10 * ROWS;

type Strip = [f32; WIDTH];

/// Decoded codewords of each subquantizer, in the space of the vectors.
#[derive(Clone, Debug)]
pub(crate) struct CodewordTable {
    dim: usize,
    m: usize,
    /// Shape (ceil(dim / 32), m, 16).
    codewords: Vec<[Strip; KSUB]>,
}

impl CodewordTable {
    /// Decode codebooks of shape (m, 16, 4) with the query projection `b`, shape (4m, dim).
    pub(crate) fn new(codebooks: &[f32], b: &[f32], dim: usize) -> Self {
        let m = codebooks.len() / (KSUB * DSUB);
        let mut codewords = vec![[[0.0; WIDTH]; KSUB]; dim.div_ceil(WIDTH) * m];
        let mut vectors = vec![0.0; KSUB * dim];
        let groups = codebooks.chunks_exact(KSUB * DSUB).zip(b.chunks_exact(DSUB * dim));
        for (group, (codebook, b)) in groups.enumerate() {
            vectors.fill(0.0);
            gemm_nn_acc(codebook, b, dim, &mut vectors);
            for (code, vector) in vectors.chunks_exact(dim).enumerate() {
                for (strip, values) in vector.chunks(WIDTH).enumerate() {
                    codewords[strip * m + group][code][..values.len()].copy_from_slice(values);
                }
            }
        }
        Self { dim, m, codewords }
    }

    /// Subtract the reconstruction of codes of shape (m, n), values 0 to 15, from `rows`, shape (n, dim).
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub(crate) fn subtract(&self, codes: &[u8], rows: &mut [f32], interrupt: Interrupt<'_>) -> Result<()> {
        let n = rows.len() / self.dim;
        assert!(rows.len() == n * self.dim && codes.len() == n * self.m, "shapes do not agree");
        for (step, rows) in rows.chunks_mut(STEP_ROWS * self.dim).enumerate() {
            interrupt.check()?;
            subtract_widest(self, codes, n, step * STEP_ROWS, rows);
        }
        Ok(())
    }
}

multiversion! {
    /// Subtract from `rows`, the first of which has number `first` among the `n` rows of `codes`.
    fn subtract_widest(table: &CodewordTable, codes: &[u8], n: usize, first: usize, rows: &mut [f32]) = subtract_portable
}

#[inline(always)]
fn subtract_portable(table: &CodewordTable, codes: &[u8], n: usize, first: usize, rows: &mut [f32]) {
    let (dim, m) = (table.dim, table.m);
    let mut block_codes = vec![[0; ROWS]; m];
    let mut values = [[0.0; WIDTH]; ROWS];
    for (block, rows) in rows.chunks_mut(ROWS * dim).enumerate() {
        for (block_codes, codes) in block_codes.iter_mut().zip(codes.chunks_exact(n)) {
            let start = first + block * ROWS;
            let codes = &codes[start..n.min(start + ROWS)];
            block_codes[..codes.len()].copy_from_slice(codes);
        }
        for (strip, codewords) in table.codewords.chunks_exact(m).enumerate() {
            let width = WIDTH.min(dim - strip * WIDTH);
            let strips = || (0..rows.len() / dim).map(|row| row * dim + strip * WIDTH);
            for (values, start) in values.iter_mut().zip(strips()) {
                values[..width].copy_from_slice(&rows[start..][..width]);
            }
            let count = rows.len() / dim;
            for (codes, codewords) in block_codes.chunks(GROUPS).zip(codewords.chunks(GROUPS)) {
                for (row, values) in values[..count].iter_mut().enumerate() {
                    subtract_codewords(codes, codewords, row, values);
                }
            }
            for (values, start) in values.iter().zip(strips()) {
                rows[start..][..width].copy_from_slice(&values[..width]);
            }
        }
    }
}

/// Subtract the codewords of some subquantizers from the values of a row.
#[inline(always)]
fn subtract_codewords(codes: &[[u8; ROWS]], codewords: &[[Strip; KSUB]], row: usize, values: &mut Strip) {
    let mut sums = *values;
    for (codes, codewords) in codes.iter().zip(codewords) {
        let codeword = &codewords[usize::from(codes[row]) % KSUB];
        for d in 0..WIDTH {
            sums[d] -= codeword[d];
        }
    }
    *values = sums;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quantizer::pq;

    /// The reference: subtract `columns` (k, n)ᵀ · `b` (k, dim) from `rows` (n, dim).
    fn subtract_product(columns: &[f32], b: &[f32], dim: usize, rows: &mut [f32]) {
        let n = rows.len() / dim;
        for (row, values) in rows.chunks_exact_mut(dim).enumerate() {
            for (column, b) in columns.chunks_exact(n).zip(b.chunks_exact(dim)) {
                values.iter_mut().zip(b).for_each(|(value, b)| *value -= column[row] * b);
            }
        }
    }

    proptest! {
        // Integers: every sum is exact, in every order.
        #[test]
        fn subtraction_agrees_with_the_matrix_product(
            (m, dim, n) in (1_usize..20, 1_usize..70, 0_usize..200), seed in 0_usize..1000
        ) {
            let integers = |count: usize, factor: usize| (0..count).map(|i| ((i + seed) * factor % 15) as f32 - 7.0).collect::<Vec<_>>();
            let (codebooks, b) = (integers(m * KSUB * DSUB, 31), integers(m * DSUB * dim, 53));
            let codes: Vec<u8> = (0..m * n).map(|i| (((i + seed) * 2_654_435_761) >> 7) as u8 % 16).collect();
            let mut rows = integers(n * dim, 71);
            let mut expected = rows.clone();
            if n > 0 {
                subtract_product(&pq::decode(&codes, n, &codebooks), &b, dim, &mut expected);
            }
            CodewordTable::new(&codebooks, &b, dim).subtract(&codes, &mut rows, Interrupt::NEVER).unwrap();
            prop_assert_eq!(rows, expected);
        }
    }
}
