//! The best rows by the words of a query, by their bitmaps.
//!
//! A row scores the sum of the weights of the words that it has, times a factor of its length (as in BM25) if there is
//! one. The scan reads 64 rows at a time. Once k rows are found, it looks only at rows that have enough words to beat the
//! worst of them: the smallest sets of words that can are ANDs of bitmaps, so most rows cost a few instructions together.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::topk::reservoir::Hit;

/// Most words of a query: the words of a row are bits of a number.
pub const MAX_WORDS: usize = 64;

const BLOCK: usize = u64::BITS as usize;
const BYTES: usize = BLOCK / 8;

/// With more words the sets that can beat the worst row are not enumerated.
const MAX_ENUMERATED: usize = 6;

/// With more words the score of a set is computed when it is met, not looked up.
const MAX_TABLED: usize = 12;

/// Return the rows of lists and of bitmaps together, as [`Words::bits`] has them. Rows past the last are left out.
pub fn unite(rows: usize, lists: &[&[i32]], bitmaps: &[&[u8]]) -> Vec<u8> {
    let mut bits = vec![0_u8; rows.div_ceil(BLOCK) * BYTES];
    for bitmap in bitmaps {
        bits.iter_mut().zip(*bitmap).for_each(|(byte, &more)| *byte |= more);
    }
    for &row in lists.iter().copied().flatten() {
        if let Some(byte) = usize::try_from(row).ok().and_then(|row| bits.get_mut(row / 8)) {
            *byte |= 0x80 >> (row % 8);
        }
    }
    bits[rows.div_ceil(8)..].fill(0);
    if !rows.is_multiple_of(8) {
        bits[rows / 8] &= !(0xff >> (rows % 8));
    }
    bits
}

/// The words of a query in one shard.
pub struct Words<'a> {
    /// For each word the rows that have it, `rows.div_ceil(64) * 8` bytes; the first row in the top bit of a byte.
    pub bits: &'a [&'a [u8]],
    /// The weight of each word, positive.
    pub weights: &'a [f32],
    /// The rows that may be found, as `bits`; all if it is missing.
    pub within: Option<&'a [u8]>,
    /// Number of rows.
    pub rows: usize,
}

/// The lengths of the rows, which change their scores.
#[derive(Clone, Copy)]
pub struct Lengths<'a> {
    /// The length of each row.
    pub of_row: &'a [u16],
    /// What the score of a row of each length is multiplied by, from 0 on: positive. Other rows are not found.
    pub factors: &'a [f32],
}

impl Lengths<'_> {
    fn factor(&self, row: usize) -> f32 {
        self.factors.get(usize::from(self.of_row[row])).copied().unwrap_or(0.0)
    }
}

/// Return the best `k` rows with a word, best first; ties by lower id if there are ids, else by lower row.
///
/// # Panics
///
/// If an array is too short, or there are more than [`MAX_WORDS`] words.
pub fn best_rows(words: &Words<'_>, lengths: Option<Lengths<'_>>, ids: Option<&[i64]>, k: usize) -> Vec<Hit> {
    assert!(words.bits.len() <= MAX_WORDS && words.bits.len() == words.weights.len());
    if k == 0 || words.bits.is_empty() {
        return Vec::new();
    }
    let mut scan = Scan::new(words, lengths, ids, k);
    let mut bits = vec![0; words.bits.len()];
    (0..words.rows.div_ceil(BLOCK)).for_each(|block| scan.read(block, &mut bits));
    scan.best
        .into_sorted_vec()
        .into_iter()
        .map(|ranked| Hit { row: ranked.row, score: ranked.score })
        .collect()
}

/// A row with its rank; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ranked {
    score: f32,
    tie: i64,
    row: u32,
}

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.tie.cmp(&other.tie)).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Scan<'a> {
    words: &'a Words<'a>,
    lengths: Option<Lengths<'a>>,
    ids: Option<&'a [i64]>,
    k: usize,
    best: BinaryHeap<Ranked>,
    /// The score of each set of words, by its bits, if there are few words.
    table: Vec<f32>,
    /// Largest factor of any length.
    max_factor: f32,
    /// The smallest sets of words that a row must have to be among the best; none if they are not enumerated.
    required: Vec<u64>,
}

impl<'a> Scan<'a> {
    fn new(words: &'a Words<'a>, lengths: Option<Lengths<'a>>, ids: Option<&'a [i64]>, k: usize) -> Self {
        let count = words.weights.len();
        let table = if count <= MAX_TABLED {
            (0..1 << count).map(|set| sum(words.weights, set)).collect()
        } else {
            Vec::new()
        };
        let max_factor =
            lengths.map_or(1.0, |lengths| lengths.factors.iter().fold(0.0, |a, &b| f32::max(a, b)));
        let best = BinaryHeap::with_capacity(k.min(words.rows) + 1);
        let required =
            if count <= MAX_ENUMERATED { (0..count).map(|word| 1 << word).collect() } else { Vec::new() };
        Self { words, lengths, ids, k, best, table, max_factor, required }
    }

    fn read(&mut self, block: usize, bits: &mut [u64]) {
        let load = |bytes: &[u8]| {
            let start = block * BYTES;
            u64::from_be_bytes(bytes[start..start + BYTES].try_into().unwrap_or_default())
        };
        for (word, bytes) in bits.iter_mut().zip(self.words.bits) {
            *word = load(bytes);
        }
        let mut rows = self.candidates(bits);
        if let Some(within) = self.words.within {
            rows &= load(within);
        }
        let left = self.words.rows - block * BLOCK;
        if left < BLOCK {
            rows &= !(u64::MAX >> left);
        }
        while rows != 0 {
            let offset = rows.leading_zeros();
            rows &= !(1 << (BLOCK as u32 - 1 - offset));
            let has = |word: &u64| *word >> (BLOCK as u32 - 1 - offset) & 1;
            let set = bits.iter().enumerate().fold(0, |set, (number, word)| set | has(word) << number);
            self.rank(block * BLOCK + offset as usize, set);
        }
    }

    /// Return the rows of a block that may be among the best.
    #[inline]
    fn candidates(&self, bits: &[u64]) -> u64 {
        if !self.required.is_empty() {
            return self.required.iter().fold(0, |rows, &set| rows | having(bits, set));
        }
        let present =
            bits.iter().enumerate().fold(0, |set, (number, &word)| set | u64::from(word != 0) << number);
        if self.admits(self.score(present) * self.max_factor) {
            bits.iter().fold(0, |rows, word| rows | word)
        } else {
            0
        }
    }

    fn score(&self, set: u64) -> f32 {
        self.table.get(set as usize).copied().unwrap_or_else(|| sum(self.words.weights, set))
    }

    /// Whether a row with this score may be among the best; equal ones may, if their ids decide.
    fn admits(&self, score: f32) -> bool {
        if self.best.len() < self.k {
            return score > 0.0;
        }
        self.best
            .peek()
            .is_none_or(|worst| score > worst.score || (score == worst.score && self.ids.is_some()))
    }

    fn rank(&mut self, row: usize, set: u64) {
        let factor = self.lengths.map_or(1.0, |lengths| lengths.factor(row));
        let score = self.score(set) * factor;
        if !self.admits(score) {
            return;
        }
        let ranked = Ranked { score, tie: self.ids.map_or(row as i64, |ids| ids[row]), row: row as u32 };
        let before = self.best.peek().map(|worst| worst.score);
        if self.best.len() < self.k {
            self.best.push(ranked);
        } else if self.best.peek().is_some_and(|worst| ranked < *worst) {
            self.best.pop();
            self.best.push(ranked);
        }
        let is_full = self.best.len() == self.k;
        if is_full
            && self.words.bits.len() <= MAX_ENUMERATED
            && (before != self.best.peek().map(|worst| worst.score)
                || self.required.len() == self.words.bits.len())
        {
            self.require();
        }
    }

    /// Enumerate the smallest sets of words with which a row may be among the best.
    fn require(&mut self) {
        let can = |set: u64| set != 0 && self.admits(self.score(set) * self.max_factor);
        let sets = 1..1_u64 << self.words.bits.len();
        let is_smallest = |&set: &u64| {
            can(set)
                && (0..self.words.bits.len()).all(|word| set >> word & 1 == 0 || !can(set & !(1 << word)))
        };
        self.required = sets.filter(is_smallest).collect();
        if self.required.is_empty() {
            self.required.push(u64::MAX); // no row can
        }
    }
}

/// Return the rows of a block that have all words of a set.
#[inline]
fn having(bits: &[u64], set: u64) -> u64 {
    if set == u64::MAX {
        return 0;
    }
    bits.iter()
        .enumerate()
        .filter(|(number, _)| set >> number & 1 == 1)
        .fold(u64::MAX, |rows, (_, word)| rows & word)
}

/// Add the weights of the words of a set in the order of the words.
fn sum(weights: &[f32], set: u64) -> f32 {
    weights
        .iter()
        .enumerate()
        .fold(0.0, |sum, (word, &weight)| if set >> word & 1 == 1 { sum + weight } else { sum })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The obvious version: score every row, sort.
    fn naive(words: &Words<'_>, lengths: Option<Lengths<'_>>, ids: Option<&[i64]>, k: usize) -> Vec<Hit> {
        let has = |bytes: &[u8], row: usize| bytes[row / 8] >> (7 - row % 8) & 1 == 1;
        let mut found = Vec::new();
        for row in (0..words.rows).filter(|&row| words.within.is_none_or(|within| has(within, row))) {
            let set = (0..words.bits.len())
                .fold(0, |set, word| set | u64::from(has(words.bits[word], row)) << word);
            if set != 0 {
                let factor = lengths.map_or(1.0, |lengths| lengths.factors[usize::from(lengths.of_row[row])]);
                found.push(Ranked {
                    score: sum(words.weights, set) * factor,
                    tie: ids.map_or(row as i64, |ids| ids[row]),
                    row: row as u32,
                });
            }
        }
        found.sort();
        found.iter().take(k).map(|ranked| Hit { row: ranked.row, score: ranked.score }).collect()
    }

    fn packed(flags: &[bool]) -> Vec<u8> {
        let mut bytes = vec![0; flags.len().div_ceil(BLOCK) * BYTES];
        flags
            .iter()
            .enumerate()
            .filter(|(_, flag)| **flag)
            .for_each(|(row, _)| bytes[row / 8] |= 0x80 >> (row % 8));
        bytes
    }

    proptest! {
        #[test]
        fn the_best_rows_are_those_of_a_full_sort(
            rows in 0_usize..300,
            count in 0_usize..16,
            k in 0_usize..80,
            density in 1_u32..60,
            seed in any::<u64>(),
            options in any::<[bool; 3]>(),
        ) {
            let mut state = seed | 1;
            let mut random = move || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; (state >> 33) as u32 };
            let owned: Vec<Vec<u8>> = (0..count).map(|_| packed(&(0..rows).map(|_| random() % 100 < density).collect::<Vec<_>>())).collect();
            let bits: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
            let weights: Vec<f32> = (0..count).map(|_| [0.5, 1.0, 1.7, 3.3][random() as usize % 4]).collect();
            let allowed = packed(&(0..rows).map(|_| random() % 2 == 0).collect::<Vec<_>>());
            let words = Words { bits: &bits, weights: &weights, within: options[0].then_some(&allowed), rows };
            let of_row: Vec<u16> = (0..rows).map(|_| random() as u16 % 5).collect();
            let factors = [2.2, 1.9, 1.5, 1.5, 0.25];
            let lengths = options[1].then_some(Lengths { of_row: &of_row, factors: &factors });
            let ids: Vec<i64> = (0..rows as i64).map(|row| row * 7919 % 1009).collect();
            let ids = options[2].then_some(ids.as_slice());
            prop_assert_eq!(best_rows(&words, lengths, ids, k), naive(&words, lengths, ids, k));
        }
    }

    proptest! {
        #[test]
        fn lists_and_bitmaps_are_united(rows in 0_usize..200, list in prop::collection::vec(-9..300, 0..40), seed in any::<u64>()) {
            let flags: Vec<bool> = (0..256).map(|row| seed.rotate_left(row) & 5 == 5).collect();
            let bits = unite(rows, &[&list, &[]], &[&packed(&flags)]);
            let united: Vec<bool> = (0..rows).map(|row| flags[row] || list.contains(&(row as i32))).collect();
            prop_assert_eq!(bits, packed(&united));
        }
    }

    #[test]
    fn bits_after_the_last_row_are_not_rows() {
        let bits = [0xff_u8; 8];
        let words = Words { bits: &[&bits], weights: &[1.0], within: None, rows: 3 };
        let found: Vec<u32> = best_rows(&words, None, None, 9).iter().map(|hit| hit.row).collect();
        assert_eq!(found, [0, 1, 2]);
    }
}
