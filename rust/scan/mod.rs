//! The exact scan of the int8 tier: every allowed row's integer product with every query, block by block.
//!
//! A [`Scanner`] is a kernel that this CPU can run, chosen once. All kernels give the same integers, so the
//! choice never changes a result; the scalar one is the specification of the others.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::cpu::Neon;
use crate::hits::topk::TopK;
use crate::vectors::{LANES, Query};

/// Most rows scored in one go. Their codes (128 KiB at 1024 dimensions) stay in the level-2 cache while every
/// query of a group passes over them, and their products stay in the level-1 cache.
const BLOCK_ROWS: usize = 128;

/// Where fewer than one row in this many is allowed, the allowed rows are scored one by one. Elsewhere the
/// whole block is scored, because memory is read faster from end to end than in pieces, and the others are
/// left out afterwards.
const SPARSE: usize = 8;

/// A kernel that this CPU is known to run. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Scanner {
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Scanner {
    /// The fastest kernel that this CPU runs.
    pub fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = Avx2::detect() {
            return Self { kernel: Kernel::Avx2(kernel) };
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(kernel) = Neon::detect() {
            return Self { kernel: Kernel::Neon(kernel) };
        }
        Self::scalar()
    }

    /// The reference kernel, which runs everywhere.
    pub fn scalar() -> Self {
        Self { kernel: Kernel::Scalar }
    }

    /// Name of the kernel: `avx2`, `neon` or `scalar`.
    pub fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon(_) => "neon",
        }
    }

    /// The integer product of each row with the query, into `products`, shape (n,).
    ///
    /// `codes` has shape (n, stride), row-major, and `query` shape (stride,). The result is exact for a query
    /// made by [`Query::new`], whose codes are bounded by [`crate::vectors::query_limit`].
    ///
    /// # Panics
    /// If the three shapes do not agree, or the stride is no positive multiple of [`LANES`].
    #[inline]
    pub fn products(&self, codes: &[i8], query: &[i16], products: &mut [i32]) {
        let stride = query.len();
        assert!(stride > 0 && stride.is_multiple_of(LANES), "stride {stride} is no multiple of {LANES}");
        assert_eq!(codes.len(), products.len() * stride, "codes are not one row of {stride} per product");
        match self.kernel {
            Kernel::Scalar => scalar::products(codes, query, products),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(kernel) => kernel.products(codes, query, products),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon(kernel) => kernel.products(codes, query, products),
        }
    }
}

/// The int8 tier of a shard: codes of shape (n, stride) and scales of shape (n,), in row order.
#[derive(Clone, Copy, Debug)]
pub struct Tier<'a> {
    codes: &'a [i8],
    scales: &'a [f32],
    stride: usize,
}

impl<'a> Tier<'a> {
    /// Join codes and scales.
    ///
    /// # Panics
    /// If there is not one row of `stride` codes per scale.
    pub fn new(codes: &'a [i8], scales: &'a [f32], stride: usize) -> Self {
        assert_eq!(codes.len(), scales.len() * stride, "codes are not one row of {stride} per scale");
        Self { codes, scales, stride }
    }

    /// Offer every allowed row of `range` to the candidates of every query; `allow` is one flag per row of the tier, or
    /// none for all rows.
    ///
    /// # Panics
    /// If a query has another stride, or `allow` another length, than the tier.
    pub fn scan(
        &self,
        range: Range<usize>,
        scanner: Scanner,
        queries: &[Query],
        allow: Option<&[bool]>,
        tops: &mut [TopK],
    ) {
        let rows = self.scales.len();
        assert!(
            allow.is_none_or(|flags| flags.len() == rows),
            "allow is not one flag for each of {rows} rows"
        );
        for start in range.clone().step_by(BLOCK_ROWS) {
            let block = start..range.end.min(start + BLOCK_ROWS);
            match allow.map(|flags| &flags[block.clone()]) {
                Some(flags) if is_sparse(flags) => {
                    for row in block.zip(flags).filter_map(|(row, &allowed)| allowed.then_some(row)) {
                        self.scan_rows(row..row + 1, scanner, queries, None, tops);
                    }
                }
                flags => self.scan_rows(block, scanner, queries, flags, tops),
            }
        }
    }

    /// Score at most [`BLOCK_ROWS`] neighbours and offer those that `flags`, one for each of them, allows.
    #[inline]
    fn scan_rows(
        &self,
        rows: Range<usize>,
        scanner: Scanner,
        queries: &[Query],
        flags: Option<&[bool]>,
        tops: &mut [TopK],
    ) {
        let mut products = [0; BLOCK_ROWS];
        let products = &mut products[..rows.len()];
        let codes = &self.codes[rows.start * self.stride..rows.end * self.stride];
        let scales = &self.scales[rows.clone()];
        for (query, top) in queries.iter().zip(tops) {
            scanner.products(codes, query.codes(), products);
            for (at, (&product, &scale)) in products.iter().zip(scales).enumerate() {
                let score = query.score(product, scale);
                // The flag is asked for last: few rows get so far.
                if top.wants(score) && flags.is_none_or(|flags| flags[at]) {
                    top.offer((rows.start + at) as u32, score);
                }
            }
        }
    }
}

fn is_sparse(flags: &[bool]) -> bool {
    let allowed: usize = flags.iter().map(|&allowed| usize::from(allowed)).sum();
    allowed * SPARSE < flags.len()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{MAX_DIM, encode_row, query_limit, stride};

    /// Any codes at all, -128 included, and a query anywhere within its limit.
    fn codes_and_query() -> impl Strategy<Value = (Vec<i8>, Vec<i16>, usize)> {
        (1_usize..700, 0_usize..14).prop_flat_map(|(dim, rows)| {
            let limit = query_limit(dim) as i16;
            let codes = vec(any::<i8>(), rows * stride(dim));
            let query = vec(-limit..=limit, stride(dim));
            (codes, query, Just(rows))
        })
    }

    fn products(scanner: Scanner, codes: &[i8], query: &[i16], rows: usize) -> Vec<i32> {
        let mut products = vec![-1; rows];
        scanner.products(codes, query, &mut products);
        products
    }

    #[test]
    fn no_kernel_overflows_at_the_bounds() {
        for dim in [1, 16, 512, 513, 1024, 2048, MAX_DIM] {
            let mut query = vec![query_limit(dim) as i16; dim];
            query.resize(stride(dim), 0);
            let codes = vec![i8::MIN; 5 * stride(dim)];
            let expected = -(dim as i64) * 128 * i64::from(query_limit(dim));
            for scanner in [Scanner::scalar(), Scanner::fastest()] {
                for product in products(scanner, &codes, &query, 5) {
                    assert_eq!(i64::from(product), expected, "{} at {dim}", scanner.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "not one row of 16 per product")]
    fn shapes_that_disagree_are_refused() {
        Scanner::fastest().products(&[0; 31], &[0; 16], &mut [0; 2]);
    }

    #[test]
    #[should_panic(expected = "no multiple of 16")]
    fn a_stride_with_a_tail_is_refused() {
        Scanner::fastest().products(&[0; 20], &[0; 20], &mut [0; 1]);
    }

    proptest! {
        #[test]
        fn the_fastest_kernel_agrees_with_the_reference((codes, query, rows) in codes_and_query()) {
            prop_assert_eq!(
                products(Scanner::fastest(), &codes, &query, rows),
                products(Scanner::scalar(), &codes, &query, rows)
            );
        }

        #[test]
        fn a_scan_offers_each_allowed_row_to_each_query(
            values in vec(-1_f32..1.0, 7..3000),
            flags in (0.0..=1.0).prop_flat_map(|share| vec(prop::bool::weighted(share), 429)),
        ) {
            let rows = values.len() / 7;
            let flags = &flags[..rows];
            let mut codes = vec![0; rows * stride(7)];
            let scales: Vec<f32> = std::iter::zip(values.chunks_exact(7), codes.chunks_exact_mut(stride(7)))
                .map(|(row, codes)| encode_row(row, codes))
                .collect();
            let queries = [Query::new(&values[..7]), Query::new(&[0.5; 7])];
            let mut tops = [TopK::new(rows), TopK::new(rows)];
            Tier::new(&codes, &scales, stride(7)).scan(0..rows, Scanner::fastest(), &queries, Some(flags), &mut tops);
            for (top, query) in tops.into_iter().zip(&queries) {
                let mut expected = TopK::new(rows);
                for row in (0..rows).filter(|&row| flags[row]) {
                    let product = products(Scanner::scalar(), &codes[row * 16..][..16], query.codes(), 1)[0];
                    expected.offer(row as u32, query.score(product, scales[row]));
                }
                prop_assert_eq!(top.into_hits(), expected.into_hits());
            }
        }
    }
}
