use memmap2::MmapMut;
use proptest::prelude::*;

use super::*;
use crate::ivf::build::build;
use crate::ivf::build::options::BuildOptions;
use crate::ivf::early_stop::{NEVER, StopThresholds};
use crate::ivf::measure::{Neighbours, WholeScores, Window};
use crate::ivf::probe::StopRule;
use crate::ivf::search::{SearchParams, SearchPlan};
use crate::matrix::{RowsView, Values};
use crate::quantizer::refine_codec::RefineCodec;
use crate::storage::mmap::LOAD_MODES;
use crate::topk::reservoir::Hit;

pub(crate) const DIM: usize = 20;

/// Clustered rows; every ninth is a copy of the previous one.
pub(crate) fn rows(count: usize) -> Vec<f32> {
    let value = |row: usize, column: usize| {
        let center = ((row % 7 * 31 + column * 7) as f32).sin();
        center + 0.4 * ((row * 97 + column * 13) as f32 * 0.731).sin()
    };
    let source = |row: usize| if row % 9 == 8 { row - 1 } else { row };
    (0..count * DIM).map(|i| value(source(i / DIM), i % DIM)).collect()
}

/// Build an index of `count` rows and return its bytes.
pub(crate) fn file(count: usize, codec: RefineCodec) -> Vec<u8> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.snap");
    let values = rows(count);
    let options = BuildOptions {
        nlist: Some(count.div_ceil(40).max(1)),
        refine: Some(codec),
        ..BuildOptions::default()
    };
    let rows = RowsView::new(Values::F32(&values), DIM).unwrap();
    build(&rows, None, None, &path, &options, &mut |_| Ok(()), Interrupt::NEVER).unwrap();
    std::fs::read(path).unwrap()
}

pub(crate) fn open(bytes: &[u8]) -> Result<IvfIndex> {
    let mut copy = MmapMut::map_anon(bytes.len().max(1)).unwrap();
    copy[..bytes.len()].copy_from_slice(bytes);
    IvfIndex::from_bytes(IndexBytes::copied(copy.make_read_only().unwrap(), Path::new("a.snap")))
}

impl IvfIndex {
    /// Return the rows, not the ids, that [`IvfIndex::search`] finds for one query, shape (dim,).
    pub(crate) fn hits(
        &self,
        query: &[f32],
        params: SearchParams,
        filter: Option<&IvfFilter>,
    ) -> Result<Vec<Hit>> {
        self.check(MatrixF32::new(query, self.layout.dim)?, filter)?;
        self.with_scratch(|scratch, sections| {
            let params = (params, QueryKind::Samples);
            Ok(scratch.search(sections, query, params, filter, Interrupt::NEVER)?.to_vec())
        })
    }
}

/// An index whose searches terminate early.
pub(crate) fn index_of_many_lists() -> IvfIndex {
    static FILE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let home = tempfile::tempdir().unwrap();
        let (path, values) = (home.path().join("a.snap"), rows(6000));
        let options = BuildOptions { nlist: Some(300), ..BuildOptions::default() };
        let rows = RowsView::new(Values::F32(&values), DIM).unwrap();
        build(&rows, Some(&rows), None, &path, &options, &mut |_| Ok(()), Interrupt::NEVER).unwrap();
        std::fs::read(path).unwrap()
    });
    open(&FILE).unwrap()
}

/// Codecs of every kind.
const CODECS: [RefineCodec; 11] = [
    RefineCodec::None,
    RefineCodec::Int4,
    RefineCodec::Int8,
    RefineCodec::Float16,
    RefineCodec::Tcq(1),
    RefineCodec::Tcq(5),
    RefineCodec::Tcq(8),
    RefineCodec::Tcq(12),
    RefineCodec::Bitshift(1),
    RefineCodec::Bitshift(13),
    RefineCodec::Bitshift(48),
];

pub(crate) fn index(codec: RefineCodec) -> IvfIndex {
    const NUMBERS: usize = RefineCodec::LAST as usize + 1;
    static FILES: [OnceLock<Vec<u8>>; NUMBERS] = [const { OnceLock::new() }; NUMBERS];
    open(FILES[codec.number() as usize].get_or_init(|| file(900, codec))).unwrap()
}

pub(crate) fn filter_of(index: &IvfIndex, allows: impl FnMut(usize) -> bool) -> IvfFilter {
    IvfFilter::new(
        RowBitmap::new(index.layout.rows, allows),
        index.sections().list_offsets,
        index.filter_copies.clone(),
    )
}

pub(crate) const EXACT: SearchParams = SearchParams { k: 10, nprobe: 1, shortlist: 1, exact: true };

pub(crate) fn search(
    index: &IvfIndex,
    query: &[f32],
    params: SearchParams,
    filter: Option<&IvfFilter>,
) -> Vec<(i64, f32)> {
    let found = index.search(MatrixF32::new(query, DIM).unwrap(), params, filter, 1).unwrap();
    found.ids.into_iter().zip(found.scores).collect()
}

#[test]
fn scores_are_near_the_inner_products() {
    let values = rows(900);
    for (codec, error) in [
        (RefineCodec::Float16, 0.001),
        (RefineCodec::Int8, 0.002),
        (RefineCodec::Int4, 0.05),
        (RefineCodec::Tcq(12), 0.09),
        (RefineCodec::Tcq(8), 0.17),
        (RefineCodec::Tcq(5), 0.3),
        (RefineCodec::Bitshift(11), 0.3),
        (RefineCodec::Bitshift(24), 0.09),
        (RefineCodec::None, 0.7),
    ] {
        let found = search(&index(codec), &values[..DIM], SearchParams { k: 900, ..EXACT }, None);
        for (id, score) in found {
            let row = &values[id as usize * DIM..][..DIM];
            let expected: f32 = row.iter().zip(&values).map(|(a, b)| a * b).sum();
            assert!((score - expected).abs() < error, "{codec:?}: {score} for {expected}");
        }
    }
}

#[test]
fn equal_scores_are_ordered_by_id() {
    let found = search(
        &index(RefineCodec::Int8),
        &rows(900)[7 * DIM..8 * DIM],
        SearchParams { k: 900, ..EXACT },
        None,
    );
    let start_of = found.iter().position(|&(id, _)| id == 7).unwrap();
    assert_eq!(found[start_of + 1], (8, found[start_of].1));
    assert!(found.is_sorted_by(|a, b| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0)));
}

#[test]
fn batches_and_threads_do_not_change_the_results() {
    let values = rows(300);
    let queries = MatrixF32::new(&values, DIM).unwrap();
    for codec in CODECS {
        let index = index(codec);
        for (k, nprobe, shortlist) in [(5, 3, 20), (40, 1, 60), (3, 23, 30), (0, 2, 20)] {
            let params = SearchParams { k, nprobe, shortlist, exact: false };
            let one = index.search(queries, params, None, 1).unwrap();
            assert_eq!(one.ids.len(), 300 * k);
            assert_eq!(one, index.search(queries, params, None, 3).unwrap());
            let alone = values.chunks_exact(DIM).flat_map(|query| search(&index, query, params, None));
            assert!(alone.eq(one.ids.into_iter().zip(one.scores)), "{codec:?} {params:?}");
        }
    }
}

#[test]
fn invalid_queries_and_filters_are_refused() {
    let index = index(RefineCodec::Int8);
    let clipped = index.search(MatrixF32::new(&[0.0; 3], 3).unwrap(), EXACT, None, 1);
    assert!(matches!(clipped, Err(Error::Dim { expected: DIM, got: 3 })));
    let nan = [f32::NAN; DIM];
    assert!(matches!(index.hits(&nan, EXACT, None), Err(Error::NotFinite { row: 0, .. })));
    for allow in [Allow::Rows(&[true; 3]), Allow::Flags(&[true; 901])] {
        assert!(matches!(index.filter(allow), Err(Error::FilterLength { expected: 900, .. })));
    }
    for (rows, list_offsets) in [(3, [0, 3]), (900, [0, 900])] {
        let other = IvfFilter::new(RowBitmap::new(rows, |_| true), &list_offsets, CopiedBytes::default());
        assert!(matches!(index.hits(&[0.0; DIM], EXACT, Some(&other)), Err(Error::OtherFilter)));
    }
}

#[test]
fn an_index_of_0_or_1_rows_is_searched() {
    for count in [0, 1] {
        let index = open(&file(count, RefineCodec::Int8)).unwrap();
        index.verify().unwrap();
        for exact in [false, true] {
            assert_eq!(search(&index, &[0.5; DIM], SearchParams { exact, ..EXACT }, None).len(), count);
        }
    }
}

#[test]
fn both_load_modes_return_the_same_results() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.snap");
    std::fs::write(&path, file(200, RefineCodec::Int8)).unwrap();
    let [map, ram] = LOAD_MODES.map(|(_, load)| IvfIndex::open(&path, load).unwrap());
    assert_eq!(search(&map, &[0.5; DIM], EXACT, None), search(&ram, &[0.5; DIM], EXACT, None));
    assert_eq!(map.size_bytes(), ram.size_bytes());
}

#[test]
fn every_long_call_ends_at_an_interrupt() {
    let (index, values) = (index(RefineCodec::Int8), rows(40));
    let queries = MatrixF32::new(&values, DIM).unwrap();
    let params = SearchParams { k: 5, nprobe: 3, shortlist: 20, exact: false };
    let interrupt = Interrupt::new(&|| true);
    assert!(matches!(index.search_with(queries, params, None, 2, interrupt), Err(Error::Stopped)));
    assert!(matches!(index.reconstruct_with(&[0], interrupt), Err(Error::Stopped)));
    assert!(matches!(index.verify_with(interrupt), Err(Error::Stopped)));
    assert!(matches!(index.warm_up(interrupt), Err(Error::Stopped)));
}

#[test]
fn the_neighbours_found_are_those_of_one_search_per_operating_point() {
    let (mut same, mut all) = (0, 0);
    let codecs = CODECS.into_iter();
    for index in codecs.map(index).chain([index_of_many_lists()]) {
        let codec = index.layout.refine;
        let window = Window {
            thresholds: index.sections().stop_thresholds(QueryKind::Samples),
            nprobes: vec![1, 5, 23],
            shortlists: vec![10, 15, 30, 60],
        };
        let mut scores = WholeScores::new(index.layout.rows);
        for query in rows(40).chunks(DIM) {
            let mut truth = index.exact_rows(query, 10, Interrupt::NEVER).unwrap();
            truth.sort_unstable();
            let neighbours = Neighbours { k: 10, rows: &truth, own_row: None };
            let mut found = index.count_found(query, &window, neighbours, &mut scores).unwrap().into_iter();
            for (nprobe, shortlist) in window
                .nprobes
                .iter()
                .flat_map(|&nprobe| window.shortlists.iter().map(move |&shortlist| (nprobe, shortlist)))
            {
                let params = SearchParams { k: 10, nprobe, shortlist, exact: false };
                let hits = index.hits(query, params, None).unwrap();
                let expected = hits.iter().filter(|hit| truth.contains(&hit.row)).count() as u32;
                let found = found.next().unwrap();
                // One list has too few rows for long shortlists: then a search probes more lists. Rows of equal codes may
                // be on either side of the end of a shortlist.
                assert!(found <= expected + 1, "{codec:?} {nprobe} {shortlist}: {found} {expected}");
                if nprobe > 1 {
                    (same, all) = (same + u32::from(found == expected), all + 1);
                }
            }
        }
    }
    assert!(same * 100 >= all * 99, "{same} of {all}");
}

#[test]
fn a_search_ends_early_but_for_all_lists() {
    let index = index_of_many_lists();
    let (thresholds, layout) = (index.sections().stop_thresholds(QueryKind::Samples), &index.layout);
    assert!(thresholds.is_fitted() && layout.nlist >= 256);
    let quarter = filter_of(&index, |row| row % 4 == 0);
    let stop = |nprobe, filter| {
        let params = SearchParams { k: 10, nprobe, shortlist: 20, exact: false };
        StopRule::new(layout, params, filter, thresholds)
    };
    let early = stop(20, None);
    assert!(early.lists == 35 && early.threshold > NEVER);
    let (all, filtered) = (stop(layout.nlist, None), stop(20, Some(&quarter)));
    assert_eq!((all.lists, all.threshold), (layout.nlist, NEVER));
    assert_eq!((filtered.lists, filtered.threshold, filtered.shortlist), (layout.nlist, early.threshold, 40));
    assert_eq!(stop(layout.nlist, Some(&quarter)).threshold, NEVER);
    let mean_lists = |nprobe: usize| {
        let stop = thresholds.stop(nprobe);
        let values = rows(6000);
        let queries = values.chunks_exact(DIM).step_by(60);
        let lists = |query: &[f32]| {
            let trace = index.trace_margins(query, stop.max_lists).unwrap();
            trace.partition_point(|&margin| margin >= stop.threshold)
        };
        queries.map(lists).sum::<usize>() as f64 / 100.0
    };
    assert!((16.0..24.0).contains(&mean_lists(20)), "{}", mean_lists(20));
}

#[test]
fn an_index_takes_the_stop_thresholds_of_a_shared_training() {
    let home = tempfile::tempdir().unwrap();
    let (path, trained) = (home.path().join("a.snap"), home.path().join("trained.snap"));
    let whole = index_of_many_lists();
    std::fs::write(&trained, &whole.file[..]).unwrap();
    let values = rows(2000);
    let options = BuildOptions { training: Some(trained), ..BuildOptions::default() };
    let part = RowsView::new(Values::F32(&values), DIM).unwrap();
    build(&part, None, None, &path, &options, &mut |_| Ok(()), Interrupt::NEVER).unwrap();
    let part = IvfIndex::open(&path, LoadMode::Map).unwrap();
    assert_eq!(part.stored_stop_thresholds(), whole.stored_stop_thresholds());
    assert_eq!(part.stored_stop_thresholds().len(), 32);
}

#[test]
fn a_query_does_not_find_its_own_row() {
    let index = index(RefineCodec::Int8);
    let window = Window { thresholds: StopThresholds(&[]), nprobes: vec![23], shortlists: vec![900] };
    let query = index.reconstruct(&[7]).unwrap();
    let truth = index.exact_rows(&query, 11, Interrupt::NEVER).unwrap();
    let own_row = Some(7);
    let mut scores = WholeScores::new(900);
    let mut count = |rows, own_row| {
        index.count_found(&query, &window, Neighbours { k: 10, rows, own_row }, &mut scores).unwrap()[0]
    };
    let mut others: Vec<u32> = truth.iter().copied().filter(|&row| row != 7).collect();
    others.sort_unstable();
    assert_eq!((others.len(), count(&others, own_row), count(&others, None)), (10, 10, 9));
    assert_eq!(count(&[7], own_row), 0);
}

#[test]
fn queries_like_rows_take_the_plan_for_them() {
    let index = index(RefineCodec::Int8);
    let values = rows(30);
    let params = SearchParams { k: 5, nprobe: 23, shortlist: 300, exact: false };
    let cheap = SearchParams { nprobe: 1, shortlist: 5, ..params };
    let plan = SearchPlan { samples: params, rows: cheap };
    for query in values.chunks_exact(DIM) {
        let kind = index.query_kind(query).unwrap();
        let expected = if kind == QueryKind::Rows { cheap } else { params };
        let query = MatrixF32::new(query, DIM).unwrap();
        let found = index.search_with(query, plan, None, 1, Interrupt::NEVER).unwrap();
        assert_eq!(found, index.search(query, expected, None, 1).unwrap());
    }
    assert!(matches!(index.query_kind(&[0.0; 3]), Err(Error::Dim { expected: DIM, got: 3 })));
}

proptest! {
    #[test]
    fn every_hit_has_its_exact_score(
        query in prop::collection::vec(-1_f32..1.0, DIM),
        allowed in prop::collection::vec(prop::bool::weighted(0.3), 900),
        k in 0_usize..40,
    ) {
        for codec in CODECS {
            let index = index(codec);
            let filter = index.filter(Allow::Rows(&allowed)).unwrap();
            let exact = search(&index, &query, SearchParams { k: 900, ..EXACT }, Some(&filter));
            prop_assert_eq!(exact.len(), filter.allowed());
            let first = search(&index, &query, SearchParams { k, ..EXACT }, Some(&filter));
            prop_assert_eq!(&first[..], &exact[..k.min(exact.len())]);
            let params = SearchParams { k, nprobe: 5, shortlist: 50, exact: false };
            for hit in search(&index, &query, params, Some(&filter)) {
                prop_assert!(exact.contains(&hit), "{hit:?} by {codec:?}");
            }
        }
    }

    #[test]
    fn the_top_k_are_a_prefix_of_a_larger_top_k(
        query in prop::collection::vec(-1_f32..1.0, DIM),
        allowed in prop::option::of(prop::collection::vec(prop::bool::weighted(0.8), 900)),
        k in 1_usize..200,
    ) {
        for codec in CODECS {
            let index = index(codec);
            let filter = allowed.as_ref().map(|allowed| index.filter(Allow::Rows(allowed)).unwrap());
            let params = SearchParams { k: 200, nprobe: 5, shortlist: 200, exact: false };
            let whole = search(&index, &query, params, filter.as_ref());
            let first = search(&index, &query, SearchParams { k, ..params }, filter.as_ref());
            prop_assert_eq!(&first[..], &whole[..k], "{:?}", codec);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_truncated_while_it_is_mapped_is_an_error_and_no_crash() {
    use crate::flat::index::tests::truncate;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.snap");
    let params = SearchParams { k: 3, nprobe: 2, shortlist: 20, exact: false };
    for (name, load) in LOAD_MODES {
        std::fs::write(&path, file(90, RefineCodec::Int8)).unwrap();
        let index = IvfIndex::open(&path, load).unwrap();
        truncate(&path, 4096);
        let query = vec![1.0; DIM];
        let found = [
            index.search(MatrixF32::new(&query, DIM).unwrap(), params, None, 1).err(),
            index.reconstruct(&[2]).err(),
            index.filter(Allow::Ids(&[1])).err(),
            index.warm_up(Interrupt::NEVER).err(),
            index.verify().err(),
            index.check_length().err(),
        ];
        for error in found {
            assert_eq!(error.is_some(), load == LoadMode::Map, "{name}: {error:?}");
            let violation = error.map(|error| error.to_string());
            assert!(violation.is_none_or(|text| text.contains("it was truncated")));
        }
    }
}

#[test]
fn indexes_with_a_shared_training_score_rows_as_their_own_does() {
    let home = tempfile::tempdir().unwrap();
    let (path, part) = (home.path().join("whole.snap"), home.path().join("part.snap"));
    std::fs::write(&path, file(900, RefineCodec::Int8)).unwrap();
    let whole = IvfIndex::open(&path, LoadMode::Map).unwrap();
    let values = rows(900);
    let second = RowsView::new(Values::F32(&values[300 * DIM..]), DIM).unwrap();
    let ids: Vec<i64> = (300..900).collect();
    let options = BuildOptions { training: Some(path), ..BuildOptions::default() };
    build(&second, None, Some(&ids), &part, &options, &mut |_| Ok(()), Interrupt::NEVER).unwrap();
    let part = IvfIndex::open(&part, LoadMode::Map).unwrap();
    assert_eq!(part.training_checksum(), whole.training_checksum());
    assert_ne!(open(&file(600, RefineCodec::Int8)).unwrap().training_checksum(), whole.training_checksum());
    assert_eq!(part.layout().nlist, whole.layout().nlist);
    assert!(part.verify().is_ok());
    let all = SearchParams { k: 600, ..EXACT };
    let of_whole: std::collections::HashMap<i64, f32> =
        search(&whole, &values[..DIM], SearchParams { k: 900, ..EXACT }, None).into_iter().collect();
    for (id, score) in search(&part, &values[..DIM], all, None) {
        assert!((score - of_whole[&id]).abs() < 2e-3 * score.abs().max(1.0), "{id}: {score}");
    }
    let narrow = RowsView::new(Values::F32(&values), DIM / 2).unwrap();
    let refused = build(&narrow, None, None, home.path(), &options, &mut |_| Ok(()), Interrupt::NEVER);
    assert!(matches!(refused, Err(Error::Dim { expected: 10, got: 20 })));
}
