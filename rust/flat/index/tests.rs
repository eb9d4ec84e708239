use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;
use crate::flat::build::tests::build_at;
use crate::tests::allocation::largest_allocation;

const ROWS: usize = 5;
const DIM: usize = 20;
// Of a file with three sections; docs/FORMAT.md gives the offsets within.
const TABLE: usize = 48;
const HEADER: usize = TABLE + 3 * 32 + 4;

/// Offsets of the fields that are trusted once the checksums are right.
const FIELDS: [usize; 11] = [8, 12, 16, 20, 24, 32, 40, 56, 64, 88, 96];

fn values() -> Vec<f32> {
    (0..ROWS * DIM).map(|n| (n as f32 * 0.7).sin()).collect()
}

/// The bytes of a valid file, written once.
fn snap_bytes() -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("whole.snap");
        build_at(&path, &values(), DIM, None).unwrap();
        fs::read(path).unwrap()
    });
    BYTES.clone()
}

fn open_bytes(home: &TempDir, bytes: &[u8]) -> Result<FlatIndex> {
    // A new file each time: the previous one may still be mapped.
    let path = home.path().join("edited.snap");
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).unwrap();
    FlatIndex::open(&path, LoadMode::Map)
}

fn put(bytes: &mut [u8], offset: usize, word: u32) {
    bytes[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
}

fn read_u64(bytes: &[u8], offset: usize) -> usize {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap()) as usize
}

/// Recompute every checksum, as far as the offsets are valid: then only the fields are wrong.
fn reseal(bytes: &mut [u8]) {
    if bytes.len() < HEADER {
        return;
    }
    for entry in [TABLE, TABLE + 32, TABLE + 64] {
        let (start, size) = (read_u64(bytes, entry + 8), read_u64(bytes, entry + 16));
        let end = start.saturating_add(size);
        if let Some(section) = bytes.get(start..end) {
            let crc = crc32c::crc32c(section);
            put(bytes, entry + 24, crc);
        }
    }
    let size = read_u64(bytes, 12) as u32 as usize;
    if (4..=bytes.len()).contains(&size) {
        let crc = crc32c::crc32c(&bytes[..size - 4]);
        put(bytes, size - 4, crc);
    }
}

#[test]
fn every_flipped_bit_is_detected() {
    let home = tempfile::tempdir().unwrap();
    let whole = snap_bytes();
    open_bytes(&home, &whole).unwrap().verify().unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verified = open_bytes(&home, &bytes).and_then(|index| index.verify());
        assert_eq!(verified.unwrap_err().kind(), ErrorKind::Format, "bit {bit}");
    }
}

#[test]
fn every_wrong_length_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut bytes = snap_bytes();
    bytes.push(0);
    for length in (0..bytes.len()).filter(|&length| length != bytes.len() - 1) {
        let error = open_bytes(&home, &bytes[..length]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "length {length}");
    }
    assert!(matches!(
        open_bytes(&home, &bytes),
        Err(Error::Format { violation: FormatError::FileSize { .. }, .. })
    ));
}

#[test]
fn every_invalid_field_is_reported() {
    let cases: [(usize, u32, &str); 19] = [
        (8, 2, "format version 2"),
        (12, 51, "must be 52 to 65536 bytes long and claims 51"),
        (12, 65_537, "claims 65537"),
        (12, 60_000, "needs at least 60000 bytes"),
        (12, HEADER as u32 + 1, "with 3 sections its header must be 148 bytes long and claims 149"),
        (16, 2, "of kind 2 and kind 1"),
        (20, 2, "with 2 sections its header must be 116 bytes long"),
        (20, u32::MAX, "with 4294967295 sections"),
        (24, 6, "section codes must be 192 bytes long and claims 160"),
        (28, 1, "may have at most 4294967295 rows"),
        (32, 0, "dimension must be 1 to 4096 and is 0"),
        (32, 4097, "is 4097"),
        (32, 33, "section codes must be 240 bytes long"),
        (40, 1, "must be 448 bytes long and has 1"),
        (TABLE, u32::from_le_bytes(*b"cod3"), "section codes was expected and cod3s was found"),
        (TABLE + 8, 256, "section codes must start at byte 192 and claims 256"),
        (TABLE + 20, u32::MAX, "needs at least"),
        (TABLE + 48, 19, "section scales must be 20 bytes long and claims 19"),
        (384, f32::NAN.to_bits(), "scale of row 0 must be finite and not negative and is NaN"),
    ];
    let home = tempfile::tempdir().unwrap();
    let whole = snap_bytes();
    for (offset, word, message) in cases {
        let mut bytes = whole.clone();
        put(&mut bytes, offset, word);
        reseal(&mut bytes);
        let error = open_bytes(&home, &bytes).unwrap_err().to_string();
        assert!(error.contains(message), "at {offset}: {error}");
    }
}

#[test]
fn nonzero_padding_is_reported() {
    let home = tempfile::tempdir().unwrap();
    let mut bytes = snap_bytes();
    bytes[HEADER + 1] = 9;
    let error = open_bytes(&home, &bytes).unwrap().verify().unwrap_err();
    assert!(
        matches!(error, Error::Format { violation: FormatError::Padding { offset: 149, got: 9 }, .. }),
        "{error}"
    );
}

#[test]
fn results_are_sorted_and_have_min_k_allowed_hits() {
    let home = tempfile::tempdir().unwrap();
    let index = open_bytes(&home, &snap_bytes()).unwrap();
    let values = values();
    let queries = MatrixF32::new(&values, DIM).unwrap();
    let results = index.search(queries, 9, Some(&RowBitmap::new(5, |row| row != 1))).unwrap();
    assert!(results.len() == ROWS && results.iter().all(|hits| hits.len() == 4));
    assert!(results.iter().all(|hits| hits.is_sorted_by(|a, b| a.score >= b.score)));
    assert_eq!(results[2][0].row, 2);
    assert!(matches!(
        index.search(queries, 1, Some(&RowBitmap::new(1, |_| true))),
        Err(Error::FilterLength { .. })
    ));
    assert!(matches!(index.vector(ROWS), Err(Error::RowRange { rows: ROWS, got: ROWS })));
}

#[test]
fn query_groups_do_not_change_the_results() {
    let home = tempfile::tempdir().unwrap();
    let index = open_bytes(&home, &snap_bytes()).unwrap();
    let many: Vec<f32> = values().into_iter().cycle().take(DIM * (2 * QUERY_GROUP + 3)).collect();
    let together = index.search(MatrixF32::new(&many, DIM).unwrap(), 3, None).unwrap();
    let one_by_one = many
        .chunks_exact(DIM)
        .map(|query| index.search(MatrixF32::new(query, DIM).unwrap(), 3, None).unwrap().remove(0));
    assert!(one_by_one.eq(together));
}

#[test]
fn every_long_call_ends_at_an_interrupt() {
    let home = tempfile::tempdir().unwrap();
    let (index, values) = (open_bytes(&home, &snap_bytes()).unwrap(), values());
    let queries = MatrixF32::new(&values, DIM).unwrap();
    let interrupt = Interrupt::new(&|| true);
    assert!(matches!(index.search_with(queries, 3, None, 2, interrupt), Err(Error::Stopped)));
    assert!(matches!(index.verify_with(interrupt), Err(Error::Stopped)));
    assert!(matches!(index.warm_up(interrupt), Err(Error::Stopped)));
}

proptest! {
    /// Fuzzing of the format: a mutated file is refused or searched, and nothing else happens.
    #[test]
    fn a_mutated_file_is_refused_or_searched_safely(
        edits in prop::collection::vec((0..HEADER + 320, any::<u8>()), 0..6),
        small in prop::option::of((prop::sample::select(&FIELDS[..]), 0_u32..5000)),
        length in prop::option::of(0_usize..600),
        resealed: bool,
    ) {
        let home = tempfile::tempdir().unwrap();
        let whole = snap_bytes();
        let mut bytes = whole.clone();
        edits.iter().for_each(|&(offset, byte)| if offset < bytes.len() { bytes[offset] = byte });
        small.iter().for_each(|&(offset, word)| put(&mut bytes, offset, word));
        bytes.resize(length.unwrap_or(bytes.len()), 0);
        if resealed {
            reseal(&mut bytes);
        }
        let (opened, max) = largest_allocation(|| open_bytes(&home, &bytes));
        prop_assert!(max <= 1 << 12, "{max} bytes were allocated at once");
        let Ok(index) = opened else { return Ok(()) };
        if index.verify().is_ok() && !resealed {
            prop_assert_eq!(&bytes, &whole);
        }
        let query = vec![0.5; index.dim()];
        let hits = index.search(MatrixF32::new(&query, index.dim()).unwrap(), 3, None).unwrap().remove(0);
        prop_assert_eq!(hits.len(), index.rows().min(3));
        prop_assert!(hits.iter().all(|hit| index.vector(hit.row as usize).is_ok()));
    }
}

/// Truncate the file at `path` as another program may, at once and in place.
#[cfg(unix)]
pub(crate) fn truncate(path: &Path, bytes: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_is_truncated_while_it_is_mapped_is_an_error_and_no_crash() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.snap");
    for (load, is_found) in [(LoadMode::Map, true), (LoadMode::Ram, false)] {
        build_at(&path, &values(), DIM, Some(&[1, 2, 3, 4, 5])).unwrap();
        let index = FlatIndex::open(&path, load).unwrap();
        truncate(&path, 0);
        let query = vec![1.0; DIM];
        let found = [
            index.search(MatrixF32::new(&query, DIM).unwrap(), 3, None).err(),
            index.vector(2).err(),
            index.warm_up(Interrupt::NEVER).err(),
            index.verify().err(),
            index.check_length().err(),
        ];
        for error in found {
            assert_eq!(error.is_some(), is_found, "{load:?}: {error:?}");
            let violation = error.map(|error| error.to_string());
            assert!(violation.is_none_or(|text| text.contains("it was truncated")));
        }
    }
}
