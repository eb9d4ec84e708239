//! Many int8 rows with many others: all their integer products, as fast as a CPU multiplies bytes.
//!
//! It is what a build spends most of its time on, wherever a product that is right to about a hundredth will do: to find
//! near centroids, to code for 4 bits, and to leave out rows that cannot be among the best. A [`Crosser`] is a kernel that
//! this CPU can run; all of them give the same integers, and the scalar one is the specification of the others.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod vnni;

#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx2;
use crate::vectors::{ROW_LIMIT, encode_row, stride};

/// Rows on the right that stand side by side.
const COLUMNS: usize = 16;

/// Values of a row that a kernel multiplies and adds in one step.
const STEP: usize = 4;

/// Rows on the left that share each load of the right side.
const TOGETHER: usize = 12;

/// Four values of sixteen rows on the right.
type Column = [[i8; STEP]; COLUMNS];

/// Four values of twelve rows on the left.
type Stage = [[i8; STEP]; TOGETHER];

/// Products of twelve rows with sixteen.
type Tile = [[i32; COLUMNS]; TOGETHER];

// Two products in 16 bits, of codes within the limit; and of bytes without a sign, all of a longest row in 32.
const _: () = assert!(2 * ROW_LIMIT * ROW_LIMIT <= i16::MAX as i32);
const _: () = assert!(crate::vectors::MAX_DIM as i64 * 255 * (ROW_LIMIT as i64) <= i32::MAX as i64);

/// Rows in int8 codes, each with a scale: `code * scale` is within `scale / 2` of a value. No code is beyond
/// [`ROW_LIMIT`].
#[derive(Clone, Debug)]
pub struct Coded {
    stride: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Coded {
    /// No rows yet, of `dim` values, and room for some.
    pub fn with_room(rows: usize, dim: usize) -> Self {
        let stride = stride(dim);
        Self { stride, codes: Vec::with_capacity(rows * stride), scales: Vec::with_capacity(rows) }
    }

    /// Code rows of finite values, shape (n, dim).
    pub fn new(rows: &[f32], dim: usize) -> Self {
        let mut coded = Self::with_room(rows.len() / dim, dim);
        rows.chunks_exact(dim).for_each(|row| coded.push(row));
        coded
    }

    /// Code rows of finite values, shape (n, dim), as they lie around `middle`, shape (dim,).
    ///
    /// What all rows have in common would else ask for most of the codes' range.
    pub fn around(middle: &[f32], rows: &[f32]) -> Self {
        let mut coded = Self::with_room(rows.len() / middle.len(), middle.len());
        let mut off = vec![0.0; middle.len()];
        for row in rows.chunks_exact(middle.len()) {
            off.iter_mut()
                .zip(row.iter().zip(middle))
                .for_each(|(off, (value, middle))| *off = value - middle);
            coded.push(&off);
        }
        coded
    }

    fn push(&mut self, row: &[f32]) {
        let start = self.codes.len();
        self.codes.resize(start + self.stride, 0);
        self.scales.push(encode_row(row, &mut self.codes[start..]));
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

/// The rows on the right side, laid out for the kernels.
#[derive(Clone, Debug)]
pub struct Panels {
    stride: usize,
    len: usize,
    /// For every sixteen rows, all steps of four values; places after the last row hold zeros.
    columns: Vec<Column>,
    /// Sum of the codes of each row.
    sums: Vec<[i32; COLUMNS]>,
}

impl Panels {
    /// Lay out rows.
    pub fn new(rows: &Coded) -> Self {
        let (stride, len) = (rows.stride, rows.len());
        let steps = stride / STEP;
        let panels = len.div_ceil(COLUMNS);
        let mut columns = vec![[[0; STEP]; COLUMNS]; panels * steps];
        let mut sums = vec![[0; COLUMNS]; panels];
        for row in 0..len {
            let (panel, place) = (row / COLUMNS, row % COLUMNS);
            let (fours, _) = rows.codes(row).as_chunks::<STEP>();
            let mine = columns[panel * steps..].iter_mut();
            mine.zip(fours).for_each(|(column, four)| column[place] = *four);
            sums[panel][place] = rows.codes(row).iter().map(|&code| i32::from(code)).sum();
        }
        Self { stride, len, columns, sums }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A kernel that this CPU is known to run. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Crosser {
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Vnni),
}

impl Crosser {
    /// All kernels that this CPU runs, the fastest last.
    pub fn all() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [Avx2::detect().map(Kernel::Avx2), vnni::Vnni::detect().map(Kernel::Vnni)];
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [];
        [Some(Kernel::Scalar)].into_iter().chain(wide).flatten().map(|kernel| Self { kernel }).collect()
    }

    /// The fastest kernel that this CPU runs.
    pub fn fastest() -> Self {
        Self::all().pop().unwrap_or(Self { kernel: Kernel::Scalar })
    }

    /// Name of the kernel: `vnni`, `avx2` or `scalar`.
    pub fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kernel::Vnni(_) => "vnni",
        }
    }

    /// Call `found` with each of the `picked` rows' number and its products with all rows on the right side.
    ///
    /// # Panics
    /// If both sides have not one dimension, or a number is past the rows.
    pub fn products(
        &self,
        rows: &Coded,
        picked: impl Iterator<Item = usize>,
        right: &Panels,
        mut found: impl FnMut(usize, &[i32]),
    ) {
        assert_eq!(rows.stride, right.stride, "both sides have not one dimension");
        let mut picked = picked.peekable();
        let mut stage: Vec<Stage> = vec![[[0; STEP]; TOGETHER]; rows.stride / STEP];
        let width = right.sums.len() * COLUMNS;
        let mut products = vec![0; TOGETHER * width];
        while picked.peek().is_some() {
            let mut numbers = [0; TOGETHER];
            let mut count = 0;
            for (number, row) in numbers.iter_mut().zip(&mut picked) {
                *number = row;
                let (fours, _) = rows.codes(row).as_chunks::<STEP>();
                stage.iter_mut().zip(fours).for_each(|(stage, four)| stage[count] = *four);
                count += 1;
            }
            self.tiles(&stage, right, &mut products);
            for (place, &row) in numbers[..count].iter().enumerate() {
                found(row, &products[place * width..][..right.len]);
            }
        }
    }

    /// Products of twelve rows with all on the right, into `products`, shape (12, 16 * panels).
    fn tiles(&self, stage: &[Stage], right: &Panels, products: &mut [i32]) {
        let width = right.sums.len() * COLUMNS;
        for (panel, columns) in right.columns.chunks_exact(stage.len().max(1)).enumerate() {
            let tile = match self.kernel {
                Kernel::Scalar => scalar::tile(stage, columns),
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx2(kernel) => kernel.tile(stage, columns),
                #[cfg(target_arch = "x86_64")]
                Kernel::Vnni(kernel) => kernel.tile(stage, columns, &right.sums[panel]),
            };
            for (row, tile) in tile.iter().enumerate() {
                products[row * width + panel * COLUMNS..][..COLUMNS].copy_from_slice(tile);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn crossed(crosser: Crosser, rows: &Coded, picked: &[usize], right: &Panels) -> Vec<(usize, Vec<i32>)> {
        let mut all = Vec::new();
        crosser.products(rows, picked.iter().copied(), right, |row, products| {
            all.push((row, products.to_vec()));
        });
        all
    }

    proptest! {
        #[test]
        fn every_kernel_gives_the_definition(
            (dim, left, right) in (1_usize..70).prop_flat_map(|dim| {
                let rows = |most: usize| (0..most).prop_flat_map(move |n| prop::collection::vec(-9_f32..9.0, n * dim));
                (Just(dim), rows(30), rows(40))
            })
        ) {
            let (left, right) = (Coded::new(&left, dim), Coded::new(&right, dim));
            let picked: Vec<usize> = (0..left.len()).rev().chain(0..left.len().min(3)).collect();
            let product = |a: usize, b: usize| {
                let pairs = left.codes(a).iter().zip(right.codes(b));
                pairs.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>()
            };
            let line = |&row: &usize| (row, (0..right.len()).map(|other| product(row, other)).collect());
            let expected: Vec<(usize, Vec<i32>)> = picked.iter().map(line).collect();
            for crosser in Crosser::all() {
                prop_assert_eq!(&crossed(crosser, &left, &picked, &Panels::new(&right)), &expected, "{}", crosser.name());
            }
        }
    }

    #[test]
    fn the_largest_products_do_not_overflow() {
        let dim = crate::vectors::MAX_DIM;
        for (sign, other) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
            let (left, right) = (Coded::new(&vec![sign; dim], dim), Coded::new(&vec![other; dim], dim));
            let most = (sign * other) as i32 * dim as i32 * ROW_LIMIT * ROW_LIMIT;
            for crosser in Crosser::all() {
                assert_eq!(crossed(crosser, &left, &[0], &Panels::new(&right)), [(0, vec![most])]);
            }
        }
    }

    #[test]
    fn rows_are_coded_as_they_lie_around_a_middle() {
        let coded = Coded::around(&[100.0, -100.0], &[101.27, -100.0, 100.0, -100.5]);
        assert_eq!(
            (coded.len(), &coded.codes(0)[..2], &coded.codes(1)[..2]),
            (2, &[127, 0][..], &[0, -127][..])
        );
    }
}
