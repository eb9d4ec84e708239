//! The tier: what the 4-bit codes leave over of each row, with which the candidates of a scan are scored anew.

use crate::hits::topk::Hit;
use crate::scan::Scanner;
use crate::tier::trellis::{THREE, TWO, Trellis, add_turned_back, ask};
use crate::vectors::half::{HALF_BYTES, Halves, halves};
use crate::vectors::{MAX_DIM, Query, rounded, stride};

/// How finely is kept what the 4-bit codes leave over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Not at all: scores are those of the 4-bit codes.
    None,
    /// Four bits a value and a float32 scale a row.
    Int4,
    /// Eight bits a value and a float32 scale a row.
    Int8,
    /// A float16 a value and a float32 scale a row.
    Float16,
    /// Trellis-coded, two bits a value and a float32 scale a row.
    Tcq2,
    /// Trellis-coded, three bits a value and a float32 scale a row.
    Tcq3,
}

impl Tier {
    /// The largest [`Tier::number`].
    pub const LAST: u32 = 5;

    /// Its number in a file.
    pub const fn number(self) -> u32 {
        match self {
            Tier::None => 0,
            Tier::Int4 => 1,
            Tier::Int8 => 2,
            Tier::Float16 => 3,
            Tier::Tcq2 => 4,
            Tier::Tcq3 => 5,
        }
    }

    /// The tier of this number in a file.
    pub const fn of_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Tier::None),
            1 => Some(Tier::Int4),
            2 => Some(Tier::Int8),
            3 => Some(Tier::Float16),
            4 => Some(Tier::Tcq2),
            5 => Some(Tier::Tcq3),
            _ => None,
        }
    }

    /// Its name: `none`, `int4`, `int8`, `f16`, `tcq2` or `tcq3`.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::None => "none",
            Tier::Int4 => "int4",
            Tier::Int8 => "int8",
            Tier::Float16 => "f16",
            Tier::Tcq2 => "tcq2",
            Tier::Tcq3 => "tcq3",
        }
    }

    /// Bytes of one row of `dim` values, its scale apart: a multiple of 8.
    pub const fn row_bytes(self, dim: usize) -> usize {
        match self {
            Tier::None => 0,
            Tier::Int4 => stride(dim) / 2,
            Tier::Int8 => stride(dim),
            Tier::Float16 => HALF_BYTES * stride(dim),
            Tier::Tcq2 => TWO.row_bytes(dim),
            Tier::Tcq3 => THREE.row_bytes(dim),
        }
    }

    /// How its rows are coded, for a tier whose lines stand for what codes see and not for vectors.
    pub const fn trellis(self) -> Option<&'static Trellis> {
        match self {
            Tier::Tcq2 => Some(&TWO),
            Tier::Tcq3 => Some(&THREE),
            Tier::None | Tier::Int4 | Tier::Int8 | Tier::Float16 => None,
        }
    }

    /// Whether each row has a scale.
    pub const fn has_scales(self) -> bool {
        !matches!(self, Tier::None)
    }

    /// Largest magnitude of a code, for a tier of integer codes.
    pub const fn limit(self) -> f32 {
        match self {
            Tier::None | Tier::Float16 | Tier::Tcq2 | Tier::Tcq3 => 0.0,
            Tier::Int4 => 7.0,
            Tier::Int8 => 127.0,
        }
    }

    /// Keep the codes of one row, shape (stride,) and within [`Tier::limit`], in [`Tier::row_bytes`]; only of a tier of integer codes.
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub fn pack_row(self, codes: &[i8], bytes: &mut [u8]) {
        match self {
            Tier::None | Tier::Float16 | Tier::Tcq2 | Tier::Tcq3 => {}
            Tier::Int4 => pack_int4(codes, bytes),
            Tier::Int8 => bytes.copy_from_slice(bytemuck::cast_slice(codes)),
        }
    }
}

/// Two codes a byte: the first half of the row in the low halves of its bytes.
fn pack_int4(codes: &[i8], bytes: &mut [u8]) {
    let (low, high) = codes.split_at(bytes.len());
    for ((byte, low), high) in bytes.iter_mut().zip(low).zip(high) {
        *byte = low.wrapping_add_unsigned(INT4_ZERO) as u8 & 15
            | (high.wrapping_add_unsigned(INT4_ZERO) as u8) << 4;
    }
}

/// The code of 0: codes are kept without a sign.
const INT4_ZERO: u8 = 8;

fn unpack_int4(codes: &[u8], values: &mut [i8]) {
    let (low, high) = values.split_at_mut(codes.len());
    for ((low, high), &code) in low.iter_mut().zip(high).zip(codes) {
        *low = (code & 15).wrapping_sub(INT4_ZERO).cast_signed();
        *high = (code >> 4).wrapping_sub(INT4_ZERO).cast_signed();
    }
}

/// A row to score anew.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Row number.
    pub row: u32,
    /// Score without the tier: that of the list's mean and of the 4-bit codes.
    pub base: f64,
}

/// Rows asked for from memory before they are scored.
const AHEAD: usize = 12;

const CACHE_LINE_BYTES: usize = 64;

/// The tier of an index, ready to score rows.
#[derive(Clone, Copy, Debug)]
pub struct Refiner<'a> {
    tier: Tier,
    codes: &'a [u8],
    scales: &'a [f32],
    row_bytes: usize,
    dim: usize,
    scanner: Scanner,
    halves: Halves,
}

impl<'a> Refiner<'a> {
    /// Join the codes, shape (rows, row bytes), and the scales, shape (rows,), of a tier.
    ///
    /// # Panics
    /// If there is not one row of codes per scale.
    pub fn new(tier: Tier, codes: &'a [u8], scales: &'a [f32], dim: usize, scanner: Scanner) -> Self {
        let row_bytes = tier.row_bytes(dim);
        assert_eq!(codes.len(), scales.len() * row_bytes, "codes are not one row of {row_bytes} per scale");
        Self { tier, codes, scales, row_bytes, dim, scanner, halves: Halves::fastest() }
    }

    /// For a tier with a trellis, code the query as codes see it, shape (4m,), into `turned`.
    pub fn ask(&self, asked: &[f32], turned: &mut Query) {
        if self.tier.trellis().is_some() {
            ask(asked, self.dim, turned);
        }
    }

    /// Score rows and hand them on in order; see [`Refiner::parts`].
    pub fn score(&self, query: &Query, targets: &[Target], mut found: impl FnMut(Hit)) {
        self.parts(query, targets, |at, part| {
            let Target { row, base } = targets[at];
            found(Hit { row, score: rounded(base + part) });
        });
    }

    /// Hand on the place of each target, in order, and what the tier adds to its score: one exact product. A tier with a
    /// trellis is asked by the query of [`Refiner::ask`].
    pub fn parts(&self, query: &Query, targets: &[Target], mut found: impl FnMut(usize, f64)) {
        targets.iter().take(AHEAD).for_each(|target| self.prefetch(target.row));
        for (at, target) in targets.iter().enumerate() {
            if let Some(later) = targets.get(at + AHEAD) {
                self.prefetch(later.row);
            }
            let scale = self.scales[target.row as usize];
            found(at, query.part(self.product(query, target.row), scale));
        }
    }

    /// Add the line of a row of a tier with a trellis to `values`, the row as codes see it, shape (4m,).
    pub fn add_to_coded(&self, row: usize, values: &mut [f32]) {
        if let Some(trellis) = self.tier.trellis() {
            let mut levels = [0; MAX_DIM];
            trellis.decode(&self.codes[row * self.row_bytes..][..self.row_bytes], &mut levels);
            add_turned_back(&levels[..stride(self.dim)], self.scales[row], values);
        }
    }

    /// Add the line of a row of any other tier, times its scale, to `values`, shape (dim,).
    pub fn add_to(&self, row: usize, values: &mut [f32]) {
        let codes = self.codes.get(row * self.row_bytes..).unwrap_or_default();
        if self.tier == Tier::Float16 {
            let line = halves(&codes[..self.row_bytes]);
            values.iter_mut().zip(line).for_each(|(value, half)| *value += half * self.scales[row]);
            return;
        }
        let mut unpacked = [0; MAX_DIM];
        let line: &[i8] = match self.tier {
            Tier::None | Tier::Float16 | Tier::Tcq2 | Tier::Tcq3 => return,
            Tier::Int4 => {
                unpack_int4(&codes[..self.row_bytes], &mut unpacked[..2 * self.row_bytes]);
                &unpacked
            }
            Tier::Int8 => bytemuck::cast_slice(codes),
        };
        for (value, &code) in values.iter_mut().zip(line) {
            *value += f32::from(code) * self.scales[row];
        }
    }

    #[inline]
    fn product(&self, query: &Query, row: u32) -> f64 {
        let codes = &self.codes[row as usize * self.row_bytes..][..self.row_bytes];
        let mut sum = [0];
        match self.tier {
            Tier::None => {}
            Tier::Float16 => return self.halves.product(codes, query.codes()),
            Tier::Int4 => {
                let mut values = [0; MAX_DIM];
                let values = &mut values[..query.codes().len()];
                unpack_int4(codes, values);
                self.scanner.products(values, query.codes(), &mut sum);
            }
            Tier::Int8 => self.scanner.products(bytemuck::cast_slice(codes), query.codes(), &mut sum),
            Tier::Tcq2 | Tier::Tcq3 => {
                let mut levels = [0; MAX_DIM];
                self.tier.trellis().into_iter().for_each(|trellis| trellis.decode(codes, &mut levels));
                self.scanner.products(&levels[..query.codes().len()], query.codes(), &mut sum);
            }
        }
        f64::from(sum[0])
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        let codes = &self.codes[row as usize * self.row_bytes..][..self.row_bytes];
        prefetch_all(codes);
        prefetch((&raw const self.scales[row as usize]).cast());
    }
}

/// Ask for bytes that will be needed soon.
#[inline]
pub(crate) fn prefetch_all(bytes: &[u8]) {
    bytes.chunks(CACHE_LINE_BYTES).for_each(|line| prefetch(line.as_ptr()));
}

/// Ask for the cache line of an address.
#[inline]
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint: it neither reads nor faults.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_score_is_the_integer_product(
            (codes, query) in (1_usize..80).prop_flat_map(|dim| {
                (prop::collection::vec(-7_i8..=7, stride(dim)), prop::collection::vec(-1_f32..1.0, dim))
            })
        ) {
            let query = Query::new(&query);
            let product: i32 = codes.iter().zip(query.codes()).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            for tier in [Tier::Int4, Tier::Int8] {
                let mut bytes = vec![0; 2 * codes.len() * tier.row_bytes(16) / 16];
                let second = bytes.len() / 2;
                tier.pack_row(&codes, &mut bytes[second..]);
                let refiner = Refiner::new(tier, &bytes, &[9.0, 0.5], query.codes().len(), Scanner::fastest());
                let mut scores = Vec::new();
                refiner.score(&query, &[Target { row: 1, base: 0.25 }], |hit| scores.push(hit.score));
                prop_assert_eq!(scores, [(0.25 + query.part(product, 0.5)) as f32]);
            }
        }
    }

    #[test]
    fn halves_are_scored_by_their_values() {
        let query = Query::new(&[1.0, -0.5, 0.25]);
        let mut bytes = vec![0; 2 * Tier::Float16.row_bytes(3)];
        let row = [0.5, 3.0, -1.5];
        let scale = crate::vectors::half::encode_halves(&row, &mut bytes[32..]);
        let scales = [9.0, scale];
        let refiner = Refiner::new(Tier::Float16, &bytes, &scales, 3, Scanner::fastest());
        let mut scores = Vec::new();
        refiner.score(&query, &[Target { row: 1, base: 0.25 }], |hit| scores.push(hit.score));
        assert!((scores[0] + 1.125).abs() < 1e-3, "{scores:?}");
        let mut values = [0.0; 3];
        refiner.add_to(1, &mut values);
        assert!(values.iter().zip(row).all(|(value, given)| (value - given).abs() < 1e-3), "{values:?}");
    }

    #[test]
    fn numbers_and_tiers_are_the_same_thing() {
        for number in 0..=Tier::LAST {
            assert_eq!(Tier::of_number(number).unwrap().number(), number);
        }
        assert_eq!(Tier::of_number(Tier::LAST + 1), None);
    }
}
