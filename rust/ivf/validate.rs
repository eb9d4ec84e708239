//! Validates an index file once, when it is opened: everything that a search relies on.

use bytemuck::cast_slice;

use crate::error::FormatError;
use crate::ivf::layout::{IvfLayout, SECTIONS};
use crate::quantizer::row_scales::RowScales;
use crate::storage::format::{Header, KIND_IVF, Tag, check_section};

type Validated<T> = Result<T, FormatError>;

/// Return the bytes of a section; [`validate`] has found all of the layout. None for a section that an earlier version lacks.
pub(crate) fn section<'a>(header: &Header, file: &'a [u8], tag: Tag) -> &'a [u8] {
    let found = header.sections.iter().find(|section| section.tag == tag);
    found.map_or(&file[..0], |section| section.bytes(file))
}

/// Validate the file. Nothing is allocated before the sizes were compared with the file's length.
pub(crate) fn validate(file: &[u8]) -> Validated<(Header, IvfLayout)> {
    let header = Header::decode(file)?;
    header.expect(KIND_IVF)?;
    let layout = validate_layout(&header, file)?;
    header.expect_sections(&layout.sections())?;
    for entry in header.sections.iter().filter(|section| !is_large(section.tag)) {
        check_section(entry, entry.bytes(file))?;
    }
    for tag in [
        Tag::A_SCALES,
        Tag::B_SCALES,
        Tag::CODEBOOKS,
        Tag::ROUTING_CODEBOOKS,
        Tag::CENTROID_SCALES,
        Tag::LIST_WEIGHTS,
        Tag::QUERY_KINDS,
        Tag::STOP_THRESHOLDS,
    ] {
        check_finite(tag, cast_slice(section(&header, file, tag)))?;
    }
    if !layout.forms.int8_projection {
        check_finite(Tag::A, cast_slice(section(&header, file, Tag::A)))?;
    }
    check_scales(RowScales::new(layout.forms.scales, section(&header, file, Tag::SCALES)))?;
    check_list_offsets(&layout, cast_slice(section(&header, file, Tag::LIST_OFFSETS)))?;
    Ok((header, layout))
}

/// Sections that only `verify` reads: any bytes in them decode to scores and ids, perhaps wrong ones, but do no harm.
fn is_large(tag: Tag) -> bool {
    [Tag::BLOCKS, Tag::IDS, Tag::REFINE, Tag::CHUNKS].contains(&tag)
}

fn validate_layout(header: &Header, file: &[u8]) -> Validated<IvfLayout> {
    let (expected, got) = (SECTIONS.len(), header.sections.len());
    // One to three less in a file of an earlier version. The layout says which it is.
    let Some(first) = header.sections.first().filter(|_| (expected - 3..=expected).contains(&got)) else {
        return Err(FormatError::SectionCount { expected: expected as u64, got: got as u64 });
    };
    let words: &[u32] = bytemuck::try_cast_slice(first.bytes(file)).unwrap_or(&[]);
    let words = words.try_into().map_err(|_| FormatError::SectionSize {
        tag: Tag::SHAPE.to_string(),
        expected: 32,
        got: first.size,
    })?;
    IvfLayout::decode(words, header.rows as usize, header.dim as usize)
}

fn check_finite(tag: Tag, values: &[f32]) -> Validated<()> {
    if crate::matrix::max_abs(values).is_finite() {
        return Ok(());
    }
    let index = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
    Err(FormatError::NotFinite { tag: tag.to_string(), index, got: values[index] })
}

fn check_scales(scales: RowScales<'_>) -> Validated<()> {
    if scales.max_abs().is_finite() {
        return Ok(());
    }
    let index = (0..scales.len()).find(|&row| !scales.get(row).is_finite()).unwrap_or(0);
    Err(FormatError::NotFinite { tag: Tag::SCALES.to_string(), index, got: scales.get(index) })
}

/// Check that the lists partition the rows.
fn check_list_offsets(layout: &IvfLayout, offsets: &[u64]) -> Validated<()> {
    let rows = layout.rows as u64;
    let mut previous = 0;
    for (list, &got) in offsets.iter().enumerate() {
        let (min, max) = match list {
            0 => (0, 0),
            _ if list == layout.nlist => (rows, rows),
            _ => (previous, rows),
        };
        if got < min || got > max {
            return Err(FormatError::ListOffset { list, min, max, got });
        }
        previous = got;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::ivf::index::tests::{DIM, file, open};
    use crate::ivf::search::SearchParams;
    use crate::quantizer::refine_codec::RefineCodec;
    use crate::tests::allocation::largest_allocation;

    // docs/FORMAT.md gives the offsets.
    const TABLE: usize = 48;
    const ENTRY: usize = 32;

    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| file(90, RefineCodec::Int8));
    static TRELLIS: LazyLock<[Vec<u8>; 2]> =
        LazyLock::new(|| [RefineCodec::Tcq(12), RefineCodec::Bitshift(13)].map(|codec| file(90, codec)));

    fn word(bytes: &[u8], offset: usize) -> usize {
        u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize
    }

    fn put(bytes: &mut [u8], offset: usize, word: u32) {
        bytes[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// Return the offset of a section.
    fn start_of(tag: Tag) -> usize {
        let offset = SECTIONS.iter().position(|&other| other == tag).unwrap();
        word(&BYTES, TABLE + offset * ENTRY + 8)
    }

    /// Recompute every checksum, as far as the offsets are valid: then only the fields are wrong.
    fn reseal(bytes: &mut [u8]) {
        for entry in (TABLE..TABLE + SECTIONS.len() * ENTRY).step_by(ENTRY) {
            if bytes.len() < entry + ENTRY {
                return;
            }
            let (start, size) = (word(bytes, entry + 8), word(bytes, entry + 16));
            if let Some(section) = bytes.get(start..start.saturating_add(size)) {
                let crc = crc32c::crc32c(section);
                put(bytes, entry + 24, crc);
            }
        }
        let size = word(bytes, 12);
        if (4..=bytes.len()).contains(&size) {
            let crc = crc32c::crc32c(&bytes[..size - 4]);
            put(bytes, size - 4, crc);
        }
    }

    fn violation(bytes: &[u8]) -> String {
        open(bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_invalid_field_is_reported() {
        let (shape, list_offsets) = (start_of(Tag::SHAPE), start_of(Tag::LIST_OFFSETS));
        let nan = f32::NAN.to_bits();
        let violations: [(usize, u32, &str); 21] = [
            (16, 1, "of kind 1 and kind 2"),
            (24, 91, "section starts"),
            (24, 2, "nlist in section shape must be at most 2"),
            (32, 0, "dimension must be 1 to 4096 and is 0"),
            (32, 21, "section askkinds must be"),
            (shape, 6, "m in section shape"),
            (shape, 260, "m in section shape must be at most 256"),
            (shape + 4, 0, "nlist in section shape"),
            (shape + 8, 64, "tier in section shape must be at most 63"),
            (shape + 8, 15 + 25, "tier in section shape"),
            (shape + 12, 4, "transform in section shape must be at most 3"),
            (shape + 16, 65, "efforts in section shape must be at most 64"),
            (shape + 28, 1, "reserved in section shape"),
            (shape + 28, 57 << 8, "id bits in section shape must be at most 56"),
            (shape + 28, 3 << 16, "scale form in section shape must be at most 1"),
            (shape + 28, 8 << 8 | 5 << 16, "section ids must be"),
            (shape + 28, 7 << 8 | 4 << 16, "section scales must be"),
            (list_offsets, 1, "list 0 must start at row 0 to 0 and claims 1"),
            (list_offsets + 8, 91, "list 1 must start at row 0 to 90 and claims 91"),
            (start_of(Tag::A_SCALES) + 8, nan, "value 2 of section ascales must be finite and is NaN"),
            (start_of(Tag::SCALES), nan, "value 1 of section scales must be finite and is NaN"),
        ];
        for (offset, value, message) in violations {
            let mut bytes = BYTES.clone();
            put(&mut bytes, offset, value);
            reseal(&mut bytes);
            // A wrong number of rows may be reported by the size of a section first.
            let found = violation(&bytes);
            assert!(
                found.contains(message) || (offset == 24 && found.contains("section")),
                "at {offset}: {found}"
            );
        }
    }

    #[test]
    fn lists_must_partition_the_rows() {
        let mut bytes = BYTES.clone();
        let list_offsets = start_of(Tag::LIST_OFFSETS);
        let lists = word(&bytes, start_of(Tag::SHAPE) + 4);
        put(&mut bytes, list_offsets + 8 * lists, 89);
        reseal(&mut bytes);
        let found = violation(&bytes);
        assert!(found.contains("must start at row 90 to 90 and claims 89"), "{found}");
    }

    #[test]
    fn flipped_bits_and_wrong_lengths_are_detected() {
        open(&BYTES).unwrap().verify().unwrap();
        let step = (BYTES.len() * 8 / 12_000).max(1);
        for bit in (0..BYTES.len() * 8).step_by(step | 1) {
            let mut bytes = BYTES.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let verified = open(&bytes).and_then(|index| index.verify());
            assert_eq!(verified.unwrap_err().kind(), ErrorKind::Format, "bit {bit}");
        }
        for length in (1..BYTES.len()).step_by(97) {
            assert!(open(&BYTES[..length]).is_err(), "length {length}");
        }
    }

    proptest! {
        /// Fuzzing of the format: a mutated file is refused or searched, and nothing else happens.
        #[test]
        fn a_mutated_file_is_refused_or_searched_safely(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
            fields in prop::collection::vec((0_usize..24, prop_oneof![0_u32..200, any::<u32>()]), 0..3),
            length in prop::option::weighted(0.1, any::<prop::sample::Index>()),
            resealed: bool,
            file in 0_usize..3,
        ) {
            let valid: &Vec<u8> = if file < 2 { &TRELLIS[file] } else { &BYTES };
            let mut bytes = valid.clone();
            edits.iter().for_each(|(offset, byte)| bytes[offset.index(valid.len())] = *byte);
            for &(field, value) in &fields {
                // Fields that are trusted when the file is opened: of the header, of the layout, and the list offsets.
                let offsets = [[16, 20, 24, 28, 32, 40, 56, 64], [0, 4, 8, 12, 16, 20, 24, 28]];
                let offset = match field / 8 {
                    0 => offsets[0][field],
                    1 => start_of(Tag::SHAPE) + offsets[1][field % 8],
                    _ => start_of(Tag::LIST_OFFSETS) + field % 8 * 4,
                };
                put(&mut bytes, offset, value);
            }
            if let Some(length) = length {
                bytes.truncate(length.index(valid.len()) + 1);
            }
            if resealed {
                reseal(&mut bytes);
            }
            let (opened, size) = largest_allocation(|| open(&bytes));
            prop_assert!(size <= valid.len(), "{size} bytes were allocated at once");
            let Ok(index) = opened else { return Ok(()) };
            if index.verify().is_ok() && !resealed {
                prop_assert_eq!(&bytes, valid);
            }
            let query = vec![0.5; index.layout().dim];
            for exact in [false, true] {
                let params = SearchParams { k: 3, nprobe: 2, shortlist: 7, exact };
                let (hits, size) = largest_allocation(|| index.hits(&query, params, None).unwrap());
                prop_assert!(size <= 1 << 18, "{size} bytes were allocated at once");
                let wanted = index.layout().rows.min(3);
                // Resealed values may be so large that a score is no number: such a row is not found.
                prop_assert!(hits.len() == wanted || resealed && hits.len() < wanted, "{} hits", hits.len());
                prop_assert!(hits.iter().all(|hit| !hit.score.is_nan()));
                prop_assert!(hits.iter().all(|hit| (hit.row as usize) < index.layout().rows));
            }
        }
    }

    #[test]
    fn the_test_file_has_several_lists() {
        let index = open(&BYTES).unwrap();
        assert!(index.layout().nlist == 3 && index.layout().dim == DIM);
    }
}
