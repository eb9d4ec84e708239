//! Which lists to probe, and when to stop.
//!
//! Lists are ranked by `q·c / |c|^e`. Their routing centroids `c / |c|^e` have 4-bit PQ codes of their own; the best by those
//! are reordered by their int8 centroids. So ranking thousands of lists costs less than scanning a few.

use crate::ivf::early_stop::{EarlyStop, NEVER, StopThresholds, TRACKED_SCORES};
use crate::ivf::filter::{FilterView, IvfFilter, RoutingCodes};
use crate::ivf::layout::IvfLayout;
use crate::ivf::scan_list::{ScanRange, scan_list};
use crate::ivf::search::{SearchParams, SearchScratch};
use crate::ivf::sections::Sections;
use crate::kernels::fastscan::blocks::{BLOCK_ROWS, block_bytes};
use crate::quantizer::sq8::{QuantizedQuery, to_score_f32};
use crate::topk::bitmap::RowBitmap;
use crate::topk::reservoir::Candidate;

/// Oversampling factor for filtered searches: the remaining candidates have closer scores.
const FILTER_OVERSAMPLE: usize = 2;

/// A filtered search that does not terminate early probes this many times as many lists for the same recall.
const FILTERED_LISTS: f64 = 1.4;

/// Cost of scoring a row by its code and refine code, in rows of a sequential scan: both are random accesses. 100 ns and 4.6 ns
/// for 512 dimensions and 128 subquantizers on a Zen 5 EPYC.
pub(crate) const SCORE_COST: f64 = 22.0;

/// Cost of the int8 product with a centroid, in the same unit.
const CENTROID_COST: f64 = 6.0;

/// Cost of a row of a block with an allowed row, in the same unit: few of the sums are read.
const FILTERED_SCAN_COST: f64 = 0.5;

/// A filtered search tracks one best score for this many candidates of the shortlist, since a filter may leave a few rows near the
/// query and many that are far: the margin of the tenth best then says nothing about the hundredth. It does not depend on k, so
/// that the top k stay a prefix of the top k + n.
const SHORTLIST_PER_TRACKED: usize = 6;
const MAX_TRACKED: usize = 100;

/// Allowed rows that a filtered search sees at least, for each candidate of its shortlist: the first ones are not all of the best.
const SEEN_PER_CANDIDATE: usize = 2;

/// Lists ranked beyond those that will probably be probed.
const RANKED_MARGIN: usize = 32;

/// When a search has probed all lists that it ranked, it ranks a part of that number more. More at once ends far too late: a
/// search ends in the tail of the lists that were ranked together.
const RANK_GROWTH_DIVISOR: usize = 2;

/// Blocks of routing codes prefetched before they are scanned.
const PREFETCH_BLOCKS: usize = 4;

/// Centroids prefetched before they are scored.
const PREFETCH_CENTROIDS: usize = 8;

/// A list to probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) list: u32,
    /// Inner product of the query with the routing centroid: lists are probed in falling order of it.
    pub(crate) rank_score: f32,
    /// Inner product of the query with the centroid: a part of the score of every row of the list.
    pub(crate) centroid_score: f64,
}

impl Probe {
    fn new(sections: &Sections<'_>, query: &QuantizedQuery, list: u32) -> Self {
        let centroid_score = sections.centroid_score(query, list as usize);
        let weight = f64::from(sections.list_weights[list as usize]);
        Self { list, rank_score: to_score_f32(centroid_score * weight), centroid_score }
    }
}

/// When to stop probing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopRule {
    pub(crate) shortlist: usize,
    /// Lists to probe at most, without a filter; at least, with one.
    pub(crate) lists: usize,
    /// Lists that will probably be probed until enough rows were seen.
    expected_lists: usize,
    /// Allowed rows to see.
    pub(crate) rows: usize,
    /// The search stops at a list whose margin is below this.
    pub(crate) threshold: f32,
    /// A margin is less the worst of this many best scores.
    pub(crate) tracked: usize,
}

impl StopRule {
    pub(crate) fn new(
        layout: &IvfLayout,
        params: SearchParams,
        filter: Option<&IvfFilter>,
        thresholds: StopThresholds<'_>,
    ) -> Self {
        let lists = params.nprobe.clamp(1, layout.nlist);
        let EarlyStop { max_lists, threshold } = thresholds.stop(lists);
        let Some(filter) = filter else {
            let shortlist = params.shortlist.max(params.k).min(layout.rows);
            let max_lists = max_lists.min(layout.nlist);
            return Self {
                lists: max_lists,
                expected_lists: lists,
                rows: shortlist,
                shortlist,
                threshold,
                tracked: TRACKED_SCORES,
            };
        };
        let allowed = filter.allowed();
        let shortlist = params.shortlist.saturating_mul(FILTER_OVERSAMPLE).max(params.k).min(allowed);
        // The nearest of fewer rows are farther away, in lists of lower rank. Measured: the number of lists grows with the
        // square root of 1/share.
        let lists_of_share = |lists: usize, share: f64| (lists as f64 / share.sqrt()) as usize;
        if threshold > NEVER {
            let expected_lists = lists_of_share(lists, filter.share_in_lists());
            let tracked = (params.shortlist / SHORTLIST_PER_TRACKED).clamp(TRACKED_SCORES, MAX_TRACKED);
            return Self {
                lists: layout.nlist,
                expected_lists,
                rows: shortlist.saturating_mul(SEEN_PER_CANDIDATE).min(allowed),
                shortlist,
                threshold,
                tracked,
            };
        }
        let lists = if thresholds.is_fitted() { (FILTERED_LISTS * lists as f64) as usize } else { lists };
        let lists = lists.min(layout.nlist);
        // So the number of allowed rows to see falls with the square root of the share.
        let share = allowed as f64 / layout.rows as f64;
        let rows = lists as f64 * (layout.rows as f64 / layout.nlist as f64) * share.sqrt();
        let rows = (rows as usize).clamp(shortlist, allowed);
        Self {
            lists,
            expected_lists: lists_of_share(lists, share),
            rows,
            shortlist,
            threshold,
            tracked: TRACKED_SCORES,
        }
    }

    /// Probe exactly `nprobe` lists, however few rows they hold.
    pub(crate) fn of_lists(layout: &IvfLayout, nprobe: usize, shortlist: usize) -> Self {
        let lists = nprobe.clamp(1, layout.nlist);
        let shortlist = shortlist.min(layout.rows);
        Self { shortlist, lists, expected_lists: lists, rows: 0, threshold: NEVER, tracked: TRACKED_SCORES }
    }

    /// Whether it costs less to score every allowed row than to probe the lists that they are in. A search that terminates early
    /// never takes longer.
    pub(crate) fn scoring_all_is_cheaper(&self, layout: &IvfLayout, filter: &IvfFilter) -> bool {
        let allowed = filter.allowed() as f64;
        let share = allowed / layout.rows as f64;
        // A block without an allowed row is skipped.
        let scanned_share = 1.0 - (1.0 - share).powi(BLOCK_ROWS as i32);
        let lists = self.expected_lists.min(layout.nlist) as f64;
        let scanned = lists * layout.rows as f64 / layout.nlist as f64 * scanned_share * FILTERED_SCAN_COST;
        let ranked = self.lists_to_rank(layout.nlist) as f64 * CENTROID_COST;
        self.threshold == NEVER
            && allowed * SCORE_COST <= scanned + ranked + self.shortlist as f64 * SCORE_COST
    }

    /// Number of lists to rank beforehand.
    pub(crate) fn lists_to_rank(&self, nlist: usize) -> usize {
        let wanted = 2 * self.expected_lists + RANKED_MARGIN;
        // To score that many centroids one by one is as fast as to score all.
        if wanted > nlist / 4 { nlist } else { wanted }
    }

    /// Number of lists with allowed rows to rank beforehand.
    pub(crate) fn filtered_lists_to_rank(&self, lists: usize) -> usize {
        let wanted = 2 * self.expected_lists + RANKED_MARGIN;
        // Centroids with gaps between them are scored one by one.
        if wanted > lists / 4 * 3 { lists } else { wanted }
    }

    pub(crate) fn is_reached(&self, lists: usize, rows: usize) -> bool {
        lists >= self.lists && rows >= self.rows
    }
}

impl SearchScratch {
    /// Append the best `count` lists that are not yet ranked, of those with allowed rows, to the probes, best first.
    pub(crate) fn rank_lists(
        &mut self,
        sections: &Sections<'_>,
        count: usize,
        filter: Option<FilterView<'_>>,
    ) {
        let codes =
            filter.map_or_else(|| RoutingCodes::all(sections), |filter| filter.routing_codes(sections));
        let ranked = self.probes.len();
        let remaining = (ranked > 0).then(|| remaining_codes(codes, &self.probes, sections.layout.nlist));
        let remaining = remaining.as_ref().or(codes.filter);
        if count < remaining.map_or(codes.count, RowBitmap::allowed) {
            if ranked == 0 {
                self.routing_lut.build(&self.projected, sections.routing_codebooks);
            }
            self.lists.reset(count);
            let ahead = codes.blocks.len().min(PREFETCH_BLOCKS * block_bytes(sections.layout.m));
            let range = ScanRange {
                blocks: codes.blocks,
                prefetched: &codes.blocks[ahead..],
                rows: 0..codes.count,
                bias: 0,
                probe: 0,
                filter: remaining,
                allowed: remaining.map_or(codes.count, RowBitmap::allowed),
            };
            scan_list(sections.fast_scan, &self.routing_lut, &range, &mut self.lists);
            let best = self.lists.best();
            let list_of = |candidate: &Candidate| codes.list_of(candidate.row() as usize);
            let prefetch = |candidate: &Candidate| sections.prefetch_centroid(list_of(candidate) as usize);
            best.iter().take(PREFETCH_CENTROIDS).for_each(prefetch);
            for (index, candidate) in best.iter().enumerate() {
                best.get(index + PREFETCH_CENTROIDS).into_iter().for_each(prefetch);
                self.probes.push(Probe::new(sections, &self.query, list_of(candidate)));
            }
        } else {
            let probe = |code: usize| Probe::new(sections, &self.query, codes.list_of(code));
            match remaining {
                Some(remaining) => self.probes.extend(remaining.ones(0..codes.count).map(probe)),
                None => self.probes.extend((0..codes.count).map(probe)),
            }
        }
        self.probes[ranked..]
            .sort_unstable_by(|a, b| b.rank_score.total_cmp(&a.rank_score).then(a.list.cmp(&b.list)));
    }

    /// Whether there is a probe of this index, after ranking more lists if necessary.
    pub(crate) fn has_probe(
        &mut self,
        sections: &Sections<'_>,
        index: usize,
        filter: Option<FilterView<'_>>,
    ) -> bool {
        let lists = filter.map_or(sections.layout.nlist, |view| view.filter.lists().allowed());
        if index == self.probes.len() && index < lists {
            self.rank_lists(sections, index / RANK_GROWTH_DIVISOR + RANKED_MARGIN, filter);
        }
        index < self.probes.len()
    }
}

/// The codes of the lists that are not among the probes.
fn remaining_codes(codes: RoutingCodes<'_>, probes: &[Probe], nlist: usize) -> RowBitmap {
    let mut is_ranked = vec![false; nlist];
    probes.iter().for_each(|probe| is_ranked[probe.list as usize] = true);
    let is_allowed = |code| codes.filter.is_none_or(|filter| filter.mask(code) & 1 == 1);
    RowBitmap::new(codes.count, |code| !is_ranked[codes.list_of(code) as usize] && is_allowed(code))
}

/// Return one over the median list weight; 0 if that is 0.
pub(crate) fn rank_unit(list_weights: &[f32]) -> f32 {
    let mut weights = list_weights.to_vec();
    let middle = weights.len() / 2;
    let (_, median, _) = weights.select_nth_unstable_by(middle, f32::total_cmp);
    if *median > 0.0 { median.recip() } else { 0.0 }
}
