use proptest::prelude::*;

use super::*;
use crate::linalg::rng::Rng;
use crate::quantizer::lanes::{load_lanes, normalise_lanes};

/// The code of a whole number of bits.
fn tcq(bits: usize) -> &'static Tcq {
    Tcq::of_quarters(4 * bits)
}

fn normal(count: usize) -> Vec<f32> {
    let mut rng = Rng::new(9, 0);
    (0..count).map(|_| rng.normal()).collect()
}

/// Decode and unrotate rows to columns.
fn decoded(tcq: &Tcq, rows: &[u8], scales: &[f32], dim: usize) -> Vec<f32> {
    let n = scales.len();
    let mut columns = vec![0.0; stride(dim) * n];
    for (index, (row, &scale)) in rows.chunks_exact(Tcq::row_bytes(tcq.quarters, dim)).zip(scales).enumerate()
    {
        let (mut levels, mut values) = ([7; MAX_DIM], vec![0.0; stride(dim)]);
        tcq.decode(row, &mut levels[..stride(dim).next_multiple_of(WORD)]);
        accumulate_unrotated(&levels[..stride(dim)], scale, &mut values);
        values.iter().enumerate().for_each(|(i, &value)| columns[i * n + index] = value);
    }
    columns
}

fn encoded(tcq: &Tcq, columns: &[f32], dim: usize, n: usize) -> (Vec<u8>, Vec<f32>) {
    let (mut rows, mut scales) = (vec![7; n * Tcq::row_bytes(tcq.quarters, dim)], vec![7.0; n]);
    tcq.encode(columns, dim, &mut rows, &mut scales, Interrupt::NEVER).unwrap();
    (rows, scales)
}

fn decibels(tcq: &Tcq) -> f32 {
    let (dim, n) = (512, 100);
    let columns = normal(dim * n);
    let (rows, scales) = encoded(tcq, &columns, dim, n);
    let decoded = decoded(tcq, &rows, &scales, dim);
    let energy: f32 = columns.iter().map(|value| value * value).sum();
    let error: f32 = columns.iter().zip(decoded).map(|(a, b)| (a - b) * (a - b)).sum();
    10.0 * (energy / error).log10()
}

#[test]
fn the_distortion_of_normal_values_is_that_of_the_paper() {
    for (bits, expected) in [(1, 5.1), (2, 10.6), (3, 16.1)] {
        assert!(decibels(tcq(bits)) > expected, "{bits}: {}", decibels(tcq(bits)));
    }
}

#[test]
fn every_quarter_of_a_bit_reduces_the_distortion() {
    let all: Vec<f32> = (1..=MAX_QUARTERS).map(|quarters| decibels(Tcq::of_quarters(quarters))).collect();
    assert!(all.windows(2).all(|pair| pair[1] > pair[0] + 0.5), "{all:?}");
    let bytes: Vec<usize> = (1..=MAX_QUARTERS).map(|quarters| Tcq::row_bytes(quarters, 512)).collect();
    assert!(bytes.iter().enumerate().all(|(index, &bytes)| bytes == 16 * (index + 1)));
    assert_eq!((Tcq::row_bytes(1, 3), Tcq::row_bytes(8, 20), Tcq::row_bytes(5, 768)), (8, 16, 120));
}

#[test]
fn the_words_of_a_row_share_its_bytes() {
    for (quarters, count) in
        (1..=MAX_QUARTERS).flat_map(|quarters| (1..20).map(move |count| (quarters, count)))
    {
        let layouts = (0..count).map(|word| Tcq::of_quarters(quarters).layout(word, count));
        let mut used: Vec<usize> =
            layouts.flat_map(|layout| layout.planes.into_iter().take(layout.bits)).collect();
        used.sort_unstable();
        let expected = Tcq::row_bytes(quarters, WORD * count) / WORD_BYTES;
        assert!(used.into_iter().eq(0..expected), "{quarters} {count}");
    }
}

#[test]
fn a_single_large_value_has_a_small_error() {
    for dim in [48, 512, 768] {
        let columns: Vec<f32> = (0..dim).map(|i| if i == 5 { 9.0 } else { 0.0 }).collect();
        let (rows, scales) = encoded(tcq(3), &columns, dim, 1);
        let decoded = decoded(tcq(3), &rows, &scales, dim);
        let error: f32 = columns.iter().zip(decoded).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!(error < 0.08 * 81.0, "{dim}: {error}");
    }
}

#[test]
fn rows_without_a_normal_mean_square_are_zeros() {
    for value in [0.0, 1e-30, f32::MAX, -f32::MAX] {
        let (rows, scales) = encoded(tcq(2), &[value; 16], 16, 1);
        assert_eq!((rows.len(), scales), (16, vec![0.0]));
    }
    assert_eq!(encoded(tcq(2), &[], 16, 0), (vec![], vec![]));
}

#[test]
fn a_query_whose_rotation_overflows_has_no_refine_score() {
    let mut query = QuantizedQuery::default();
    prepare_query(&[f32::MAX; 16], 16, &mut query);
    assert_eq!(query, QuantizedQuery::new(&[0.0; 16]));
}

proptest! {
    #[test]
    fn every_kernel_decodes_the_same_levels(row in prop::collection::vec(any::<u8>(), 72)) {
        for tcq in &CODES {
            let (mut fast, mut scalar) = ([0; 192], [0; 192]);
            tcq.decode(&row, &mut fast);
            tcq.decode_scalar(&row, &mut scalar);
            prop_assert_eq!(fast, scalar);
        }
    }

    #[test]
    fn every_kernel_finds_the_same_path(values in prop::collection::vec(-9_f32..9.0, 48 * LANES)) {
        for tcq in &CODES {
            let (mut fast, mut scalar) = (Viterbi::new(48), Viterbi::new(48));
            for viterbi in [&mut fast, &mut scalar] {
                load_lanes(&mut viterbi.values, &values, LANES, 0..LANES);
                normalise_lanes(&mut viterbi.values, tcq.unit);
            }
            fast.forward(tcq);
            scalar.forward_scalar(tcq);
            prop_assert_eq!((fast.backpointers, fast.nearest, fast.costs), (scalar.backpointers, scalar.nearest, scalar.costs));
        }
    }

    /// Decoding value by value, as the code is defined, gives the same levels, and no other path has a smaller error.
    #[test]
    fn levels_follow_the_code_and_the_path_is_optimal(values in prop::collection::vec(-2_f32..2.0, 16)) {
        let (rows, _) = encoded(tcq(2), &values, 16, 1);
        let input_bits = u16::from_le_bytes([rows[0], rows[1]]);
        let others = u16::from_le_bytes([rows[8], rows[9]]);
        let levels_of = |input_bits: u16, others: u16| -> Vec<f32> {
            let mut window = 0;
            let level = |i: u32| {
                window = (window << 1 | usize::from(input_bits >> i & 1)) & 15;
                f32::from(tcq(2).levels[1][LABELS * usize::from(others >> i & 1) + label(window)])
            };
            (0..16).map(level).collect()
        };
        let mut levels = [0; WORD];
        tcq(2).decode(&rows, &mut levels);
        let expected = levels_of(input_bits, others);
        prop_assert!(expected.iter().zip(levels).all(|(&a, b)| a == f32::from(b)));
        let mut viterbi = Viterbi::new(16);
        load_lanes(&mut viterbi.values, &values, 1, 0..1);
        rotate(&mut viterbi.values);
        normalise_lanes(&mut viterbi.values, tcq(2).unit);
        let cost = |levels: &[f32]| -> f32 {
            levels.iter().zip(&viterbi.values).map(|(level, value)| (level - value[0]) * (level - value[0])).sum()
        };
        let found = cost(&expected);
        for other in (0..=u16::MAX).step_by(7) {
            prop_assert!(found <= 1.0001 * cost(&levels_of(other, others)));
            prop_assert!(found <= 1.0001 * cost(&levels_of(input_bits, other)));
        }
    }
}
