//! Reading a shard: mapped, checked once at the door, then searched without further checks.

use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::build as flat;
use crate::error::{Error, Fault, Result};
use crate::file::format::{CHUNK_BYTES, Header, KIND_FLAT, Section, check_section};
use crate::file::load::{Load, touch};
use crate::hits::topk::{Hit, TopK};
use crate::parallel::{Interrupt, run_each};
use crate::scan::{Scanner, Tier};
use crate::vectors::{Query, Vectors, decode_row, stride};

/// Queries that are scanned side by side, so that codes are read from memory once for all of them.
pub const QUERY_GROUP: usize = 16;

/// Products of a code with a query between two looks at the interrupt: tens of milliseconds with AVX2.
const STEP_PRODUCTS: usize = 1 << 28;

/// An immutable shard, mapped into memory. Safe to search from many threads at once.
///
/// The file must not be changed or cut while it is mapped: the library only ever replaces a shard by renaming
/// a new file over it, which leaves the mapped one as it was.
#[derive(Debug)]
pub struct Shard {
    path: PathBuf,
    file: Mmap,
    header: Header,
    scanner: Scanner,
}

impl Shard {
    /// Map the shard at `path` and check its structure and its scales; codes are not read.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be opened, [`Error::Format`] if it is no shard or a damaged one.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Load::Map.bytes(path)?;
        let header = checked_header(&file).map_err(Error::format(path))?;
        Ok(Self { path: path.to_path_buf(), file, header, scanner: Scanner::fastest() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.header.rows as usize
    }

    /// Dimension of a vector.
    pub fn dim(&self) -> usize {
        self.header.dim as usize
    }

    /// Name of the kernel that searches: `avx2`, `neon` or `scalar`.
    pub fn kernel(&self) -> &'static str {
        self.scanner.name()
    }

    /// The best `k` allowed rows for each query, best first, ties by lower row: exact over the int8 tier.
    ///
    /// `queries` has shape (q, dim), `allow` one flag per row. Each answer holds min(k, allowed) hits.
    ///
    /// # Errors
    /// [`Error::Dim`], [`Error::NotFinite`] or [`Error::AllowLength`].
    pub fn search(&self, queries: Vectors<'_>, k: usize, allow: Option<&[bool]>) -> Result<Vec<Vec<Hit>>> {
        self.search_with(queries, k, allow, 1, Interrupt::NEVER)
    }

    /// [`Shard::search`] on up to `threads` threads, which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`Shard::search`], and [`Error::Stopped`].
    pub fn search_with(
        &self,
        queries: Vectors<'_>,
        k: usize,
        allow: Option<&[bool]>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Vec<Hit>>> {
        queries.check(self.dim())?;
        if let Some(flags) = allow.filter(|flags| flags.len() != self.rows()) {
            return Err(Error::AllowLength { expected: self.rows(), got: flags.len() });
        }
        let k = self.k_effective(k, allow);
        let group = queries.len().div_ceil(threads.max(1)).clamp(1, QUERY_GROUP);
        let groups = queries.values().chunks(group * self.dim());
        let search = |group| self.search_group(group, k, allow, interrupt);
        Ok(run_each(threads, groups, search)?.into_iter().flatten().collect())
    }

    /// Hits in every answer: min(k, allowed).
    pub fn k_effective(&self, k: usize, allow: Option<&[bool]>) -> usize {
        k.min(allow.map_or(self.rows(), |flags| flags.iter().filter(|&&flag| flag).count()))
    }

    /// The best `k` of the allowed rows, of which there are as many, for each of a few queries: one pass over the codes.
    fn search_group(
        &self,
        queries: &[f32],
        k: usize,
        allow: Option<&[bool]>,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Vec<Hit>>> {
        let queries: Vec<Query> = queries.chunks_exact(self.dim()).map(Query::new).collect();
        let mut tops = vec![TopK::new(k); queries.len()];
        let tier = Tier::new(self.codes(), self.scales(), stride(self.dim()));
        let step = (STEP_PRODUCTS / (stride(self.dim()) * queries.len().max(1))).max(1);
        for start in (0..if k > 0 { self.rows() } else { 0 }).step_by(step) {
            interrupt.check()?;
            let rows = start..self.rows().min(start + step);
            tier.scan(rows, self.scanner, &queries, allow, &mut tops);
        }
        Ok(tops.into_iter().map(TopK::into_hits).collect())
    }

    /// The stored vector of a row, shape (dim,): each value within half a scale of what was appended.
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

    /// The ids of the rows, rising, if the file has any; otherwise a row's number is its id.
    pub fn ids(&self) -> Option<&[i64]> {
        let sections = &self.header.sections;
        let ids = (sections.len() == flat::SECTIONS_WITH_IDS).then(|| sections[2].bytes(&self.file));
        ids.map(bytemuck::cast_slice)
    }

    /// Bring the whole file into memory, as far as it is not there yet.
    ///
    /// # Errors
    /// [`Error::Stopped`] if `interrupt` says so.
    pub fn warm(&self, interrupt: Interrupt<'_>) -> Result<()> {
        touch(&self.file, interrupt)
    }

    /// Read the whole file and check every checksum and every byte between sections.
    ///
    /// # Errors
    /// [`Error::Format`], naming the damaged place.
    pub fn verify(&self) -> Result<()> {
        self.verify_with(Interrupt::NEVER)
    }

    /// [`Shard::verify`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`Shard::verify`], and [`Error::Stopped`].
    pub fn verify_with(&self, interrupt: Interrupt<'_>) -> Result<()> {
        let header = checked_header(&self.file).map_err(Error::format(&self.path))?;
        header.verify(&self.file, &self.path, interrupt)
    }

    fn codes(&self) -> &[i8] {
        bytemuck::cast_slice(self.header.sections[0].bytes(&self.file))
    }

    fn scales(&self) -> &[f32] {
        bytemuck::cast_slice(self.header.sections[1].bytes(&self.file))
    }
}

/// Everything that the methods of [`Shard`] rely on.
fn checked_header(file: &[u8]) -> std::result::Result<Header, Fault> {
    let header = Header::decode(file)?;
    header.expect(KIND_FLAT)?;
    let with_ids = header.sections.len() == flat::SECTIONS_WITH_IDS;
    header.expect_sections(&flat::layout(header.rows, header.dim as usize, with_ids))?;
    let scales = &header.sections[1];
    check_scales(scales, scales.bytes(file))?;
    if with_ids {
        let ids = &header.sections[2];
        check_section(ids, ids.bytes(file))?;
        flat::check_ids(bytemuck::cast_slice(ids.bytes(file)))?;
    }
    Ok(header)
}

fn check_scales(section: &Section, bytes: &[u8]) -> std::result::Result<(), Fault> {
    check_section(section, bytes)?;
    let bits: &[u32] = bytemuck::cast_slice(bytes);
    // As bits, negative numbers, infinities and NaN all lie above the finite numbers.
    let limit = f32::INFINITY.to_bits();
    if bits.iter().fold(0, |most, &scale| scale.max(most)) < limit {
        return Ok(());
    }
    let row = bits.iter().position(|&scale| scale >= limit).unwrap_or(0);
    Err(Fault::Scale { row, got: f32::from_bits(bits[row]) })
}

// A mapped file begins at a page, and sections at multiples of 64 bytes in it, so `cast_slice` cannot fail;
// and a chunk is whole in every type.
const _: () = assert!(CHUNK_BYTES.is_multiple_of(size_of::<f32>()));

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::allocation::largest;
    use crate::error::ErrorKind;
    use crate::flat::writer::ShardWriter;

    const ROWS: usize = 5;
    const DIM: usize = 20;
    // Of a file with three sections; docs/FORMAT.md gives the offsets within.
    const TABLE: usize = 48;
    const HEADER: usize = TABLE + 3 * 32 + 4;

    /// Where numbers lie that open or search believes once the checksums are right.
    const FIELDS: [usize; 11] = [8, 12, 16, 20, 24, 32, 40, 56, 64, 88, 96];

    fn values() -> Vec<f32> {
        (0..ROWS * DIM).map(|n| (n as f32 * 0.7).sin()).collect()
    }

    /// The bytes of a whole file, written once.
    fn snap_bytes() -> Vec<u8> {
        static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("whole.snap");
            let mut writer = ShardWriter::create(&path, DIM).unwrap();
            writer.append(Vectors::new(&values(), DIM).unwrap()).unwrap();
            writer.finish().unwrap();
            fs::read(path).unwrap()
        });
        BYTES.clone()
    }

    fn open_bytes(home: &TempDir, bytes: &[u8]) -> Result<Shard> {
        // A new file each time: the one before may still be mapped.
        let path = home.path().join("edited.snap");
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        Shard::open(&path)
    }

    fn put(bytes: &mut [u8], at: usize, word: u32) {
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn field(bytes: &[u8], at: usize) -> usize {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
    }

    /// Make every checksum right again, as far as the offsets make sense: what is left are lies, not damage.
    fn reseal(bytes: &mut [u8]) {
        if bytes.len() < HEADER {
            return;
        }
        for entry in [TABLE, TABLE + 32, TABLE + 64] {
            let (start, size) = (field(bytes, entry + 8), field(bytes, entry + 16));
            let end = start.saturating_add(size);
            if let Some(section) = bytes.get(start..end) {
                let crc = crc32c::crc32c(section);
                put(bytes, entry + 24, crc);
            }
        }
        let size = field(bytes, 12) as u32 as usize;
        if (4..=bytes.len()).contains(&size) {
            let crc = crc32c::crc32c(&bytes[..size - 4]);
            put(bytes, size - 4, crc);
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let home = tempfile::tempdir().unwrap();
        let whole = snap_bytes();
        open_bytes(&home, &whole).unwrap().verify().unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let verified = open_bytes(&home, &bytes).and_then(|shard| shard.verify());
            assert_eq!(verified.unwrap_err().kind(), ErrorKind::Format, "bit {bit}");
        }
    }

    #[test]
    fn every_other_length_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let mut bytes = snap_bytes();
        bytes.push(0);
        for length in (0..bytes.len()).filter(|&length| length != bytes.len() - 1) {
            let error = open_bytes(&home, &bytes[..length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "length {length}");
        }
        assert!(matches!(
            open_bytes(&home, &bytes),
            Err(Error::Format { fault: Fault::FileSize { .. }, .. })
        ));
    }

    #[test]
    fn every_lie_is_named() {
        let lies: [(usize, u32, &str); 19] = [
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
        for (at, word, message) in lies {
            let mut bytes = whole.clone();
            put(&mut bytes, at, word);
            reseal(&mut bytes);
            let error = open_bytes(&home, &bytes).unwrap_err().to_string();
            assert!(error.contains(message), "at {at}: {error}");
        }
    }

    #[test]
    fn padding_must_be_zero() {
        let home = tempfile::tempdir().unwrap();
        let mut bytes = snap_bytes();
        bytes[HEADER + 1] = 9;
        let error = open_bytes(&home, &bytes).unwrap().verify().unwrap_err();
        assert!(
            matches!(error, Error::Format { fault: Fault::Padding { offset: 149, got: 9 }, .. }),
            "{error}"
        );
    }

    #[test]
    fn an_answer_is_best_first_and_as_wide_as_allowed() {
        let home = tempfile::tempdir().unwrap();
        let shard = open_bytes(&home, &snap_bytes()).unwrap();
        let values = values();
        let queries = Vectors::new(&values, DIM).unwrap();
        let answers = shard.search(queries, 9, Some(&[true, false, true, true, true])).unwrap();
        assert!(answers.len() == ROWS && answers.iter().all(|hits| hits.len() == 4));
        assert!(answers.iter().all(|hits| hits.is_sorted_by(|a, b| a.score >= b.score)));
        assert_eq!(answers[2][0].row, 2);
        assert!(matches!(shard.search(queries, 1, Some(&[true])), Err(Error::AllowLength { .. })));
        assert!(matches!(shard.vector(ROWS), Err(Error::RowRange { rows: ROWS, got: ROWS })));
    }

    #[test]
    fn more_queries_than_a_group_are_all_answered() {
        let home = tempfile::tempdir().unwrap();
        let shard = open_bytes(&home, &snap_bytes()).unwrap();
        let many: Vec<f32> = values().into_iter().cycle().take(DIM * (2 * QUERY_GROUP + 3)).collect();
        let together = shard.search(Vectors::new(&many, DIM).unwrap(), 3, None).unwrap();
        let one_by_one = many
            .chunks_exact(DIM)
            .map(|query| shard.search(Vectors::new(query, DIM).unwrap(), 3, None).unwrap().remove(0));
        assert!(one_by_one.eq(together));
    }

    #[test]
    fn every_long_call_ends_at_an_interrupt() {
        let home = tempfile::tempdir().unwrap();
        let (shard, values) = (open_bytes(&home, &snap_bytes()).unwrap(), values());
        let queries = Vectors::new(&values, DIM).unwrap();
        let interrupt = Interrupt::new(&|| true);
        assert!(matches!(shard.search_with(queries, 3, None, 2, interrupt), Err(Error::Stopped)));
        assert!(matches!(shard.verify_with(interrupt), Err(Error::Stopped)));
        assert!(matches!(shard.warm(interrupt), Err(Error::Stopped)));
    }

    proptest! {
        /// The fuzzing of the format: a file of lies and damage is refused or searched, and nothing else.
        #[test]
        fn no_file_can_do_harm(
            edits in prop::collection::vec((0..HEADER + 320, any::<u8>()), 0..6),
            small in prop::option::of((prop::sample::select(&FIELDS[..]), 0_u32..5000)),
            length in prop::option::of(0_usize..600),
            resealed: bool,
        ) {
            let home = tempfile::tempdir().unwrap();
            let whole = snap_bytes();
            let mut bytes = whole.clone();
            edits.iter().for_each(|&(at, byte)| if at < bytes.len() { bytes[at] = byte });
            small.iter().for_each(|&(at, word)| put(&mut bytes, at, word));
            bytes.resize(length.unwrap_or(bytes.len()), 0);
            if resealed {
                reseal(&mut bytes);
            }
            let (opened, most) = largest(|| open_bytes(&home, &bytes));
            prop_assert!(most <= 1 << 12, "{most} bytes were asked for");
            let Ok(shard) = opened else { return Ok(()) };
            if shard.verify().is_ok() && !resealed {
                prop_assert_eq!(&bytes, &whole);
            }
            let query = vec![0.5; shard.dim()];
            let hits = shard.search(Vectors::new(&query, shard.dim()).unwrap(), 3, None).unwrap().remove(0);
            prop_assert_eq!(hits.len(), shard.rows().min(3));
            prop_assert!(hits.iter().all(|hit| shard.vector(hit.row as usize).is_ok()));
        }
    }
}
