//! Trellis-coded quantization: two or three bits a value that do what scalars need nearly half a bit more for.
//!
//! Marcellin and Fischer (Trellis coded quantization of memoryless and Gauss-Markov sources, 1990) give a value twice as
//! many levels as its bits can name. The levels are labelled 0, 1, 2, 3, 0, 1, ... by rising value; one bit of each value
//! drives a convolutional code (Ungerboeck's, eight states) whose state says which two labels may come next, and the
//! other bits name a level of the label. A row is coded by the path through the states that errs least (Viterbi). Of
//! normal values the error is 10.7 dB below their energy at two bits and 16.2 at three, where the best scalar levels
//! reach 9.3 and 14.6 and no code can reach more than 12.0 and 18.1.
//!
//! The label of a value is an exclusive-or of bits of a few values before it, so a row is unpacked without following the
//! path, 64 values at a time. What is coded is the rest as the codes see it, `A r`: there an error is as bad in every
//! direction. It is turned by signs and Hadamard matrices first, which makes the values of any row near to normal.

use crate::vectors::{MAX_DIM, Query, stride};

/// Values whose bits share a word.
const WORD: usize = 64;

/// Bytes of a word.
const WORD_BYTES: usize = WORD / 8;

/// Rows coded side by side.
const LANES: usize = 16;

const STATES: usize = 8;

const LABELS: usize = 4;

/// Most bits of a level's number.
const PLANES: usize = 4;

/// Most levels.
const LEVELS: usize = 1 << PLANES;

/// A path that does not begin in state 0 costs so much more than any row.
const NO_PATH: f32 = 1e30;

type Lanes = [f32; LANES];

/// How values of two or of three bits are coded.
#[derive(Debug)]
pub struct Trellis {
    /// Bits of a value.
    bits: usize,
    /// Rising, and symmetric about 0: for values of a normal distribution whose root mean square is `unit`.
    levels: [i8; LEVELS],
    unit: f32,
}

/// Two bits a value.
pub static TWO: Trellis =
    Trellis { bits: 2, levels: [-127, -73, -41, -13, 13, 41, 73, 127, 0, 0, 0, 0, 0, 0, 0, 0], unit: 67.9 };

/// Three bits a value.
pub static THREE: Trellis = Trellis {
    bits: 3,
    levels: [-127, -93, -72, -56, -42, -30, -18, -6, 6, 18, 30, 42, 56, 72, 93, 127],
    unit: 49.5,
};

/// The label that the code gives where bit `k` of `window` is the driving bit of the value `k` before.
const fn label(window: usize) -> usize {
    let low = window >> 2 & 1;
    let high = (window ^ window >> 1 ^ window >> 3) & 1;
    2 * high + low
}

impl Trellis {
    /// Bytes of one row of `dim` values, its scale apart: a plane of driving bits, then a plane for each other bit.
    pub const fn row_bytes(&self, dim: usize) -> usize {
        self.bits * stride(dim).div_ceil(WORD) * WORD_BYTES
    }

    /// Code rows, given in `columns` of shape (width, n), into `lines` of [`Trellis::row_bytes`] and `scales`, shape (n,).
    ///
    /// Of a width beyond the [`stride`] of `dim` the rest is left out.
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub fn encode(&self, columns: &[f32], dim: usize, lines: &mut [u8], scales: &mut [f32]) {
        let (n, bytes) = (scales.len(), self.row_bytes(dim));
        assert_eq!(lines.len(), n * bytes, "lines are not one of {bytes} bytes per scale");
        assert!(n == 0 || columns.len().is_multiple_of(n), "columns are not one value per scale");
        let mut paths = Paths::new(stride(dim));
        let groups = lines.chunks_mut(LANES * bytes).zip(scales.chunks_mut(LANES)).enumerate();
        for (group, (lines, scales)) in groups {
            paths.load(columns, n, group * LANES..group * LANES + scales.len());
            turn(&mut paths.values);
            let roots = paths.normalise(self.unit);
            paths.follow(self);
            for (lane, (line, scale)) in lines.chunks_exact_mut(bytes).zip(scales).enumerate() {
                *scale = roots[lane] / self.unit * paths.trace(self, lane, line);
            }
        }
    }

    /// The levels of a row, into as many whole words of `values` as it has.
    pub fn decode(&self, line: &[u8], values: &mut [i8]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was found just now.
            return unsafe { avx2::decode(self, line, values) };
        }
        self.decode_anywhere(line, values);
    }

    fn decode_anywhere(&self, line: &[u8], values: &mut [i8]) {
        self.words(line).zip(values.as_chunks_mut::<WORD>().0).for_each(|(planes, values)| {
            for (at, value) in values.iter_mut().enumerate() {
                let bit = |plane: usize| (planes[plane] >> at & 1) as usize;
                *value = self.levels[bit(0) | bit(1) << 1 | bit(2) << 2 | bit(3) << 3];
            }
        });
    }

    /// For each word of a row the bits of its levels' numbers: two of the label, then the others.
    fn words(&self, line: &[u8]) -> impl Iterator<Item = [u64; PLANES]> {
        let (words, _) = line.as_chunks::<WORD_BYTES>();
        let (driving, others) = words.split_at(words.len() / self.bits);
        let mut before = 0;
        driving.iter().enumerate().map(move |(at, &word)| {
            let now = u64::from_le_bytes(word);
            let late = |by: u32| now << by | before >> (u64::BITS - by);
            let mut planes = [late(2), now ^ late(1) ^ late(3), 0, 0];
            for (plane, others) in planes[2..].iter_mut().zip(others.chunks_exact(driving.len())) {
                *plane = u64::from_le_bytes(others[at]);
            }
            before = now;
            planes
        })
    }
}

/// Turn values: [`mix`] the first of them, as many as are a power of two, then as many of the last.
fn turn<const L: usize>(values: &mut [[f32; L]]) {
    let size = 1 << values.len().ilog2();
    mix(&mut values[..size]);
    if size < values.len() {
        let start = values.len() - size;
        mix(&mut values[start..]);
    }
}

/// Undo [`turn`].
fn turn_back<const L: usize>(values: &mut [[f32; L]]) {
    let size = 1 << values.len().ilog2();
    if size < values.len() {
        let start = values.len() - size;
        hadamard(&mut values[start..]);
        flip(&mut values[start..]);
    }
    hadamard(&mut values[..size]);
    flip(&mut values[..size]);
}

fn mix<const L: usize>(values: &mut [[f32; L]]) {
    flip(values);
    hadamard(values);
}

/// Negate about half of the values, by a pattern that no data has.
fn flip<const L: usize>(values: &mut [[f32; L]]) {
    for (at, lanes) in values.iter_mut().enumerate() {
        let mixed = (at as u32 + 1).wrapping_mul(0x9e37_79b1);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
        if mixed >> 31 == 1 {
            lanes.iter_mut().for_each(|value| *value = -*value);
        }
    }
}

/// Multiply a power of two of values with the Hadamard matrix that is its own inverse.
fn hadamard<const L: usize>(values: &mut [[f32; L]]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (first, second) = pair.split_at_mut(half);
            for (a, b) in first.iter_mut().flatten().zip(second.iter_mut().flatten()) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let factor = (values.len() as f32).sqrt().recip();
    values.iter_mut().flatten().for_each(|value| *value *= factor);
}

/// Turn a query as the codes see it, shape (4m,), as rows of `dim` values were turned, and code it.
pub fn ask(asked: &[f32], dim: usize, query: &mut Query) {
    let mut values = [[0.0]; MAX_DIM];
    let values = &mut values[..stride(dim)];
    values.iter_mut().zip(asked).for_each(|(value, &asked)| *value = [asked]);
    turn(values);
    // A query so long that its sums overflow is not refined.
    if !values.as_flattened().iter().all(|value| value.is_finite()) {
        values.fill([0.0]);
    }
    query.assign(values.as_flattened());
}

/// Add a line of levels, times their scale and turned back, to `values`, shape (4m,).
pub fn add_turned_back(levels: &[i8], scale: f32, values: &mut [f32]) {
    let mut line = [[0.0]; MAX_DIM];
    let line = &mut line[..levels.len()];
    line.iter_mut().zip(levels).for_each(|(value, &level)| *value = [f32::from(level) * scale]);
    turn_back(line);
    values.iter_mut().zip(line).for_each(|(value, &mut [line])| *value += line);
}

/// The rows being coded, side by side, and the best paths to each state.
struct Paths {
    values: Vec<Lanes>,
    /// For each value and state, one bit: whether the best path comes from the second of the two states before.
    came: Vec<[u32; LANES]>,
    /// For each value and label, one byte: the number of the nearest level among those of the label.
    nearest: Vec<[u32; LANES]>,
    costs: [Lanes; STATES],
}

impl Paths {
    fn new(width: usize) -> Self {
        let (values, zeros) = (vec![[0.0; LANES]; width], vec![[0; LANES]; width]);
        Self { values, came: zeros.clone(), nearest: zeros, costs: [[0.0; LANES]; STATES] }
    }

    fn load(&mut self, columns: &[f32], n: usize, rows: std::ops::Range<usize>) {
        self.values.fill([0.0; LANES]);
        for (lanes, column) in self.values.iter_mut().zip(columns.chunks_exact(n)) {
            lanes[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
    }

    /// Divide each row by the root of its mean square, which is returned, and multiply it with `unit`.
    ///
    /// Rows without a normal mean square become zeros, with a root of 0.
    fn normalise(&mut self, unit: f32) -> Lanes {
        let mut sums = [0.0; LANES];
        for lanes in &self.values {
            (0..LANES).for_each(|lane| sums[lane] += lanes[lane] * lanes[lane]);
        }
        let count = self.values.len() as f32;
        let roots = sums.map(|sum: f32| if (sum / count).is_normal() { (sum / count).sqrt() } else { 0.0 });
        for lanes in &mut self.values {
            for (value, root) in lanes.iter_mut().zip(roots) {
                *value = if root > 0.0 { *value / root * unit } else { 0.0 };
            }
        }
        roots
    }

    /// Find the best paths.
    fn follow(&mut self, trellis: &Trellis) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was found just now.
            return unsafe { avx2::follow(self, trellis) };
        }
        self.follow_anywhere(trellis);
    }

    #[inline(always)]
    fn follow_anywhere(&mut self, trellis: &Trellis) {
        self.costs = [[NO_PATH; LANES]; STATES];
        self.costs[0] = [0.0; LANES];
        for ((values, nearest), came) in self.values.iter().zip(&mut self.nearest).zip(&mut self.came) {
            let errors = errors(trellis, values, nearest);
            *came = step(&mut self.costs, &errors);
        }
    }

    /// Write the best path of a row, and return the factor that makes its levels err least.
    fn trace(&self, trellis: &Trellis, lane: usize, line: &mut [u8]) -> f32 {
        let mut state =
            (0..STATES).fold(
                0,
                |best, state| {
                    if self.costs[state][lane] < self.costs[best][lane] { state } else { best }
                },
            );
        line.fill(0);
        let plane = line.len() / trellis.bits;
        let (mut product, mut square) = (0.0, 0.0);
        for at in (0..self.values.len()).rev() {
            let came = (self.came[at][lane] >> state & 1) as usize;
            let label = label(state | came << 3);
            let number = self.nearest[at][lane] >> (8 * label) & 0xff;
            let bits = state as u32 & 1 | number << 1;
            for (bit, plane) in line.chunks_exact_mut(plane).enumerate() {
                plane[at / 8] |= ((bits >> bit & 1) as u8) << (at % 8);
            }
            let level = f32::from(trellis.levels[LABELS * number as usize + label]);
            product += level * self.values[at][lane];
            square += level * level;
            state = state >> 1 | came << 2;
        }
        (product / square).max(0.0)
    }
}

/// For each label the squared distance of the nearest level, and the numbers of those levels, a byte each.
#[inline(always)]
fn errors(trellis: &Trellis, values: &Lanes, nearest: &mut [u32; LANES]) -> [Lanes; LABELS] {
    let mut errors = [[f32::INFINITY; LANES]; LABELS];
    *nearest = [0; LANES];
    for (label, errors) in errors.iter_mut().enumerate() {
        let mut numbers = [0; LANES];
        for number in 0..1 << (trellis.bits - 1) {
            let level = f32::from(trellis.levels[LABELS * number + label]);
            for lane in 0..LANES {
                let off = values[lane] - level;
                let error = off * off;
                let nearer = error < errors[lane];
                errors[lane] = if nearer { error } else { errors[lane] };
                numbers[lane] = if nearer { number as u32 } else { numbers[lane] };
            }
        }
        (0..LANES).for_each(|lane| nearest[lane] |= numbers[lane] << (8 * label));
    }
    errors
}

/// Go on from each state to its two next ones; of the two ways to each keep the better.
#[inline(always)]
fn step(costs: &mut [Lanes; STATES], errors: &[Lanes; LABELS]) -> [u32; LANES] {
    let (mut next, mut came) = ([[0.0; LANES]; STATES], [0; LANES]);
    for (state, next) in next.iter_mut().enumerate() {
        let (first, second) = (&costs[state >> 1], &costs[state >> 1 | STATES >> 1]);
        let (to_first, to_second) = (&errors[label(state)], &errors[label(state | STATES)]);
        for lane in 0..LANES {
            let (one, other) = (first[lane] + to_first[lane], second[lane] + to_second[lane]);
            next[lane] = if other < one { other } else { one };
            came[lane] |= u32::from(other < one) << state;
        }
    }
    *costs = next;
    came
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::*;

    use super::{Paths, Trellis, WORD};

    /// Values that a register holds.
    const LANES: usize = 32;

    /// The same code, compiled for wider registers: it multiplies and adds one by one, so every CPU takes the same path.
    #[target_feature(enable = "avx2")]
    pub(super) fn follow(paths: &mut Paths, trellis: &Trellis) {
        paths.follow_anywhere(trellis);
    }

    /// See [`Trellis::decode`].
    #[target_feature(enable = "avx2")]
    pub(super) fn decode(trellis: &Trellis, line: &[u8], values: &mut [i8]) {
        let levels = i128::from_le_bytes(bytemuck::cast(trellis.levels));
        let levels =
            _mm256_set_epi64x((levels >> 64) as i64, levels as i64, (levels >> 64) as i64, levels as i64);
        for (planes, values) in trellis.words(line).zip(values.as_chunks_mut::<WORD>().0) {
            for (half, values) in values.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let mut numbers = _mm256_setzero_si256();
                for (bit, plane) in planes.iter().enumerate() {
                    let set = bytes_of(((plane >> (LANES * half)) as u32).cast_signed());
                    numbers = _mm256_or_si256(numbers, _mm256_and_si256(set, _mm256_set1_epi8(1 << bit)));
                }
                let found = _mm256_shuffle_epi8(levels, numbers);
                // SAFETY: `values` is 32 bytes, and an unaligned store is allowed anywhere.
                unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), found) };
            }
        }
    }

    /// Every bit as a byte of ones or zeros.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn bytes_of(bits: i32) -> __m256i {
        const EIGHT: i64 = 0x0101_0101_0101_0101;
        let places = _mm256_set_epi64x(3 * EIGHT, 2 * EIGHT, EIGHT, 0);
        let one_each = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
        let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), places);
        _mm256_cmpeq_epi8(_mm256_and_si256(spread, one_each), one_each)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::math::random::Random;

    fn normal(count: usize) -> Vec<f32> {
        let mut random = Random::new(9, 0);
        (0..count).map(|_| random.normal()).collect()
    }

    /// What the lines stand for, turned back, in columns.
    fn decoded(trellis: &Trellis, lines: &[u8], scales: &[f32], dim: usize) -> Vec<f32> {
        let n = scales.len();
        let mut columns = vec![0.0; stride(dim) * n];
        for (row, (line, &scale)) in lines.chunks_exact(trellis.row_bytes(dim)).zip(scales).enumerate() {
            let (mut levels, mut values) = ([0; MAX_DIM], vec![0.0; stride(dim)]);
            trellis.decode(line, &mut levels);
            add_turned_back(&levels[..stride(dim)], scale, &mut values);
            values.iter().enumerate().for_each(|(at, &value)| columns[at * n + row] = value);
        }
        columns
    }

    fn coded(trellis: &Trellis, columns: &[f32], dim: usize, n: usize) -> (Vec<u8>, Vec<f32>) {
        let (mut lines, mut scales) = (vec![7; n * trellis.row_bytes(dim)], vec![7.0; n]);
        trellis.encode(columns, dim, &mut lines, &mut scales);
        (lines, scales)
    }

    #[test]
    fn normal_values_err_as_little_as_the_paper_says() {
        for (trellis, decibels) in [(&TWO, 10.6), (&THREE, 16.1)] {
            let (dim, n) = (512, 100);
            let columns = normal(dim * n);
            let (lines, scales) = coded(trellis, &columns, dim, n);
            let back = decoded(trellis, &lines, &scales, dim);
            let energy: f32 = columns.iter().map(|value| value * value).sum();
            let error: f32 = columns.iter().zip(back).map(|(a, b)| (a - b) * (a - b)).sum();
            assert!(10.0 * (energy / error).log10() > decibels, "{}", 10.0 * (energy / error).log10());
        }
    }

    #[test]
    fn one_large_value_is_coded_as_well_as_many() {
        for dim in [48, 512, 768] {
            let columns: Vec<f32> = (0..dim).map(|at| if at == 5 { 9.0 } else { 0.0 }).collect();
            let (lines, scales) = coded(&THREE, &columns, dim, 1);
            let back = decoded(&THREE, &lines, &scales, dim);
            let error: f32 = columns.iter().zip(back).map(|(a, b)| (a - b) * (a - b)).sum();
            assert!(error < 0.08 * 81.0, "{dim}: {error}");
        }
    }

    #[test]
    fn rows_without_a_measure_are_zeros() {
        for value in [0.0, 1e-30, f32::MAX, -f32::MAX] {
            let (lines, scales) = coded(&TWO, &[value; 16], 16, 1);
            assert_eq!((lines.len(), scales), (16, vec![0.0]));
        }
        assert_eq!(coded(&TWO, &[], 16, 0), (vec![], vec![]));
    }

    #[test]
    fn a_query_too_long_to_turn_adds_nothing() {
        let mut query = Query::default();
        ask(&[f32::MAX; 16], 16, &mut query);
        assert_eq!(query, Query::new(&[0.0; 16]));
    }

    proptest! {
        #[test]
        fn every_cpu_unpacks_alike(line in prop::collection::vec(any::<u8>(), 48)) {
            for trellis in [&TWO, &THREE] {
                let (mut fast, mut plain) = ([0; 192], [0; 192]);
                trellis.decode(&line, &mut fast);
                trellis.decode_anywhere(&line, &mut plain);
                prop_assert_eq!(fast, plain);
            }
        }

        #[test]
        fn every_cpu_takes_the_same_path(values in prop::collection::vec(-9_f32..9.0, 48 * LANES)) {
            for trellis in [&TWO, &THREE] {
                let (mut wide, mut plain) = (Paths::new(48), Paths::new(48));
                for paths in [&mut wide, &mut plain] {
                    paths.load(&values, LANES, 0..LANES);
                    paths.normalise(trellis.unit);
                }
                wide.follow(trellis);
                plain.follow_anywhere(trellis);
                prop_assert_eq!((wide.came, wide.nearest, wide.costs), (plain.came, plain.nearest, plain.costs));
            }
        }

        /// The code followed value by value, as it is defined, names the same levels; and no other path costs less.
        #[test]
        fn levels_follow_the_code_and_the_path_is_the_best(values in prop::collection::vec(-2_f32..2.0, 16)) {
            let (lines, _) = coded(&TWO, &values, 16, 1);
            let driving = u16::from_le_bytes([lines[0], lines[1]]);
            let others = u16::from_le_bytes([lines[8], lines[9]]);
            let levels_of = |driving: u16, others: u16| -> Vec<f32> {
                let mut window = 0;
                let level = |at: u32| {
                    window = (window << 1 | usize::from(driving >> at & 1)) & 15;
                    f32::from(TWO.levels[LABELS * usize::from(others >> at & 1) + label(window)])
                };
                (0..16).map(level).collect()
            };
            let mut levels = [0; WORD];
            TWO.decode(&lines, &mut levels);
            let expected = levels_of(driving, others);
            prop_assert!(expected.iter().zip(levels).all(|(&a, b)| a == f32::from(b)));
            let mut paths = Paths::new(16);
            paths.load(&values, 1, 0..1);
            turn(&mut paths.values);
            paths.normalise(TWO.unit);
            let cost = |levels: &[f32]| -> f32 {
                levels.iter().zip(&paths.values).map(|(level, value)| (level - value[0]) * (level - value[0])).sum()
            };
            let found = cost(&expected);
            for other in (0..=u16::MAX).step_by(7) {
                prop_assert!(found <= 1.0001 * cost(&levels_of(other, others)));
                prop_assert!(found <= 1.0001 * cost(&levels_of(driving, other)));
            }
        }

        #[test]
        fn turning_keeps_lengths_and_is_undone(values in prop::collection::vec(-1_f32..1.0, 1..150)) {
            let given: Vec<[f32; 1]> = values.iter().map(|&value| [value]).collect();
            let mut turned = given.clone();
            turn(&mut turned);
            let energy = |values: &[[f32; 1]]| -> f32 { values.iter().flatten().map(|value| value * value).sum() };
            prop_assert!((energy(&turned) - energy(&given)).abs() <= 1e-4 * energy(&given));
            turn_back(&mut turned);
            prop_assert!(turned.iter().flatten().zip(&values).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}
