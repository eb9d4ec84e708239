//! The AVX2 kernel: two subquantizers of a block a step.

use core::arch::x86_64::*;

use super::{Sums, Table};
use crate::codes::M_STEP;
use crate::codes::lut::BYTE_TERMS;
use crate::cpu::Avx2;

const REGISTER_BYTES: usize = 32;
const CACHE_LINE_BYTES: usize = 64;

type Step = [u8; REGISTER_BYTES];

// Two subquantizers a register, so that no step is left over.
const _: () = assert!(M_STEP.is_multiple_of(2 * BYTE_TERMS));

impl Avx2 {
    /// See [`super::PqScanner::scan`].
    #[inline]
    pub(super) fn scan(
        self,
        blocks: &[u8],
        table: Table<'_>,
        ahead: &[u8],
        sums: &mut [Sums],
        masks: &mut [u32],
    ) {
        // SAFETY: an `Avx2` exists only where `detect` has found AVX2.
        unsafe { scan_avx2(blocks, table, ahead, sums, masks) }
    }
}

#[target_feature(enable = "avx2")]
fn scan_avx2(blocks: &[u8], table: Table<'_>, ahead: &[u8], sums: &mut [Sums], masks: &mut [u32]) {
    let mut ahead = ahead.chunks(table.block_bytes());
    let zero = _mm256_set1_epi16(table.zero);
    for ((block, sums), mask) in blocks.chunks_exact(table.block_bytes()).zip(sums).zip(masks) {
        prefetch(ahead.next().unwrap_or(&[]));
        let (groups, stretches) = block.split_at(table.steps.len());
        let [low, high] = block_sums(groups, table.steps);
        let (halves, _) = stretches.as_chunks::<{ REGISTER_BYTES / 2 }>();
        let low = stretched(_mm256_sub_epi16(low, zero), &halves[0]);
        let high = stretched(_mm256_sub_epi16(high, zero), &halves[1]);
        *mask = mask_of(low, high, table.floor);
        store(sums, low, high);
    }
}

/// The 256th of the product with each row's stretch, rounded: that is the upper half of the product with 128 times it.
#[target_feature(enable = "avx2")]
#[inline]
fn stretched(sums: __m256i, stretches: &[u8; REGISTER_BYTES / 2]) -> __m256i {
    // SAFETY: `stretches` is 16 readable bytes, and this load asks for no alignment.
    let stretches = unsafe { _mm_loadu_si128(stretches.as_ptr().cast()) };
    _mm256_mulhrs_epi16(sums, _mm256_slli_epi16::<7>(_mm256_cvtepu8_epi16(stretches)))
}

/// Ask for a block that will be needed soon.
#[inline]
fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(CACHE_LINE_BYTES) {
        // SAFETY: a prefetch is a hint: it neither reads nor faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// Sums of rows 0 to 15 and of rows 16 to 31, in order.
#[target_feature(enable = "avx2")]
#[inline]
fn block_sums(groups: &[u8], steps: &[u8]) -> [__m256i; 2] {
    let (codes, _) = groups.as_chunks::<REGISTER_BYTES>();
    let (tables, _) = steps.as_chunks::<REGISTER_BYTES>();
    let mut halves = [Wide::zero(); 2];
    let (codes, _) = codes.as_chunks::<BYTE_TERMS>();
    let (tables, _) = tables.as_chunks::<BYTE_TERMS>();
    for (codes, tables) in codes.iter().zip(tables) {
        let [low, high] = byte_sums(codes, tables);
        halves[0].add(low);
        halves[1].add(high);
    }
    [halves[0].fold(), halves[1].fold()]
}

/// So many lookups for each half of the rows as may be added in bytes.
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

/// Sums of bytes in 16-bit lanes, for sixteen rows and for even and odd subquantizers.
#[derive(Clone, Copy)]
struct Wide {
    /// A lane holds two neighbours at once, the odd one times 256, and wraps round.
    both: __m256i,
    odd: __m256i,
}

impl Wide {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn zero() -> Self {
        Self { both: _mm256_setzero_si256(), odd: _mm256_setzero_si256() }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(&mut self, bytes: __m256i) {
        self.both = _mm256_add_epi16(self.both, bytes);
        self.odd = _mm256_add_epi16(self.odd, _mm256_srli_epi16::<8>(bytes));
    }

    /// One sum for each of the sixteen rows, in order.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn fold(self) -> __m256i {
        // What wrapped round is taken away again: the even sums alone fit 16 bits.
        let even = _mm256_sub_epi16(self.both, _mm256_slli_epi16::<8>(self.odd));
        let near = _mm256_unpacklo_epi16(even, self.odd);
        let far = _mm256_unpackhi_epi16(even, self.odd);
        // The two subquantizers of a step stand in the two halves of a register.
        let first = _mm256_permute2x128_si256::<0x20>(near, far);
        let second = _mm256_permute2x128_si256::<0x31>(near, far);
        _mm256_add_epi16(first, second)
    }
}

/// A bit for each lane that is at least `floor`.
#[target_feature(enable = "avx2")]
#[inline]
fn mask_of(low: __m256i, high: __m256i, floor: i16) -> u32 {
    let floor = _mm256_set1_epi16(floor);
    let low = _mm256_cmpgt_epi16(floor, low);
    let high = _mm256_cmpgt_epi16(floor, high);
    // Packing works in halves of a register; the permutation puts its quarters in order.
    let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(low, high));
    !_mm256_movemask_epi8(packed).cast_unsigned()
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(step: &Step) -> __m256i {
    // SAFETY: `step` is 32 readable bytes, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(step.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(sums: &mut Sums, low: __m256i, high: __m256i) {
    let (first, second) = sums.split_at_mut(16);
    // SAFETY: `first` is 32 writable bytes, and this store asks for no alignment.
    unsafe { _mm256_storeu_si256(first.as_mut_ptr().cast(), low) };
    // SAFETY: `second` is 32 writable bytes, and this store asks for no alignment.
    unsafe { _mm256_storeu_si256(second.as_mut_ptr().cast(), high) };
}
