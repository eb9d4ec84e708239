//! An open flat index: mapped, validated once when it is opened, then searched without further checks.

use std::path::Path;

use crate::error::{Error, FilterUnit, FormatError, Result};
use crate::flat::build::{SECTIONS_WITH_IDS, check_id_order, sections};
use crate::flat::scan::Int8Rows;
use crate::kernels::dot_i8::{DotI8, ROW_LIMIT};
use crate::kernels::stride;
use crate::matrix::{MatrixF32, max_abs};
use crate::parallel::{Interrupt, run_each};
use crate::quantizer::magnitude::{
    ScaledQuery, UNIT_QUERY_ERROR, exponent_of, hits_with_ties, is_unit, unit_score,
};
use crate::quantizer::sq8::{QuantizedQuery, decode_row};
use crate::storage::format::{CHUNK_BYTES, Header, KIND_FLAT, Section, check_section};
use crate::storage::mmap::{IndexBytes, LoadMode, prefault};
use crate::topk::bitmap::RowBitmap;
use crate::topk::reservoir::{Hit, TopK};

/// Queries that are scanned together, so that codes are read from memory once for all of them.
pub const QUERY_GROUP: usize = 16;

/// Products of a code with a query between two checks of the interrupt: tens of milliseconds with AVX2.
const STEP_PRODUCTS: usize = 1 << 28;

/// Bounds the rounding error of the score of a unit vector, in scales of its row: 5 standard deviations of uniform errors (each
/// of 1/√12), and the length of a float16 vector.
const UNIT_ERROR_SCALES: f32 = 1.5;

/// An immutable flat index, mapped or loaded into memory. Safe to search from many threads at once.
///
/// The file must not be changed or truncated while it is mapped: a new one is only ever renamed over it, which leaves the
/// mapped one as it was. A truncated one is found when a search begins, see [`FlatIndex::check_length`].
#[derive(Debug)]
pub struct FlatIndex {
    file: IndexBytes,
    header: Header,
    kernel: DotI8,
    /// The exponent of the largest magnitude in the rows.
    exponent: i32,
}

impl FlatIndex {
    /// Open the index at `path` and validate its structure, scales and ids; the codes of a mapped one are not read.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be opened, [`Error::Format`] if it is no flat index or a damaged one.
    pub fn open(path: &Path, load: LoadMode) -> Result<Self> {
        let file = load.open(path)?;
        let header = validate(&file).map_err(Error::format(path))?;
        let scales: &[f32] = bytemuck::cast_slice(header.sections[1].bytes(&file));
        let exponent = exponent_of(max_abs(scales) * ROW_LIMIT as f32);
        Ok(Self { file, header, kernel: DotI8::fastest(), exponent })
    }

    /// Check that another program has not truncated the mapped file. Every method that reads it does, and returns this error;
    /// only [`FlatIndex::ids`] does not.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], or [`Error::Storage`] if the system refuses.
    pub fn check_length(&self) -> Result<()> {
        self.file.check_length()
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
    /// `queries` has shape (q, dim). Each result has min(k, allowed) hits.
    ///
    /// # Errors
    /// [`Error::Dim`], [`Error::NotFinite`] or [`Error::FilterLength`].
    pub fn search(
        &self,
        queries: MatrixF32<'_>,
        k: usize,
        allow: Option<&RowBitmap>,
    ) -> Result<Vec<Vec<Hit>>> {
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
        allow: Option<&RowBitmap>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Vec<Hit>>> {
        self.check_length()?;
        queries.check(self.dim())?;
        if let Some(allow) = allow.filter(|allow| allow.rows() != self.rows()) {
            return Err(Error::FilterLength {
                by: FilterUnit::Rows,
                expected: self.rows(),
                got: allow.rows(),
            });
        }
        let k = self.k_effective(k, allow);
        let group = queries.len().div_ceil(threads.max(1)).clamp(1, QUERY_GROUP);
        let groups = queries.values().chunks(group * self.dim());
        let search = |group| self.search_group(group, k, allow, interrupt);
        Ok(run_each(threads, groups, search)?.into_iter().flatten().collect())
    }

    /// Number of hits in every result: min(k, allowed).
    pub fn k_effective(&self, k: usize, allow: Option<&RowBitmap>) -> usize {
        k.min(allow.map_or(self.rows(), RowBitmap::allowed))
    }

    /// Search for a group of queries in one pass over the codes; `k` is at most the number of allowed rows.
    fn search_group(
        &self,
        queries: &[f32],
        k: usize,
        allow: Option<&RowBitmap>,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<Vec<Hit>>> {
        let vectors = queries.chunks_exact(self.dim());
        let mut scaled = vec![ScaledQuery::default(); vectors.len()];
        let queries: Vec<QuantizedQuery> = std::iter::zip(vectors.clone(), &mut scaled)
            .map(|(query, scaled)| QuantizedQuery::new(scaled.scale(query, self.exponent)))
            .collect();
        let mut tops = vec![TopK::new(k); queries.len()];
        let rows = Int8Rows::new(self.codes(), self.scales(), stride(self.dim()));
        let step = (STEP_PRODUCTS / (stride(self.dim()) * queries.len().max(1))).max(1);
        for start in (0..if k > 0 { self.rows() } else { 0 }).step_by(step) {
            interrupt.check()?;
            let range = start..self.rows().min(start + step);
            rows.scan(range, self.kernel, &queries, allow, &mut tops);
        }
        let found = tops.into_iter().map(TopK::into_hits);
        let mut results = Vec::with_capacity(scaled.len());
        for (mut hits, (query, scaled)) in found.zip(vectors.zip(&scaled)) {
            let may_tie = self.finish_scores(&mut hits, query, scaled);
            if let Some(more) = hits_with_ties(k, self.k_effective(usize::MAX, allow)).filter(|_| may_tie) {
                hits = self.search_group(query, more, allow, interrupt)?.pop().unwrap_or_default();
                hits.truncate(k);
            }
            results.push(hits);
        }
        Ok(results)
    }

    /// Give hits the scores of the query itself, at most 1 where query and row are unit vectors; ties by lower row. Return
    /// whether the last one was limited so: then rows that were not found may tie with it.
    fn finish_scores(&self, hits: &mut [Hit], query: &[f32], scaled: &ScaledQuery) -> bool {
        hits.iter_mut().for_each(|hit| hit.score = scaled.score(hit.score));
        if hits.iter().all(|hit| hit.score.abs() <= 1.0) || !is_unit(query, UNIT_QUERY_ERROR) {
            return false;
        }
        let last = hits.last().map(|hit| hit.score);
        for hit in &mut *hits {
            let (row, error) = (hit.row as usize, UNIT_ERROR_SCALES * self.scales()[hit.row as usize]);
            hit.score = unit_score(hit.score, error, || is_unit(&self.decode(row), error));
        }
        let is_limited = hits.last().map(|hit| hit.score) != last;
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
        is_limited
    }

    /// Return the stored vector of a row, shape (dim,): each value within half a scale of the original.
    ///
    /// # Errors
    /// [`Error::RowRange`] if there is no such row.
    pub fn vector(&self, row: usize) -> Result<Vec<f32>> {
        if row >= self.rows() {
            return Err(Error::RowRange { rows: self.rows(), got: row });
        }
        self.check_length()?;
        Ok(self.decode(row))
    }

    fn decode(&self, row: usize) -> Vec<f32> {
        let stride = stride(self.dim());
        let mut values = vec![0.0; self.dim()];
        decode_row(&self.codes()[row * stride..], self.scales()[row], &mut values);
        values
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
        self.check_length()?;
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
        self.check_length()?;
        let header = validate(&self.file).map_err(Error::format(self.file.path()))?;
        header.verify(&self.file, self.file.path(), interrupt)
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
pub(crate) mod tests;
