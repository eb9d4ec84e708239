//! The 4-bit scan: sums of table entries for blocks of 32 rows, by the fastest kernel this CPU runs.
//!
//! All kernels give the same integers: entries are at most [`crate::lut::LUT_LIMIT`], which is proved there to overflow
//! neither the bytes nor the 16-bit lanes in which they are added.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::blocks::{BLOCK_ROWS, block_bytes};
use crate::lists::{KSUB, M_STEP};

/// The sums of one block's rows.
pub type Sums = [u16; BLOCK_ROWS];

/// A kernel that this CPU is known to run. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct PqScanner {
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
}

impl PqScanner {
    /// The fastest kernel that this CPU runs.
    pub fn fastest() -> Self {
        Self::all().pop().unwrap_or(Self { kernel: Kernel::Scalar })
    }

    /// The reference kernel, which runs everywhere.
    pub fn scalar() -> Self {
        Self { kernel: Kernel::Scalar }
    }

    /// Every kernel that this CPU runs, slowest first.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::scalar()];
        #[cfg(target_arch = "x86_64")]
        all.extend(avx2::Avx2::detect().map(|kernel| Self { kernel: Kernel::Avx2(kernel) }));
        #[cfg(target_arch = "aarch64")]
        all.extend(neon::Neon::detect().map(|kernel| Self { kernel: Kernel::Neon(kernel) }));
        all
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

    /// For each block, the sums of its rows' table entries, and a bit for each row whose sum is at least `floor`.
    ///
    /// `blocks` has shape (n, m, 16), `steps` (m, 16), and `sums` and `masks` n entries each. While a block is summed,
    /// the block at the same place of `ahead` is asked for from memory, if the kernel can; it may be of any length.
    ///
    /// # Panics
    /// If the shapes do not agree, or `m` is no positive multiple of [`M_STEP`].
    #[inline]
    pub fn scan(
        &self,
        blocks: &[u8],
        steps: &[u8],
        floor: u16,
        ahead: &[u8],
        sums: &mut [Sums],
        masks: &mut [u32],
    ) {
        let m = steps.len() / KSUB;
        assert!(m > 0 && m.is_multiple_of(M_STEP) && steps.len() == m * KSUB, "{m} is no count of tables");
        assert_eq!(blocks.len(), sums.len() * block_bytes(m), "blocks are not one for each of the sums");
        assert_eq!(sums.len(), masks.len(), "masks are not one for each of the sums");
        match self.kernel {
            Kernel::Scalar => {
                let _ = ahead;
                scalar::scan(blocks, steps, floor, sums, masks);
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(kernel) => kernel.scan(blocks, steps, floor, ahead, sums, masks),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon(kernel) => kernel.scan(blocks, steps, floor, sums, masks),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::blocks;
    use crate::lists::MAX_M;
    use crate::lut::LUT_LIMIT;

    fn scan(scanner: PqScanner, blocks: &[u8], steps: &[u8], floor: u16) -> (Vec<Sums>, Vec<u32>) {
        let count = blocks.len() / steps.len();
        let (mut sums, mut masks) = (vec![[7; BLOCK_ROWS]; count], vec![7; count]);
        scanner.scan(blocks, steps, floor, blocks, &mut sums, &mut masks);
        (sums, masks)
    }

    /// Any blocks, tables within the limit, and a floor near the sums.
    fn cases() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, u16)> {
        (1_usize..20, 0_usize..6).prop_flat_map(|(fours, count)| {
            let m = fours * M_STEP;
            let blocks = prop::collection::vec(any::<u8>(), count * block_bytes(m));
            let steps = prop::collection::vec(0..=LUT_LIMIT, m * KSUB);
            let middle = m as u16 * u16::from(LUT_LIMIT) / 2;
            (blocks, steps, prop_oneof![Just(0), Just(u16::MAX), middle - 30..middle + 30])
        })
    }

    proptest! {
        #[test]
        fn every_kernel_agrees_with_the_reference((blocks, steps, floor) in cases()) {
            let expected = scan(PqScanner::scalar(), &blocks, &steps, floor);
            for scanner in PqScanner::all() {
                prop_assert_eq!(&scan(scanner, &blocks, &steps, floor), &expected, "{}", scanner.name());
            }
        }

        #[test]
        fn the_reference_adds_the_entries_of_the_codes(
            codes in prop::collection::vec(0_u8..16, 32 * 8),
            steps in prop::collection::vec(0..=LUT_LIMIT, 8 * KSUB),
            floor in 100_u16..400,
        ) {
            let mut block = vec![0; block_bytes(8)];
            blocks::pack(&codes, 8, &mut block);
            let (sums, masks) = scan(PqScanner::scalar(), &block, &steps, floor);
            for (row, codes) in codes.chunks_exact(8).enumerate() {
                let entry = |(j, &code): (usize, &u8)| u16::from(steps[j * KSUB + usize::from(code)]);
                let expected: u16 = codes.iter().enumerate().map(entry).sum();
                prop_assert_eq!((sums[0][row], masks[0] >> row & 1 == 1), (expected, expected >= floor));
            }
        }
    }

    #[test]
    fn no_kernel_overflows_at_the_bounds() {
        let steps = vec![LUT_LIMIT; MAX_M * KSUB];
        let blocks = vec![0xf3; block_bytes(MAX_M)];
        let most = MAX_M as u16 * u16::from(LUT_LIMIT);
        for scanner in PqScanner::all() {
            assert_eq!(scan(scanner, &blocks, &steps, most), (vec![[most; BLOCK_ROWS]], vec![u32::MAX]));
            assert_eq!(scan(scanner, &blocks, &steps, most + 1).1, [0], "{}", scanner.name());
        }
    }

    #[test]
    #[should_panic(expected = "3 is no count of tables")]
    fn a_count_with_a_tail_is_refused() {
        scan(PqScanner::fastest(), &[0; 48], &[0; 48], 0);
    }

    #[test]
    #[should_panic(expected = "not one for each of the sums")]
    fn shapes_that_disagree_are_refused() {
        PqScanner::fastest().scan(&[0; 65], &[0; 64], 0, &[], &mut [[0; 32]], &mut [0]);
    }
}
