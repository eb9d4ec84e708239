use proptest::prelude::*;

use super::*;
use crate::linalg::rng::Rng;
use crate::quantizer::hadamard::unrotate;

/// Encode rows in columns of shape (dim, n), and decode them in the rotated space, with their scales.
fn round_trip(eighths: usize, columns: &[f32], dim: usize) -> (Vec<Vec<i8>>, Vec<f32>) {
    let code = BitshiftTrellis::of_eighths(eighths);
    let n = columns.len() / dim;
    let (mut rows, mut scales) = (vec![0; n * code.row_bytes(dim)], vec![0.0; n]);
    code.encode(columns, dim, &mut rows, &mut scales, Interrupt::NEVER).unwrap();
    let levels = rows.chunks_exact(code.row_bytes(dim)).map(|row| {
        let mut values = vec![0; stride(dim)];
        code.decode(row, &mut values);
        values
    });
    (levels.collect(), scales)
}

/// Return the squared error of decoded rows, relative to their squares.
fn distortion(eighths: usize, columns: &[f32], dim: usize) -> f32 {
    let (levels, scales) = round_trip(eighths, columns, dim);
    let (mut error, mut square) = (0.0, 0.0);
    for (row, (levels, scale)) in levels.iter().zip(&scales).enumerate() {
        let mut values: Vec<[f32; 1]> = levels.iter().map(|&level| [f32::from(level) * scale]).collect();
        unrotate(&mut values);
        for (value, column) in values.iter().zip(columns.chunks_exact(scales.len())) {
            error += (value[0] - column[row]) * (value[0] - column[row]);
            square += column[row] * column[row];
        }
    }
    error / square
}

fn normal(count: usize) -> Vec<f32> {
    let mut rng = Rng::new(3, 0);
    (0..count).map(|_| rng.normal()).collect()
}

#[test]
fn every_eighth_of_a_bit_reduces_the_distortion() {
    let columns = normal(128 * 16);
    let decibels: Vec<f32> =
        (1..=MAX_EIGHTHS).map(|eighths| 10.0 * distortion(eighths, &columns, 128).log10()).collect();
    assert!(decibels.is_sorted_by(|a, b| a > b), "{decibels:?}");
    for (eighths, expected) in [(4, -2.4), (8, -5.0), (12, -7.8), (16, -10.6), (24, -15.9), (32, -20.5)] {
        assert!(decibels[eighths - 1] < expected, "{eighths}: {decibels:?}");
    }
}

#[test]
fn levels_are_codes_of_int8_products_and_have_the_expected_mean_square() {
    let levels = || LEVELS.as_flattened().iter().map(|&level| f32::from(level));
    assert!(levels().all(|level| level >= -127.0));
    let square: f32 = levels().map(|level| level * level).sum();
    let rms = (square / levels().count() as f32).sqrt();
    assert!((rms - LEVEL_RMS).abs() < 1.0, "{rms}");
}

#[test]
fn rows_without_a_normal_mean_square_have_scale_0() {
    for value in [0.0, 1e-30] {
        assert_eq!(round_trip(13, &[value; 3 * 20], 20).1, [0.0; 3]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_is_decoded_by_the_last_nine_bits_of_its_stream(
        eighths in 1..=MAX_EIGHTHS,
        dim in 1_usize..300,
        bytes in prop::collection::vec(any::<u8>(), 304 * 6),
    ) {
        let code = BitshiftTrellis::of_eighths(eighths);
        let row = &bytes[..code.row_bytes(dim)];
        let mut values = vec![0; stride(dim)];
        code.decode(row, &mut values);
        let bit = |index: usize| u32::from(row[index / 8] >> (index % 8) & 1);
        let (mut number, mut gap) = (0, 0);
        for (value, &found) in values.iter().enumerate() {
            gap = if code.bits_of(value) > 0 { 0 } else { gap + 1 };
            for index in code.bits_before(value)..code.bits_before(value + 1) {
                number = (number << 1 | bit(index)) % WINDOWS as u32;
            }
            prop_assert_eq!(found, level(number + WINDOWS as u32 * gap));
        }
        let mut portable = vec![0; stride(dim)];
        code.decode_groups(row, 0, &mut portable);
        prop_assert_eq!(portable, values);
    }

    #[test]
    fn every_kernel_finds_the_same_path(eighths in 1..=MAX_EIGHTHS, seed: u32) {
        let mut rng = Rng::new(u64::from(seed), 1);
        let values: Vec<Lanes> = (0..32).map(|_| std::array::from_fn(|_| 40.0 * rng.normal())).collect();
        let paths = [forward_widest, forward_portable].map(|forward| {
            let mut viterbi = Viterbi::new(BitshiftTrellis::of_eighths(eighths), values.len());
            viterbi.values.clone_from(&values);
            forward(&mut viterbi);
            let mut row = vec![0; BitshiftTrellis::of_eighths(eighths).row_bytes(32)];
            (viterbi.traceback(5, &mut row).to_bits(), row)
        });
        prop_assert_eq!(&paths[0], &paths[1]);
    }
}
