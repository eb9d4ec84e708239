//! The refine codec: how the PQ residual of each row (the second-level residual) is encoded, to rerank candidates with.

use crate::kernels::dot_f16::F16_BYTES;
use crate::kernels::stride;
use crate::quantizer::sq4;
use crate::quantizer::tcq::{TCQ2, TCQ3, Tcq};

/// How the PQ residual is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefineCodec {
    /// Not stored: scores are those of the PQ codes.
    None,
    /// Four bits a value and a float32 scale a row, LDLQ-rounded.
    Int4,
    /// Eight bits a value and a float32 scale a row, LDLQ-rounded.
    Int8,
    /// A float16 a value and a float32 scale a row.
    Float16,
    /// Trellis-coded, two bits a value and a float32 scale a row.
    Tcq2,
    /// Trellis-coded, three bits a value and a float32 scale a row.
    Tcq3,
}

/// Names of the refine codecs, from the smallest to the largest.
pub const REFINE_CODECS: [(&str, RefineCodec); 6] = [
    ("none", RefineCodec::None),
    ("tcq2", RefineCodec::Tcq2),
    ("tcq3", RefineCodec::Tcq3),
    ("int4", RefineCodec::Int4),
    ("int8", RefineCodec::Int8),
    ("f16", RefineCodec::Float16),
];

impl RefineCodec {
    /// The largest [`RefineCodec::number`].
    pub const LAST: u32 = 5;

    /// Its number in a file.
    pub const fn number(self) -> u32 {
        match self {
            RefineCodec::None => 0,
            RefineCodec::Int4 => 1,
            RefineCodec::Int8 => 2,
            RefineCodec::Float16 => 3,
            RefineCodec::Tcq2 => 4,
            RefineCodec::Tcq3 => 5,
        }
    }

    /// Return the codec of this number in a file.
    pub fn of_number(number: u32) -> Option<Self> {
        REFINE_CODECS.iter().map(|&(_, codec)| codec).find(|codec| codec.number() == number)
    }

    /// Its name: `none`, `int4`, `int8`, `f16`, `tcq2` or `tcq3`.
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
            RefineCodec::Tcq2 => TCQ2.row_bytes(dim),
            RefineCodec::Tcq3 => TCQ3.row_bytes(dim),
        }
    }

    /// The trellis code, for a codec that encodes the residual in the projected space of the PQ codes.
    pub const fn tcq(self) -> Option<&'static Tcq> {
        match self {
            RefineCodec::Tcq2 => Some(&TCQ2),
            RefineCodec::Tcq3 => Some(&TCQ3),
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
            RefineCodec::Int4 | RefineCodec::Tcq3 => 0.1,
            RefineCodec::Tcq2 => 0.3,
            RefineCodec::None => 0.5,
        }
    }

    /// Largest magnitude of a code, for a codec of integer codes; 0 for the others.
    pub const fn limit(self) -> f32 {
        match self {
            RefineCodec::Int4 => sq4::INT4_LIMIT,
            RefineCodec::Int8 => 127.0,
            RefineCodec::None | RefineCodec::Float16 | RefineCodec::Tcq2 | RefineCodec::Tcq3 => 0.0,
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
            RefineCodec::None | RefineCodec::Float16 | RefineCodec::Tcq2 | RefineCodec::Tcq3 => {}
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
    }
}
