//! Exact inner products of int8 rows with an int16 query.
//!
//! Every sum is an exact integer that fits an `i32`, so the order of summation does not matter, and all kernels
//! agree to the bit.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernels::LANES;
use crate::matrix::MAX_DIM;
use crate::simd::{Isa, define_kernel};

/// Largest magnitude of a code that the SQ8 encoder writes.
pub const ROW_LIMIT: i32 = 127;

/// Largest magnitude of any `i8`: a damaged file may hold -128, and must not overflow a sum either.
const CODE_BOUND: i64 = 128;

/// Largest magnitude of a query's code for vectors of `dim` dimensions.
///
/// The largest `limit` up to `i16::MAX` for which `dim * 128 * limit` fits an `i32`: 32767 up to 512 dimensions, 16383 at
/// 1024, 4095 at 4096.
pub const fn query_limit(dim: usize) -> i32 {
    let fits = i32::MAX as i64 / (CODE_BOUND * dim as i64);
    if fits < i16::MAX as i64 { fits as i32 } else { i16::MAX as i32 }
}

// A sum of products is bounded by the sum of their magnitudes, and so is every partial sum in every order: no kernel can
// overflow an i32 lane, nor can the horizontal sum. The second assertion keeps the query 32 times finer than the rows, so
// that its rounding error is negligible next to theirs.
const _: () = {
    let mut dim = 1;
    while dim <= MAX_DIM {
        assert!(dim as i64 * CODE_BOUND * query_limit(dim) as i64 <= i32::MAX as i64);
        assert!(query_limit(dim) >= 32 * ROW_LIMIT);
        dim += 1;
    }
};

// `_mm256_madd_epi16` adds two products before it widens: they fit an i32.
const _: () = assert!(2 * CODE_BOUND * (i16::MAX as i64) <= i32::MAX as i64);

define_kernel! {
    /// Kernel for inner products of int8 rows with an int16 query.
    DotI8, #[cfg(target_arch = "x86_64")] Avx2, #[cfg(target_arch = "x86_64")] Avx512, #[cfg(target_arch = "aarch64")] Neon
}

impl DotI8 {
    /// Write the integer product of each row with the query into `products`, shape (n,).
    ///
    /// `codes` has shape (n, stride), row-major, and `query` shape (stride,). The result is exact for query codes within
    /// [`query_limit`].
    ///
    /// # Panics
    /// If the three shapes do not agree, or the stride is no positive multiple of [`LANES`].
    #[inline]
    pub fn products(&self, codes: &[i8], query: &[i16], products: &mut [i32]) {
        let stride = query.len();
        assert!(stride > 0 && stride.is_multiple_of(LANES), "stride {stride} is no multiple of {LANES}");
        assert_eq!(codes.len(), products.len() * stride, "codes are not one row of {stride} per product");
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(avx2) => avx2.dot_i8(codes, query, products),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(avx512) => avx512.dot_i8(codes, query, products),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(neon) => neon.dot_i8(codes, query, products),
            #[allow(unreachable_patterns)]
            _ => scalar::dot_i8(codes, query, products),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::stride;

    /// Any codes, -128 included, and any query within its limit.
    fn codes_and_query() -> impl Strategy<Value = (Vec<i8>, Vec<i16>, usize)> {
        (1_usize..700, 0_usize..14).prop_flat_map(|(dim, rows)| {
            let limit = query_limit(dim) as i16;
            let codes = vec(any::<i8>(), rows * stride(dim));
            let query = vec(-limit..=limit, stride(dim));
            (codes, query, Just(rows))
        })
    }

    fn products(kernel: DotI8, codes: &[i8], query: &[i16], rows: usize) -> Vec<i32> {
        let mut products = vec![-1; rows];
        kernel.products(codes, query, &mut products);
        products
    }

    #[test]
    fn no_kernel_overflows_at_the_bounds() {
        for dim in [1, 16, 512, 513, 1024, 2048, MAX_DIM] {
            let mut query = vec![query_limit(dim) as i16; dim];
            query.resize(stride(dim), 0);
            let codes = vec![i8::MIN; 5 * stride(dim)];
            let expected = -(dim as i64) * 128 * i64::from(query_limit(dim));
            for kernel in DotI8::all() {
                for product in products(kernel, &codes, &query, 5) {
                    assert_eq!(i64::from(product), expected, "{} at {dim}", kernel.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "not one row of 16 per product")]
    fn shapes_that_disagree_are_refused() {
        DotI8::fastest().products(&[0; 31], &[0; 16], &mut [0; 2]);
    }

    #[test]
    #[should_panic(expected = "no multiple of 16")]
    fn a_stride_with_a_tail_is_refused() {
        DotI8::fastest().products(&[0; 20], &[0; 20], &mut [0; 1]);
    }

    proptest! {
        #[test]
        fn every_kernel_agrees_with_the_reference((codes, query, rows) in codes_and_query()) {
            let expected = products(DotI8::scalar(), &codes, &query, rows);
            for kernel in DotI8::all() {
                prop_assert_eq!(&products(kernel, &codes, &query, rows), &expected, "{}", kernel.name());
            }
        }
    }
}
