//! int8 × int8 matrix product `A Bᵀ` in int32, with packed panels as in BLIS.
//!
//! A build spends most of its time here, wherever a product with an error of about one percent is enough: to assign rows to
//! centroids, to encode with product quantization, and to skip rows that cannot be neighbours. All kernels return the same
//! integers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

use crate::kernels::dot_i8::ROW_LIMIT;
use crate::kernels::stride;
use crate::matrix::MAX_DIM;
#[cfg(target_arch = "x86_64")]
use crate::simd::Isa;
use crate::simd::define_kernel;

/// Rows of B in one panel.
const PANEL_ROWS: usize = 16;

/// Values of a row that a kernel multiplies and adds in one step.
const STEP: usize = 4;

/// Rows of A that share each load of a panel.
const TILE_ROWS: usize = 12;

/// Four values of each of the sixteen rows of a panel of B.
type PanelColumn = [[i8; STEP]; PANEL_ROWS];

/// Four values of each of the twelve rows of A.
type PackedA = [[i8; STEP]; TILE_ROWS];

/// Products of twelve rows of A with the sixteen of a panel.
type Tile = [[i32; PANEL_ROWS]; TILE_ROWS];

// AVX2 adds two products of codes within the limit in 16 bits; VNNI adds all products of a longest row, with one side offset
// to unsigned bytes, in 32 bits.
const _: () = assert!(2 * ROW_LIMIT * ROW_LIMIT <= i16::MAX as i32);
const _: () = assert!(MAX_DIM as i64 * 255 * (ROW_LIMIT as i64) <= i32::MAX as i64);

/// An int8 matrix with one scale a row: `code * scale` is within `scale / 2` of a value, and no code is beyond
/// [`ROW_LIMIT`]. [`crate::quantizer::sq8`] encodes it.
#[derive(Clone, Debug)]
pub struct Int8Matrix {
    pub(crate) stride: usize,
    pub(crate) codes: Vec<i8>,
    pub(crate) scales: Vec<f32>,
}

impl Int8Matrix {
    /// Make an empty matrix with capacity for `rows` rows of `dim` values.
    pub fn with_capacity(rows: usize, dim: usize) -> Self {
        let stride = stride(dim);
        Self { stride, codes: Vec::with_capacity(rows * stride), scales: Vec::with_capacity(rows) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Scale of each row, shape (n,).
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Codes of a row, shape (stride,).
    pub fn codes(&self, row: usize) -> &[i8] {
        &self.codes[row * self.stride..][..self.stride]
    }
}

/// The right-hand side B, packed in panels of sixteen rows.
#[derive(Clone, Debug)]
pub struct PackedB {
    stride: usize,
    len: usize,
    /// For each panel, all steps of four values; missing rows of the last panel are zeros.
    columns: Vec<PanelColumn>,
    /// Sum of the codes of each row.
    row_sums: Vec<[i32; PANEL_ROWS]>,
}

impl PackedB {
    /// Pack the rows of B.
    pub fn new(rows: &Int8Matrix) -> Self {
        let (stride, len) = (rows.stride, rows.len());
        let steps = stride / STEP;
        let panels = len.div_ceil(PANEL_ROWS);
        let mut columns = vec![[[0; STEP]; PANEL_ROWS]; panels * steps];
        let mut row_sums = vec![[0; PANEL_ROWS]; panels];
        for row in 0..len {
            let (panel, lane) = (row / PANEL_ROWS, row % PANEL_ROWS);
            let (groups, _) = rows.codes(row).as_chunks::<STEP>();
            let panel_columns = columns[panel * steps..].iter_mut();
            panel_columns.zip(groups).for_each(|(column, group)| column[lane] = *group);
            row_sums[panel][lane] = rows.codes(row).iter().map(|&code| i32::from(code)).sum();
        }
        Self { stride, len, columns, row_sums }
    }
}

define_kernel! {
    /// Kernel for int8 matrix products.
    GemmI8, #[cfg(target_arch = "x86_64")] Avx2, #[cfg(target_arch = "x86_64")] Avx512
}

impl GemmI8 {
    /// Call `found` with the number of each `selected` row of A and its products with all rows of B.
    ///
    /// # Panics
    /// If A and B have different dimensions, or a number is past the rows of A.
    pub fn products(
        &self,
        a: &Int8Matrix,
        selected: impl Iterator<Item = usize>,
        b: &PackedB,
        mut found: impl FnMut(usize, &[i32]),
    ) {
        assert_eq!(a.stride, b.stride, "A and B have different dimensions");
        let mut selected = selected.peekable();
        let mut packed_a: Vec<PackedA> = vec![[[0; STEP]; TILE_ROWS]; a.stride / STEP];
        let width = b.row_sums.len() * PANEL_ROWS;
        let mut products = vec![0; TILE_ROWS * width];
        while selected.peek().is_some() {
            let mut numbers = [0; TILE_ROWS];
            let mut count = 0;
            for (number, row) in numbers.iter_mut().zip(&mut selected) {
                *number = row;
                let (groups, _) = a.codes(row).as_chunks::<STEP>();
                packed_a.iter_mut().zip(groups).for_each(|(packed, group)| packed[count] = *group);
                count += 1;
            }
            self.tiles(&packed_a, b, &mut products);
            for (index, &row) in numbers[..count].iter().enumerate() {
                found(row, &products[index * width..][..b.len]);
            }
        }
    }

    /// Return the products of twelve rows of A with a panel of B whose rows have these sums.
    #[inline]
    fn tile(&self, packed_a: &[PackedA], columns: &[PanelColumn], row_sums: &[i32; PANEL_ROWS]) -> Tile {
        #[cfg(target_arch = "x86_64")]
        match self.isa {
            Isa::Avx2(avx2) => return avx2.gemm_i8_tile(packed_a, columns),
            Isa::Avx512(avx512) => return avx512.gemm_i8_tile(packed_a, columns, row_sums),
            Isa::Scalar => {}
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = row_sums;
        scalar::gemm_i8_tile(packed_a, columns)
    }

    /// Write the products of twelve rows of A with all of B into `products`, shape (12, 16 * panels).
    fn tiles(&self, packed_a: &[PackedA], b: &PackedB, products: &mut [i32]) {
        let width = b.row_sums.len() * PANEL_ROWS;
        for (panel, columns) in b.columns.chunks_exact(packed_a.len().max(1)).enumerate() {
            let tile = self.tile(packed_a, columns, &b.row_sums[panel]);
            for (row, tile) in tile.iter().enumerate() {
                products[row * width + panel * PANEL_ROWS..][..PANEL_ROWS].copy_from_slice(tile);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn products(kernel: GemmI8, a: &Int8Matrix, selected: &[usize], b: &PackedB) -> Vec<(usize, Vec<i32>)> {
        let mut all = Vec::new();
        kernel.products(a, selected.iter().copied(), b, |row, products| all.push((row, products.to_vec())));
        all
    }

    proptest! {
        #[test]
        fn every_kernel_agrees_with_the_definition(
            (dim, a, b) in (1_usize..70).prop_flat_map(|dim| {
                let rows = |max: usize| (0..max).prop_flat_map(move |n| prop::collection::vec(-9_f32..9.0, n * dim));
                (Just(dim), rows(30), rows(40))
            })
        ) {
            let (a, b) = (Int8Matrix::new(&a, dim), Int8Matrix::new(&b, dim));
            let selected: Vec<usize> = (0..a.len()).rev().chain(0..a.len().min(3)).collect();
            let product = |i: usize, j: usize| {
                let pairs = a.codes(i).iter().zip(b.codes(j));
                pairs.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>()
            };
            let line = |&row: &usize| (row, (0..b.len()).map(|other| product(row, other)).collect());
            let expected: Vec<(usize, Vec<i32>)> = selected.iter().map(line).collect();
            for kernel in GemmI8::all() {
                let found = products(kernel, &a, &selected, &PackedB::new(&b));
                prop_assert_eq!(&found, &expected, "{}", kernel.name());
            }
        }
    }

    #[test]
    fn the_largest_products_do_not_overflow() {
        let dim = MAX_DIM;
        for (sign, other) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
            let (a, b) = (Int8Matrix::new(&vec![sign; dim], dim), Int8Matrix::new(&vec![other; dim], dim));
            let expected = (sign * other) as i32 * dim as i32 * ROW_LIMIT * ROW_LIMIT;
            for kernel in GemmI8::all() {
                assert_eq!(products(kernel, &a, &[0], &PackedB::new(&b)), [(0, vec![expected])]);
            }
        }
    }
}
