//! How an index file stores what earlier versions stored at full length: a word of section `shape`.

use crate::error::FormatError;
use crate::quantizer::row_scales::ScaleForm;
use crate::topk::packed_ids::{IdForm, MAX_ID_BITS};

/// The first bit of each field of the word, and the bits that no field uses.
const ID_SHIFT: u32 = 8;
const SCALE_SHIFT: u32 = 16;
const PROJECTION_SHIFT: u32 = 18;
const UNUSED: u32 = !(0xff << ID_SHIFT | 0b11 << SCALE_SHIFT | 1 << PROJECTION_SHIFT);

/// How ids, scales of refine codes, and the projection of rows are stored. All 0 in a file of an earlier version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageForms {
    /// Ids: int64, or packed.
    pub ids: IdForm,
    /// Scales of refine codes.
    pub scales: ScaleForm,
    /// Whether the projection of rows is stored as int8 codes and scales, instead of float32.
    pub int8_projection: bool,
}

impl StorageForms {
    /// The smallest forms, for ids of a form.
    pub fn smallest(ids: IdForm) -> Self {
        Self { ids, scales: ScaleForm::Bf16, int8_projection: true }
    }

    /// Encode the word.
    pub fn encode(self) -> u32 {
        self.ids.bits() << ID_SHIFT
            | (self.scales as u32) << SCALE_SHIFT
            | u32::from(self.int8_projection) << PROJECTION_SHIFT
    }

    /// Decode the word.
    ///
    /// # Errors
    /// [`FormatError::Shape`] for a form that this version does not know.
    pub fn decode(word: u32) -> Result<Self, FormatError> {
        let refused =
            |name: &'static str, max: u64, got: u32| FormatError::Shape { name, max, got: u64::from(got) };
        if word & UNUSED != 0 {
            return Err(refused("reserved", 0, word & UNUSED));
        }
        let bits = word >> ID_SHIFT & 0xff;
        let ids = IdForm::of_bits(bits).ok_or(refused("id bits", u64::from(MAX_ID_BITS), bits))?;
        let scales = match word >> SCALE_SHIFT & 0b11 {
            0 => ScaleForm::F32,
            1 => ScaleForm::Bf16,
            form => return Err(refused("scale form", 1, form)),
        };
        Ok(Self { ids, scales, int8_projection: word >> PROJECTION_SHIFT & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_round_trip_and_unknown_ones_are_refused() {
        for word in [0, 18 << 8, 56 << 8 | 1 << 16, 1 << 18, 33 << 8 | 1 << 16 | 1 << 18] {
            assert_eq!(StorageForms::decode(word).unwrap().encode(), word);
        }
        for (word, message) in [
            (1, "reserved in section shape must be at most 0 "),
            (57 << 8, "id bits in section shape must be at most 56 "),
            (2 << 16, "scale form in section shape must be at most 1 "),
            (1 << 19, "reserved"),
        ] {
            let refused = StorageForms::decode(word).unwrap_err().to_string();
            assert!(refused.contains(message), "{refused}");
        }
    }
}
