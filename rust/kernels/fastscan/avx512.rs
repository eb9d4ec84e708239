//! The AVX-512 kernel: four subquantizers of a block a step.

use core::arch::x86_64::*;

use super::{BYTE_TERMS, BlockSums, KSUB, M_MULTIPLE, ScanTable};
use crate::kernels::prefetch;
use crate::simd::Avx512;

const REGISTER_BYTES: usize = 64;

type Step = [u8; REGISTER_BYTES];

// A register of subquantizers, so that no step is left over; but the number of steps may be odd.
const _: () = assert!(M_MULTIPLE * KSUB == REGISTER_BYTES && BYTE_TERMS == 2);

impl Avx512 {
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
        // SAFETY: the witness proves that this CPU has AVX-512F and BW.
        unsafe { fastscan_avx512(blocks, table, prefetched, sums, masks) }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn fastscan_avx512(
    blocks: &[u8],
    table: ScanTable<'_>,
    prefetched: &[u8],
    sums: &mut [BlockSums],
    masks: &mut [u32],
) {
    let mut prefetched = prefetched.chunks(table.block_bytes());
    let zero_point = _mm512_set1_epi16(table.zero_point);
    let threshold = _mm512_set1_epi16(table.threshold);
    let (tables, _) = table.entries.as_chunks::<REGISTER_BYTES>();
    for ((block, sums), mask) in blocks.chunks_exact(table.block_bytes()).zip(sums).zip(masks) {
        prefetch(prefetched.next().unwrap_or(&[]));
        let (groups, corrections) = block.split_at(table.entries.len());
        let block_sums = _mm512_sub_epi16(block_sums(groups, tables), zero_point);
        let corrected = corrected(block_sums, corrections);
        *mask = _mm512_cmpge_epi16_mask(corrected, threshold);
        // SAFETY: `sums` is 64 writable bytes, and this store needs no alignment.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), corrected) };
    }
}

/// `sum * correction / 256`, rounded: `mulhrs` computes it as the upper half of `sum * 128 correction`.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn corrected(sums: __m512i, corrections: &[u8]) -> __m512i {
    let (corrections, _) = corrections.as_chunks::<{ REGISTER_BYTES / 2 }>();
    // SAFETY: `corrections[0]` is 32 readable bytes, and this load needs no alignment.
    let corrections = unsafe { _mm256_loadu_si256(corrections[0].as_ptr().cast()) };
    _mm512_mulhrs_epi16(sums, _mm512_slli_epi16::<7>(_mm512_cvtepu8_epi16(corrections)))
}

/// Sums of the 32 rows, in order.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn block_sums(groups: &[u8], tables: &[Step]) -> __m512i {
    let (codes, _) = groups.as_chunks::<REGISTER_BYTES>();
    let mut halves = [WideSums::zero(); 2];
    let (code_pairs, last_code) = codes.as_chunks::<BYTE_TERMS>();
    let (table_pairs, last_table) = tables.as_chunks::<BYTE_TERMS>();
    for ([first, second], [first_table, second_table]) in code_pairs.iter().zip(table_pairs) {
        let [low, high] = lookups(first, first_table);
        let [more_low, more_high] = lookups(second, second_table);
        halves[0].add(_mm512_add_epi8(low, more_low));
        halves[1].add(_mm512_add_epi8(high, more_high));
    }
    for (codes, table) in last_code.iter().zip(last_table) {
        let [low, high] = lookups(codes, table);
        halves[0].add(low);
        halves[1].add(high);
    }
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(halves[0].fold()), halves[1].fold())
}

/// Look up four subquantizers, for each half of the rows.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn lookups(codes: &Step, table: &Step) -> [__m512i; 2] {
    let nibble = _mm512_set1_epi8(15);
    let (codes, table) = (load(codes), load(table));
    let low = _mm512_and_si512(codes, nibble);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
    [_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high)]
}

/// Sums of bytes in 16-bit lanes, for sixteen rows and for even and odd bytes.
#[derive(Clone, Copy)]
struct WideSums {
    /// Sums of whole 16-bit lanes, `even + 256 odd`, modulo 2^16.
    lanes: __m512i,
    odd: __m512i,
}

impl WideSums {
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn zero() -> Self {
        Self { lanes: _mm512_setzero_si512(), odd: _mm512_setzero_si512() }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn add(&mut self, bytes: __m512i) {
        self.lanes = _mm512_add_epi16(self.lanes, bytes);
        self.odd = _mm512_add_epi16(self.odd, _mm512_srli_epi16::<8>(bytes));
    }

    /// One sum for each of the sixteen rows, in order.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn fold(self) -> __m256i {
        // Exact although `lanes` wraps: the even sums alone fit 16 bits.
        let even = _mm512_sub_epi16(self.lanes, _mm512_slli_epi16::<8>(self.odd));
        // The four subquantizers of a step are in the four quarters of a register.
        let (even, odd) = (halved(even), halved(self.odd));
        let (near, far) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
        let first = _mm256_permute2x128_si256::<0x20>(near, far);
        let second = _mm256_permute2x128_si256::<0x31>(near, far);
        _mm256_add_epi16(first, second)
    }
}

/// Add the upper half of a register to the lower one.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn halved(sums: __m512i) -> __m256i {
    _mm256_add_epi16(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(step: &Step) -> __m512i {
    // SAFETY: `step` is 64 readable bytes, and this load needs no alignment.
    unsafe { _mm512_loadu_si512(step.as_ptr().cast()) }
}
