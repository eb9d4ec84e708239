use proptest::prelude::*;

use super::*;
use crate::ivf::index::tests::{DIM, EXACT, filter_of, index, index_of_many_lists, rows, search};
use crate::ivf::index::{Allow, IvfIndex};
use crate::ivf::search::SearchParams;
use crate::quantizer::refine_codec::RefineCodec;

impl IvfFilter {
    /// Number of allowed rows that searches have seen.
    fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    /// Number of allowed rows in a list.
    fn count(&self, list: usize) -> usize {
        (self.counts_before[list + 1] - self.counts_before[list]) as usize
    }
}

impl FilterView<'_> {
    fn has_copy(self) -> bool {
        self.copy.is_some()
    }
}

/// Filters of every fourth row, of the rows that score best for the first row, and of those that score worst.
fn typical_filters(index: &IvfIndex, share: f64) -> [IvfFilter; 3] {
    let values = rows(6000);
    let score = |id: usize| -> f32 { (0..DIM).map(|i| values[i] * values[id * DIM + i]).sum() };
    let mut ids: Vec<usize> = (0..6000).collect();
    ids.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let count = (6000.0 * share) as usize;
    let allowed = |ids: &mut dyn Iterator<Item = usize>| {
        let ids: Vec<i64> = ids.take(count).map(|id| id as i64).collect();
        index.filter(Allow::Ids(&ids)).unwrap()
    };
    let step = (1.0 / share) as usize;
    [
        allowed(&mut (0..6000).step_by(step)),
        allowed(&mut ids.iter().copied()),
        allowed(&mut ids.iter().rev().copied()),
    ]
}

#[test]
fn a_filtered_search_ends_early_and_finds_the_best_allowed_rows() {
    let index = index_of_many_lists();
    let values = rows(6000);
    let params = SearchParams { k: 10, nprobe: 20, shortlist: 40, exact: false };
    for share in [0.02, 0.1, 0.5] {
        for (kind, filter) in typical_filters(&index, share).iter().enumerate() {
            let (mut found, mut all) = (0, 0);
            for query in values.chunks_exact(DIM).step_by(400) {
                let exact = search(&index, query, SearchParams { k: 10, ..EXACT }, Some(filter));
                let hits = search(&index, query, params, Some(filter));
                all += exact.len();
                found += hits.iter().filter(|hit| exact.contains(hit)).count();
            }
            assert!(found * 100 >= all * 94, "share {share}, filter {kind}: {found} of {all}");
        }
    }
    // Without an early end a search sees 530 rows.
    let seen = |query: &[f32]| {
        let filter = filter_of(&index, |row| row % 10 == 0);
        search(&index, query, SearchParams { nprobe: 60, shortlist: 10, ..params }, Some(&filter));
        filter.seen()
    };
    let mean = values.chunks_exact(DIM).step_by(300).map(seen).sum::<usize>() / 20;
    assert!(mean < 300, "{mean}");
}

#[test]
fn results_are_the_same_with_a_copy_of_the_codes_and_while_more_lists_are_ranked() {
    let large = (index_of_many_lists(), rows(6000));
    let small =
        [RefineCodec::None, RefineCodec::Int8, RefineCodec::Tcq(8)].map(|codec| (index(codec), rows(900)));
    for (index, values) in small.into_iter().chain([large]) {
        let copied = filter_of(&index, |row| row % 9 == 4);
        copied.count_seen(&index.sections(), usize::MAX / 2);
        assert!(copied.view().has_copy());
        for query in values.chunks_exact(DIM).step_by(100) {
            let exact = search(&index, query, SearchParams { k: 900, ..EXACT }, Some(&copied));
            for (nprobe, shortlist) in [(2, 20), (2, 300), (9, 60)] {
                let params = SearchParams { k: 12, nprobe, shortlist, exact: false };
                let filter = filter_of(&index, |row| row % 9 == 4);
                let found = search(&index, query, params, Some(&filter));
                assert!(!filter.view().has_copy());
                assert!(found.iter().all(|hit| exact.contains(hit)));
                assert_eq!(search(&index, query, params, Some(&copied)), found);
            }
        }
    }
}

#[test]
fn codes_of_few_allowed_rows_are_copied_once_searches_have_cost_as_much() {
    let index = index_of_many_lists();
    let sections = index.sections();
    for (step, is_copied) in [(7, false), (8, true)] {
        let filter = filter_of(&index, |row| row % step == 0);
        filter.count_seen(&sections, filter.allowed());
        assert!(!filter.view().has_copy());
        filter.count_seen(&sections, filter.allowed());
        assert_eq!(filter.view().has_copy(), is_copied, "{step}");
    }
}

#[test]
fn the_copies_of_any_number_of_filters_take_no_more_memory_than_the_codes() {
    let index = index_of_many_lists();
    let (sections, query) = (index.sections(), &rows(6000)[..DIM]);
    let codes = sections.blocks.len() + sections.routing_blocks.len();
    let copied = || index.filter_copies.0.load(Ordering::Relaxed);
    let params = SearchParams { k: 10, nprobe: 20, shortlist: 40, exact: false };
    let mut filters: Vec<IvfFilter> =
        (0..40).map(|first| filter_of(&index, |row| row % 8 == first % 8)).collect();
    for filter in &filters {
        let found = search(&index, query, params, Some(filter));
        filter.count_seen(&sections, 2 * filter.allowed());
        assert_eq!(search(&index, query, params, Some(filter)), found);
        assert!(copied() <= codes);
    }
    let with_copy = filters.iter().filter(|filter| filter.view().has_copy()).count();
    assert!((3..8).contains(&with_copy), "{with_copy} of 40 filters");
    // The first ones had copies. Without them the last one gets one.
    let last = filters.pop().unwrap();
    assert!(!last.view().has_copy());
    filters.clear();
    assert_eq!(copied(), 0);
    last.count_seen(&sections, 2 * last.allowed());
    assert!(last.view().has_copy());
}

#[test]
fn lists_are_ranked_in_parts_without_repetition() {
    let index = index_of_many_lists();
    let filter = filter_of(&index, |row| row % 40 < 2);
    let queries = rows(6000);
    for view in [None, Some(filter.view())] {
        index
            .with_scratch(|scratch, sections| {
                scratch.prepare_query(sections, &queries[..DIM]);
                scratch.probes.clear();
                scratch.rank_lists(sections, 40, view);
                let mut count = 0;
                while scratch.has_probe(sections, count, view) {
                    count += 1;
                }
                let mut lists: Vec<usize> = scratch.probes.iter().map(|probe| probe.list as usize).collect();
                lists.sort_unstable();
                let allowed = |list: &usize| view.is_none() || filter.count(*list) > 0;
                assert_eq!(lists, (0..index.layout().nlist).filter(allowed).collect::<Vec<_>>());
                Ok(())
            })
            .unwrap();
    }
}

proptest! {
    #[test]
    fn a_filtered_search_returns_min_k_allowed_rows_and_no_others(
        query in prop::collection::vec(-1_f32..1.0, DIM),
        share in 0.0..0.2,
        params in (1_usize..50, 1_usize..30, 1_usize..60),
    ) {
        let index = index(RefineCodec::None);
        let filter = filter_of(&index, |row| ((row * 7919) % 1000) as f64 <= share * 1000.0);
        let (k, nprobe, shortlist) = params;
        let hits = index.hits(&query, SearchParams { k, nprobe, shortlist, exact: false }, Some(&filter)).unwrap();
        prop_assert_eq!(hits.len(), k.min(filter.allowed()));
        prop_assert!(hits.iter().all(|hit| filter.bitmap().mask(hit.row as usize) & 1 == 1));
        let mut rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
        rows.sort_unstable();
        rows.dedup();
        prop_assert_eq!(rows.len(), hits.len());
    }
}
