//! Trellis-coded quantization (TCQ): up to three bits a value with the distortion of nearly half a bit more.
//!
//! Marcellin and Fischer, "Trellis coded quantization of memoryless and Gauss-Markov sources", 1990; QTIP (Tseng et al.,
//! 2024) uses it for neural networks. There are twice as many levels as the bits can number, labelled 0, 1, 2, 3, 0, 1, ...
//! by rising value. One input bit of each value drives Ungerboeck's eight-state convolutional code, whose output is the
//! label; the other bits number a level of that label. The Viterbi algorithm finds the path of least squared error. For
//! normal values the distortion is -5.2 dB at one bit, -10.7 dB at two and -16.2 dB at three. The best scalar quantizers reach -9.3 and
//! -14.6 dB, and the rate-distortion bound is -12.0 and -18.1 dB.
//!
//! A rate between whole bits is a mixture of words of 64 values with the two next numbers of bits; a word without bits is 0.
//!
//! A label is an exclusive-or of the input bits of up to four values, so a row is decoded without following the path, 64
//! values at a time. The source is the residual in the projected space, `A r`, where the query covariance is close to
//! isotropic, after a randomized Hadamard transform ([`crate::quantizer::hadamard`]), which makes it close to normal.

use crate::error::Result;
use crate::kernels::stride;
use crate::matrix::MAX_DIM;
use crate::parallel::Interrupt;
use crate::quantizer::hadamard::{rotate, unrotate};
use crate::quantizer::lanes::{LANES, Lanes, NO_PATH, PathSearch, encode_lanes};
use crate::quantizer::sq8::QuantizedQuery;
use crate::simd::multiversion;

/// Values whose bits share a word.
pub const WORD: usize = 64;

/// Bytes of a word.
const WORD_BYTES: usize = WORD / 8;

/// Largest number of bits a value.
const MAX_BITS: usize = 3;

const STATES: usize = 8;

const LABELS: usize = 4;

/// Largest number of bits of a level's number.
const PLANES: usize = 4;

/// Largest number of levels.
const LEVELS: usize = 1 << PLANES;

/// Levels of one, two and three bits a value. They are rising and symmetric about 0.
type LevelTables = [[i8; LEVELS]; MAX_BITS];

/// A trellis code of a number of quarters of a bit a value.
#[derive(Debug)]
pub struct Tcq {
    /// A word has a quarter of this many bits a value, rounded so that all together have this rate.
    quarters: usize,
    levels: LevelTables,
    /// The root mean square of normal values for which the levels are optimal.
    unit: f32,
}

/// Levels of two bits a value alone.
const LEVELS_2: [i8; LEVELS] = [-127, -73, -41, -13, 13, 41, 73, 127, 0, 0, 0, 0, 0, 0, 0, 0];

/// Levels of one, two and three bits a value, all optimal for normal values of the same root mean square.
const MIXED_LEVELS: LevelTables = [
    [-60, -17, 17, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [-93, -53, -30, -9, 9, 30, 53, 93, 0, 0, 0, 0, 0, 0, 0, 0],
    [-127, -93, -72, -56, -42, -30, -18, -6, 6, 18, 30, 42, 56, 72, 93, 127],
];

/// Largest rate, in quarters of a bit a value.
pub const MAX_QUARTERS: usize = 4 * MAX_BITS;

/// The codes of every rate, from a quarter of a bit on.
static CODES: [Tcq; MAX_QUARTERS] = {
    let mut codes = [const { Tcq { quarters: 1, levels: MIXED_LEVELS, unit: 49.5 } }; MAX_QUARTERS];
    let mut index = 0;
    while index < MAX_QUARTERS {
        codes[index].quarters = index + 1;
        index += 1;
    }
    codes[2 * 4 - 1].levels[1] = LEVELS_2;
    codes[2 * 4 - 1].unit = 67.9;
    codes
};

/// Where a word is in an encoded row: its number of bits a value, and its index in each plane.
#[derive(Clone, Copy, Debug)]
struct WordLayout {
    bits: usize,
    /// Index of its first plane's word among all words of the row, and of those of the other planes.
    planes: [usize; MAX_BITS],
}

/// Return the label that the convolutional code outputs when bit `k` of `window` is the input bit of the value `k` before.
const fn label(window: usize) -> usize {
    let low = window >> 2 & 1;
    let high = (window ^ window >> 1 ^ window >> 3) & 1;
    2 * high + low
}

impl Tcq {
    /// The code of a rate from 1 to [`MAX_QUARTERS`] quarters of a bit a value.
    pub fn of_quarters(quarters: usize) -> &'static Self {
        &CODES[quarters - 1]
    }

    /// Bytes of one row of `dim` values of this rate, without its scale.
    pub const fn row_bytes(quarters: usize, dim: usize) -> usize {
        (stride(dim).div_ceil(WORD) * quarters).div_ceil(4) * WORD_BYTES
    }

    /// Bits a value, over all words before this one, times the number of words.
    const fn bits_before(&self, word: usize) -> usize {
        (word * self.quarters).div_ceil(4)
    }

    /// Return the layout of a word in a row of `count` words.
    ///
    /// A row is a plane of input bits, then a plane for each other bit. A word without bits has no layout, and one of fewer
    /// bits none in the last plane.
    #[inline]
    fn layout(&self, word: usize, count: usize) -> WordLayout {
        let (before, full_planes) = (self.bits_before(word), self.quarters / 4);
        let bits = self.bits_before(word + 1) - before;
        // In the plane that not all words have, those before it count.
        let rank = |plane: usize| if plane < full_planes { word } else { before - full_planes * word };
        WordLayout { bits, planes: std::array::from_fn(|plane| plane * count + rank(plane)) }
    }

    /// Encode `columns`, shape (width, n), into `rows` of [`Tcq::row_bytes`] and `scales`, shape (n,).
    ///
    /// Values beyond the [`stride`] of `dim` are ignored.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub fn encode(
        &self,
        columns: &[f32],
        dim: usize,
        rows: &mut [u8],
        scales: &mut [f32],
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let mut search = Search { tcq: self, viterbi: Viterbi::new(stride(dim)) };
        let bytes = Self::row_bytes(self.quarters, dim);
        encode_lanes(&mut search, columns, (bytes, self.unit), rows, scales, interrupt)
    }

    /// Decode the levels of a row into `values`, whole words: as many as its dimension has.
    pub fn decode(&self, row: &[u8], values: &mut [i8]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = crate::simd::Avx2::detect() {
            return avx2.tcq_decode(self, row, values);
        }
        self.decode_scalar(row, values);
    }

    fn decode_scalar(&self, row: &[u8], values: &mut [i8]) {
        self.words(row, values.len() / WORD).zip(values.as_chunks_mut::<WORD>().0).for_each(
            |((bits, planes), values)| {
                values.fill(0);
                let Some(levels) = bits.checked_sub(1).map(|index| &self.levels[index]) else { return };
                for (index, value) in values.iter_mut().enumerate() {
                    let bit = |plane: usize| (planes[plane] >> index & 1) as usize;
                    *value = levels[bit(0) | bit(1) << 1 | bit(2) << 2 | bit(3) << 3];
                }
            },
        );
    }

    /// For each of `count` words of a row its bits a value, and the bits of its levels' numbers: two of the label, then the
    /// others.
    fn words(&self, row: &[u8], count: usize) -> impl Iterator<Item = (usize, [u64; PLANES])> {
        let (words, _) = row.as_chunks::<WORD_BYTES>();
        let mut previous = 0;
        (0..count).map(move |index| {
            let WordLayout { bits, planes: layouts } = self.layout(index, count);
            let mut planes = [0; PLANES];
            if bits == 0 {
                return (bits, planes);
            }
            let word = |plane: usize| words.get(layouts[plane]).map_or(0, |&word| u64::from_le_bytes(word));
            let current = word(0);
            let delayed = |by: u32| current << by | previous >> (u64::BITS - by);
            planes[0] = delayed(2);
            planes[1] = current ^ delayed(1) ^ delayed(3);
            for plane in 1..bits {
                planes[plane + 1] = word(plane);
            }
            previous = current;
            (bits, planes)
        })
    }
}

/// Rotate a projected query, shape (4m,), as rows of `dim` values were rotated, and quantize it.
pub fn prepare_query(projected: &[f32], dim: usize, query: &mut QuantizedQuery) {
    let mut values = [[0.0]; MAX_DIM];
    let values = &mut values[..stride(dim)];
    values.iter_mut().zip(projected).for_each(|(value, &projected)| *value = [projected]);
    rotate(values);
    // A query so long that its sums overflow gets no refine score.
    if !values.as_flattened().iter().all(|value| value.is_finite()) {
        values.fill([0.0]);
    }
    query.quantize(values.as_flattened());
}

/// Add decoded levels, scaled and unrotated, to `values`, shape (4m,).
pub fn accumulate_unrotated(levels: &[i8], scale: f32, values: &mut [f32]) {
    let mut decoded = [[0.0]; MAX_DIM];
    let decoded = &mut decoded[..levels.len()];
    decoded.iter_mut().zip(levels).for_each(|(value, &level)| *value = [f32::from(level) * scale]);
    unrotate(decoded);
    values.iter_mut().zip(decoded).for_each(|(value, &mut [decoded])| *value += decoded);
}

/// The search for the best path of one code.
struct Search<'a> {
    tcq: &'a Tcq,
    viterbi: Viterbi,
}

impl PathSearch for Search<'_> {
    fn values(&mut self) -> &mut [Lanes] {
        &mut self.viterbi.values
    }

    fn find_paths(&mut self) {
        self.viterbi.forward(self.tcq);
    }

    fn traceback(&self, lane: usize, row: &mut [u8]) -> f32 {
        self.viterbi.traceback(self.tcq, lane, row)
    }
}

/// The Viterbi algorithm for sixteen rows at once.
struct Viterbi {
    values: Vec<Lanes>,
    /// For each value and state, one bit: whether the best path comes from the second of the two previous states.
    backpointers: Vec<[u32; LANES]>,
    /// For each value and label, one byte: the number of the nearest level of that label.
    nearest: Vec<[u32; LANES]>,
    costs: [Lanes; STATES],
}

impl Viterbi {
    fn new(width: usize) -> Self {
        let (values, zeros) = (vec![[0.0; LANES]; width], vec![[0; LANES]; width]);
        Self { values, backpointers: zeros.clone(), nearest: zeros, costs: [[0.0; LANES]; STATES] }
    }

    /// Run the forward pass: the cost of the best path to each state, and its backpointers.
    fn forward(&mut self, tcq: &Tcq) {
        forward_widest(self, tcq);
    }

    #[inline(always)]
    fn forward_scalar(&mut self, tcq: &Tcq) {
        self.costs = [[NO_PATH; LANES]; STATES];
        self.costs[0] = [0.0; LANES];
        let count = self.values.len().div_ceil(WORD);
        let steps = self.values.iter().zip(&mut self.nearest).zip(&mut self.backpointers);
        for (index, ((values, nearest), backpointers)) in steps.enumerate() {
            let bits = tcq.layout(index / WORD, count).bits;
            if bits > 0 {
                let errors = errors(&tcq.levels[bits - 1], bits, values, nearest);
                *backpointers = step(&mut self.costs, &errors);
            }
        }
    }

    /// Write the best path of a row; return the factor for its levels that minimises the squared error.
    fn traceback(&self, tcq: &Tcq, lane: usize, row: &mut [u8]) -> f32 {
        let cheaper = |best: usize, state: usize| {
            if self.costs[state][lane] < self.costs[best][lane] { state } else { best }
        };
        let mut state = (0..STATES).fold(0, cheaper);
        row.fill(0);
        let count = self.values.len().div_ceil(WORD);
        let (mut product, mut square) = (0.0, 0.0);
        for index in (0..self.values.len()).rev() {
            let layout = tcq.layout(index / WORD, count);
            if layout.bits == 0 {
                continue;
            }
            let from_second = (self.backpointers[index][lane] >> state & 1) as usize;
            let label = label(state | from_second << 3);
            let number = self.nearest[index][lane] >> (8 * label) & 0xff;
            let bits = state as u32 & 1 | number << 1;
            for (plane, word) in layout.planes.into_iter().enumerate().take(layout.bits) {
                row[word * WORD_BYTES + index % WORD / 8] |= ((bits >> plane & 1) as u8) << (index % 8);
            }
            let level = f32::from(tcq.levels[layout.bits - 1][LABELS * number as usize + label]);
            product += level * self.values[index][lane];
            square += level * level;
            state = state >> 1 | from_second << 2;
        }
        (product / square).max(0.0)
    }
}

#[inline(always)]
fn forward_portable(viterbi: &mut Viterbi, tcq: &Tcq) {
    viterbi.forward_scalar(tcq);
}

multiversion! {
    fn forward_widest(viterbi: &mut Viterbi, tcq: &Tcq) = forward_portable
}

/// For each label the squared distance of the nearest level, and the numbers of those levels, a byte each.
#[inline(always)]
fn errors(levels: &[i8; LEVELS], bits: usize, values: &Lanes, nearest: &mut [u32; LANES]) -> [Lanes; LABELS] {
    let mut errors = [[f32::INFINITY; LANES]; LABELS];
    *nearest = [0; LANES];
    for (label, errors) in errors.iter_mut().enumerate() {
        let mut numbers = [0; LANES];
        for number in 0..1 << (bits - 1) {
            let level = f32::from(levels[LABELS * number + label]);
            for lane in 0..LANES {
                let difference = values[lane] - level;
                let error = difference * difference;
                let nearer = error < errors[lane];
                errors[lane] = if nearer { error } else { errors[lane] };
                numbers[lane] = if nearer { number as u32 } else { numbers[lane] };
            }
        }
        (0..LANES).for_each(|lane| nearest[lane] |= numbers[lane] << (8 * label));
    }
    errors
}

/// Extend the paths by one value: each state keeps the cheaper of its two incoming branches.
#[inline(always)]
fn step(costs: &mut [Lanes; STATES], errors: &[Lanes; LABELS]) -> [u32; LANES] {
    let (mut next, mut backpointers) = ([[0.0; LANES]; STATES], [0; LANES]);
    for (state, next) in next.iter_mut().enumerate() {
        let (first, second) = (&costs[state >> 1], &costs[state >> 1 | STATES >> 1]);
        let (first_error, second_error) = (&errors[label(state)], &errors[label(state | STATES)]);
        for lane in 0..LANES {
            let (one, other) = (first[lane] + first_error[lane], second[lane] + second_error[lane]);
            next[lane] = if other < one { other } else { one };
            backpointers[lane] |= u32::from(other < one) << state;
        }
    }
    *costs = next;
    backpointers
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::*;

    use super::{Tcq, WORD};
    use crate::simd::Avx2;

    /// Values in a register.
    const LANES: usize = 32;

    impl Avx2 {
        /// See [`Tcq::decode`].
        #[inline]
        pub(super) fn tcq_decode(self, tcq: &Tcq, row: &[u8], values: &mut [i8]) {
            // SAFETY: the witness proves that this CPU has AVX2.
            unsafe { decode(tcq, row, values) }
        }
    }

    #[target_feature(enable = "avx2")]
    fn decode(tcq: &Tcq, row: &[u8], values: &mut [i8]) {
        let tables = tcq.levels.map(|levels| {
            let levels = i128::from_le_bytes(bytemuck::cast(levels));
            _mm256_set_epi64x((levels >> 64) as i64, levels as i64, (levels >> 64) as i64, levels as i64)
        });
        let count = values.len() / WORD;
        for ((bits, planes), values) in tcq.words(row, count).zip(values.as_chunks_mut::<WORD>().0) {
            let levels = if bits > 0 { tables[bits - 1] } else { _mm256_setzero_si256() };
            for (half, values) in values.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let mut numbers = _mm256_setzero_si256();
                for (bit, plane) in planes.iter().enumerate() {
                    let set = bytes_of(((plane >> (LANES * half)) as u32).cast_signed());
                    numbers = _mm256_or_si256(numbers, _mm256_and_si256(set, _mm256_set1_epi8(1 << bit)));
                }
                let found = _mm256_shuffle_epi8(levels, numbers);
                // SAFETY: `values` is 32 writable bytes, and this store needs no alignment.
                unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), found) };
            }
        }
    }

    /// Expand every bit to a byte of ones or zeros.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn bytes_of(bits: i32) -> __m256i {
        const EIGHT: i64 = 0x0101_0101_0101_0101;
        let source_bytes = _mm256_set_epi64x(3 * EIGHT, 2 * EIGHT, EIGHT, 0);
        let one_bit_each = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
        let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), source_bytes);
        _mm256_cmpeq_epi8(_mm256_and_si256(spread, one_bit_each), one_bit_each)
    }
}

#[cfg(test)]
mod tests;
