//! What must hold of an index file before it is searched: checked once, when it is opened.

use bytemuck::cast_slice;

use crate::error::Fault;
use crate::file::format::{Header, KIND_LISTS, Tag, check_section};
use crate::index::lists::{SECTIONS, Shape};

type Checked<T> = Result<T, Fault>;

/// The bytes of a section; [`checked`] has found all of [`SECTIONS`].
pub(crate) fn section<'a>(header: &Header, file: &'a [u8], tag: Tag) -> &'a [u8] {
    let at = SECTIONS.iter().position(|&other| other == tag).unwrap_or(0);
    header.sections[at].bytes(file)
}

/// Everything that a search relies on. Nothing is allocated before the sizes were compared with the file's length.
pub(crate) fn checked(file: &[u8]) -> Checked<(Header, Shape)> {
    let header = Header::decode(file)?;
    header.expect(KIND_LISTS)?;
    let shape = checked_shape(&header, file)?;
    header.expect_sections(&shape.layout())?;
    for entry in header.sections.iter().filter(|section| !is_large(section.tag)) {
        check_section(entry, entry.bytes(file))?;
    }
    for tag in [Tag::A, Tag::B_SCALES, Tag::BOOKS, Tag::KEY_BOOKS, Tag::MEAN_SCALES, Tag::PULLS, Tag::SCALES]
    {
        check_finite(tag, cast_slice(section(&header, file, tag)))?;
    }
    check_starts(&shape, cast_slice(section(&header, file, Tag::STARTS)))?;
    Ok((header, shape))
}

/// Sections that are read on verifying only: any bytes in them make scores and ids, wrong ones perhaps, but no harm.
fn is_large(tag: Tag) -> bool {
    [Tag::BLOCKS, Tag::IDS, Tag::TIER, Tag::CHUNKS].contains(&tag)
}

fn checked_shape(header: &Header, file: &[u8]) -> Checked<Shape> {
    let expected = SECTIONS.len() as u64;
    let Some(first) = header.sections.first().filter(|_| header.sections.len() == SECTIONS.len()) else {
        return Err(Fault::SectionCount { expected, got: header.sections.len() as u64 });
    };
    let words: &[u32] = bytemuck::try_cast_slice(first.bytes(file)).unwrap_or(&[]);
    let words = words.try_into().map_err(|_| Fault::SectionSize {
        tag: Tag::SHAPE.to_string(),
        expected: 32,
        got: first.size,
    })?;
    Shape::decode(words, header.rows as usize, header.dim as usize)
}

fn check_finite(tag: Tag, values: &[f32]) -> Checked<()> {
    // Without their sign, floats order as their bits do, with infinity and NaN on top.
    let size = |value: &f32| value.to_bits() & !(1 << 31);
    if values.iter().fold(0, |most, value| size(value).max(most)) < f32::INFINITY.to_bits() {
        return Ok(());
    }
    let index = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
    Err(Fault::NotFinite { tag: tag.to_string(), index, got: values[index] })
}

/// The lists divide the rows among them.
fn check_starts(shape: &Shape, starts: &[u64]) -> Checked<()> {
    let most = shape.rows as u64;
    let mut least = 0;
    for (list, &start) in starts.iter().enumerate() {
        let last = list == shape.nlist;
        if start < least || start > most || (list == 0 && start != 0) || (last && start != most) {
            let (least, most) = if list == 0 { (0, 0) } else { (if last { most } else { least }, most) };
            return Err(Fault::Start { list, least, most, got: start });
        }
        least = start;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::allocation::largest;
    use crate::error::ErrorKind;
    use crate::index::ivf::Plan;
    use crate::index::opened::tests::{DIM, file, open};
    use crate::tier::refine::Tier;

    // docs/FORMAT.md gives the offsets.
    const TABLE: usize = 48;
    const ENTRY: usize = 32;

    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| file(90, Tier::Int8));
    static TRELLIS: LazyLock<Vec<u8>> = LazyLock::new(|| file(90, Tier::Tcq3));

    fn word(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    fn put(bytes: &mut [u8], at: usize, word: u32) {
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// First byte of a section.
    fn place(tag: Tag) -> usize {
        let at = SECTIONS.iter().position(|&other| other == tag).unwrap();
        word(&BYTES, TABLE + at * ENTRY + 8)
    }

    /// Make every checksum right again, as far as the offsets make sense: what is left are lies, not damage.
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

    fn fault(bytes: &[u8]) -> String {
        open(bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_lie_is_named() {
        let (shape, starts) = (place(Tag::SHAPE), place(Tag::STARTS));
        let nan = f32::NAN.to_bits();
        let lies: [(usize, u32, &str); 16] = [
            (16, 1, "of kind 1 and kind 2"),
            (24, 91, "section starts"),
            (24, 2, "nlist in section shape may be at most 2"),
            (32, 0, "dimension must be 1 to 4096 and is 0"),
            (32, 21, "section a must be"),
            (shape, 6, "m in section shape"),
            (shape, 260, "m in section shape may be at most 256"),
            (shape + 4, 0, "nlist in section shape"),
            (shape + 8, 9, "tier in section shape may be at most 5"),
            (shape + 12, 4, "transform in section shape may be at most 3"),
            (shape + 16, 65, "efforts in section shape may be at most 64"),
            (shape + 28, 1, "reserved in section shape"),
            (starts, 1, "list 0 must start at row 0 to 0 and claims 1"),
            (starts + 8, 91, "list 1 must start at row 0 to 90 and claims 91"),
            (place(Tag::A) + 8, nan, "value 2 of section a must be finite and is NaN"),
            (place(Tag::SCALES), nan, "value 0 of section scales must be finite and is NaN"),
        ];
        for (at, lie, message) in lies {
            let mut bytes = BYTES.clone();
            put(&mut bytes, at, lie);
            reseal(&mut bytes);
            // Where rows changed the sizes of sections may be found wrong before what the line names.
            let found = fault(&bytes);
            assert!(found.contains(message) || (at == 24 && found.contains("section")), "at {at}: {found}");
        }
    }

    #[test]
    fn lists_must_hold_all_rows() {
        let mut bytes = BYTES.clone();
        let starts = place(Tag::STARTS);
        let lists = word(&bytes, place(Tag::SHAPE) + 4);
        put(&mut bytes, starts + 8 * lists, 89);
        reseal(&mut bytes);
        let found = fault(&bytes);
        assert!(found.contains("must start at row 90 to 90 and claims 89"), "{found}");
    }

    #[test]
    fn flipped_bits_and_other_lengths_are_found() {
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
        /// The fuzzing of the format: a file of lies and damage is refused or searched, and nothing else.
        #[test]
        fn no_file_can_do_harm(
            anywhere in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
            believed in prop::collection::vec((0_usize..24, prop_oneof![0_u32..200, any::<u32>()]), 0..3),
            length in prop::option::weighted(0.1, any::<prop::sample::Index>()),
            resealed: bool,
            trellis: bool,
        ) {
            let sound: &Vec<u8> = if trellis { &TRELLIS } else { &BYTES };
            let mut bytes = sound.clone();
            anywhere.iter().for_each(|(at, byte)| bytes[at.index(sound.len())] = *byte);
            for &(field, lie) in &believed {
                // Numbers that open believes: of the header, of the shape, and the starts of the lists.
                let places = [[16, 20, 24, 28, 32, 40, 56, 64], [0, 4, 8, 12, 16, 20, 24, 28]];
                let at = match field / 8 {
                    0 => places[0][field],
                    1 => place(Tag::SHAPE) + places[1][field % 8],
                    _ => place(Tag::STARTS) + field % 8 * 4,
                };
                put(&mut bytes, at, lie);
            }
            if let Some(length) = length {
                bytes.truncate(length.index(sound.len()) + 1);
            }
            if resealed {
                reseal(&mut bytes);
            }
            let (opened, most) = largest(|| open(&bytes));
            prop_assert!(most <= sound.len(), "{most} bytes were asked for");
            let Ok(index) = opened else { return Ok(()) };
            if index.verify().is_ok() && !resealed {
                prop_assert_eq!(&bytes, sound);
            }
            let query = vec![0.5; index.shape().dim];
            for exact in [false, true] {
                let plan = Plan { k: 3, nprobe: 2, shortlist: 7, exact };
                let (hits, most) = largest(|| index.hits(&query, plan, None).unwrap());
                prop_assert!(most <= 1 << 18, "{most} bytes were asked for");
                prop_assert_eq!(hits.len(), index.shape().rows.min(3));
                prop_assert!(hits.iter().all(|hit| (hit.row as usize) < index.shape().rows));
            }
        }
    }

    #[test]
    fn the_file_of_the_tests_has_several_lists() {
        let index = open(&BYTES).unwrap();
        assert!(index.shape().nlist == 3 && index.shape().dim == DIM);
    }
}
