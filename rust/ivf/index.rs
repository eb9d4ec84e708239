//! An open IVF index: mapped or loaded, validated once when it is opened, then searched without further checks.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytemuck::cast_slice;

use crate::error::{Error, FilterUnit, Result};
use crate::ivf::calibration::{CalibrationPoint, KindRule, QueryKind};
use crate::ivf::filter::{CopiedBytes, IvfFilter};
use crate::ivf::layout::IvfLayout;
use crate::ivf::probe::rank_unit;
use crate::ivf::rerank::Reranker;
use crate::ivf::row_ids::RowIds;
use crate::ivf::search::{SearchParams, SearchScratch};
use crate::ivf::sections::Sections;
use crate::ivf::validate::{section, validate};
use crate::kernels::dot_f16::DotF16;
use crate::kernels::dot_i8::{DotI8, ROW_LIMIT};
use crate::kernels::fastscan::FastScan;
use crate::matrix::{MatrixF32, max_abs};
use crate::parallel::Interrupt;
use crate::quantizer::codebook::Codebooks;
use crate::quantizer::magnitude::{exponent_of, length};
use crate::quantizer::row_scales::RowScales;
use crate::storage::format::{Header, Tag};
use crate::storage::hot_copy::HotCopy;
use crate::storage::mmap::{IndexBytes, LoadMode, prefault};
use crate::storage::section_writer::SectionWriter;
use crate::topk::bitmap::RowBitmap;
use crate::topk::packed_ids::RowIdSlice;

/// The first and the last of the sections that every search reads: the projection, centroids and codes.
const HOT_SECTIONS: [Tag; 2] = [Tag::B, Tag::BLOCKS];

/// The first and the last of the sections of which a search reads some hundred rows: eight times as large.
const HOT_REFINE_SECTIONS: [Tag; 2] = [Tag::IDS, Tag::SCALES];

/// Searches before the refine codes are copied: a process that answers a few queries does not wait for a copy of most of the
/// file.
const SEARCHES_BEFORE_COPY: u32 = 64;

/// Rows by which an index is judged to hold unit vectors.
const UNIT_SAMPLE_ROWS: usize = 64;

/// The mean length of those rows is more precise than each by about the square root of their number; codes without refine codes
/// shorten all rows a little.
const MEAN_PRECISION: f32 = 4.0;

/// The rows that may be found, as a caller specifies them.
#[derive(Clone, Copy, Debug)]
pub enum Allow<'a> {
    /// One flag for each id from 0 to the largest.
    Flags(&'a [bool]),
    /// The ids, in any order.
    Ids(&'a [i64]),
    /// One bit for each id from 0 to the largest, from the lowest bit of a byte on.
    Bits(&'a [u8]),
    /// One flag for each row, in row order.
    Rows(&'a [bool]),
}

/// An immutable IVF index, safe to search from many threads at once.
///
/// The file must not be changed or truncated while it is mapped: a new one is only ever renamed over it. A truncated one is
/// found when a search begins, see [`IvfIndex::check_length`].
#[derive(Debug)]
pub struct IvfIndex {
    file: Arc<IndexBytes>,
    /// What every search reads, on huge pages.
    hot: HotCopy,
    /// The refine codes, likewise.
    hot_refine: HotCopy,
    /// Searches until the refine codes are copied, too.
    searches_left: AtomicU32,
    header: Header,
    layout: IvfLayout,
    codebooks: Codebooks,
    routing_codebooks: Codebooks,
    kernels: (DotI8, DotF16, FastScan),
    /// The exponent of the largest magnitude in the rows, roughly.
    exponent: i32,
    /// One over the median list weight.
    rank_unit: f32,
    /// Whether rows are unit vectors; found out with the first score past 1.
    unit_rows: OnceLock<bool>,
    /// The row of each id; made with the first filter by id.
    row_ids: OnceLock<RowIds>,
    /// Bytes of the copies that filters have.
    pub(crate) filter_copies: CopiedBytes,
    /// Scratch buffers that no search is using.
    idle: Mutex<Vec<SearchScratch>>,
}

impl IvfIndex {
    /// Open the index at `path` and validate its structure and every section but codes and ids.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be opened, [`Error::Format`] if it is no IVF index or a damaged one.
    pub fn open(path: &Path, load: LoadMode) -> Result<Self> {
        Self::from_bytes(load.open(path)?)
    }

    /// Open the index in these bytes.
    fn from_bytes(file: IndexBytes) -> Result<Self> {
        let (header, layout) = validate(&file).map_err(Error::format(file.path()))?;
        let codebooks = |tag| Codebooks::new(cast_slice(section(&header, &file, tag)));
        let (codebooks, routing_codebooks) = (codebooks(Tag::CODEBOOKS), codebooks(Tag::ROUTING_CODEBOOKS));
        let kernels = (DotI8::fastest(), DotF16::fastest(), FastScan::fastest());
        let largest = |tag| max_abs(cast_slice(section(&header, &file, tag)));
        let centroids = largest(Tag::CENTROID_SCALES) * ROW_LIMIT as f32;
        let scales = RowScales::new(layout.forms.scales, section(&header, &file, Tag::SCALES));
        let rank_unit = rank_unit(cast_slice(section(&header, &file, Tag::LIST_WEIGHTS)));
        let exponent = exponent_of(centroids.max(largest(Tag::CODEBOOKS)).max(scales.max_abs()));
        Ok(Self {
            file: Arc::new(file),
            hot: HotCopy::default(),
            hot_refine: HotCopy::default(),
            searches_left: AtomicU32::new(0),
            header,
            layout,
            codebooks,
            routing_codebooks,
            kernels,
            exponent,
            rank_unit,
            unit_rows: OnceLock::new(),
            row_ids: OnceLock::new(),
            filter_copies: CopiedBytes::default(),
            idle: Mutex::default(),
        })
    }

    /// Begin to copy what every search reads to huge pages in the background, where the system has them and enough memory is
    /// free; after some searches the refine codes, too. Searches use the mapping until a copy is complete.
    pub fn copy_to_huge_pages(&self) {
        self.hot.start(&self.file, self.range_of(HOT_SECTIONS));
        self.searches_left.store(SEARCHES_BEFORE_COPY, Ordering::Relaxed);
    }

    /// Bytes that searches read from huge pages; 0 until they are copied.
    pub fn huge_page_bytes(&self) -> usize {
        self.hot.size_bytes() + self.hot_refine.size_bytes()
    }

    /// Count searches, and begin to copy the refine codes with the last of [`SEARCHES_BEFORE_COPY`].
    pub(crate) fn count_searches(&self, queries: usize) {
        let left = self.searches_left.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        let queries = u32::try_from(queries).unwrap_or(u32::MAX);
        let subtract = |left: u32| Some(left.saturating_sub(queries));
        // Only one thread sees the change to 0.
        let before = self.searches_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract);
        if before.is_ok_and(|before| before > 0 && before <= queries) {
            self.hot_refine.start(&self.file, self.range_of(HOT_REFINE_SECTIONS));
        }
    }

    /// Check that another program has not truncated the mapped file. Every method that reads it and returns a [`Result`]
    /// does; [`IvfIndex::ids`], [`IvfIndex::calibration`] and [`IvfIndex::transform_recalls`] do not.
    ///
    /// # Errors
    /// [`FormatError::Truncated`](crate::error::FormatError::Truncated), or [`Error::Storage`] if the system refuses.
    pub fn check_length(&self) -> Result<()> {
        self.file.check_length()
    }

    /// Its layout: rows, dimensions, lists, codecs.
    pub fn layout(&self) -> &IvfLayout {
        &self.layout
    }

    /// Name of the kernel that scans: `avx2`, `neon` or `scalar`.
    pub fn kernel(&self) -> &'static str {
        self.kernels.2.name()
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.file.len() as u64
    }

    /// Ids in row order, shape (rows,).
    pub fn ids(&self) -> Vec<i64> {
        self.row_id_slice().to_vec(self.layout.rows)
    }

    fn row_id_slice(&self) -> RowIdSlice<'_> {
        RowIdSlice::new(self.layout.forms.ids, self.hot_section(Tag::IDS))
    }

    /// The calibration tables, in the order of [`TABLES`](crate::ivf::calibration::TABLES), each by rising recall. An index of an earlier version has only the
    /// first; all points are the same in one that was built without queries.
    pub fn calibrations(&self) -> Vec<Vec<CalibrationPoint>> {
        let words: &[[u32; 4]] = cast_slice(self.section(Tag::CALIBRATION));
        let table = |words: &[[u32; 4]]| words.iter().map(|&words| CalibrationPoint::decode(words)).collect();
        words.chunks(self.layout.calibration_points.max(1)).map(table).collect()
    }

    /// What a query, shape (dim,), is like.
    ///
    /// # Errors
    /// [`Error::Dim`] or [`Error::NotFinite`].
    pub fn query_kind(&self, query: &[f32]) -> Result<QueryKind> {
        self.check_length()?;
        self.check(MatrixF32::new(query, query.len().max(1))?, None)?;
        Ok(self.kind_rule().kind(query))
    }

    pub(crate) fn kind_rule(&self) -> KindRule<'_> {
        KindRule::new(self.stored_kind_rule())
    }

    /// Recall of each transform that was tried, on a sample, by number; -1 for those not tried.
    pub fn transform_recalls(&self) -> &[f32] {
        cast_slice(self.section(Tag::TRANSFORM_RECALLS))
    }

    /// The rule that distinguishes the kinds of query, in its stored form; empty in an index of an earlier version.
    pub(crate) fn stored_kind_rule(&self) -> &[f32] {
        cast_slice(self.hot_section(Tag::QUERY_KINDS))
    }

    /// The stored thresholds of early termination, shape (2, stop thresholds); empty in an index of an earlier version.
    pub(crate) fn stored_stop_thresholds(&self) -> &[f32] {
        cast_slice(self.section(Tag::STOP_THRESHOLDS))
    }

    /// Return the rows, not the ids, of the best `k` by the stored vectors, for one query, shape (dim,).
    ///
    /// # Errors
    /// As [`IvfIndex::search`].
    pub(crate) fn exact_rows(&self, query: &[f32], k: usize, interrupt: Interrupt<'_>) -> Result<Vec<u32>> {
        self.check_length()?;
        let params = SearchParams { k, nprobe: 0, shortlist: 0, exact: true };
        self.with_scratch(|scratch, sections| {
            let hits = scratch.search(sections, query, (params, QueryKind::Samples), None, interrupt)?;
            Ok(hits.iter().map(|hit| hit.row).collect())
        })
    }

    /// Put a copy of the file with these sections instead of its own, which are as long, in its place. This index stays as it
    /// is.
    ///
    /// # Errors
    /// [`Error::Storage`] if the disk refuses, or if another file is in that place; [`Error::Stopped`].
    pub(crate) fn replace_sections(
        &self,
        sections: &[(Tag, Vec<u8>)],
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        self.check_length()?;
        let path = self.file.path();
        let header = self.header.encode();
        let mut found = Vec::new();
        let length = header.len() as u64;
        let read = File::open(path).and_then(|file| file.take(length).read_to_end(&mut found));
        read.map_err(Error::storage("read", path))?;
        if found != header {
            let replaced = io::Error::other("another file is in its place now; open that one");
            return Err(Error::storage("calibrate", path)(replaced));
        }
        let mut writer = SectionWriter::copy_of(&self.file, self.header.clone(), path, interrupt)?;
        sections.iter().try_for_each(|(tag, bytes)| writer.rewrite_section(*tag, bytes))?;
        writer.persist()
    }

    /// Prepare the rows that `allow` specifies for searches of this index.
    ///
    /// # Errors
    /// [`Error::FilterLength`], or [`Error::NegativeIds`] for flags by id.
    pub fn filter(&self, allow: Allow<'_>) -> Result<IvfFilter> {
        self.check_length()?;
        let rows = match allow {
            Allow::Flags(flags) => self.row_ids().of_flags(flags)?,
            Allow::Ids(ids) => self.row_ids().of_ids(ids),
            Allow::Bits(bytes) => self.row_ids().of_bits(bytes)?,
            Allow::Rows(flags) if flags.len() == self.layout.rows => RowBitmap::of_flags(cast_slice(flags)),
            Allow::Rows(flags) => {
                let (expected, got) = (self.layout.rows, flags.len());
                return Err(Error::FilterLength { by: FilterUnit::Rows, expected, got });
            }
        };
        Ok(IvfFilter::new(rows, self.sections().list_offsets, self.filter_copies.clone()))
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

    /// [`IvfIndex::verify`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`IvfIndex::verify`], and [`Error::Stopped`].
    pub fn verify_with(&self, interrupt: Interrupt<'_>) -> Result<()> {
        self.check_length()?;
        let (header, _) = validate(&self.file).map_err(Error::format(self.file.path()))?;
        header.verify(&self.file, self.file.path(), interrupt)
    }

    /// Call `work` with a scratch buffer that is kept for the next search.
    pub(crate) fn with_scratch<T>(
        &self,
        work: impl FnOnce(&mut SearchScratch, &Sections<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut scratch = self.idle().pop().unwrap_or_default();
        let done = work(&mut scratch, &self.sections())?;
        self.idle().push(scratch);
        Ok(done)
    }

    /// Whether rows are unit vectors up to `error`, judged by some evenly spaced ones.
    pub(crate) fn has_unit_rows(&self, error: f32) -> bool {
        *self.unit_rows.get_or_init(|| {
            let step = self.layout.rows.div_ceil(UNIT_SAMPLE_ROWS).max(1);
            let rows: Vec<usize> = (0..self.layout.rows).step_by(step).collect();
            let values = self.reconstruct(&rows).unwrap_or_default();
            let lengths: Vec<f64> = values.chunks_exact(self.layout.dim).map(length).collect();
            let is_near = |length: f64, error: f32| (length - 1.0).abs() <= f64::from(error);
            let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
            lengths.iter().all(|&length| is_near(length, error)) && is_near(mean, error / MEAN_PRECISION)
        })
    }

    fn row_ids(&self) -> &RowIds {
        self.row_ids.get_or_init(|| RowIds::new(&self.ids()))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SearchScratch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drop the pages of the refine codes from this process's memory; they stay in the system's page cache.
    ///
    /// For a build, which searches the file that it has just written, and only for [`LoadMode::Map`].
    pub(crate) fn release(&self) {
        #[cfg(unix)]
        {
            let range = self.range(Tag::REFINE);
            let (start, size) = (range.start, range.len());
            // SAFETY: the mapping is shared, read-only and backed by the file, so the pages are read again unchanged. Only
            // advice: everything works without it.
            let _ = unsafe {
                let memory = self.file.memory();
                memory.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, size)
            };
        }
    }

    pub(crate) fn section(&self, tag: Tag) -> &[u8] {
        section(&self.header, &self.file, tag)
    }

    /// Return the copy of a section, if there is one, or the section itself.
    fn hot_section(&self, tag: Tag) -> &[u8] {
        let range = self.range(tag);
        let copies = [&self.hot, &self.hot_refine];
        copies.into_iter().find_map(|hot| hot.get(&range)).unwrap_or_else(|| &self.file[range])
    }

    fn range(&self, tag: Tag) -> Range<usize> {
        let found = self.header.sections.iter().find(|section| section.tag == tag);
        found.map_or(0..0, |section| section.offset as usize..(section.offset + section.size) as usize)
    }

    /// The bytes from the first of two sections to the end of the second.
    fn range_of(&self, [first, last]: [Tag; 2]) -> Range<usize> {
        self.range(first).start..self.range(last).end
    }

    pub(crate) fn sections(&self) -> Sections<'_> {
        let (refine_codes, refine_scales) = (self.hot_section(Tag::REFINE), self.hot_section(Tag::SCALES));
        let refine_scales = RowScales::new(self.layout.forms.scales, refine_scales);
        let (dot_i8, dot_f16, fast_scan) = self.kernels;
        let (codec, dim) = (self.layout.refine, self.layout.dim);
        Sections {
            layout: &self.layout,
            exponent: self.exponent,
            b: cast_slice(self.hot_section(Tag::B)),
            b_scales: cast_slice(self.hot_section(Tag::B_SCALES)),
            codebooks: &self.codebooks,
            routing_codebooks: &self.routing_codebooks,
            routing_blocks: self.hot_section(Tag::ROUTING_BLOCKS),
            centroids: cast_slice(self.hot_section(Tag::CENTROIDS)),
            centroid_scales: cast_slice(self.hot_section(Tag::CENTROID_SCALES)),
            list_weights: cast_slice(self.hot_section(Tag::LIST_WEIGHTS)),
            rank_unit: self.rank_unit,
            list_offsets: cast_slice(self.hot_section(Tag::LIST_OFFSETS)),
            stop_thresholds: cast_slice(self.hot_section(Tag::STOP_THRESHOLDS)),
            blocks: self.hot_section(Tag::BLOCKS),
            ids: self.row_id_slice(),
            reranker: Reranker::new(codec, refine_codes, refine_scales, dim, (dot_i8, dot_f16)),
            dot_i8,
            fast_scan,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
