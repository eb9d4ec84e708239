//! Bitshift trellis codes: trellis-coded quantization at any eighth of a bit a value, up to six bits.
//!
//! A row is a stream of bits. Each value takes the next few, and its level is a function of the last nine bits of the stream: a
//! pseudorandom number that is close to normal, the sum of four bytes of a product (QTIP; Tseng et al., 2024). So rates between
//! whole bits are no mixtures of codes, and a value is decoded with one table lookup. The Viterbi algorithm finds the bits of
//! least squared error. For normal values the distortion is -2.6 dB at half a bit, -5.3 dB at one, -8.1 dB at one and a half,
//! -11.0 dB at two, -16.4 dB at three and -21.6 dB at four; rate-distortion theory allows 6.02 dB a bit.
//!
//! Values are rotated as those of [`crate::quantizer::tcq`] are.

use std::f32::consts::FRAC_1_SQRT_2;

use crate::error::Result;
use crate::kernels::stride;
use crate::parallel::Interrupt;
use crate::quantizer::lanes::{LANES, Lanes, NO_PATH, PathSearch, encode_lanes};
use crate::simd::multiversion;

/// Bits of the stream that a level depends on.
const WINDOW_BITS: u32 = 9;

const WINDOWS: usize = 1 << WINDOW_BITS;

/// Largest number of values that take no bit in a row, and the one before them that does.
const GAPS: usize = 8;

/// Values whose bits are read at once: they have a whole number of bits at every rate.
const GROUP: usize = 8;

/// Bits before those of a group that its windows may begin with.
const HISTORY: usize = WINDOW_BITS as usize - 1;

const WORD_BYTES: usize = size_of::<u64>();

/// Largest rate, in eighths of a bit a value.
pub const MAX_EIGHTHS: usize = 48;

// The windows of a group, which begin at any bit of a byte, fit a word.
const _: () = assert!(GROUP * MAX_EIGHTHS / 8 + HISTORY + 7 < u64::BITS as usize);

/// The levels of values that took bits, and of those one to seven values later; by window, its first bit the lowest.
static LEVELS: [[i8; WINDOWS]; GAPS] = {
    let mut levels = [[0; WINDOWS]; GAPS];
    let mut number = 0;
    while number < GAPS * WINDOWS {
        let window = (number % WINDOWS) as u32;
        levels[number / WINDOWS][(window.reverse_bits() >> (u32::BITS - WINDOW_BITS)) as usize] =
            level(number as u32);
        number += 1;
    }
    levels
};

/// Root mean square of the levels.
const LEVEL_RMS: f32 = 37.5;

/// Return the level of a number: the window, its last bit the lowest, plus 512 for each value since the last bit.
const fn level(number: u32) -> i8 {
    // Of twenty odd multipliers, the one of the least distortion.
    let [a, b, c, d] = number.wrapping_mul(0x36b2_389d).to_le_bytes();
    let sum = a as i32 + b as i32 + c as i32 + d as i32;
    let level = (sum >> 2) - 128;
    if level < -127 { -127 } else { level as i8 }
}

/// A bitshift trellis code of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitshiftTrellis {
    eighths: usize,
}

impl BitshiftTrellis {
    /// The code of a rate from 1 to [`MAX_EIGHTHS`] eighths of a bit a value.
    pub const fn of_eighths(eighths: usize) -> Self {
        Self { eighths }
    }

    /// Bytes of one row of `dim` values, without its scale.
    pub const fn row_bytes(self, dim: usize) -> usize {
        self.bits_before(stride(dim)).div_ceil(u64::BITS as usize) * WORD_BYTES
    }

    /// Bits of the values before this one.
    const fn bits_before(self, value: usize) -> usize {
        (self.eighths * value).div_ceil(8)
    }

    /// Bits that a value takes.
    const fn bits_of(self, value: usize) -> usize {
        self.bits_before(value + 1) - self.bits_before(value)
    }

    /// Values since the last one that took bits.
    fn gap(self, value: usize) -> usize {
        (0..GAPS).find(|&gap| self.bits_of(value - gap) > 0).unwrap_or(0)
    }

    /// The root mean square that normal values are scaled to: their best levels have less, by the distortion.
    fn unit(self) -> f32 {
        // 2^(-r / 2) for r quarters of a bit.
        const FRACTIONS: [f32; 4] = [1.0, 0.840_896_4, FRAC_1_SQRT_2, 0.594_603_56];
        let distortion = 0.5_f32.powi(self.eighths as i32 / 4) * FRACTIONS[self.eighths % 4];
        LEVEL_RMS / (1.0 - distortion).sqrt()
    }

    /// Encode `columns`, shape (width, n), into `rows` of [`BitshiftTrellis::row_bytes`] and `scales`, shape (n,).
    ///
    /// Values beyond the [`stride`] of `dim` are ignored.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub fn encode(
        self,
        columns: &[f32],
        dim: usize,
        rows: &mut [u8],
        scales: &mut [f32],
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let mut viterbi = Viterbi::new(self, stride(dim));
        encode_lanes(&mut viterbi, columns, (self.row_bytes(dim), self.unit()), rows, scales, interrupt)
    }

    /// Decode the levels of a row into `values`, as many as the stride of its dimension.
    #[inline]
    pub fn decode(self, row: &[u8], values: &mut [i8]) {
        // Below a bit a value, levels are from several tables.
        #[cfg(target_arch = "x86_64")]
        if self.eighths >= 8
            && let Some(vbmi) = crate::simd::Avx512Vbmi::detect()
        {
            return vbmi.bitshift_decode(self, row, values);
        }
        self.decode_groups(row, 0, values);
    }

    /// Decode the groups from `first` on into `values`.
    fn decode_groups(self, row: &[u8], first: usize, values: &mut [i8]) {
        // The first bit of each window of a group, from the history on.
        let shifts: [usize; GROUP] = std::array::from_fn(|value| self.bits_before(value + 1) - 1);
        let levels: [&[i8; WINDOWS]; GROUP] = std::array::from_fn(|value| &LEVELS[self.gap(value)]);
        let group_bits = self.bits_before(GROUP);
        for (group, values) in (first..).zip(values.as_chunks_mut::<GROUP>().0) {
            let word = group_word(row, group * group_bits);
            for (value, level) in values.iter_mut().enumerate() {
                *level = levels[value][(word >> shifts[value]) as usize % WINDOWS];
            }
        }
    }
}

/// Read the bits of a row from [`HISTORY`] before `first` on; bits outside of the row are 0.
#[inline]
fn group_word(row: &[u8], first: usize) -> u64 {
    let start = first.saturating_sub(HISTORY);
    let missing = HISTORY - (first - start);
    let byte = (start / 8).min(row.len() - WORD_BYTES);
    let mut word = [0; WORD_BYTES];
    word.copy_from_slice(&row[byte..][..WORD_BYTES]);
    u64::from_le_bytes(word) >> (start - 8 * byte) << missing
}

/// The Viterbi algorithm for sixteen rows at once. A state is a window, its last bit the lowest.
struct Viterbi {
    code: BitshiftTrellis,
    values: Vec<Lanes>,
    /// Cost of the best path to each window, and of that to the next ones.
    costs: [Vec<Lanes>; 2],
    /// For each value, and the windows before it without their first bits: the first bits of the best.
    first_bits: Vec<[u8; LANES]>,
}

impl Viterbi {
    fn new(code: BitshiftTrellis, width: usize) -> Self {
        let costs = vec![[0.0; LANES]; WINDOWS];
        let values = vec![[0.0; LANES]; width];
        Self {
            code,
            values,
            costs: [costs.clone(), costs],
            first_bits: vec![[0; LANES]; width * WINDOWS / 2],
        }
    }

    /// Return the windows before `value` without their first bits, and where their best first bits are.
    fn shared(&self, value: usize) -> (usize, usize) {
        (WINDOWS >> self.code.bits_of(value), value * WINDOWS / 2)
    }

    #[inline(always)]
    fn forward(&mut self) {
        self.costs[0].fill([NO_PATH; LANES]);
        self.costs[0][0] = [0.0; LANES];
        for value in 0..self.values.len() {
            let (bits, (shared, first)) = (self.code.bits_of(value), self.shared(value));
            let (x, gap) = (self.values[value], self.code.gap(value));
            let [costs, next] = &mut self.costs;
            if bits == 0 {
                for (number, costs) in costs.iter_mut().enumerate() {
                    let level = LEVELS_BY_NUMBER[gap][number];
                    (0..LANES).for_each(|lane| costs[lane] += (x[lane] - level) * (x[lane] - level));
                }
                continue;
            }
            for window in 0..shared {
                let (mut best, mut first_bits) = (costs[window], [0_u8; LANES]);
                for earlier in 1..1 << bits {
                    let other = &costs[window + earlier * shared];
                    for lane in 0..LANES {
                        let is_better = other[lane] < best[lane];
                        best[lane] = if is_better { other[lane] } else { best[lane] };
                        first_bits[lane] = if is_better { earlier as u8 } else { first_bits[lane] };
                    }
                }
                self.first_bits[first + window] = first_bits;
                for new in 0..1 << bits {
                    let number = window << bits | new;
                    let (level, next) = (LEVELS_BY_NUMBER[gap][number], &mut next[number]);
                    for lane in 0..LANES {
                        let difference = x[lane] - level;
                        next[lane] = best[lane] + difference * difference;
                    }
                }
            }
            self.costs.swap(0, 1);
        }
    }
}

impl PathSearch for Viterbi {
    fn values(&mut self) -> &mut [Lanes] {
        &mut self.values
    }

    fn find_paths(&mut self) {
        forward_widest(self);
    }

    fn traceback(&self, lane: usize, row: &mut [u8]) -> f32 {
        let costs = &self.costs[0];
        let cheaper =
            |best: usize, window: usize| if costs[window][lane] < costs[best][lane] { window } else { best };
        let mut window = (0..WINDOWS).fold(0, cheaper);
        row.fill(0);
        let (mut product, mut square) = (0.0, 0.0);
        for value in (0..self.values.len()).rev() {
            let level = LEVELS_BY_NUMBER[self.code.gap(value)][window];
            product += level * self.values[value][lane];
            square += level * level;
            let (bits, (shared, first)) = (self.code.bits_of(value), self.shared(value));
            if bits == 0 {
                continue;
            }
            let end = self.code.bits_before(value + 1) - 1;
            for bit in 0..bits {
                row[(end - bit) / 8] |= ((window >> bit & 1) as u8) << ((end - bit) % 8);
            }
            let before = window >> bits;
            window = before + shared * usize::from(self.first_bits[first + before][lane]);
        }
        (product / square).max(0.0)
    }
}

/// [`LEVELS`] by window, its last bit the lowest.
static LEVELS_BY_NUMBER: [[f32; WINDOWS]; GAPS] = {
    let mut levels = [[0.0; WINDOWS]; GAPS];
    let mut number = 0;
    while number < GAPS * WINDOWS {
        levels[number / WINDOWS][number % WINDOWS] = level(number as u32) as f32;
        number += 1;
    }
    levels
};

#[inline(always)]
fn forward_portable(viterbi: &mut Viterbi) {
    viterbi.forward();
}

multiversion! {
    fn forward_widest(viterbi: &mut Viterbi) = forward_portable
}

#[cfg(target_arch = "x86_64")]
mod vbmi {
    use core::arch::x86_64::*;

    use super::{BitshiftTrellis, GROUP, LEVELS, WINDOWS, group_word};
    use crate::simd::Avx512Vbmi;

    /// Values in a register, and their groups.
    const LANES: usize = 64;
    const GROUPS: usize = LANES / GROUP;

    /// Registers that hold the levels.
    const PARTS: usize = WINDOWS / LANES;

    impl Avx512Vbmi {
        /// See [`BitshiftTrellis::decode`]; for at least a bit a value.
        #[inline]
        pub(super) fn bitshift_decode(self, code: BitshiftTrellis, row: &[u8], values: &mut [i8]) {
            // SAFETY: the witness proves that this CPU has the features.
            unsafe { decode(code, row, values) }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn decode(code: BitshiftTrellis, row: &[u8], values: &mut [i8]) {
        let (parts, _) = LEVELS[0].as_chunks::<LANES>();
        let levels: [__m512i; PARTS] = std::array::from_fn(|part| {
            // SAFETY: a part is 64 readable bytes, and this load needs no alignment.
            unsafe { _mm512_loadu_si512(parts[part].as_ptr().cast()) }
        });
        // A window is the eight bits from its first on, and the bit after them.
        let shifts: [u8; GROUP] = std::array::from_fn(|value| code.bits_before(value + 1) as u8 - 1);
        let shifts = _mm512_set1_epi64(i64::from_le_bytes(shifts));
        let last_shifts = _mm512_add_epi8(shifts, _mm512_set1_epi8(1));
        let group_bits = code.bits_before(GROUP);
        let (chunks, rest) = values.as_chunks_mut::<LANES>();
        let groups = GROUPS * chunks.len();
        for (chunk, values) in chunks.iter_mut().enumerate() {
            let word = |group: usize| group_word(row, (chunk * GROUPS + group) * group_bits).cast_signed();
            let words =
                _mm512_set_epi64(word(7), word(6), word(5), word(4), word(3), word(2), word(1), word(0));
            let windows = _mm512_multishift_epi64_epi8(shifts, words);
            let is_upper = _mm512_movepi8_mask(windows);
            let is_last = _mm512_movepi8_mask(_mm512_multishift_epi64_epi8(last_shifts, words));
            let half = |first: usize| {
                let lower = _mm512_permutex2var_epi8(levels[first], windows, levels[first + 1]);
                let upper = _mm512_permutex2var_epi8(levels[first + 2], windows, levels[first + 3]);
                _mm512_mask_blend_epi8(is_upper, lower, upper)
            };
            let found = _mm512_mask_blend_epi8(is_last, half(0), half(4));
            // SAFETY: `values` is 64 writable bytes, and this store needs no alignment.
            unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), found) };
        }
        code.decode_groups(row, groups, rest);
    }
}

#[cfg(test)]
mod tests;
