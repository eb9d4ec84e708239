//! PQ fast-scan: sums of 4-bit lookups for blocks of 32 rows.
//!
//! The lookup table of a query stays in registers and one byte shuffle looks up sixteen rows (André, Kermarrec and Le
//! Scouarnec, "Cache locality is not enough: high-performance nearest neighbor search with product quantization fast scan",
//! 2015). For row i the kernel computes
//!
//! `sum_i = round((Σ_j entries[j][code_ij] - zero_point) * correction_i / 256)`
//!
//! where `correction_i` is the row's length correction and 128 stands for 1. All kernels return the same integers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod blocks;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::kernels::fastscan::blocks::{BLOCK_ROWS, block_bytes};
use crate::simd::{Isa, define_kernel};

/// Centroids of one subquantizer: a code has four bits.
pub const KSUB: usize = 16;

/// The number of subquantizers is a multiple of this, so that kernels read full registers.
pub const M_MULTIPLE: usize = 4;

/// Largest number of subquantizers.
pub const MAX_M: usize = 256;

/// Largest entry of a table.
///
/// 127 and not 255, because a sum of two then fits a byte, and the kernel widens once for two lookups instead of once for
/// each. With 63 and four lookups, recall was lower.
pub const LUT_LIMIT: u8 = 127;

/// Entries that a kernel may add in a byte before it widens.
pub const BYTE_TERMS: usize = 2;

// The sums of a kernel overflow neither the bytes in which they begin nor the signed 16 bits from which the zero point, which
// is between 0 and the largest sum, is subtracted. The corrected sum is at most 255/256 of that.
const _: () = assert!(LUT_LIMIT as usize * BYTE_TERMS <= u8::MAX as usize);
const _: () = assert!(LUT_LIMIT as usize * MAX_M <= i16::MAX as usize);

/// The length-corrected sums of one block's rows.
pub type BlockSums = [i16; BLOCK_ROWS];

/// The quantized lookup table of a query, and the threshold of a scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanTable<'a> {
    /// Entries, shape (m, 16), each at most [`LUT_LIMIT`].
    pub entries: &'a [u8],
    /// The sum of entries that stands for 0; not negative, and at most the largest sum.
    pub zero_point: i16,
    /// Rows whose corrected sum is at least this get a bit in the mask.
    pub threshold: i16,
}

impl ScanTable<'_> {
    /// Number of subquantizers.
    pub fn m(&self) -> usize {
        self.entries.len() / KSUB
    }

    /// Bytes of one block.
    pub fn block_bytes(&self) -> usize {
        block_bytes(self.m())
    }
}

define_kernel! {
    /// Kernel for the 4-bit scan.
    FastScan, #[cfg(target_arch = "x86_64")] Avx2, #[cfg(target_arch = "x86_64")] Avx512, #[cfg(target_arch = "aarch64")] Neon
}

impl FastScan {
    /// Write for each block the corrected sums of its rows, and a bit for each row that reaches the threshold.
    ///
    /// `blocks` has shape (n, block bytes), and `sums` and `masks` n entries each. While a block is summed, the block of the
    /// same index in `prefetched` is prefetched, if the kernel can; it may be of any length.
    ///
    /// # Panics
    /// If the shapes do not agree, or `m` is no positive multiple of [`M_MULTIPLE`].
    #[inline]
    pub fn scan(
        &self,
        blocks: &[u8],
        table: ScanTable<'_>,
        prefetched: &[u8],
        sums: &mut [BlockSums],
        masks: &mut [u32],
    ) {
        let m = table.m();
        assert!(
            m > 0 && m.is_multiple_of(M_MULTIPLE) && table.entries.len() == m * KSUB,
            "m = {m} is no positive multiple of {M_MULTIPLE}"
        );
        assert_eq!(blocks.len(), sums.len() * block_bytes(m), "blocks are not one for each of the sums");
        assert_eq!(sums.len(), masks.len(), "masks are not one for each of the sums");
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(avx2) => avx2.fastscan(blocks, table, prefetched, sums, masks),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(avx512) => avx512.fastscan(blocks, table, prefetched, sums, masks),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(neon) => neon.fastscan(blocks, table, sums, masks),
            #[allow(unreachable_patterns)]
            _ => {
                let _ = prefetched;
                scalar::fastscan(blocks, table, sums, masks);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(kernel: FastScan, blocks: &[u8], table: ScanTable<'_>) -> (Vec<BlockSums>, Vec<u32>) {
        let count = blocks.len() / table.block_bytes();
        let (mut sums, mut masks) = (vec![[7; BLOCK_ROWS]; count], vec![7; count]);
        kernel.scan(blocks, table, blocks, &mut sums, &mut masks);
        (sums, masks)
    }

    /// Any blocks, entries within the limit, a zero point among the sums, and a threshold near them.
    fn cases() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, i16, i16)> {
        (1_usize..20, 0_usize..6).prop_flat_map(|(groups, count)| {
            let m = groups * M_MULTIPLE;
            let blocks = prop::collection::vec(any::<u8>(), count * block_bytes(m));
            let entries = prop::collection::vec(0..=LUT_LIMIT, m * KSUB);
            let max_sum = m as i16 * i16::from(LUT_LIMIT);
            let threshold = prop_oneof![Just(i16::MIN), Just(i16::MAX), -30_i16..30, any::<i16>()];
            (blocks, entries, 0..=max_sum, threshold)
        })
    }

    proptest! {
        #[test]
        fn every_kernel_agrees_with_the_reference((blocks, entries, zero_point, threshold) in cases()) {
            let table = ScanTable { entries: &entries, zero_point, threshold };
            let expected = scan(FastScan::scalar(), &blocks, table);
            for kernel in FastScan::all() {
                prop_assert_eq!(&scan(kernel, &blocks, table), &expected, "{}", kernel.name());
            }
        }

        #[test]
        fn the_reference_agrees_with_the_formula(
            codes in prop::collection::vec(0_u8..16, 32 * 8),
            corrections in prop::collection::vec(any::<u8>(), 32),
            entries in prop::collection::vec(0..=LUT_LIMIT, 8 * KSUB),
            threshold in -100_i16..100,
        ) {
            let mut block = vec![0; block_bytes(8)];
            blocks::pack(&codes, &corrections, 8, &mut block);
            let table = ScanTable { entries: &entries, zero_point: 500, threshold };
            let (sums, masks) = scan(FastScan::scalar(), &block, table);
            for (row, codes) in codes.chunks_exact(8).enumerate() {
                let entry = |(j, &code): (usize, &u8)| f64::from(entries[j * KSUB + usize::from(code)]);
                let sum: f64 = codes.iter().enumerate().map(entry).sum();
                let expected = ((sum - 500.0) * f64::from(corrections[row]) / 256.0 + 0.5).floor() as i16;
                prop_assert_eq!((sums[0][row], masks[0] >> row & 1 == 1), (expected, expected >= threshold));
            }
        }
    }

    #[test]
    fn no_kernel_overflows_at_the_bounds() {
        let entries = vec![LUT_LIMIT; MAX_M * KSUB];
        let blocks = vec![0xff; block_bytes(MAX_M)];
        let max_sum = MAX_M as i16 * i16::from(LUT_LIMIT);
        let corrected = ((i32::from(max_sum) * 255 + 128) >> 8) as i16;
        for kernel in FastScan::all() {
            let with = |zero_point, threshold| {
                scan(kernel, &blocks, ScanTable { entries: &entries, zero_point, threshold })
            };
            assert_eq!(with(0, corrected), (vec![[corrected; BLOCK_ROWS]], vec![u32::MAX]));
            assert_eq!(with(0, corrected + 1).1, [0], "{}", kernel.name());
            assert_eq!(with(max_sum, 0), (vec![[0; BLOCK_ROWS]], vec![u32::MAX]));
        }
    }

    #[test]
    #[should_panic(expected = "m = 3 is no positive multiple of 4")]
    fn a_number_of_subquantizers_with_a_tail_is_refused() {
        scan(FastScan::fastest(), &[0; 80], ScanTable { entries: &[0; 48], zero_point: 0, threshold: 0 });
    }

    #[test]
    #[should_panic(expected = "not one for each of the sums")]
    fn shapes_that_disagree_are_refused() {
        let table = ScanTable { entries: &[0; 64], zero_point: 0, threshold: 0 };
        FastScan::fastest().scan(&[0; 97], table, &[], &mut [[0; 32]], &mut [0]);
    }
}
