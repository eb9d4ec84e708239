//! The fast-scan layout: blocks of 32 rows of 4-bit codes, transposed so that one shuffle looks up sixteen rows.
//!
//! A block holds `m` groups of sixteen bytes, one for each subquantizer. Byte `i` of a group has the code of row `i` in its
//! low nibble and that of row `i + 16` in its high nibble. So the tables of neighbouring subquantizers and their codes are
//! adjacent, and a register of any width loads both at once. After the groups comes one byte a row: its length correction
//! (see [`crate::quantizer::length_correction`]).

/// Rows in a block.
pub const BLOCK_ROWS: usize = 32;

/// Bytes of one subquantizer in a block: two codes a byte.
pub const GROUP_BYTES: usize = BLOCK_ROWS / 2;

/// Bytes of one block for `m` subquantizers.
pub const fn block_bytes(m: usize) -> usize {
    m * GROUP_BYTES + BLOCK_ROWS
}

/// Number of blocks for `rows` rows; the last one may be partial.
pub const fn block_count(rows: usize) -> usize {
    rows.div_ceil(BLOCK_ROWS)
}

/// Pack the codes of up to 32 rows, shape (n, m) with values 0 to 15, and their length corrections, shape (n,), into one
/// block. Missing rows get zeros.
///
/// # Panics
/// If `codes` is not up to 32 complete rows, or `block` not one block, of `m` subquantizers.
pub fn pack(codes: &[u8], corrections: &[u8], m: usize, block: &mut [u8]) {
    assert!(
        codes.len() == m * corrections.len() && corrections.len() <= BLOCK_ROWS,
        "not up to 32 rows of {m} codes"
    );
    assert_eq!(block.len(), block_bytes(m), "not one block of {m} subquantizers");
    block.fill(0);
    let (groups, block_corrections) = block.split_at_mut(m * GROUP_BYTES);
    for (row, codes) in codes.chunks_exact(m).enumerate() {
        let (byte, shift) = nibble_of(row);
        for (group, &code) in groups.chunks_exact_mut(GROUP_BYTES).zip(codes) {
            group[byte] |= (code & 15) << shift;
        }
    }
    block_corrections[..corrections.len()].copy_from_slice(corrections);
}

/// Return the length correction of row `row` of a block, 0 to 31.
///
/// # Panics
/// If `block` is shorter than one byte a row.
pub fn correction_of(block: &[u8], row: usize) -> u8 {
    block[block.len() - BLOCK_ROWS + row]
}

/// Unpack the codes of row `row` of a block, 0 to 31, shape (m,).
///
/// # Panics
/// If `row` is past the block.
pub fn unpack_row(block: &[u8], row: usize, codes: &mut [u8]) {
    let (byte, shift) = nibble_of(row);
    for (code, group) in codes.iter_mut().zip(block.chunks_exact(GROUP_BYTES)) {
        *code = group[byte] >> shift & 15;
    }
}

/// Copy the codes of these rows, in this order, into blocks of their own.
///
/// # Panics
/// If a row is past the blocks.
pub fn gather(blocks: &[u8], m: usize, rows: &[u32]) -> Vec<u8> {
    let bytes = block_bytes(m);
    let mut gathered = vec![0; block_count(rows.len()) * bytes];
    let (mut codes, mut corrections) = (vec![0; BLOCK_ROWS * m], [0; BLOCK_ROWS]);
    for (rows, to) in rows.chunks(BLOCK_ROWS).zip(gathered.chunks_exact_mut(bytes)) {
        for ((&row, codes), correction) in rows.iter().zip(codes.chunks_exact_mut(m)).zip(&mut corrections) {
            let (block, row) =
                (&blocks[row as usize / BLOCK_ROWS * bytes..][..bytes], row as usize % BLOCK_ROWS);
            unpack_row(block, row, codes);
            *correction = correction_of(block, row);
        }
        pack(&codes[..rows.len() * m], &corrections[..rows.len()], m, to);
    }
    gathered
}

/// The byte of a row in each group, and the shift of its nibble.
pub(crate) const fn nibble_of(row: usize) -> (usize, u32) {
    (row % GROUP_BYTES, if row < GROUP_BYTES { 0 } else { 4 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packed_codes_are_unpacked(
            (codes, corrections, m) in (1_usize..40, 0..=BLOCK_ROWS).prop_flat_map(|(m, rows)| {
                (prop::collection::vec(0_u8..16, m * rows), prop::collection::vec(any::<u8>(), rows), Just(m))
            })
        ) {
            let mut block = vec![255; block_bytes(m)];
            pack(&codes, &corrections, m, &mut block);
            let mut row_codes = vec![0; m];
            for row in 0..BLOCK_ROWS {
                prop_assert_eq!(correction_of(&block, row), corrections.get(row).copied().unwrap_or(0));
                unpack_row(&block, row, &mut row_codes);
                let expected = codes.get(row * m..(row + 1) * m).map_or(vec![0; m], <[u8]>::to_vec);
                prop_assert_eq!(&row_codes, &expected);
            }
        }
    }

    proptest! {
        #[test]
        fn gathered_rows_have_their_codes(
            blocks in prop::collection::vec(any::<u8>(), 3 * block_bytes(6)),
            rows in prop::collection::vec(0_u32..96, 0..70),
        ) {
            let gathered = gather(&blocks, 6, &rows);
            prop_assert_eq!(gathered.len(), block_count(rows.len()) * block_bytes(6));
            let code = |blocks: &[u8], row: usize| {
                let block = &blocks[row / BLOCK_ROWS * block_bytes(6)..][..block_bytes(6)];
                let mut codes = [0; 6];
                unpack_row(block, row % BLOCK_ROWS, &mut codes);
                (codes, correction_of(block, row % BLOCK_ROWS))
            };
            for (position, &row) in rows.iter().enumerate() {
                prop_assert_eq!(code(&gathered, position), code(&blocks, row as usize));
            }
        }
    }

    #[test]
    fn rows_0_and_16_share_bytes() {
        let mut codes = vec![0; 17 * 2];
        codes[..2].copy_from_slice(&[1, 2]);
        codes[32..].copy_from_slice(&[3, 4]);
        let mut block = vec![0; block_bytes(2)];
        let mut corrections = [0; 17];
        corrections[16] = 9;
        pack(&codes, &corrections, 2, &mut block);
        assert_eq!((block[0], block[GROUP_BYTES], block[2 * GROUP_BYTES + 16]), (0x31, 0x42, 9));
        assert_eq!(block.iter().filter(|&&byte| byte != 0).count(), 3);
    }
}
