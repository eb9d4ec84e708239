//! Blocks of 32 rows of 4-bit codes, laid out for the scan: one shuffle looks sixteen rows up at once.
//!
//! A block holds `m` groups of sixteen bytes, one for each subquantizer. Byte `i` of a group keeps the code of row `i`
//! in its low half and the code of row `i + 16` in its high half. So the tables of neighbouring subquantizers and their
//! codes stand side by side, and a vector register of any width reads both with one load each. After the groups stands
//! one byte a row, its *stretch*: how much longer the row is, in the direction of its codes, than they say.

/// Rows in a block.
pub const BLOCK_ROWS: usize = 32;

/// Bytes of one subquantizer in a block: two codes a byte.
pub const GROUP_BYTES: usize = BLOCK_ROWS / 2;

/// The stretch that changes nothing.
pub const STRETCH_ONE: u8 = 128;

/// Least stretch: a row is never taken for shorter than half of what its codes say.
pub const STRETCH_LEAST: f32 = 64.0;

/// Bytes of one block for `m` subquantizers.
pub const fn block_bytes(m: usize) -> usize {
    m * GROUP_BYTES + BLOCK_ROWS
}

/// The stretch of a row whose squared length is `square` and whose product with what its codes stand for is `product`.
///
/// With it the product of a query with the codes is right on average, where without it it is too small. The estimator
/// is that of RaBitQ (Gao and Long, 2024) for codes of any kind.
pub fn stretch(square: f32, product: f32) -> u8 {
    let wanted = square / product * f32::from(STRETCH_ONE);
    // A row of zeros, or one that its codes turn away from.
    let wanted = if product > 0.0 && wanted.is_finite() { wanted } else { f32::from(STRETCH_ONE) };
    wanted.round().clamp(STRETCH_LEAST, f32::from(u8::MAX)) as u8
}

/// Blocks that `rows` rows fill, the last one perhaps in part.
pub const fn block_count(rows: usize) -> usize {
    rows.div_ceil(BLOCK_ROWS)
}

/// Put the codes of up to 32 rows, shape (n, m) with values 0 to 15, and their stretches, shape (n,), into one block; the
/// places of missing rows get 0.
///
/// # Panics
/// If `codes` is not up to 32 whole rows, or `block` not one block, of `m` subquantizers.
pub fn pack(codes: &[u8], stretches: &[u8], m: usize, block: &mut [u8]) {
    assert!(
        codes.len() == m * stretches.len() && stretches.len() <= BLOCK_ROWS,
        "not up to 32 rows of {m} codes"
    );
    assert_eq!(block.len(), block_bytes(m), "not one block of {m} subquantizers");
    block.fill(0);
    let (groups, last) = block.split_at_mut(m * GROUP_BYTES);
    for (row, codes) in codes.chunks_exact(m).enumerate() {
        let (byte, shift) = place(row);
        for (group, &code) in groups.chunks_exact_mut(GROUP_BYTES).zip(codes) {
            group[byte] |= (code & 15) << shift;
        }
    }
    last[..stretches.len()].copy_from_slice(stretches);
}

/// The stretch of row `row` of a block, 0 to 31.
///
/// # Panics
/// If `block` is shorter than the bytes for one byte a row.
pub fn stretch_of(block: &[u8], row: usize) -> u8 {
    block[block.len() - BLOCK_ROWS + row]
}

/// Take the codes of row `row` of a block, 0 to 31, shape (m,).
///
/// # Panics
/// If `row` is past the block.
pub fn unpack_row(block: &[u8], row: usize, codes: &mut [u8]) {
    let (byte, shift) = place(row);
    for (code, group) in codes.iter_mut().zip(block.chunks_exact(GROUP_BYTES)) {
        *code = group[byte] >> shift & 15;
    }
}

/// The byte of a row in each group, and the bits to shift its code by.
pub(crate) const fn place(row: usize) -> (usize, u32) {
    (row % GROUP_BYTES, if row < GROUP_BYTES { 0 } else { 4 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            (codes, stretches, m) in (1_usize..40, 0..=BLOCK_ROWS).prop_flat_map(|(m, rows)| {
                (prop::collection::vec(0_u8..16, m * rows), prop::collection::vec(any::<u8>(), rows), Just(m))
            })
        ) {
            let mut block = vec![255; block_bytes(m)];
            pack(&codes, &stretches, m, &mut block);
            let mut row_codes = vec![0; m];
            for row in 0..BLOCK_ROWS {
                prop_assert_eq!(stretch_of(&block, row), stretches.get(row).copied().unwrap_or(0));
                unpack_row(&block, row, &mut row_codes);
                let expected = codes.get(row * m..(row + 1) * m).map_or(vec![0; m], <[u8]>::to_vec);
                prop_assert_eq!(&row_codes, &expected);
            }
        }
    }

    #[test]
    fn a_row_of_each_half_has_its_place() {
        let mut codes = vec![0; 17 * 2];
        codes[..2].copy_from_slice(&[1, 2]);
        codes[32..].copy_from_slice(&[3, 4]);
        let mut block = vec![0; block_bytes(2)];
        let mut stretches = [0; 17];
        stretches[16] = 9;
        pack(&codes, &stretches, 2, &mut block);
        assert_eq!((block[0], block[GROUP_BYTES], block[2 * GROUP_BYTES + 16]), (0x31, 0x42, 9));
        assert_eq!(block.iter().filter(|&&byte| byte != 0).count(), 3);
    }

    #[test]
    fn a_stretch_is_a_ratio_within_bounds() {
        assert_eq!(stretch(3.0, 2.0), 192);
        assert_eq!([stretch(0.0, 0.0), stretch(1.0, -1.0), stretch(1.0, 0.0)], [STRETCH_ONE; 3]);
        assert_eq!([stretch(9.0, 1.0), stretch(1.0, 9.0)], [255, 64]);
    }
}
