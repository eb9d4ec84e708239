//! The refine codec: how the PQ residual of each row (the second-level residual) is encoded, to rerank candidates with.

use crate::kernels::dot_f16::F16_BYTES;
use crate::kernels::stride;
use crate::quantizer::sq4;
use crate::quantizer::tcq::{MAX_QUARTERS, Tcq};

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
}

/// Names of the refine codecs, from the smallest to the largest.
pub const REFINE_CODECS: [(&str, RefineCodec); 16] = [
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
];

// Every trellis code has a name.
const _: () = assert!(REFINE_CODECS.len() == MAX_QUARTERS + 4);

/// Trellis codes of two and of three bits came first.
const TWO_BITS: u8 = 8;
const THREE_BITS: u8 = 12;

impl RefineCodec {
    /// The largest [`RefineCodec::number`].
    pub const LAST: u32 = 15;

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
        }
    }

    /// The trellis code, for a codec that encodes the residual in the projected space of the PQ codes.
    pub fn tcq(self) -> Option<&'static Tcq> {
        match self {
            RefineCodec::Tcq(quarters) => Some(Tcq::of_quarters(usize::from(quarters))),
            RefineCodec::None | RefineCodec::Int4 | RefineCodec::Int8 | RefineCodec::Float16 => None,
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
            RefineCodec::Int4 | RefineCodec::Tcq(THREE_BITS..) => 0.1,
            RefineCodec::Tcq(TWO_BITS..) => 0.3,
            RefineCodec::None | RefineCodec::Tcq(_) => 0.5,
        }
    }

    /// Largest magnitude of a code, for a codec of integer codes; 0 for the others.
    pub const fn limit(self) -> f32 {
        match self {
            RefineCodec::Int4 => sq4::INT4_LIMIT,
            RefineCodec::Int8 => 127.0,
            RefineCodec::None | RefineCodec::Float16 | RefineCodec::Tcq(_) => 0.0,
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
            RefineCodec::None | RefineCodec::Float16 | RefineCodec::Tcq(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codecs_correspond() {
        for number in 0..=RefineCodec::LAST {
            assert_eq!(RefineCodec::of_number(number).unwrap().number(), number);
        }
        assert_eq!(RefineCodec::of_number(RefineCodec::LAST + 1), None);
        assert_eq!(
            [4, 5, 6, 13].map(RefineCodec::of_number),
            [8, 12, 1, 9].map(|quarters| Some(RefineCodec::Tcq(quarters)))
        );
        let sizes = REFINE_CODECS.map(|(_, codec)| codec.row_bytes(512));
        assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
    }
}
