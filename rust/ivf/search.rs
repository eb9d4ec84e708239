//! The search of one query: project it, rank lists, scan their codes for candidates, rerank the candidates.

use crate::error::Result;
use crate::ivf::calibration::{KindRule, QueryKind};
use crate::ivf::early_stop::{MIN_LISTS, NEVER};
use crate::ivf::filter::{FilterView, IvfFilter, ListRows};
use crate::ivf::probe::{Probe, StopRule};
use crate::ivf::rerank::RerankRow;
use crate::ivf::scan_list::{ScanRange, scan_list};
use crate::ivf::sections::Sections;
use crate::kernels::fastscan::blocks::correction_of;
use crate::kernels::prefetch;
use crate::linalg::gemm::dot;
use crate::parallel::Interrupt;
use crate::quantizer::lut::Lut;
use crate::quantizer::magnitude::ScaledQuery;
use crate::quantizer::refine_codec::RefineCodec;
use crate::quantizer::sq8::{QuantizedQuery, to_score_f32};
use crate::topk::candidates::{RerankCandidate, prune_by_bound};
use crate::topk::reservoir::{Candidate, CandidateReservoir, Hit, TopKById};

/// Rows reranked at once when all rows are scored.
const RERANK_BATCH: usize = 1024;

/// Blocks prefetched before a row in them is scored.
const PREFETCH_BLOCKS: usize = 4;

/// A filtered search continues while more than one in this many candidates was found late.
const LATE_SHARE_DIVISOR: usize = 20;

/// Lists scanned between two checks of the interrupt.
const LISTS_BETWEEN_CHECKS: usize = 64;

/// How thoroughly to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchParams {
    /// Number of hits.
    pub k: usize,
    /// Lists that a query probes on average, without a filter. Without thresholds of early termination, lists to probe.
    pub nprobe: usize,
    /// Candidates to rerank; at least `k`.
    pub shortlist: usize,
    /// Score every allowed row by its refine code instead.
    pub exact: bool,
}

/// Parameters for each kind of query.
#[derive(Clone, Copy, Debug)]
pub struct SearchPlan {
    /// For queries like the samples.
    pub samples: SearchParams,
    /// For queries like the rows, with the same number of hits.
    pub rows: SearchParams,
}

impl From<SearchParams> for SearchPlan {
    fn from(params: SearchParams) -> Self {
        Self { samples: params, rows: params }
    }
}

impl SearchPlan {
    /// The parameters for a query, shape (dim,), and its kind.
    pub(crate) fn params_of(self, query: &[f32], rule: KindRule<'_>) -> (SearchParams, QueryKind) {
        match rule.kind(query) {
            kind @ QueryKind::Samples => (self.samples, kind),
            kind @ QueryKind::Rows => (self.rows, kind),
        }
    }
}

/// The buffers of a search, reusable from query to query, so that the loops do not allocate.
#[derive(Debug, Default)]
pub struct SearchScratch {
    scaled_query: ScaledQuery,
    pub(crate) query: QuantizedQuery,
    /// The projected query after the randomized Hadamard transform, for a trellis-coded refine codec.
    pub(crate) rotated: QuantizedQuery,
    products: Vec<i32>,
    pub(crate) projected: Vec<f32>,
    /// One over the length of the scaled query.
    inverse_length: f32,
    pub(crate) routing_lut: Lut,
    pub(crate) lut: Lut,
    pub(crate) lists: CandidateReservoir,
    pub(crate) rows: CandidateReservoir,
    pub(crate) probes: Vec<Probe>,
    pub(crate) rerank_rows: Vec<RerankRow>,
    candidates: Vec<RerankCandidate>,
    top: TopKById,
}

impl SearchScratch {
    /// Return the best min(k, allowed) rows for one query of finite values, shape (dim,): best first, ties by lower id.
    ///
    /// Their scores are those of a scaled query; [`SearchScratch::score`] converts them.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`] if `interrupt` says so.
    pub fn search(
        &mut self,
        sections: &Sections<'_>,
        query: &[f32],
        (params, kind): (SearchParams, QueryKind),
        filter: Option<&IvfFilter>,
        interrupt: Interrupt<'_>,
    ) -> Result<&[Hit]> {
        interrupt.check()?;
        let allowed = filter.map_or(sections.layout.rows, IvfFilter::allowed);
        self.top.reset(params.k.min(allowed));
        if params.k > 0 && allowed > 0 {
            self.prepare_query(sections, query);
            let thresholds = sections.stop_thresholds(kind);
            let stop_rule = |params| StopRule::new(sections.layout, params, filter, thresholds);
            let is_cheaper =
                |filter: &IvfFilter| stop_rule(params).scoring_all_is_cheaper(sections.layout, filter);
            let all = params.exact || allowed <= params.shortlist || filter.is_some_and(is_cheaper);
            if all && sections.layout.refine != RefineCodec::None {
                self.score_all(sections, filter, interrupt)?;
            } else {
                let params = if all { all_rows(sections, params) } else { params };
                let view = filter.map(IvfFilter::view);
                let seen = self.scan_probes(sections, stop_rule(params), view, interrupt)?;
                self.rerank(sections, params.k.min(allowed), view);
                if let Some(filter) = filter {
                    filter.count_seen(sections, seen);
                }
            }
        }
        Ok(self.top.sorted(sections.ids))
    }

    /// Return the score of the last query itself from that of its hit.
    pub(crate) fn score(&self, score: f32) -> f32 {
        self.scaled_query.score(score)
    }

    /// Scale, quantize and project the query.
    pub(crate) fn prepare_query(&mut self, sections: &Sections<'_>, query: &[f32]) {
        let scaled = self.scaled_query.scale(query, sections.exponent);
        self.query.quantize(scaled);
        let length = dot(scaled, scaled).sqrt();
        self.inverse_length = if length > 0.0 { length.recip() } else { 0.0 };
        sections.project_query(&self.query, &mut self.products, &mut self.projected);
        sections.reranker.prepare_query(&self.projected, &mut self.rotated);
    }

    /// Score every allowed row by the 21-bit LUT and its refine code.
    fn score_all(
        &mut self,
        sections: &Sections<'_>,
        filter: Option<&IvfFilter>,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        self.lut.build(&self.projected, sections.codebooks);
        self.lut.build_fine();
        let lists = 0..sections.layout.nlist;
        let rows_of = |list| sections.rows_of(list);
        match filter {
            Some(filter) => {
                let rows = filter
                    .lists()
                    .ones(lists)
                    .flat_map(|list| filter.bitmap().ones(rows_of(list)).map(move |row| (list, row)));
                self.score_rows(sections, rows, interrupt)
            }
            None => {
                let rows = lists.flat_map(|list| rows_of(list).map(move |row| (list, row)));
                self.score_rows(sections, rows, interrupt)
            }
        }
    }

    /// Score rows with their lists, in rising order.
    fn score_rows(
        &mut self,
        sections: &Sections<'_>,
        rows: impl Iterator<Item = (usize, usize)>,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let (mut centroid_score, mut last_list) = (0.0, None);
        self.rerank_rows.clear();
        for (list, row) in rows {
            if last_list != Some(list) {
                centroid_score = sections.centroid_score(&self.query, list);
                last_list = Some(list);
            }
            self.rerank_rows.push(RerankRow { row: row as u32, base_score: centroid_score });
            if self.rerank_rows.len() == RERANK_BATCH {
                interrupt.check()?;
                self.score_batch(sections);
            }
        }
        self.score_batch(sections);
        Ok(())
    }

    /// Add the PQ score to the centroid scores of a batch, then push the rows with their refine scores.
    fn score_batch(&mut self, sections: &Sections<'_>) {
        for index in 0..self.rerank_rows.len() {
            if let Some(later) = self.rerank_rows.get(index + PREFETCH_BLOCKS) {
                prefetch(sections.block_of(later.row as usize).0);
            }
            let row = &mut self.rerank_rows[index];
            let (block, lane) = sections.block_of(row.row as usize);
            row.base_score += self.lut.fine_score(block, lane);
        }
        let query = refine_query(sections, &self.query, &self.rotated);
        let top = &mut self.top;
        sections.reranker.score(query, &self.rerank_rows, |hit| top.push(hit, sections.ids));
        self.rerank_rows.clear();
    }

    /// Rank the lists, and forget the candidates of the last query.
    pub(crate) fn begin_scan(
        &mut self,
        sections: &Sections<'_>,
        stop_rule: &StopRule,
        filter: Option<FilterView<'_>>,
    ) {
        self.probes.clear();
        let count = match filter {
            Some(view) => stop_rule.filtered_lists_to_rank(view.filter.lists().allowed()),
            None => stop_rule.lists_to_rank(sections.layout.nlist),
        };
        self.rank_lists(sections, count, filter);
        self.lut.build(&self.projected, sections.codebooks);
        self.rows.reset(stop_rule.shortlist);
        if stop_rule.threshold > NEVER {
            self.rows.track_best(stop_rule.tracked);
        }
    }

    /// Scan the codes of the best lists until the stop rule is reached; return how many allowed rows were seen.
    fn scan_probes(
        &mut self,
        sections: &Sections<'_>,
        mut stop_rule: StopRule,
        filter: Option<FilterView<'_>>,
        interrupt: Interrupt<'_>,
    ) -> Result<usize> {
        self.begin_scan(sections, &stop_rule, filter);
        let (mut index, mut lists, mut rows) = (0, 0, 0);
        while self.has_probe(sections, index, filter) {
            if stop_rule.is_reached(lists, rows) {
                if filter.is_none() || !self.is_improving(index) {
                    break;
                }
                stop_rule.lists = lists + lists / 2 + 1;
            }
            if rows >= stop_rule.rows && self.is_early_end(sections, index, stop_rule.threshold) {
                break;
            }
            if index % LISTS_BETWEEN_CHECKS == 0 {
                interrupt.check()?;
            }
            let allowed = self.scan_probe(sections, index, filter);
            (index, lists, rows) = (index + 1, lists + usize::from(allowed > 0), rows + allowed);
        }
        Ok(rows)
    }

    /// Whether the margin of the next probe is below the threshold.
    pub(crate) fn is_early_end(&self, sections: &Sections<'_>, index: usize, threshold: f32) -> bool {
        threshold > NEVER && index >= MIN_LISTS && self.margin(sections, index) < threshold
    }

    /// The rank score of a probe, in the units of a score, less the worst best score that is tracked, for a query of length 1.
    pub(crate) fn margin(&self, sections: &Sections<'_>, index: usize) -> f32 {
        let rank_score = self.probes[index].rank_score * sections.rank_unit;
        (rank_score - self.lut.score(self.rows.tracked_score())) * self.inverse_length
    }

    /// Whether the last third of the lists probed found a good part of the candidates: then the next lists will too.
    ///
    /// This happens when a filter removes the rows near the query: the ranking of the lists then says little about the rows
    /// that are allowed.
    fn is_improving(&mut self, probed: usize) -> bool {
        let kept = self.rows.best();
        let late = kept.iter().filter(|candidate| candidate.probe as usize >= probed - probed / 3).count();
        late * LATE_SHARE_DIVISOR > kept.len()
    }

    /// Scan the list of a probe for candidates, and prefetch the next one; return how many of its rows are allowed.
    pub(crate) fn scan_probe(
        &mut self,
        sections: &Sections<'_>,
        index: usize,
        filter: Option<FilterView<'_>>,
    ) -> usize {
        let rows_of = |list: u32| match filter {
            Some(view) => view.rows_of(sections, list as usize),
            None => ListRows::all(sections, list as usize),
        };
        let probe = self.probes[index];
        let ListRows { blocks, rows, filter, allowed } = rows_of(probe.list);
        let next = self.probes.get(index + 1).map(|next| rows_of(next.list));
        let range = ScanRange {
            blocks,
            prefetched: next.map_or(&[][..], |next| next.blocks),
            rows,
            bias: self.lut.to_lut_units(probe.centroid_score as f32),
            probe: index as u32,
            filter,
            allowed,
        };
        scan_list(sections.fast_scan, &self.lut, &range, &mut self.rows);
        allowed
    }

    /// Rerank the candidates: by their sums and refine codes first, and those that can still be in the top `k`
    /// by the 21-bit LUT instead of the sums.
    ///
    /// So the top k of one shortlist are a prefix of the top k + n.
    fn rerank(&mut self, sections: &Sections<'_>, k: usize, filter: Option<FilterView<'_>>) {
        if sections.layout.refine == RefineCodec::None {
            let lut = &self.lut;
            let hit = |candidate: &Candidate| {
                let score = to_score_f32(f64::from(lut.score(candidate.score())));
                Hit { row: row_of(candidate, filter), score }
            };
            self.rows.best().iter().for_each(|candidate| self.top.push(hit(candidate), sections.ids));
            return;
        }
        self.score_approximately(sections, filter);
        self.lut.build_fine();
        prune_by_bound(&mut self.candidates, k, self.lut.likely_error_bound());
        self.top.reset(k);
        for (index, candidate) in self.candidates.iter().enumerate() {
            if let Some(later) = self.candidates.get(index + PREFETCH_BLOCKS) {
                prefetch(sections.block_of(later.row as usize).0);
            }
            let (block, lane) = sections.block_of(candidate.row as usize);
            let score = candidate.centroid_score + self.lut.fine_score(block, lane) + candidate.refine_score;
            self.top.push(Hit { row: candidate.row, score: to_score_f32(score) }, sections.ids);
        }
    }

    /// Make rerank candidates of the candidates of the scan.
    fn score_approximately(&mut self, sections: &Sections<'_>, filter: Option<FilterView<'_>>) {
        self.rerank_rows.clear();
        self.candidates.clear();
        for candidate in self.rows.best() {
            let row = row_of(candidate, filter);
            let centroid_score = self.probes[candidate.probe as usize].centroid_score;
            let (block, lane) = sections.block_of(row as usize);
            let sum = candidate.score() - self.lut.to_lut_units(centroid_score as f32);
            let approx_score = self.lut.uncorrected(sum, correction_of(block, lane));
            self.rerank_rows.push(RerankRow { row, base_score: centroid_score });
            self.candidates.push(RerankCandidate { row, centroid_score, refine_score: 0.0, approx_score });
        }
        let candidates = &mut self.candidates;
        let query = refine_query(sections, &self.query, &self.rotated);
        sections.reranker.partial_scores(query, &self.rerank_rows, |index, refine_score| {
            let candidate = &mut candidates[index];
            candidate.refine_score = refine_score;
            let score = candidate.centroid_score + f64::from(candidate.approx_score) + refine_score;
            candidate.approx_score = score as f32;
        });
    }
}

/// The row of a candidate of the scan.
fn row_of(candidate: &Candidate, filter: Option<FilterView<'_>>) -> u32 {
    filter.map_or(candidate.row(), |view| view.row_of(candidate.row()))
}

/// The query that the refine codes are multiplied with.
pub(crate) fn refine_query<'a>(
    sections: &Sections<'_>,
    query: &'a QuantizedQuery,
    rotated: &'a QuantizedQuery,
) -> &'a QuantizedQuery {
    if sections.layout.refine.is_trellis() { rotated } else { query }
}

/// Parameters that scan every row. Without refine codes, ties at the end of a shortlist would go to lower rows instead of
/// lower ids, so the shortlist holds all rows.
fn all_rows(sections: &Sections<'_>, params: SearchParams) -> SearchParams {
    SearchParams { nprobe: sections.layout.nlist, shortlist: sections.layout.rows, ..params }
}
