//! A search of inverted lists: choose lists, scan their codes, refine the best rows.
//!
//! The lists are chosen as rows are: their keys, the means divided by a power of their length, have 4-bit codes of their
//! own, and the best by those are ordered by their int8 means. So choosing among thousands of lists costs less than
//! scanning a few.

use crate::codes::blocks::stretch_of;
use crate::codes::lut::Lut;
use crate::error::Result;
use crate::hits::best::Best;
use crate::hits::contenders::{Contender, keep_contenders};
use crate::hits::filter::Filter;
use crate::hits::shortlist::{Candidate, Shortlist};
use crate::hits::topk::Hit;
use crate::index::lists::Shape;
use crate::index::sweep::{Part, sweep};
use crate::index::view::View;
use crate::parallel::Interrupt;
use crate::tier::refine::{Target, Tier, prefetch_all};
use crate::vectors::{Query, rounded};

/// Rows refined in one go when all are.
const TARGETS: usize = 1024;

/// Up to so many allowed rows are all scored by the tier: that is faster than finding the lists they lie in.
const FEW_ROWS: usize = 20_000;

/// Blocks asked for from memory before a row in them is scored.
const BLOCKS_AHEAD: usize = 4;

/// So many times the shortlist with a filter: where it has left out the best, the rest lie close together.
const FILTERED: usize = 2;

/// A filtered search goes on while more than one in so many of the shortlist was found late.
const LATE_PART: usize = 20;

/// Lists scanned between two looks at the interrupt.
const LISTS_BETWEEN_CHECKS: usize = 64;

/// How thoroughly to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Rows wanted.
    pub k: usize,
    /// Lists probed.
    pub nprobe: usize,
    /// Rows refined; never fewer than `k`.
    pub shortlist: usize,
    /// Score every allowed row by the tier instead.
    pub exact: bool,
}

/// A list to be probed.
#[derive(Clone, Copy, Debug)]
struct Probe {
    list: u32,
    /// Product of the query with the key: the best lists have the most.
    pull: f32,
    /// What the mean adds to the scores of the list's rows.
    base: f64,
}

/// Everything a search needs to remember, reusable from query to query, so that none of them allocates.
#[derive(Debug, Default)]
pub struct Scratch {
    query: Query,
    /// The query as a tier with a trellis sees it.
    turned: Query,
    products: Vec<i32>,
    asked: Vec<f32>,
    lut: Lut,
    lists: Shortlist,
    rows: Shortlist,
    probes: Vec<Probe>,
    targets: Vec<Target>,
    contenders: Vec<Contender>,
    best: Best,
}

impl Scratch {
    /// The best rows for one query of finite values, shape (dim,): best first, ties by lower id.
    ///
    /// There are min(k, allowed) of them.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`] if `interrupt` says so.
    pub fn search(
        &mut self,
        view: &View<'_>,
        query: &[f32],
        plan: Plan,
        filter: Option<&Filter>,
        interrupt: Interrupt<'_>,
    ) -> Result<&[Hit]> {
        interrupt.check()?;
        let allowed = filter.map_or(view.shape.rows, Filter::allowed);
        self.best.begin(plan.k.min(allowed));
        if plan.k > 0 && allowed > 0 {
            self.ask(view, query);
            let all = plan.exact || allowed <= plan.shortlist || filter.is_some() && allowed <= FEW_ROWS;
            if all && view.shape.tier != Tier::None {
                self.score_all(view, filter, interrupt)?;
            } else {
                let plan = if all { every_row(view, plan) } else { plan };
                self.probe(view, Goal::new(view.shape, plan, filter), filter, interrupt)?;
                self.refine(view, plan.k.min(allowed), usize::MAX);
            }
        }
        Ok(self.best.sorted(view.ids))
    }

    /// What [`Scratch::search`] finds with `nprobe` lists and each of these shortlists, which rise, without a filter:
    /// `found` hears the best rows of each. One scan of the lists serves all of them; only among rows whose rough scores
    /// are equal may others be taken.
    pub(crate) fn search_depths(
        &mut self,
        view: &View<'_>,
        query: &[f32],
        (k, nprobe): (usize, usize),
        shortlists: &[usize],
        mut found: impl FnMut(&[Hit]),
    ) -> Result<()> {
        self.ask(view, query);
        let deepest = shortlists.last().copied().unwrap_or(0).max(k);
        let goal = Goal::of_lists(view.shape, nprobe, deepest);
        let seen = self.probe(view, goal, None, Interrupt::NEVER)?;
        self.rows.sorted();
        for &shortlist in shortlists {
            let depth = shortlist.max(k);
            if depth > seen || depth >= view.shape.rows || view.shape.tier == Tier::None {
                // A search would look at more lists, or at all rows; and so it would for all that are longer.
                let plan = Plan { k, nprobe, shortlist, exact: false };
                found(self.search(view, query, plan, None, Interrupt::NEVER)?);
                continue;
            }
            self.refine(view, k, depth);
            found(self.best.sorted(view.ids));
        }
        Ok(())
    }

    /// Take in a query, as lists, codes and tier see it.
    fn ask(&mut self, view: &View<'_>, query: &[f32]) {
        self.query.assign(query);
        view.ask(&self.query, &mut self.products, &mut self.asked);
        view.refiner.ask(&self.asked, &mut self.turned);
    }

    /// Score every allowed row by the tier.
    fn score_all(
        &mut self,
        view: &View<'_>,
        filter: Option<&Filter>,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        self.lut.fill(&self.asked, view.books);
        self.lut.refine();
        let rows = 0..view.shape.rows;
        match filter {
            Some(filter) => self.score_rows(view, filter.ones(rows), interrupt),
            None => self.score_rows(view, rows, interrupt),
        }
    }

    /// Score rows, in rising order, by the fine table and the tier.
    fn score_rows(
        &mut self,
        view: &View<'_>,
        rows: impl Iterator<Item = usize>,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let (mut base, mut end) = (0.0, 0);
        self.targets.clear();
        for row in rows {
            if row >= end {
                let list = view.list_of(row);
                end = view.starts[list + 1] as usize;
                base = view.base(&self.query, list);
            }
            self.targets.push(Target { row: row as u32, base });
            if self.targets.len() == TARGETS {
                interrupt.check()?;
                self.score_finely(view);
            }
        }
        self.score_finely(view);
        Ok(())
    }

    /// Score the targets, which so far have the scores of their lists, by the fine table and the tier.
    fn score_finely(&mut self, view: &View<'_>) {
        for at in 0..self.targets.len() {
            if let Some(later) = self.targets.get(at + BLOCKS_AHEAD) {
                prefetch_all(view.block_of(later.row as usize).0);
            }
            let target = &mut self.targets[at];
            let (block, place) = view.block_of(target.row as usize);
            target.base += self.lut.fine_part(block, place);
        }
        self.score_targets(view);
    }

    fn score_targets(&mut self, view: &View<'_>) {
        let query = tier_query(view, &self.query, &self.turned);
        let best = &mut self.best;
        view.refiner.score(query, &self.targets, |hit| best.offer(hit, view.ids));
        self.targets.clear();
    }

    /// Scan the codes of the best lists, until enough lists and enough allowed rows were seen; return how many rows.
    fn probe(
        &mut self,
        view: &View<'_>,
        mut goal: Goal,
        filter: Option<&Filter>,
        interrupt: Interrupt<'_>,
    ) -> Result<usize> {
        self.probes.clear();
        self.route(view, goal.routed(view.shape.nlist));
        self.lut.fill(&self.asked, view.books);
        self.rows.begin(goal.shortlist);
        let (mut at, mut lists, mut rows) = (0, 0, 0);
        while self.has_probe(view, at) {
            if goal.is_met(lists, rows) {
                if filter.is_none() || !self.is_still_finding(at) {
                    break;
                }
                goal.lists = lists + lists / 2 + 1;
            }
            if at % LISTS_BETWEEN_CHECKS == 0 {
                interrupt.check()?;
            }
            let found = self.scan_list(view, at, filter);
            (at, lists, rows) = (at + 1, lists + usize::from(found > 0), rows + found);
        }
        Ok(rows)
    }

    /// Whether the last third of the lists probed gave a good part of the shortlist: then the next ones will too.
    ///
    /// So it is where a filter has left out what lies near the query, and the order of the lists says little of what
    /// is left.
    fn is_still_finding(&mut self, probed: usize) -> bool {
        let kept = self.rows.best();
        let late = kept.iter().filter(|candidate| candidate.note as usize >= probed - probed / 3).count();
        late * LATE_PART > kept.len()
    }

    /// Whether there is a probe of this number, after looking for more lists if need be.
    fn has_probe(&mut self, view: &View<'_>, at: usize) -> bool {
        if at == self.probes.len() && at < view.shape.nlist {
            self.route(view, view.shape.nlist);
        }
        at < self.probes.len()
    }

    /// Add the best `count` lists that are not yet among the probes, best first.
    fn route(&mut self, view: &View<'_>, count: usize) {
        let nlist = view.shape.nlist;
        let known = self.probes.len();
        let others = (known > 0).then(|| others(&self.probes, nlist));
        if count < nlist {
            self.lut.fill(&self.asked, view.key_books);
            self.lists.begin(count);
            let (blocks, filter) = (view.key_blocks, others.as_ref());
            let part = Part { blocks, ahead: &[], rows: 0..nlist, bias: 0, note: 0, filter };
            sweep(view.pq_scanner, &self.lut, &part, &mut self.lists);
            let best = self.lists.best().iter().map(|candidate| candidate.row());
            self.probes.extend(best.map(|list| probe_of(view, &self.query, list)));
        } else {
            let wanted =
                (0..nlist).filter(|&list| others.as_ref().is_none_or(|others| others.mask(list) & 1 == 1));
            self.probes.extend(wanted.map(|list| probe_of(view, &self.query, list as u32)));
        }
        self.probes[known..].sort_unstable_by(|a, b| b.pull.total_cmp(&a.pull).then(a.list.cmp(&b.list)));
    }

    /// Scan one list for the shortlist; return how many of its rows are allowed.
    fn scan_list(&mut self, view: &View<'_>, at: usize, filter: Option<&Filter>) -> usize {
        let probe = self.probes[at];
        let rows = view.rows_of(probe.list as usize);
        let allowed = filter.map_or(rows.len(), |filter| filter.count(rows.clone()));
        if allowed > 0 {
            let blocks = view.blocks_of(probe.list as usize);
            let ahead = self.probes.get(at + 1).map_or(&[][..], |next| view.blocks_of(next.list as usize));
            let bias = self.lut.steps_of(probe.base as f32);
            let part = Part { blocks, ahead, rows, bias, note: at as u32, filter };
            sweep(view.pq_scanner, &self.lut, &part, &mut self.rows);
        }
        allowed
    }

    /// Score the first `depth` of the shortlist by their sums and the tier, then those of them that may be among the best `k`
    /// by the fine table instead of the sums.
    ///
    /// So the best of the same shortlist are a prefix of more of them.
    fn refine(&mut self, view: &View<'_>, k: usize, depth: usize) {
        if view.shape.tier == Tier::None {
            let lut = &self.lut;
            let hit = |candidate: &Candidate| {
                let score = rounded(f64::from(lut.score(candidate.score())));
                Hit { row: candidate.row(), score }
            };
            self.rows.best().iter().for_each(|candidate| self.best.offer(hit(candidate), view.ids));
            return;
        }
        self.score_roughly(view, depth);
        self.lut.refine();
        keep_contenders(&mut self.contenders, k, self.lut.doubt());
        self.best.begin(k);
        for (at, contender) in self.contenders.iter().enumerate() {
            if let Some(later) = self.contenders.get(at + BLOCKS_AHEAD) {
                prefetch_all(view.block_of(later.row as usize).0);
            }
            let (block, place) = view.block_of(contender.row as usize);
            let score = contender.base + self.lut.fine_part(block, place) + contender.tier;
            self.best.offer(Hit { row: contender.row, score: rounded(score) }, view.ids);
        }
    }

    /// Make contenders of the first `depth` of the shortlist.
    fn score_roughly(&mut self, view: &View<'_>, depth: usize) {
        self.targets.clear();
        self.contenders.clear();
        for candidate in self.rows.best().iter().take(depth) {
            let row = candidate.row();
            let base = self.probes[candidate.note as usize].base;
            let (block, place) = view.block_of(row as usize);
            let sum = candidate.score() - self.lut.steps_of(base as f32);
            let rough = self.lut.unstretched(sum, stretch_of(block, place));
            self.targets.push(Target { row, base });
            self.contenders.push(Contender { row, base, tier: 0.0, rough });
        }
        let contenders = &mut self.contenders;
        view.refiner.parts(tier_query(view, &self.query, &self.turned), &self.targets, |at, tier| {
            let contender = &mut contenders[at];
            contender.tier = tier;
            contender.rough = (contender.base + f64::from(contender.rough) + tier) as f32;
        });
    }
}

/// The query as the tier sees it.
fn tier_query<'a>(view: &View<'_>, query: &'a Query, turned: &'a Query) -> &'a Query {
    if view.shape.tier.trellis().is_some() { turned } else { query }
}

/// When to stop probing.
struct Goal {
    shortlist: usize,
    lists: usize,
    /// Lists that will probably be probed.
    expected: usize,
    rows: usize,
}

impl Goal {
    fn new(shape: &Shape, plan: Plan, filter: Option<&Filter>) -> Self {
        let lists = plan.nprobe.clamp(1, shape.nlist);
        let Some(filter) = filter else {
            let shortlist = plan.shortlist.max(plan.k).min(shape.rows);
            return Self { lists, expected: lists, rows: shortlist, shortlist };
        };
        let shortlist = (plan.shortlist.saturating_mul(FILTERED)).max(plan.k).min(filter.allowed());
        // The best of fewer rows lie further out: of the rows seen without a filter, as many more as there are
        // fewer, but by the square root only.
        let share = filter.allowed() as f64 / shape.rows as f64;
        let rows = lists as f64 * (shape.rows as f64 / shape.nlist as f64) * share.sqrt();
        let expected = (lists as f64 / share.sqrt()) as usize;
        Self { lists, expected, rows: (rows as usize).clamp(shortlist, filter.allowed()), shortlist }
    }

    /// To probe so many lists, however few rows they hold.
    fn of_lists(shape: &Shape, nprobe: usize, shortlist: usize) -> Self {
        let lists = nprobe.clamp(1, shape.nlist);
        Self { shortlist: shortlist.min(shape.rows), lists, expected: lists, rows: 0 }
    }

    /// Lists to put in order beforehand.
    fn routed(&self, nlist: usize) -> usize {
        let wanted = 2 * self.expected + 32;
        // To look at so many one by one is as fast as to look at all.
        if wanted > nlist / 4 { nlist } else { wanted }
    }

    fn is_met(&self, lists: usize, rows: usize) -> bool {
        lists >= self.lists && rows >= self.rows
    }
}

/// Without a tier the codes are all there is to score every row by; ties at the end of a shortlist would go to lower
/// rows and not to lower ids, so the shortlist holds all.
fn every_row(view: &View<'_>, plan: Plan) -> Plan {
    Plan { nprobe: view.shape.nlist, shortlist: view.shape.rows, ..plan }
}

/// The lists that are not among the probes.
fn others(probes: &[Probe], nlist: usize) -> Filter {
    let mut known = vec![false; nlist];
    probes.iter().for_each(|probe| known[probe.list as usize] = true);
    Filter::new(nlist, |list| !known[list])
}

fn probe_of(view: &View<'_>, query: &Query, list: u32) -> Probe {
    let base = view.base(query, list as usize);
    Probe { list, pull: rounded(base * f64::from(view.pulls[list as usize])), base }
}
