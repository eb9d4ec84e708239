//! What 4-bit codes leave over of vectors: less, for each subquantizer, what its code stands for among vectors.
//!
//! That is a product of two matrices, of which one has sixteen different parts for four of its columns. So the parts are
//! multiplied beforehand, and to add up what the codes name takes a quarter of the work.

use crate::codes::{DSUB, KSUB};
use crate::math::linalg::products_of_columns;

/// Dimensions that are summed in registers.
const WIDTH: usize = 32;

/// Subquantizers whose tables, 16 KiB for so many dimensions, stay in the level-1 cache while rows pass by.
const GROUPS: usize = 8;

/// Rows that pass by, 12 KiB of so many dimensions: copied, because neighbours among the vectors fall on the same few lines
/// of the cache.
const ROWS: usize = 96;

type Part = [f32; WIDTH];

/// Tables of what each code stands for among vectors.
#[derive(Clone, Debug)]
pub(crate) struct Leftover {
    dim: usize,
    m: usize,
    /// Shape (ceil(dim / 32), m, 16).
    parts: Vec<[Part; KSUB]>,
}

impl Leftover {
    /// From codebooks of shape (m, 16, 4), and what codes are multiplied with to be vectors: shape (4m, dim).
    pub(crate) fn new(books: &[f32], b: &[f32], dim: usize) -> Self {
        let m = books.len() / (KSUB * DSUB);
        let mut parts = vec![[[0.0; WIDTH]; KSUB]; dim.div_ceil(WIDTH) * m];
        let mut vectors = vec![0.0; KSUB * dim];
        for (group, (book, b)) in books.chunks_exact(KSUB * DSUB).zip(b.chunks_exact(DSUB * dim)).enumerate()
        {
            vectors.fill(0.0);
            products_of_columns(book, b, dim, &mut vectors);
            for (code, vector) in vectors.chunks_exact(dim).enumerate() {
                for (strip, values) in vector.chunks(WIDTH).enumerate() {
                    parts[strip * m + group][code][..values.len()].copy_from_slice(values);
                }
            }
        }
        Self { dim, m, parts }
    }

    /// Subtract what codes of shape (m, n), values 0 to 15, stand for from `rows`, shape (n, dim).
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub(crate) fn subtract(&self, codes: &[u8], rows: &mut [f32]) {
        let n = rows.len() / self.dim;
        assert!(rows.len() == n * self.dim && codes.len() == n * self.m, "shapes do not agree");
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: this CPU has AVX2.
            unsafe { self.subtract_avx2(codes, n, rows) };
            return;
        }
        self.subtract_by(codes, n, rows);
    }

    /// The same code, compiled for wider registers: it only adds, so every CPU gives the same values.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn subtract_avx2(&self, codes: &[u8], n: usize, rows: &mut [f32]) {
        self.subtract_by(codes, n, rows);
    }

    #[inline(always)]
    fn subtract_by(&self, codes: &[u8], n: usize, rows: &mut [f32]) {
        let mut together = vec![[0; ROWS]; self.m];
        let mut values = [[0.0; WIDTH]; ROWS];
        for (block, rows) in rows.chunks_mut(ROWS * self.dim).enumerate() {
            for (mine, codes) in together.iter_mut().zip(codes.chunks_exact(n)) {
                let codes = &codes[block * ROWS..n.min((block + 1) * ROWS)];
                mine[..codes.len()].copy_from_slice(codes);
            }
            for (strip, parts) in self.parts.chunks_exact(self.m).enumerate() {
                let width = WIDTH.min(self.dim - strip * WIDTH);
                let strips = || (0..rows.len() / self.dim).map(|row| row * self.dim + strip * WIDTH);
                for (values, start) in values.iter_mut().zip(strips()) {
                    values[..width].copy_from_slice(&rows[start..][..width]);
                }
                let count = rows.len() / self.dim;
                for (codes, parts) in together.chunks(GROUPS).zip(parts.chunks(GROUPS)) {
                    // No closure: it would be compiled apart, for narrower registers.
                    for (row, values) in values[..count].iter_mut().enumerate() {
                        subtract_parts(codes, parts, row, values);
                    }
                }
                for (values, start) in values.iter().zip(strips()) {
                    rows[start..][..width].copy_from_slice(&values[..width]);
                }
            }
        }
    }
}

/// Subtract from the values of a row what its codes of a few subquantizers stand for.
#[inline(always)]
fn subtract_parts(codes: &[[u8; ROWS]], parts: &[[Part; KSUB]], row: usize, values: &mut Part) {
    let mut sums = *values;
    for (codes, parts) in codes.iter().zip(parts) {
        let part = &parts[usize::from(codes[row]) % KSUB];
        for at in 0..WIDTH {
            sums[at] -= part[at];
        }
    }
    *values = sums;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codes::pq;
    use crate::math::linalg::subtract_turned;

    proptest! {
        // Whole numbers: every sum is exact, in every order.
        #[test]
        fn it_is_what_a_product_of_matrices_leaves(
            (m, dim, n) in (1_usize..20, 1_usize..70, 0_usize..200), seed in 0_usize..1000
        ) {
            let whole = |count: usize, factor: usize| (0..count).map(|at| ((at + seed) * factor % 15) as f32 - 7.0).collect::<Vec<_>>();
            let (books, b) = (whole(m * KSUB * DSUB, 31), whole(m * DSUB * dim, 53));
            let codes: Vec<u8> = (0..m * n).map(|at| (((at + seed) * 2_654_435_761) >> 7) as u8 % 16).collect();
            let mut rows = whole(n * dim, 71);
            let mut expected = rows.clone();
            subtract_turned(&pq::decode(&codes, n, &books), &b, dim, &mut expected);
            Leftover::new(&books, &b, dim).subtract(&codes, &mut rows);
            prop_assert_eq!(rows, expected);
        }
    }
}
