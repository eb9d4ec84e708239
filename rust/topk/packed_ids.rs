//! The ids of rows, as they are stored: int64, or packed into as many bits as their range needs.

/// Bytes of an int64, and of a word of packed ids.
const WORD_BYTES: usize = size_of::<u64>();

/// Largest number of bits of a packed id: with up to seven bits before it, it is in one unaligned word.
pub const MAX_ID_BITS: u32 = 56;

/// How ids are stored: the bits of a packed id, 1 to [`MAX_ID_BITS`], or 0 for int64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IdForm(u32);

impl IdForm {
    /// An int64 for each id.
    pub const INT64: Self = Self(0);

    /// The form that `bits` names, if it is one.
    pub fn of_bits(bits: u32) -> Option<Self> {
        (bits <= MAX_ID_BITS).then_some(Self(bits))
    }

    /// The smallest form for ids from `smallest` to `largest`.
    pub fn of_range(smallest: i64, largest: i64) -> Self {
        let range = largest.wrapping_sub(smallest) as u64;
        Self::of_bits((u64::BITS - range.leading_zeros()).max(1)).unwrap_or(Self::INT64)
    }

    /// Bits of a packed id, or 0.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Bytes of the ids of `rows` rows: the smallest id, the differences to it, and a word of zeros.
    pub fn size_bytes(self, rows: usize) -> u64 {
        let words = match self {
            Self::INT64 => rows as u64,
            Self(bits) => (rows as u64 * u64::from(bits)).div_ceil(u64::from(u64::BITS)) + 2,
        };
        words * WORD_BYTES as u64
    }
}

/// Packs ids as they come.
#[derive(Debug)]
pub struct IdPacker {
    form: IdForm,
    smallest: i64,
    /// Bits that do not fill a word yet, and their number.
    pending: (u64, u32),
    bytes: Vec<u8>,
}

impl IdPacker {
    /// Pack ids of which `smallest` is the smallest.
    pub fn new(form: IdForm, smallest: i64) -> Self {
        let bytes = if form == IdForm::INT64 { Vec::new() } else { smallest.to_le_bytes().to_vec() };
        Self { form, smallest, pending: (0, 0), bytes }
    }

    /// Append ids.
    pub fn push(&mut self, ids: &[i64]) {
        if self.form == IdForm::INT64 {
            self.bytes.extend_from_slice(bytemuck::cast_slice(ids));
            return;
        }
        for &id in ids {
            let difference = id.wrapping_sub(self.smallest) as u64;
            let (pending, count) = self.pending;
            let filled = pending | difference << count;
            self.pending = if count + self.form.0 < u64::BITS {
                (filled, count + self.form.0)
            } else {
                self.bytes.extend_from_slice(&filled.to_le_bytes());
                (difference.checked_shr(u64::BITS - count).unwrap_or(0), count + self.form.0 - u64::BITS)
            };
        }
    }

    /// Return the bytes that are complete.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Return the rest.
    pub fn finish(mut self) -> Vec<u8> {
        if self.form != IdForm::INT64 {
            if self.pending.1 > 0 {
                self.bytes.extend_from_slice(&self.pending.0.to_le_bytes());
            }
            self.bytes.extend_from_slice(&[0; WORD_BYTES]);
        }
        self.bytes
    }
}

/// The id of each row.
#[derive(Clone, Copy, Debug)]
pub enum RowIdSlice<'a> {
    /// As int64.
    Int64(&'a [i64]),
    /// As differences to the smallest id.
    Packed {
        /// The smallest id.
        smallest: i64,
        /// Bits of a difference.
        bits: u32,
        /// The differences, one after another, and at least eight bytes more.
        differences: &'a [u8],
    },
}

impl<'a> RowIdSlice<'a> {
    /// Read the ids in `bytes`, of [`IdForm::size_bytes`] and aligned for int64.
    pub fn new(form: IdForm, bytes: &'a [u8]) -> Self {
        match (form, bytes.split_first_chunk()) {
            (IdForm(bits @ 1..), Some((&smallest, differences))) => {
                Self::Packed { smallest: i64::from_le_bytes(smallest), bits, differences }
            }
            _ => Self::Int64(bytemuck::cast_slice(bytes)),
        }
    }

    /// Return the id of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn get(self, row: usize) -> i64 {
        match self {
            Self::Int64(ids) => ids[row],
            Self::Packed { smallest, bits, differences } => {
                let first = row * bits as usize;
                let mut word = [0; WORD_BYTES];
                word.copy_from_slice(&differences[first / 8..][..WORD_BYTES]);
                let difference = u64::from_le_bytes(word) >> (first % 8) & ((1 << bits) - 1);
                smallest.wrapping_add(difference.cast_signed())
            }
        }
    }

    /// Return the ids of the first `rows` rows.
    pub fn to_vec(self, rows: usize) -> Vec<i64> {
        (0..rows).map(|row| self.get(row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pack ids in pieces of three, and read them.
    fn round_trip(ids: &[i64]) -> (IdForm, Vec<i64>) {
        let (smallest, largest) =
            (ids.iter().copied().min().unwrap_or(0), ids.iter().copied().max().unwrap_or(0));
        let form = IdForm::of_range(smallest, largest);
        let (mut packer, mut bytes) = (IdPacker::new(form, smallest), Vec::new());
        for piece in ids.chunks(3) {
            packer.push(piece);
            bytes.extend(packer.take());
        }
        bytes.extend(packer.finish());
        assert_eq!(bytes.len() as u64, form.size_bytes(ids.len()));
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|&word| u64::from_le_bytes(word)).collect();
        (form, RowIdSlice::new(form, bytemuck::cast_slice(&words)).to_vec(ids.len()))
    }

    proptest! {
        #[test]
        fn ids_of_every_range_are_read_as_they_were(
            ids in prop::collection::vec(any::<i64>(), 0..200),
            bits in 0_u32..64,
            smallest: i64,
        ) {
            let ids: Vec<i64> = ids.iter().map(|id| smallest.saturating_add((id.cast_unsigned() >> bits) as i64 & i64::MAX)).collect();
            let (form, read) = round_trip(&ids);
            prop_assert_eq!(read, ids);
            prop_assert!(form.bits() <= MAX_ID_BITS);
        }
    }

    #[test]
    fn the_form_has_as_many_bits_as_the_range() {
        let cases = [
            ((7, 7), 1),
            ((0, 1), 1),
            ((-1, 1), 2),
            ((0, 149_999), 18),
            ((5, (1 << 56) + 4), 56),
            ((0, 1 << 56), 0),
            ((i64::MIN, i64::MAX), 0),
        ];
        for ((smallest, largest), bits) in cases {
            assert_eq!(IdForm::of_range(smallest, largest).bits(), bits, "{smallest} to {largest}");
            assert_eq!(round_trip(&[largest, smallest]).1, [largest, smallest]);
        }
        assert_eq!(IdForm::of_bits(MAX_ID_BITS + 1), None);
        assert_eq!(round_trip(&[]).1, [0_i64; 0]);
    }

    #[test]
    fn ids_of_150000_rows_take_18_bits_each() {
        let form = IdForm::of_range(0, 149_999);
        assert_eq!(form.size_bytes(150_000), 337_504 + 16);
    }
}
