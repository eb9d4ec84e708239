//! Trellis-coded quantization (TCQ): two or three bits a value with the distortion of nearly half a bit more.
//!
//! Marcellin and Fischer, "Trellis coded quantization of memoryless and Gauss-Markov sources", 1990; QTIP (Tseng et al.,
//! 2024) uses it for neural networks. There are twice as many levels as the bits can number, labelled 0, 1, 2, 3, 0, 1, ...
//! by rising value. One input bit of each value drives Ungerboeck's eight-state convolutional code, whose output is the
//! label; the other bits number a level of that label. The Viterbi algorithm finds the path of least squared error. For
//! normal values the distortion is -10.7 dB at two bits and -16.2 dB at three. The best scalar quantizers reach -9.3 and
//! -14.6 dB, and the rate-distortion bound is -12.0 and -18.1 dB.
//!
//! A label is an exclusive-or of the input bits of up to four values, so a row is decoded without following the path, 64
//! values at a time. The source is the residual in the projected space, `A r`, where the query covariance is close to
//! isotropic, after a randomized Hadamard transform ([`crate::quantizer::hadamard`]), which makes it close to normal.

use crate::error::Result;
use crate::kernels::stride;
use crate::matrix::MAX_DIM;
use crate::parallel::Interrupt;
use crate::quantizer::hadamard::{rotate, unrotate};
use crate::quantizer::sq8::QuantizedQuery;
use crate::simd::multiversion;

/// Values whose bits share a word.
const WORD: usize = 64;

/// Bytes of a word.
const WORD_BYTES: usize = WORD / 8;

/// Rows encoded at once.
const LANES: usize = 16;

const STATES: usize = 8;

const LABELS: usize = 4;

/// Largest number of bits of a level's number.
const PLANES: usize = 4;

/// Largest number of levels.
const LEVELS: usize = 1 << PLANES;

/// Cost of a path that does not begin in state 0: larger than that of any row.
const NO_PATH: f32 = 1e30;

type Lanes = [f32; LANES];

/// A trellis code of two or three bits a value.
#[derive(Debug)]
pub struct Tcq {
    /// Bits of a value.
    bits: usize,
    /// Rising, and symmetric about 0: optimal for normal values whose root mean square is `unit`.
    levels: [i8; LEVELS],
    unit: f32,
}

/// Two bits a value.
pub static TCQ2: Tcq =
    Tcq { bits: 2, levels: [-127, -73, -41, -13, 13, 41, 73, 127, 0, 0, 0, 0, 0, 0, 0, 0], unit: 67.9 };

/// Three bits a value.
pub static TCQ3: Tcq = Tcq {
    bits: 3,
    levels: [-127, -93, -72, -56, -42, -30, -18, -6, 6, 18, 30, 42, 56, 72, 93, 127],
    unit: 49.5,
};

/// Return the label that the convolutional code outputs when bit `k` of `window` is the input bit of the value `k` before.
const fn label(window: usize) -> usize {
    let low = window >> 2 & 1;
    let high = (window ^ window >> 1 ^ window >> 3) & 1;
    2 * high + low
}

impl Tcq {
    /// Bytes of one row of `dim` values, without its scale: a plane of input bits, then a plane for each other bit.
    pub const fn row_bytes(&self, dim: usize) -> usize {
        self.bits * stride(dim).div_ceil(WORD) * WORD_BYTES
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
        let (n, bytes) = (scales.len(), self.row_bytes(dim));
        assert_eq!(rows.len(), n * bytes, "rows are not one of {bytes} bytes per scale");
        assert!(n == 0 || columns.len().is_multiple_of(n), "columns are not one value per scale");
        let mut viterbi = Viterbi::new(stride(dim));
        let groups = rows.chunks_mut(LANES * bytes).zip(scales.chunks_mut(LANES)).enumerate();
        for (group, (rows, scales)) in groups {
            interrupt.check()?;
            viterbi.load(columns, n, group * LANES..group * LANES + scales.len());
            rotate(&mut viterbi.values);
            let rms = viterbi.normalise(self.unit);
            viterbi.forward(self);
            for (lane, (row, scale)) in rows.chunks_exact_mut(bytes).zip(scales).enumerate() {
                *scale = rms[lane] / self.unit * viterbi.traceback(self, lane, row);
            }
        }
        Ok(())
    }

    /// Decode the levels of a row into as many complete words of `values` as it has.
    pub fn decode(&self, row: &[u8], values: &mut [i8]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = crate::simd::Avx2::detect() {
            return avx2.tcq_decode(self, row, values);
        }
        self.decode_scalar(row, values);
    }

    fn decode_scalar(&self, row: &[u8], values: &mut [i8]) {
        self.words(row).zip(values.as_chunks_mut::<WORD>().0).for_each(|(planes, values)| {
            for (index, value) in values.iter_mut().enumerate() {
                let bit = |plane: usize| (planes[plane] >> index & 1) as usize;
                *value = self.levels[bit(0) | bit(1) << 1 | bit(2) << 2 | bit(3) << 3];
            }
        });
    }

    /// For each word of a row the bits of its levels' numbers: two of the label, then the others.
    fn words(&self, row: &[u8]) -> impl Iterator<Item = [u64; PLANES]> {
        let (words, _) = row.as_chunks::<WORD_BYTES>();
        let (input_bits, others) = words.split_at(words.len() / self.bits);
        let mut previous = 0;
        input_bits.iter().enumerate().map(move |(index, &word)| {
            let current = u64::from_le_bytes(word);
            let delayed = |by: u32| current << by | previous >> (u64::BITS - by);
            let mut planes = [delayed(2), current ^ delayed(1) ^ delayed(3), 0, 0];
            for (plane, others) in planes[2..].iter_mut().zip(others.chunks_exact(input_bits.len())) {
                *plane = u64::from_le_bytes(others[index]);
            }
            previous = current;
            planes
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

    fn load(&mut self, columns: &[f32], n: usize, rows: std::ops::Range<usize>) {
        self.values.fill([0.0; LANES]);
        for (lanes, column) in self.values.iter_mut().zip(columns.chunks_exact(n)) {
            lanes[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
    }

    /// Scale each row to the root mean square `unit`; return its own.
    ///
    /// Rows without a normal mean square become zeros, with 0.
    fn normalise(&mut self, unit: f32) -> Lanes {
        let mut sums = [0.0; LANES];
        for lanes in &self.values {
            (0..LANES).for_each(|lane| sums[lane] += lanes[lane] * lanes[lane]);
        }
        let count = self.values.len() as f32;
        let rms = sums.map(|sum: f32| if (sum / count).is_normal() { (sum / count).sqrt() } else { 0.0 });
        for lanes in &mut self.values {
            for (value, rms) in lanes.iter_mut().zip(rms) {
                *value = if rms > 0.0 { *value / rms * unit } else { 0.0 };
            }
        }
        rms
    }

    /// Run the forward pass: the cost of the best path to each state, and its backpointers.
    fn forward(&mut self, tcq: &Tcq) {
        forward_widest(self, tcq);
    }

    #[inline(always)]
    fn forward_scalar(&mut self, tcq: &Tcq) {
        self.costs = [[NO_PATH; LANES]; STATES];
        self.costs[0] = [0.0; LANES];
        let steps = self.values.iter().zip(&mut self.nearest).zip(&mut self.backpointers);
        for ((values, nearest), backpointers) in steps {
            let errors = errors(tcq, values, nearest);
            *backpointers = step(&mut self.costs, &errors);
        }
    }

    /// Write the best path of a row; return the factor for its levels that minimises the squared error.
    fn traceback(&self, tcq: &Tcq, lane: usize, row: &mut [u8]) -> f32 {
        let cheaper = |best: usize, state: usize| {
            if self.costs[state][lane] < self.costs[best][lane] { state } else { best }
        };
        let mut state = (0..STATES).fold(0, cheaper);
        row.fill(0);
        let plane = row.len() / tcq.bits;
        let (mut product, mut square) = (0.0, 0.0);
        for index in (0..self.values.len()).rev() {
            let from_second = (self.backpointers[index][lane] >> state & 1) as usize;
            let label = label(state | from_second << 3);
            let number = self.nearest[index][lane] >> (8 * label) & 0xff;
            let bits = state as u32 & 1 | number << 1;
            for (bit, plane) in row.chunks_exact_mut(plane).enumerate() {
                plane[index / 8] |= ((bits >> bit & 1) as u8) << (index % 8);
            }
            let level = f32::from(tcq.levels[LABELS * number as usize + label]);
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
fn errors(tcq: &Tcq, values: &Lanes, nearest: &mut [u32; LANES]) -> [Lanes; LABELS] {
    let mut errors = [[f32::INFINITY; LANES]; LABELS];
    *nearest = [0; LANES];
    for (label, errors) in errors.iter_mut().enumerate() {
        let mut numbers = [0; LANES];
        for number in 0..1 << (tcq.bits - 1) {
            let level = f32::from(tcq.levels[LABELS * number + label]);
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
        let levels = i128::from_le_bytes(bytemuck::cast(tcq.levels));
        let levels =
            _mm256_set_epi64x((levels >> 64) as i64, levels as i64, (levels >> 64) as i64, levels as i64);
        for (planes, values) in tcq.words(row).zip(values.as_chunks_mut::<WORD>().0) {
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
