//! Reading an index of inverted lists: mapped or loaded, checked once at the door, then searched.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::cast_slice;
use memmap2::Mmap;

use crate::codes::lut::Books;
use crate::codes::pqscan::PqScanner;
use crate::error::{Error, Result};
use crate::file::format::{Header, Tag};
use crate::file::load::{Load, touch};
use crate::hits::filter::Filter;
use crate::hits::topk::Hit;
use crate::index::answers::{Answers, QUERY_GROUP};
use crate::index::ivf::{Plan, Scratch};
use crate::index::lists::{Effort, SECTIONS, Shape};
use crate::index::validation::{checked, section};
use crate::index::view::View;
use crate::parallel::{Interrupt, run_each};
use crate::scan::Scanner;
use crate::tier::refine::Refiner;
use crate::vectors::Vectors;

/// Which rows may be found, as a caller says it.
#[derive(Clone, Copy, Debug)]
pub enum Allow<'a> {
    /// One flag for each id from 0 to the largest.
    Flags(&'a [bool]),
    /// The ids, in any order.
    Ids(&'a [i64]),
    /// One flag for each row, in row order.
    Rows(&'a [bool]),
}

/// An immutable index, safe to search from many threads at once.
///
/// The file must not be changed or cut while it is mapped: a new one is only ever renamed over it.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    file: Mmap,
    header: Header,
    shape: Shape,
    books: Books,
    key_books: Books,
    scanner: Scanner,
    pq_scanner: PqScanner,
    /// Scratches that no search is using.
    idle: Mutex<Vec<Scratch>>,
}

impl Index {
    /// Open the index at `path` and check its structure and everything in it but codes and ids.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be opened, [`Error::Format`] if it is no index or a damaged one.
    pub fn open(path: &Path, load: Load) -> Result<Self> {
        Self::over(load.bytes(path)?, path)
    }

    /// The index in these bytes, which came from `path`.
    fn over(file: Mmap, path: &Path) -> Result<Self> {
        let (header, shape) = checked(&file).map_err(Error::format(path))?;
        let floats = |tag| cast_slice(section(&header, &file, tag));
        let (books, key_books) = (Books::new(floats(Tag::BOOKS)), Books::new(floats(Tag::KEY_BOOKS)));
        let (scanner, pq_scanner) = (Scanner::fastest(), PqScanner::fastest());
        let (idle, path) = (Mutex::default(), path.to_path_buf());
        Ok(Self { path, file, header, shape, books, key_books, scanner, pq_scanner, idle })
    }

    /// Its shape: rows, dimensions, lists, tier.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Name of the kernel that scans: `avx2`, `neon` or `scalar`.
    pub fn kernel(&self) -> &'static str {
        self.pq_scanner.name()
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.file.len() as u64
    }

    /// Ids in row order, shape (rows,).
    pub fn ids(&self) -> &[i64] {
        cast_slice(self.section(Tag::IDS))
    }

    /// The calibrated points, by rising recall; none for an index that was built without queries.
    pub fn efforts(&self) -> Vec<Effort> {
        let words: &[[u32; 4]] = cast_slice(self.section(Tag::EFFORTS));
        words.iter().map(|&words| Effort::decode(words)).collect()
    }

    /// Recall of each transform that was tried, on a sample, in the order of their numbers; -1 for those not tried.
    pub fn gains(&self) -> &[f32] {
        cast_slice(self.section(Tag::GAINS))
    }

    /// The best min(k, allowed) rows for each query, best first, ties by lower id.
    ///
    /// `queries` has shape (q, dim). Several are shared out among `threads`; each is answered by one.
    ///
    /// # Errors
    /// [`Error::Dim`], [`Error::NotFinite`], or [`Error::AllowLength`] for a filter of another index.
    pub fn search(
        &self,
        queries: Vectors<'_>,
        plan: Plan,
        filter: Option<&Filter>,
        threads: usize,
    ) -> Result<Answers> {
        self.search_with(queries, plan, filter, threads, Interrupt::NEVER)
    }

    /// [`Index::search`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`Index::search`], and [`Error::Stopped`].
    pub fn search_with(
        &self,
        queries: Vectors<'_>,
        plan: Plan,
        filter: Option<&Filter>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Answers> {
        self.check(queries, filter)?;
        let group = queries.len().div_ceil(threads.max(1)).clamp(1, QUERY_GROUP);
        let groups = queries.values().chunks(group * self.shape.dim);
        let answers = run_each(threads, groups, |group| self.answer(group, plan, filter, interrupt))?;
        let width = plan.k.min(filter.map_or(self.shape.rows, Filter::allowed));
        let mut all = Answers { width, ..Answers::default() };
        for Answers { ids, scores, .. } in answers {
            all.ids.extend(ids);
            all.scores.extend(scores);
        }
        Ok(all)
    }

    fn check(&self, queries: Vectors<'_>, filter: Option<&Filter>) -> Result<()> {
        queries.check(self.shape.dim)?;
        match filter.filter(|filter| filter.rows() != self.shape.rows) {
            Some(filter) => Err(Error::AllowLength { expected: self.shape.rows, got: filter.rows() }),
            None => Ok(()),
        }
    }

    /// The rows, and not the ids, that [`Index::search`] finds for one query, shape (dim,).
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn hits(&self, query: &[f32], plan: Plan, filter: Option<&Filter>) -> Result<Vec<Hit>> {
        self.check(Vectors::new(query, self.shape.dim)?, filter)?;
        let mut scratch = self.idle().pop().unwrap_or_default();
        let hits = scratch.search(&self.view(), query, plan, filter, Interrupt::NEVER)?.to_vec();
        self.idle().push(scratch);
        Ok(hits)
    }

    /// The rows that [`Index::hits`] finds with `nprobe` lists and each of these shortlists, which rise, by one scan.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub(crate) fn hits_by_depth(
        &self,
        query: &[f32],
        (k, nprobe): (usize, usize),
        shortlists: &[usize],
    ) -> Result<Vec<Vec<Hit>>> {
        Vectors::new(query, self.shape.dim)?.check(self.shape.dim)?;
        let mut scratch = self.idle().pop().unwrap_or_default();
        let mut all = Vec::with_capacity(shortlists.len());
        scratch
            .search_depths(&self.view(), query, (k, nprobe), shortlists, |hits| all.push(hits.to_vec()))?;
        self.idle().push(scratch);
        Ok(all)
    }

    /// The rows whose ids `flags` or `ids` allow; see [`Filter::by_id`] and [`Filter::of_ids`].
    ///
    /// # Errors
    /// As [`Filter::by_id`].
    pub fn filter(&self, allow: Allow<'_>) -> Result<Filter> {
        match allow {
            Allow::Flags(flags) => Filter::by_id(self.ids(), flags),
            Allow::Ids(ids) => Ok(Filter::of_ids(self.ids(), ids)),
            Allow::Rows(flags) if flags.len() == self.shape.rows => {
                Ok(Filter::new(flags.len(), |row| flags[row]))
            }
            Allow::Rows(flags) => Err(Error::AllowLength { expected: self.shape.rows, got: flags.len() }),
        }
    }

    /// Answer queries of finite values, shape (n, dim), one after another.
    fn answer(
        &self,
        queries: &[f32],
        plan: Plan,
        filter: Option<&Filter>,
        interrupt: Interrupt<'_>,
    ) -> Result<Answers> {
        let mut scratch = self.idle().pop().unwrap_or_default();
        let (view, mut answers) = (self.view(), Answers::default());
        for query in queries.chunks_exact(self.shape.dim) {
            let hits = scratch.search(&view, query, plan, filter, interrupt)?;
            answers.ids.extend(hits.iter().map(|hit| view.ids[hit.row as usize]));
            answers.scores.extend(hits.iter().map(|hit| hit.score));
        }
        self.idle().push(scratch);
        Ok(answers)
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

    /// [`Index::verify`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`Index::verify`], and [`Error::Stopped`].
    pub fn verify_with(&self, interrupt: Interrupt<'_>) -> Result<()> {
        let (header, _) = checked(&self.file).map_err(Error::format(&self.path))?;
        header.verify(&self.file, &self.path, interrupt)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Let go of the pages of the tier that searches have touched: they stay in the system's cache, and no longer
    /// count as this process's memory. For a build, which searches the file that it has just written, and only for
    /// [`Load::Map`].
    pub(crate) fn release(&self) {
        #[cfg(unix)]
        {
            let place = SECTIONS.iter().position(|&tag| tag == Tag::TIER).unwrap_or(0);
            let section = &self.header.sections[place];
            let (start, size) = (section.offset as usize, section.size as usize);
            // SAFETY: the mapping is shared, read-only and backed by the file, so the pages come back as they were.
            // And only a wish: all works without it.
            let _ =
                unsafe { self.file.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, size) };
        }
    }

    fn section(&self, tag: Tag) -> &[u8] {
        section(&self.header, &self.file, tag)
    }

    pub(crate) fn view(&self) -> View<'_> {
        let (tier, scales) = (self.section(Tag::TIER), cast_slice(self.section(Tag::SCALES)));
        View {
            shape: &self.shape,
            b: cast_slice(self.section(Tag::B)),
            b_scales: cast_slice(self.section(Tag::B_SCALES)),
            books: &self.books,
            key_books: &self.key_books,
            key_blocks: self.section(Tag::KEY_BLOCKS),
            means: cast_slice(self.section(Tag::MEANS)),
            mean_scales: cast_slice(self.section(Tag::MEAN_SCALES)),
            pulls: cast_slice(self.section(Tag::PULLS)),
            starts: cast_slice(self.section(Tag::STARTS)),
            blocks: self.section(Tag::BLOCKS),
            ids: self.ids(),
            refiner: Refiner::new(self.shape.tier, tier, scales, self.shape.dim, self.scanner),
            scanner: self.scanner,
            pq_scanner: self.pq_scanner,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use memmap2::MmapMut;
    use proptest::prelude::*;

    use super::*;
    use crate::build::build;
    use crate::build::settings::Options;
    use crate::file::load::LOADS;
    use crate::tier::refine::Tier;
    use crate::vectors::rows::{Rows, Values};

    pub(crate) const DIM: usize = 20;

    /// Rows around a few centres; every ninth is a copy of the one before.
    pub(crate) fn rows(count: usize) -> Vec<f32> {
        let value = |row: usize, column: usize| {
            let centre = ((row % 7 * 31 + column * 7) as f32).sin();
            centre + 0.4 * ((row * 97 + column * 13) as f32 * 0.731).sin()
        };
        let source = |row: usize| if row % 9 == 8 { row - 1 } else { row };
        (0..count * DIM).map(|at| value(source(at / DIM), at % DIM)).collect()
    }

    /// The bytes of an index of so many rows, in memory of their own.
    pub(crate) fn file(count: usize, tier: Tier) -> Vec<u8> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let values = rows(count);
        let options =
            Options { nlist: Some(count.div_ceil(40).max(1)), tier: Some(tier), ..Options::default() };
        let rows = Rows::new(Values::Single(&values), DIM).unwrap();
        build(&rows, None, None, &path, &options, &mut |_| Ok(())).unwrap();
        std::fs::read(path).unwrap()
    }

    pub(crate) fn open(bytes: &[u8]) -> Result<Index> {
        let mut copy = MmapMut::map_anon(bytes.len().max(1)).unwrap();
        copy[..bytes.len()].copy_from_slice(bytes);
        Index::over(copy.make_read_only().unwrap(), Path::new("a.snap"))
    }

    fn index(tier: Tier) -> Index {
        static FILES: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(|| {
            (0..=Tier::LAST).filter_map(Tier::of_number).map(|tier| file(900, tier)).collect()
        });
        open(&FILES[tier.number() as usize]).unwrap()
    }

    const EXACT: Plan = Plan { k: 10, nprobe: 1, shortlist: 1, exact: true };

    fn search(index: &Index, query: &[f32], plan: Plan, filter: Option<&Filter>) -> Vec<(i64, f32)> {
        let found = index.search(Vectors::new(query, DIM).unwrap(), plan, filter, 1).unwrap();
        found.ids.into_iter().zip(found.scores).collect()
    }

    #[test]
    fn scores_are_near_the_inner_products() {
        let values = rows(900);
        for (tier, error) in [
            (Tier::Float16, 0.001),
            (Tier::Int8, 0.002),
            (Tier::Int4, 0.05),
            (Tier::Tcq3, 0.09),
            (Tier::Tcq2, 0.17),
            (Tier::None, 0.7),
        ] {
            let found = search(&index(tier), &values[..DIM], Plan { k: 900, ..EXACT }, None);
            for (id, score) in found {
                let row = &values[id as usize * DIM..][..DIM];
                let expected: f32 = row.iter().zip(&values).map(|(a, b)| a * b).sum();
                assert!((score - expected).abs() < error, "{tier:?}: {score} for {expected}");
            }
        }
    }

    #[test]
    fn equal_rows_come_by_rising_id() {
        let found = search(&index(Tier::Int8), &rows(900)[7 * DIM..8 * DIM], Plan { k: 900, ..EXACT }, None);
        let place = found.iter().position(|&(id, _)| id == 7).unwrap();
        assert_eq!(found[place + 1], (8, found[place].1));
        assert!(found.is_sorted_by(|a, b| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0)));
    }

    #[test]
    fn many_queries_are_answered_alike_by_any_number_of_threads() {
        let (index, values) = (index(Tier::Int8), rows(300));
        let queries = Vectors::new(&values, DIM).unwrap();
        let plan = Plan { k: 5, nprobe: 3, shortlist: 20, exact: false };
        let one = index.search(queries, plan, None, 1).unwrap();
        assert_eq!(one.ids.len(), 300 * 5);
        assert_eq!(one, index.search(queries, plan, None, 3).unwrap());
        let alone = values.chunks_exact(DIM).flat_map(|query| search(&index, query, plan, None));
        assert!(alone.eq(one.ids.into_iter().zip(one.scores)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let index = index(Tier::Int8);
        let narrow = index.search(Vectors::new(&[0.0; 3], 3).unwrap(), EXACT, None, 1);
        assert!(matches!(narrow, Err(Error::Dim { expected: DIM, got: 3 })));
        let nan = [f32::NAN; DIM];
        assert!(matches!(index.hits(&nan, EXACT, None), Err(Error::NotFinite { row: 0, .. })));
        for allow in [Allow::Rows(&[true; 3]), Allow::Flags(&[true; 901])] {
            assert!(matches!(index.filter(allow), Err(Error::AllowLength { expected: 900, .. })));
        }
        let other = Filter::new(3, |_| true);
        assert!(matches!(index.hits(&[0.0; DIM], EXACT, Some(&other)), Err(Error::AllowLength { .. })));
    }

    #[test]
    fn an_index_may_have_no_rows_or_one() {
        for count in [0, 1] {
            let index = open(&file(count, Tier::Int8)).unwrap();
            index.verify().unwrap();
            for exact in [false, true] {
                assert_eq!(search(&index, &[0.5; DIM], Plan { exact, ..EXACT }, None).len(), count);
            }
        }
    }

    #[test]
    fn a_copy_in_memory_answers_alike() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        std::fs::write(&path, file(200, Tier::Int8)).unwrap();
        let [map, ram] = LOADS.map(|(_, load)| Index::open(&path, load).unwrap());
        assert_eq!(search(&map, &[0.5; DIM], EXACT, None), search(&ram, &[0.5; DIM], EXACT, None));
        assert_eq!(map.size_bytes(), ram.size_bytes());
    }

    #[test]
    fn every_long_call_ends_at_an_interrupt() {
        let (index, values) = (index(Tier::Int8), rows(40));
        let queries = Vectors::new(&values, DIM).unwrap();
        let plan = Plan { k: 5, nprobe: 3, shortlist: 20, exact: false };
        let interrupt = Interrupt::new(&|| true);
        assert!(matches!(index.search_with(queries, plan, None, 2, interrupt), Err(Error::Stopped)));
        assert!(matches!(index.vectors_with(&[0], interrupt), Err(Error::Stopped)));
        assert!(matches!(index.verify_with(interrupt), Err(Error::Stopped)));
        assert!(matches!(index.warm(interrupt), Err(Error::Stopped)));
    }

    #[test]
    fn one_scan_finds_what_a_search_of_each_depth_finds() {
        let shortlists = [10, 15, 30, 60, 900];
        let (mut same, mut all) = (0, 0);
        for tier in (0..=Tier::LAST).filter_map(Tier::of_number) {
            let index = index(tier);
            for (number, query) in rows(60).chunks(DIM).enumerate() {
                let nprobe = [1, 5, 23][number % 3];
                let by_depth = index.hits_by_depth(query, (10, nprobe), &shortlists).unwrap();
                for (found, shortlist) in by_depth.into_iter().zip(shortlists) {
                    let plan = Plan { k: 10, nprobe, shortlist, exact: false };
                    let expected = index.hits(query, plan, None).unwrap();
                    // All rows, or more lists: there is no end of the shortlist where equal rows may change places.
                    let strict = shortlist == 900 || nprobe == 1 && shortlist == 60;
                    assert!(!strict || found == expected, "{tier:?} {nprobe} {shortlist}");
                    same += expected.iter().filter(|hit| found.contains(hit)).count();
                    all += expected.len();
                }
            }
        }
        assert!(same * 200 >= all * 199, "{same} of {all}");
    }

    proptest! {
        #[test]
        fn a_found_row_has_its_exact_score(
            query in prop::collection::vec(-1_f32..1.0, DIM),
            allowed in prop::collection::vec(prop::bool::weighted(0.3), 900),
            k in 0_usize..40,
        ) {
            for tier in (0..=Tier::LAST).filter_map(Tier::of_number) {
                let index = index(tier);
                let filter = index.filter(Allow::Rows(&allowed)).unwrap();
                let exact = search(&index, &query, Plan { k: 900, ..EXACT }, Some(&filter));
                prop_assert_eq!(exact.len(), filter.allowed());
                let first = search(&index, &query, Plan { k, ..EXACT }, Some(&filter));
                prop_assert_eq!(&first[..], &exact[..k.min(exact.len())]);
                let some = Plan { k, nprobe: 5, shortlist: 50, exact: false };
                for hit in search(&index, &query, some, Some(&filter)) {
                    prop_assert!(exact.contains(&hit), "{hit:?} by {tier:?}");
                }
            }
        }

        #[test]
        fn the_best_of_one_shortlist_are_a_prefix_of_more(
            query in prop::collection::vec(-1_f32..1.0, DIM),
            allowed in prop::option::of(prop::collection::vec(prop::bool::weighted(0.8), 900)),
            k in 1_usize..200,
        ) {
            for tier in (0..=Tier::LAST).filter_map(Tier::of_number) {
                let index = index(tier);
                let filter = allowed.as_ref().map(|allowed| index.filter(Allow::Rows(allowed)).unwrap());
                let plan = Plan { k: 200, nprobe: 5, shortlist: 200, exact: false };
                let whole = search(&index, &query, plan, filter.as_ref());
                let first = search(&index, &query, Plan { k, ..plan }, filter.as_ref());
                prop_assert_eq!(&first[..], &whole[..k], "{:?}", tier);
            }
        }

        #[test]
        fn never_fewer_than_allowed_and_never_others(
            query in prop::collection::vec(-1_f32..1.0, DIM),
            share in 0.0..0.2,
            plan in (1_usize..50, 1_usize..30, 1_usize..60),
        ) {
            let index = index(Tier::None);
            let filter = Filter::new(900, |row| ((row * 7919) % 1000) as f64 <= share * 1000.0);
            let (k, nprobe, shortlist) = plan;
            let hits = index.hits(&query, Plan { k, nprobe, shortlist, exact: false }, Some(&filter)).unwrap();
            prop_assert_eq!(hits.len(), k.min(filter.allowed()));
            prop_assert!(hits.iter().all(|hit| filter.mask(hit.row as usize) & 1 == 1));
            let mut rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
            rows.sort_unstable();
            rows.dedup();
            prop_assert_eq!(rows.len(), hits.len());
        }
    }
}
