//! An open flat index: mapped, validated once when it is opened, then searched without further checks.

use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::{Error, FilterUnit, FormatError, Result};
use crate::flat::build::{SECTIONS_WITH_IDS, check_id_order, sections};
use crate::flat::scan::Int8Rows;
use crate::kernels::dot_i8::DotI8;
use crate::kernels::stride;
use crate::matrix::MatrixF32;
use crate::parallel::{Interrupt, run_each};
use crate::quantizer::sq8::{QuantizedQuery, decode_row};
use crate::storage::format::{CHUNK_BYTES, Header, KIND_FLAT, Section, check_section};
use crate::storage::mmap::{LoadMode, prefault};
use crate::topk::reservoir::{Hit, TopK};

/// Queries that are scanned together, so that codes are read from memory once for all of them.
pub const QUERY_GROUP: usize = 16;

/// Products of a code with a query between two checks of the interrupt: tens of milliseconds with AVX2.
const STEP_PRODUCTS: usize = 1 << 28;

/// An immutable flat index, mapped into memory. Safe to search from many threads at once.
///
/// The file must not be changed or truncated while it is mapped: a new one is only ever renamed over it, which leaves the
/// mapped one as it was.
#[derive(Debug)]
pub struct FlatIndex {
    path: PathBuf,
    file: Mmap,
    header: Header,
    kernel: DotI8,
}

impl FlatIndex {
    /// Map the index at `path` and validate its structure, scales and ids; codes are not read.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be opened, [`Error::Format`] if it is no flat index or a damaged one.
    pub fn open(path: &Path) -> Result<Self> {
        let file = LoadMode::Map.bytes(path)?;
        let header = validate(&file).map_err(Error::format(path))?;
        Ok(Self { path: path.to_path_buf(), file, header, kernel: DotI8::fastest() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.header.rows as usize
    }

    /// Dimension of a vector.
    pub fn dim(&self) -> usize {
        self.header.dim as usize
    }

    /// Name of the kernel that scans: `avx2`, `neon` or `scalar`.
    pub fn kernel(&self) -> &'static str {
        self.kernel.name()
    }

    /// Return the best `k` allowed rows for each query, best first, ties by lower row: exact over the stored codes.
    ///
    /// `queries` has shape (q, dim), `allow` one flag per row. Each result has min(k, allowed) hits.
    ///
    /// # Errors
    /// [`Error::Dim`], [`Error::NotFinite`] or [`Error::FilterLength`].
    pub fn search(&self, queries: MatrixF32<'_>, k: usize, allow: Option<&[bool]>) -> Result<Vec<Vec<Hit>>> {
        self.search_with(queries, k, allow, 1, Interrupt::NEVER)
    }

    /// [`FlatIndex::search`] on up to `threads` threads, which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`FlatIndex::search`], and [`Error::Stopped`].
    pub fn search_with(
        &self,
        queries: MatrixF32<'_>,
        k: usize,
        allow: Option<&[bool]>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Vec<Hit>>> {
        queries.check(self.dim())?;
        if let Some(flags) = allow.filter(|flags| flags.len() != self.rows()) {
            return Err(Error::FilterLength {
                by: FilterUnit::Rows,
                expected: self.rows(),
                got: flags.len(),
            });
        }
        let k = self.k_effective(k, allow);
        let group = queries.len().div_ceil(threads.max(1)).clamp(1, QUERY_GROUP);
        let groups = queries.values().chunks(group * self.dim());
        let search = |group| self.search_group(group, k, allow, interrupt);
        Ok(run_each(threads, groups, search)?.into_iter().flatten().collect())
    }

    /// Number of hits in every result: min(k, allowed).
    pub fn k_effective(&self, k: usize, allow: Option<&[bool]>) -> usize {
        k.min(allow.map_or(self.rows(), |flags| flags.iter().filter(|&&flag| flag).count()))
    }

    /// Search for a group of queries in one pass over the codes; `k` is at most the number of allowed rows.
    fn search_group(
        &self,
        queries: &[f32],
        k: usize,
        allow: Option<&[bool]>,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Vec<Hit>>> {
        let queries: Vec<QuantizedQuery> =
            queries.chunks_exact(self.dim()).map(QuantizedQuery::new).collect();
        let mut tops = vec![TopK::new(k); queries.len()];
        let rows = Int8Rows::new(self.codes(), self.scales(), stride(self.dim()));
        let step = (STEP_PRODUCTS / (stride(self.dim()) * queries.len().max(1))).max(1);
        for start in (0..if k > 0 { self.rows() } else { 0 }).step_by(step) {
            interrupt.check()?;
            let range = start..self.rows().min(start + step);
            rows.scan(range, self.kernel, &queries, allow, &mut tops);
        }
        Ok(tops.into_iter().map(TopK::into_hits).collect())
    }

    /// Return the stored vector of a row, shape (dim,): each value within half a scale of the original.
    ///
    /// # Errors
    /// [`Error::RowRange`] if there is no such row.
    pub fn vector(&self, row: usize) -> Result<Vec<f32>> {
        if row >= self.rows() {
            return Err(Error::RowRange { rows: self.rows(), got: row });
        }
        let stride = stride(self.dim());
        let mut values = vec![0.0; self.dim()];
        decode_row(&self.codes()[row * stride..], self.scales()[row], &mut values);
        Ok(values)
    }

    /// Return the ids of the rows, rising, if the file has any; otherwise a row's number is its id.
    pub fn ids(&self) -> Option<&[i64]> {
        let sections = &self.header.sections;
        let ids = (sections.len() == SECTIONS_WITH_IDS).then(|| sections[2].bytes(&self.file));
        ids.map(bytemuck::cast_slice)
    }

    /// Prefault the whole file.
    ///
    /// # Errors
    /// [`Error::Stopped`] if `interrupt` says so.
    pub fn warm_up(&self, interrupt: Interrupt<'_>) -> Result<()> {
        prefault(&self.file, interrupt)
    }

    /// Read the whole file and check every checksum and every padding byte.
    ///
    /// # Errors
    /// [`Error::Format`] with the damaged section.
    pub fn verify(&self) -> Result<()> {
        self.verify_with(Interrupt::NEVER)
    }

    /// [`FlatIndex::verify`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`FlatIndex::verify`], and [`Error::Stopped`].
    pub fn verify_with(&self, interrupt: Interrupt<'_>) -> Result<()> {
        let header = validate(&self.file).map_err(Error::format(&self.path))?;
        header.verify(&self.file, &self.path, interrupt)
    }

    fn codes(&self) -> &[i8] {
        bytemuck::cast_slice(self.header.sections[0].bytes(&self.file))
    }

    fn scales(&self) -> &[f32] {
        bytemuck::cast_slice(self.header.sections[1].bytes(&self.file))
    }
}

/// Validate everything that the methods of [`FlatIndex`] rely on.
fn validate(file: &[u8]) -> std::result::Result<Header, FormatError> {
    let header = Header::decode(file)?;
    header.expect(KIND_FLAT)?;
    let with_ids = header.sections.len() == SECTIONS_WITH_IDS;
    header.expect_sections(&sections(header.rows, header.dim as usize, with_ids))?;
    let scales = &header.sections[1];
    check_scales(scales, scales.bytes(file))?;
    if with_ids {
        let ids = &header.sections[2];
        check_section(ids, ids.bytes(file))?;
        check_id_order(bytemuck::cast_slice(ids.bytes(file)))?;
    }
    Ok(header)
}

fn check_scales(section: &Section, bytes: &[u8]) -> std::result::Result<(), FormatError> {
    check_section(section, bytes)?;
    let bits: &[u32] = bytemuck::cast_slice(bytes);
    // As bits, negative numbers, infinities and NaN are all larger than the finite positive numbers.
    let limit = f32::INFINITY.to_bits();
    if bits.iter().fold(0, |max, &scale| scale.max(max)) < limit {
        return Ok(());
    }
    let row = bits.iter().position(|&scale| scale >= limit).unwrap_or(0);
    Err(FormatError::Scale { row, got: f32::from_bits(bits[row]) })
}

// A mapped file begins at a page, and sections at multiples of 64 bytes, so `cast_slice` cannot fail; and a chunk is a
// multiple of every type's size.
const _: () = assert!(CHUNK_BYTES.is_multiple_of(size_of::<f32>()));

#[cfg(test)]
mod tests {
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
        FlatIndex::open(&path)
    }

    fn put(bytes: &mut [u8], offset: usize, word: u32) {
        bytes[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn validation(bytes: &[u8], offset: usize) -> usize {
        u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap()) as usize
    }

    /// Recompute every checksum, as far as the offsets are valid: then only the fields are wrong.
    fn reseal(bytes: &mut [u8]) {
        if bytes.len() < HEADER {
            return;
        }
        for entry in [TABLE, TABLE + 32, TABLE + 64] {
            let (start, size) = (validation(bytes, entry + 8), validation(bytes, entry + 16));
            let end = start.saturating_add(size);
            if let Some(section) = bytes.get(start..end) {
                let crc = crc32c::crc32c(section);
                put(bytes, entry + 24, crc);
            }
        }
        let size = validation(bytes, 12) as u32 as usize;
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
        let results = index.search(queries, 9, Some(&[true, false, true, true, true])).unwrap();
        assert!(results.len() == ROWS && results.iter().all(|hits| hits.len() == 4));
        assert!(results.iter().all(|hits| hits.is_sorted_by(|a, b| a.score >= b.score)));
        assert_eq!(results[2][0].row, 2);
        assert!(matches!(index.search(queries, 1, Some(&[true])), Err(Error::FilterLength { .. })));
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
}
