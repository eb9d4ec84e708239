//! The refine codec: how the PQ residual of each row (the second-level residual) is encoded, to rerank candidates with.

use crate::error::Result;
use crate::kernels::dot_f16::F16_BYTES;
use crate::kernels::stride;
use crate::matrix::MAX_DIM;
use crate::parallel::Interrupt;
use crate::quantizer::bitshift::{self, BitshiftTrellis};
use crate::quantizer::sq4;
use crate::quantizer::tcq::{self, Tcq};

/// How the PQ residual is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefineCodec {
    /// Not stored: scores are those of the PQ codes.
    None,
    /// Four bits a value and a scale a row, LDLQ-rounded.
    Int4,
    /// Eight bits a value and a scale a row, LDLQ-rounded.
    Int8,
    /// A float16 a value and a scale a row.
    Float16,
    /// Trellis-coded, a number of quarters of a bit a value, 1 to 12, and a scale a row.
    Tcq(u8),
    /// A bitshift trellis code of a number of eighths of a bit a value, 1 to 48, and a scale a row.
    Bitshift(u8),
}

/// Names of the refine codecs.
pub const REFINE_CODECS: [(&str, RefineCodec); 52] = [
    ("none", RefineCodec::None),
    ("tcq0.25", RefineCodec::Tcq(1)),
    ("tcq0.5", RefineCodec::Tcq(2)),
    ("tcq0.75", RefineCodec::Tcq(3)),
    ("tcq1", RefineCodec::Tcq(4)),
    ("tcq1.25", RefineCodec::Tcq(5)),
    ("tcq1.5", RefineCodec::Tcq(6)),
    ("tcq1.75", RefineCodec::Tcq(7)),
    ("tcq2", RefineCodec::Tcq(8)),
    ("tcq2.25", RefineCodec::Tcq(9)),
    ("tcq2.5", RefineCodec::Tcq(10)),
    ("tcq2.75", RefineCodec::Tcq(11)),
    ("tcq3", RefineCodec::Tcq(12)),
    ("int4", RefineCodec::Int4),
    ("int8", RefineCodec::Int8),
    ("f16", RefineCodec::Float16),
    ("bst0.125", RefineCodec::Bitshift(1)),
    ("bst0.25", RefineCodec::Bitshift(2)),
    ("bst0.375", RefineCodec::Bitshift(3)),
    ("bst0.5", RefineCodec::Bitshift(4)),
    ("bst0.625", RefineCodec::Bitshift(5)),
    ("bst0.75", RefineCodec::Bitshift(6)),
    ("bst0.875", RefineCodec::Bitshift(7)),
    ("bst1", RefineCodec::Bitshift(8)),
    ("bst1.125", RefineCodec::Bitshift(9)),
    ("bst1.25", RefineCodec::Bitshift(10)),
    ("bst1.375", RefineCodec::Bitshift(11)),
    ("bst1.5", RefineCodec::Bitshift(12)),
    ("bst1.625", RefineCodec::Bitshift(13)),
    ("bst1.75", RefineCodec::Bitshift(14)),
    ("bst1.875", RefineCodec::Bitshift(15)),
    ("bst2", RefineCodec::Bitshift(16)),
    ("bst2.125", RefineCodec::Bitshift(17)),
    ("bst2.25", RefineCodec::Bitshift(18)),
    ("bst2.375", RefineCodec::Bitshift(19)),
    ("bst2.5", RefineCodec::Bitshift(20)),
    ("bst2.625", RefineCodec::Bitshift(21)),
    ("bst2.75", RefineCodec::Bitshift(22)),
    ("bst2.875", RefineCodec::Bitshift(23)),
    ("bst3", RefineCodec::Bitshift(24)),
    ("bst3.25", RefineCodec::Bitshift(26)),
    ("bst3.5", RefineCodec::Bitshift(28)),
    ("bst3.75", RefineCodec::Bitshift(30)),
    ("bst4", RefineCodec::Bitshift(32)),
    ("bst4.25", RefineCodec::Bitshift(34)),
    ("bst4.5", RefineCodec::Bitshift(36)),
    ("bst4.75", RefineCodec::Bitshift(38)),
    ("bst5", RefineCodec::Bitshift(40)),
    ("bst5.25", RefineCodec::Bitshift(42)),
    ("bst5.5", RefineCodec::Bitshift(44)),
    ("bst5.75", RefineCodec::Bitshift(46)),
    ("bst6", RefineCodec::Bitshift(48)),
];

// Every trellis code has a name, but for bitshift codes of more than three bits at odd eighths.
const _: () = assert!(REFINE_CODECS.len() == tcq::MAX_QUARTERS + (bitshift::MAX_EIGHTHS + 24) / 2 + 4);

/// Trellis codes of two and of three bits came first.
const TWO_BITS: u8 = 8;
const THREE_BITS: u8 = 12;

impl RefineCodec {
    /// The largest [`RefineCodec::number`].
    pub const LAST: u32 = 15 + bitshift::MAX_EIGHTHS as u32;

    /// Its number in a file.
    pub const fn number(self) -> u32 {
        match self {
            RefineCodec::None => 0,
            RefineCodec::Int4 => 1,
            RefineCodec::Int8 => 2,
            RefineCodec::Float16 => 3,
            RefineCodec::Tcq(TWO_BITS) => 4,
            RefineCodec::Tcq(THREE_BITS) => 5,
            RefineCodec::Tcq(quarters) if quarters < TWO_BITS => 5 + quarters as u32,
            RefineCodec::Tcq(quarters) => 4 + quarters as u32,
            RefineCodec::Bitshift(eighths) => 15 + eighths as u32,
        }
    }

    /// Return the codec of this number in a file.
    pub fn of_number(number: u32) -> Option<Self> {
        REFINE_CODECS.iter().map(|&(_, codec)| codec).find(|codec| codec.number() == number)
    }

    /// Its name, one of [`REFINE_CODECS`].
    pub fn name(self) -> &'static str {
        REFINE_CODECS.iter().find(|&&(_, codec)| codec == self).map_or("none", |&(name, _)| name)
    }

    /// Bytes of one encoded row of `dim` values, without its scale: a multiple of 8.
    pub const fn row_bytes(self, dim: usize) -> usize {
        match self {
            RefineCodec::None => 0,
            RefineCodec::Int4 => stride(dim) / 2,
            RefineCodec::Int8 => stride(dim),
            RefineCodec::Float16 => F16_BYTES * stride(dim),
            RefineCodec::Tcq(quarters) => Tcq::row_bytes(quarters as usize, dim),
            RefineCodec::Bitshift(eighths) => BitshiftTrellis::of_eighths(eighths as usize).row_bytes(dim),
        }
    }

    /// Whether it is a trellis code, which encodes the residual in the projected space of the PQ codes, rotated.
    pub const fn is_trellis(self) -> bool {
        matches!(self, RefineCodec::Tcq(_) | RefineCodec::Bitshift(_))
    }

    /// Encode `columns` of projected residuals, shape (4m, n), for a trellis code; see [`Tcq::encode`].
    ///
    /// Does nothing for another codec.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn encode_columns(
        self,
        columns: &[f32],
        dim: usize,
        rows: &mut [u8],
        scales: &mut [f32],
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        match self {
            RefineCodec::Tcq(quarters) => {
                Tcq::of_quarters(usize::from(quarters)).encode(columns, dim, rows, scales, interrupt)
            }
            RefineCodec::Bitshift(eighths) => BitshiftTrellis::of_eighths(usize::from(eighths))
                .encode(columns, dim, rows, scales, interrupt),
            _ => Ok(()),
        }
    }

    /// Decode the levels of a trellis-coded row of `dim` values into `levels`, of which its stride is used.
    #[inline]
    pub fn decode_levels(self, row: &[u8], dim: usize, levels: &mut [i8; MAX_DIM]) {
        match self {
            RefineCodec::Tcq(quarters) => {
                let levels = &mut levels[..stride(dim).next_multiple_of(tcq::WORD)];
                Tcq::of_quarters(usize::from(quarters)).decode(row, levels);
            }
            RefineCodec::Bitshift(eighths) => {
                BitshiftTrellis::of_eighths(usize::from(eighths)).decode(row, &mut levels[..stride(dim)]);
            }
            _ => {}
        }
    }

    /// Whether each row has a scale.
    pub const fn has_scales(self) -> bool {
        !matches!(self, RefineCodec::None)
    }

    /// The rounding error of the score or length of a unit vector, generously: it only decides which scores past 1 are 1.
    pub const fn score_error(self) -> f32 {
        match self {
            RefineCodec::Int8 | RefineCodec::Float16 => 0.02,
            RefineCodec::Int4 | RefineCodec::Tcq(THREE_BITS..) | RefineCodec::Bitshift(24..) => 0.1,
            RefineCodec::Tcq(TWO_BITS..) | RefineCodec::Bitshift(16..) => 0.3,
            RefineCodec::None | RefineCodec::Tcq(_) | RefineCodec::Bitshift(_) => 0.5,
        }
    }

    /// Largest magnitude of a code, for a codec of integer codes; 0 for the others.
    pub const fn limit(self) -> f32 {
        match self {
            RefineCodec::Int4 => sq4::INT4_LIMIT,
            RefineCodec::Int8 => 127.0,
            _ => 0.0,
        }
    }

    /// Pack the integer codes of one row, shape (stride,) and within [`RefineCodec::limit`], into `row_bytes` bytes.
    ///
    /// Does nothing for a codec without integer codes.
    ///
    /// # Panics
    /// If the shapes do not agree.
    pub fn pack_row(self, codes: &[i8], bytes: &mut [u8]) {
        match self {
            RefineCodec::Int4 => sq4::pack(codes, bytes),
            RefineCodec::Int8 => bytes.copy_from_slice(bytemuck::cast_slice(codes)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codecs_correspond() {
        for (_, codec) in REFINE_CODECS {
            assert!(codec.number() <= RefineCodec::LAST);
            assert_eq!(RefineCodec::of_number(codec.number()), Some(codec));
        }
        assert_eq!(RefineCodec::of_number(RefineCodec::LAST + 1), None);
        assert_eq!(
            [4, 5, 6, 13].map(RefineCodec::of_number),
            [8, 12, 1, 9].map(|quarters| Some(RefineCodec::Tcq(quarters)))
        );
        for quarters in 1..=12 {
            let (tcq, bitshift) = (RefineCodec::Tcq(quarters), RefineCodec::Bitshift(2 * quarters));
            assert_eq!(tcq.row_bytes(512), 16 * usize::from(quarters));
            assert_eq!(bitshift.row_bytes(512), 16 * usize::from(quarters));
        }
    }
}
