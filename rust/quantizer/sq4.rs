//! SQ4: int4 codes, two in a byte. The LDLQ encoder chooses them (see [`crate::quantizer::ldlq`]).
//!
//! The first half of a row is in the low nibbles of its bytes, the second half in the high nibbles; a code is stored with an
//! offset of 8.

/// Largest magnitude of a code.
pub const INT4_LIMIT: f32 = 7.0;

/// The stored nibble of code 0.
const OFFSET: u8 = 8;

/// Pack codes of -8 to 7, two in a byte.
pub fn pack(codes: &[i8], bytes: &mut [u8]) {
    let (low, high) = codes.split_at(bytes.len());
    for ((byte, low), high) in bytes.iter_mut().zip(low).zip(high) {
        *byte =
            low.wrapping_add_unsigned(OFFSET) as u8 & 15 | (high.wrapping_add_unsigned(OFFSET) as u8) << 4;
    }
}

/// Unpack the codes of a row into `codes`, two for each byte.
#[inline]
pub fn unpack(bytes: &[u8], codes: &mut [i8]) {
    let (low, high) = codes.split_at_mut(bytes.len());
    for ((low, high), &byte) in low.iter_mut().zip(high).zip(bytes) {
        *low = (byte & 15).wrapping_sub(OFFSET).cast_signed();
        *high = (byte >> 4).wrapping_sub(OFFSET).cast_signed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_round_trips() {
        let codes: Vec<i8> = (-8..8).collect();
        let (mut bytes, mut unpacked) = ([0; 8], [0; 16]);
        pack(&codes, &mut bytes);
        unpack(&bytes, &mut unpacked);
        assert_eq!((bytes[0], unpacked.to_vec()), (0x80, codes));
    }
}
