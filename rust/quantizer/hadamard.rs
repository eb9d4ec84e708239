//! Randomized Hadamard transform: `H S x` with a random diagonal `S` of signs and the orthonormal Hadamard matrix `H`.
//!
//! It makes the values of any vector close to normally distributed (incoherence processing, as in QuIP#; Tseng et al.,
//! 2024), and costs `n log n` additions. `H` exists for powers of two. A vector of another length is rotated in two
//! overlapping parts: the first 2^k values, then the last 2^k.

/// Rotate vectors of `values.len()` dimensions, `L` of them side by side.
pub fn rotate<const L: usize>(values: &mut [[f32; L]]) {
    let size = 1 << values.len().ilog2();
    signed_hadamard(&mut values[..size]);
    if size < values.len() {
        let start = values.len() - size;
        signed_hadamard(&mut values[start..]);
    }
}

/// Undo [`rotate`].
pub fn unrotate<const L: usize>(values: &mut [[f32; L]]) {
    let size = 1 << values.len().ilog2();
    if size < values.len() {
        let start = values.len() - size;
        hadamard(&mut values[start..]);
        sign_flip(&mut values[start..]);
    }
    hadamard(&mut values[..size]);
    sign_flip(&mut values[..size]);
}

fn signed_hadamard<const L: usize>(values: &mut [[f32; L]]) {
    sign_flip(values);
    hadamard(values);
}

/// Negate about half of the values: the signs are a fixed hash of the index.
fn sign_flip<const L: usize>(values: &mut [[f32; L]]) {
    for (index, lanes) in values.iter_mut().enumerate() {
        let hash = (index as u32 + 1).wrapping_mul(0x9e37_79b1);
        let hash = (hash ^ hash >> 15).wrapping_mul(0x85eb_ca6b);
        if hash >> 31 == 1 {
            lanes.iter_mut().for_each(|value| *value = -*value);
        }
    }
}

/// Multiply with the orthonormal Hadamard matrix, which is its own inverse. The length is a power of two.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rotation_keeps_the_norm_and_is_undone(values in prop::collection::vec(-1_f32..1.0, 1..150)) {
            let given: Vec<[f32; 1]> = values.iter().map(|&value| [value]).collect();
            let mut rotated = given.clone();
            rotate(&mut rotated);
            let energy = |values: &[[f32; 1]]| -> f32 { values.iter().flatten().map(|value| value * value).sum() };
            prop_assert!((energy(&rotated) - energy(&given)).abs() <= 1e-4 * energy(&given));
            unrotate(&mut rotated);
            prop_assert!(rotated.iter().flatten().zip(&values).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}
