//! The AVX2 kernel: two subquantizers of a block a step.

use core::arch::x86_64::*;

use super::{BYTE_TERMS, BlockSums, M_MULTIPLE, ScanTable};
use crate::kernels::prefetch;
use crate::simd::Avx2;

const REGISTER_BYTES: usize = 32;

type Step = [u8; REGISTER_BYTES];

// Two subquantizers a register, so that no step is left over.
const _: () = assert!(M_MULTIPLE.is_multiple_of(2 * BYTE_TERMS));

impl Avx2 {
    /// See [`super::FastScan::scan`].
    #[inline]
    pub(super) fn fastscan(
        self,
        blocks: &[u8],
        table: ScanTable<'_>,
        prefetched: &[u8],
        sums: &mut [BlockSums],
        masks: &mut [u32],
    ) {
        // SAFETY: the witness proves that this CPU has AVX2.
        unsafe { fastscan_avx2(blocks, table, prefetched, sums, masks) }
    }
}

#[target_feature(enable = "avx2")]
fn fastscan_avx2(
    blocks: &[u8],
    table: ScanTable<'_>,
    prefetched: &[u8],
    sums: &mut [BlockSums],
    masks: &mut [u32],
) {
    let mut prefetched = prefetched.chunks(table.block_bytes());
    let zero_point = _mm256_set1_epi16(table.zero_point);
    for ((block, sums), mask) in blocks.chunks_exact(table.block_bytes()).zip(sums).zip(masks) {
        prefetch(prefetched.next().unwrap_or(&[]));
        let (groups, corrections) = block.split_at(table.entries.len());
        let [low, high] = block_sums(groups, table.entries);
        let (halves, _) = corrections.as_chunks::<{ REGISTER_BYTES / 2 }>();
        let low = corrected(_mm256_sub_epi16(low, zero_point), &halves[0]);
        let high = corrected(_mm256_sub_epi16(high, zero_point), &halves[1]);
        *mask = mask_of(low, high, table.threshold);
        store(sums, low, high);
    }
}

/// `sum * correction / 256`, rounded: `mulhrs` computes it as the upper half of `sum * 128 correction`.
#[target_feature(enable = "avx2")]
#[inline]
fn corrected(sums: __m256i, corrections: &[u8; REGISTER_BYTES / 2]) -> __m256i {
    // SAFETY: `corrections` is 16 readable bytes, and this load needs no alignment.
    let corrections = unsafe { _mm_loadu_si128(corrections.as_ptr().cast()) };
    _mm256_mulhrs_epi16(sums, _mm256_slli_epi16::<7>(_mm256_cvtepu8_epi16(corrections)))
}

/// Sums of rows 0 to 15 and of rows 16 to 31, in order.
#[target_feature(enable = "avx2")]
#[inline]
fn block_sums(groups: &[u8], entries: &[u8]) -> [__m256i; 2] {
    let (codes, _) = groups.as_chunks::<REGISTER_BYTES>();
    let (tables, _) = entries.as_chunks::<REGISTER_BYTES>();
    let mut halves = [WideSums::zero(); 2];
    let (codes, _) = codes.as_chunks::<BYTE_TERMS>();
    let (tables, _) = tables.as_chunks::<BYTE_TERMS>();
    for (codes, tables) in codes.iter().zip(tables) {
        let [low, high] = byte_sums(codes, tables);
        halves[0].add(low);
        halves[1].add(high);
    }
    [halves[0].fold(), halves[1].fold()]
}

/// Add [`BYTE_TERMS`] lookups in bytes, for each half of the rows.
#[target_feature(enable = "avx2")]
#[inline]
fn byte_sums(codes: &[Step; BYTE_TERMS], tables: &[Step; BYTE_TERMS]) -> [__m256i; 2] {
    let nibble = _mm256_set1_epi8(15);
    let mut sums = [_mm256_setzero_si256(); 2];
    for (codes, table) in codes.iter().zip(tables) {
        let (codes, table) = (load(codes), load(table));
        let low = _mm256_and_si256(codes, nibble);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble);
        sums[0] = _mm256_add_epi8(sums[0], _mm256_shuffle_epi8(table, low));
        sums[1] = _mm256_add_epi8(sums[1], _mm256_shuffle_epi8(table, high));
    }
    sums
}

/// Sums of bytes in 16-bit lanes, for sixteen rows and for even and odd bytes.
#[derive(Clone, Copy)]
struct WideSums {
    /// Sums of whole 16-bit lanes, `even + 256 odd`, modulo 2^16.
    lanes: __m256i,
    odd: __m256i,
}

impl WideSums {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn zero() -> Self {
        Self { lanes: _mm256_setzero_si256(), odd: _mm256_setzero_si256() }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(&mut self, bytes: __m256i) {
        self.lanes = _mm256_add_epi16(self.lanes, bytes);
        self.odd = _mm256_add_epi16(self.odd, _mm256_srli_epi16::<8>(bytes));
    }

    /// One sum for each of the sixteen rows, in order.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn fold(self) -> __m256i {
        // Exact although `lanes` wraps: the even sums alone fit 16 bits.
        let even = _mm256_sub_epi16(self.lanes, _mm256_slli_epi16::<8>(self.odd));
        let near = _mm256_unpacklo_epi16(even, self.odd);
        let far = _mm256_unpackhi_epi16(even, self.odd);
        // The two subquantizers of a step are in the two halves of a register.
        let first = _mm256_permute2x128_si256::<0x20>(near, far);
        let second = _mm256_permute2x128_si256::<0x31>(near, far);
        _mm256_add_epi16(first, second)
    }
}

/// A bit for each lane that is at least `threshold`.
#[target_feature(enable = "avx2")]
#[inline]
fn mask_of(low: __m256i, high: __m256i, threshold: i16) -> u32 {
    let threshold = _mm256_set1_epi16(threshold);
    let low = _mm256_cmpgt_epi16(threshold, low);
    let high = _mm256_cmpgt_epi16(threshold, high);
    // `packs` works in halves of a register; the permutation puts its quarters in order.
    let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(low, high));
    !_mm256_movemask_epi8(packed).cast_unsigned()
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(step: &Step) -> __m256i {
    // SAFETY: `step` is 32 readable bytes, and this load needs no alignment.
    unsafe { _mm256_loadu_si256(step.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(sums: &mut BlockSums, low: __m256i, high: __m256i) {
    let (first, second) = sums.split_at_mut(16);
    // SAFETY: `first` is 32 writable bytes, and this store needs no alignment.
    unsafe { _mm256_storeu_si256(first.as_mut_ptr().cast(), low) };
    // SAFETY: `second` is 32 writable bytes, and this store needs no alignment.
    unsafe { _mm256_storeu_si256(second.as_mut_ptr().cast(), high) };
}
