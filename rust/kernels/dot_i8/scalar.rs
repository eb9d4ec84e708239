//! The reference kernel: specification, fallback and oracle of the others.

/// See [`super::DotI8::products`].
pub(super) fn dot_i8(codes: &[i8], query: &[i16], products: &mut [i32]) {
    for (product, row) in products.iter_mut().zip(codes.chunks_exact(query.len())) {
        *product = row.iter().zip(query).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
    }
}
