//! Blocks of 32 rows of 4-bit codes, laid out for the scan: one shuffle looks sixteen rows up at once.
//!
//! A block holds `m` groups of sixteen bytes, one for each subquantizer. Byte `i` of a group keeps the code of row `i`
//! in its low half and the code of row `i + 16` in its high half. So the tables of neighbouring subquantizers and their
//! codes stand side by side, and a vector register of any width reads both with one load each.

/// Rows in a block.
pub const BLOCK_ROWS: usize = 32;

/// Bytes of one subquantizer in a block: two codes a byte.
pub const GROUP_BYTES: usize = BLOCK_ROWS / 2;

/// Bytes of one block for `m` subquantizers.
pub const fn block_bytes(m: usize) -> usize {
    m * GROUP_BYTES
}

/// Blocks that `rows` rows fill, the last one perhaps in part.
pub const fn block_count(rows: usize) -> usize {
    rows.div_ceil(BLOCK_ROWS)
}

/// Put the codes of up to 32 rows, shape (n, m) with values 0 to 15, into one block; the places of missing rows get 0.
///
/// # Panics
/// If `codes` is not up to 32 whole rows, or `block` not one block, of `m` subquantizers.
pub fn pack(codes: &[u8], m: usize, block: &mut [u8]) {
    assert!(codes.len().is_multiple_of(m) && codes.len() <= m * BLOCK_ROWS, "not up to 32 rows of {m} codes");
    assert_eq!(block.len(), block_bytes(m), "not one block of {m} subquantizers");
    block.fill(0);
    for (row, codes) in codes.chunks_exact(m).enumerate() {
        let (byte, shift) = place(row);
        for (group, &code) in block.chunks_exact_mut(GROUP_BYTES).zip(codes) {
            group[byte] |= (code & 15) << shift;
        }
    }
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
            (codes, m) in (1_usize..40, 0..=BLOCK_ROWS).prop_flat_map(|(m, rows)| {
                (prop::collection::vec(0_u8..16, m * rows), Just(m))
            })
        ) {
            let mut block = vec![255; block_bytes(m)];
            pack(&codes, m, &mut block);
            let mut row_codes = vec![0; m];
            for row in 0..BLOCK_ROWS {
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
        pack(&codes, 2, &mut block);
        assert_eq!((block[0], block[GROUP_BYTES]), (0x31, 0x42));
        assert_eq!(block.iter().filter(|&&byte| byte != 0).count(), 2);
    }
}
