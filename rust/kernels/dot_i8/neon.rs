//! The NEON kernel: 16 codes a step, one row at a time.

use core::arch::aarch64::*;

use crate::kernels::LANES;
use crate::simd::Neon;

impl Neon {
    /// See [`super::DotI8::products`].
    #[inline]
    pub(super) fn dot_i8(self, codes: &[i8], query: &[i16], products: &mut [i32]) {
        // SAFETY: the witness proves that this CPU has NEON.
        unsafe { dot_i8_neon(codes, query, products) }
    }
}

#[target_feature(enable = "neon")]
fn dot_i8_neon(codes: &[i8], query: &[i16], products: &mut [i32]) {
    let (steps, _) = query.as_chunks::<LANES>();
    for (product, row) in products.iter_mut().zip(codes.chunks_exact(query.len())) {
        *product = one_product(row, steps);
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn one_product(row: &[i8], query: &[[i16; LANES]]) -> i32 {
    let (steps, _) = row.as_chunks::<LANES>();
    let mut sums = [vdupq_n_s32(0); 4];
    for (step, query) in steps.iter().zip(query) {
        sums = add_products(sums, step, query);
    }
    let folded = vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3]));
    vaddvq_s32(folded)
}

/// Add 16 products to the 16 lanes of `sums`; the bounds of [`super`] prove that no lane overflows.
#[target_feature(enable = "neon")]
#[inline]
fn add_products(sums: [int32x4_t; 4], codes: &[i8; LANES], query: &[i16; LANES]) -> [int32x4_t; 4] {
    // SAFETY: `codes` is 16 readable bytes.
    let codes = unsafe { vld1q_s8(codes.as_ptr()) };
    // SAFETY: `query` is 32 readable bytes.
    let query = unsafe { vld1q_s16_x2(query.as_ptr()) };
    let (low, high) = (vmovl_s8(vget_low_s8(codes)), vmovl_high_s8(codes));
    [
        vmlal_s16(sums[0], vget_low_s16(low), vget_low_s16(query.0)),
        vmlal_high_s16(sums[1], low, query.0),
        vmlal_s16(sums[2], vget_low_s16(high), vget_low_s16(query.1)),
        vmlal_high_s16(sums[3], high, query.1),
    ]
}
