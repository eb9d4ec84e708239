//! The 4-bit scan: sums of table entries for blocks of 32 rows, by the fastest kernel this CPU runs.
//!
//! All kernels give the same integers: entries are at most [`crate::codes::lut::LUT_LIMIT`], which is proved there to overflow
//! neither the bytes nor the 16-bit lanes in which they are added. A sum, less the sum that stands for 0, is multiplied
//! with the row's stretch, 128 standing for 1, and halved: so it needs no more bits than before.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::codes::blocks::{BLOCK_ROWS, block_bytes};
use crate::codes::{KSUB, M_STEP};
#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::cpu::Neon;

/// The stretched sums of one block's rows.
pub type Sums = [i16; BLOCK_ROWS];

/// What blocks are scanned with.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Entries, shape (m, 16), each at most [`crate::codes::lut::LUT_LIMIT`].
    pub steps: &'a [u8],
    /// The sum of entries that stands for 0; no more than the largest sum, and not negative.
    pub zero: i16,
    /// Rows whose stretched sum is at least this are wanted.
    pub floor: i16,
}

impl Table<'_> {
    /// Subquantizers.
    pub fn m(&self) -> usize {
        self.steps.len() / KSUB
    }

    /// Bytes of one block.
    pub fn block_bytes(&self) -> usize {
        block_bytes(self.m())
    }
}

/// A kernel that this CPU is known to run. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct PqScanner {
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
        all.extend(Avx2::detect().map(|kernel| Self { kernel: Kernel::Avx2(kernel) }));
        #[cfg(target_arch = "aarch64")]
        all.extend(Neon::detect().map(|kernel| Self { kernel: Kernel::Neon(kernel) }));
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

    /// For each block, the stretched sums of its rows' table entries, and a bit for each row that reaches the floor.
    ///
    /// `blocks` has shape (n, block bytes), and `sums` and `masks` n entries each. While a block is summed, the block at
    /// the same place of `ahead` is asked for from memory, if the kernel can; it may be of any length.
    ///
    /// # Panics
    /// If the shapes do not agree, or `m` is no positive multiple of [`M_STEP`].
    #[inline]
    pub fn scan(&self, blocks: &[u8], table: Table<'_>, ahead: &[u8], sums: &mut [Sums], masks: &mut [u32]) {
        let m = table.m();
        assert!(
            m > 0 && m.is_multiple_of(M_STEP) && table.steps.len() == m * KSUB,
            "{m} is no count of tables"
        );
        assert_eq!(blocks.len(), sums.len() * block_bytes(m), "blocks are not one for each of the sums");
        assert_eq!(sums.len(), masks.len(), "masks are not one for each of the sums");
        match self.kernel {
            Kernel::Scalar => {
                let _ = ahead;
                scalar::scan(blocks, table, sums, masks);
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(kernel) => kernel.scan(blocks, table, ahead, sums, masks),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon(kernel) => kernel.scan(blocks, table, sums, masks),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codes::MAX_M;
    use crate::codes::blocks;
    use crate::codes::lut::LUT_LIMIT;

    fn scan(scanner: PqScanner, blocks: &[u8], table: Table<'_>) -> (Vec<Sums>, Vec<u32>) {
        let count = blocks.len() / table.block_bytes();
        let (mut sums, mut masks) = (vec![[7; BLOCK_ROWS]; count], vec![7; count]);
        scanner.scan(blocks, table, blocks, &mut sums, &mut masks);
        (sums, masks)
    }

    /// Any blocks, tables within the limit, a zero among the sums, and a floor near them.
    fn cases() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, i16, i16)> {
        (1_usize..20, 0_usize..6).prop_flat_map(|(fours, count)| {
            let m = fours * M_STEP;
            let blocks = prop::collection::vec(any::<u8>(), count * block_bytes(m));
            let steps = prop::collection::vec(0..=LUT_LIMIT, m * KSUB);
            let most = m as i16 * i16::from(LUT_LIMIT);
            let floor = prop_oneof![Just(i16::MIN), Just(i16::MAX), -30_i16..30, any::<i16>()];
            (blocks, steps, 0..=most, floor)
        })
    }

    proptest! {
        #[test]
        fn every_kernel_agrees_with_the_reference((blocks, steps, zero, floor) in cases()) {
            let table = Table { steps: &steps, zero, floor };
            let expected = scan(PqScanner::scalar(), &blocks, table);
            for scanner in PqScanner::all() {
                prop_assert_eq!(&scan(scanner, &blocks, table), &expected, "{}", scanner.name());
            }
        }

        #[test]
        fn the_reference_adds_the_entries_of_the_codes(
            codes in prop::collection::vec(0_u8..16, 32 * 8),
            stretches in prop::collection::vec(any::<u8>(), 32),
            steps in prop::collection::vec(0..=LUT_LIMIT, 8 * KSUB),
            floor in -100_i16..100,
        ) {
            let mut block = vec![0; block_bytes(8)];
            blocks::pack(&codes, &stretches, 8, &mut block);
            let (sums, masks) = scan(PqScanner::scalar(), &block, Table { steps: &steps, zero: 500, floor });
            for (row, codes) in codes.chunks_exact(8).enumerate() {
                let entry = |(j, &code): (usize, &u8)| f64::from(steps[j * KSUB + usize::from(code)]);
                let sum: f64 = codes.iter().enumerate().map(entry).sum();
                let expected = ((sum - 500.0) * f64::from(stretches[row]) / 256.0 + 0.5).floor() as i16;
                prop_assert_eq!((sums[0][row], masks[0] >> row & 1 == 1), (expected, expected >= floor));
            }
        }
    }

    #[test]
    fn no_kernel_overflows_at_the_bounds() {
        let steps = vec![LUT_LIMIT; MAX_M * KSUB];
        let blocks = vec![0xff; block_bytes(MAX_M)];
        let most = MAX_M as i16 * i16::from(LUT_LIMIT);
        let stretched = ((i32::from(most) * 255 + 128) >> 8) as i16;
        for scanner in PqScanner::all() {
            let with = |zero, floor| scan(scanner, &blocks, Table { steps: &steps, zero, floor });
            assert_eq!(with(0, stretched), (vec![[stretched; BLOCK_ROWS]], vec![u32::MAX]));
            assert_eq!(with(0, stretched + 1).1, [0], "{}", scanner.name());
            assert_eq!(with(most, 0), (vec![[0; BLOCK_ROWS]], vec![u32::MAX]));
        }
    }

    #[test]
    #[should_panic(expected = "3 is no count of tables")]
    fn a_count_with_a_tail_is_refused() {
        scan(PqScanner::fastest(), &[0; 80], Table { steps: &[0; 48], zero: 0, floor: 0 });
    }

    #[test]
    #[should_panic(expected = "not one for each of the sums")]
    fn shapes_that_disagree_are_refused() {
        let table = Table { steps: &[0; 64], zero: 0, floor: 0 };
        PqScanner::fastest().scan(&[0; 97], table, &[], &mut [[0; 32]], &mut [0]);
    }
}
