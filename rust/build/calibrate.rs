//! Calibration: how many lists to probe and how many rows to refine for a wanted recall, measured on the new index.
//!
//! From few lists and few rows on, the search is made more thorough step by step: more lists or more rows, whichever gives
//! more recall for its cost. What counts is the recall that is assured for queries not among those held out: the lower
//! bound of the mean. Costs are counted, not timed, so that the same input always gives the same table.

use std::collections::HashMap;
use std::iter::successors;

use crate::build::trial::{NEIGHBOURS, Trial, assured_recall};
use crate::error::Result;
use crate::file::draft::Draft;
use crate::file::format::Tag;
use crate::file::load::Load;
use crate::hits::topk::Hit;
use crate::index::Index;
use crate::index::lists::{Effort, Shape};
use crate::parallel::Team;

/// Recalls that the table has a point for, as far as they can be reached.
const TARGETS: [f32; POINTS] =
    [0.50, 0.70, 0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.998];

/// Points of the effort table.
pub const POINTS: usize = 16;

/// What it costs to refine one row, in scanned rows: a row of the tier is a visit to memory, a code one of many
/// that are read in a row.
const REFINE_COST: f64 = 25.0;

/// Where the walk begins.
const FIRST: Step = Step { nprobe: 2, shortlist: 20 };

/// Most rows refined.
const MOST_ROWS: u32 = 4000;

/// A step may cost one scanned row for so many rows of the index, and so many more.
const MOST_COST: (f64, f64) = (10.0, 50_000.0);

/// Shortlists that are measured by each scan of lists: the one asked for, and the longer ones that the walk looks at next.
const DEPTHS: usize = 3;

/// Queries of one piece of work.
const PIECE: usize = 8;

/// A setting of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Step {
    nprobe: u32,
    shortlist: u32,
}

impl Step {
    fn cost(self, shape: &Shape) -> f64 {
        let scanned = f64::from(self.nprobe) * shape.rows as f64 / shape.nlist as f64;
        scanned + REFINE_COST * f64::from(self.shortlist)
    }

    /// Whether it is worth its cost: a search that costs more is no faster than an exact one.
    fn is_sensible(self, shape: &Shape) -> bool {
        self.cost(shape) <= shape.rows as f64 / MOST_COST.0 + MOST_COST.1
    }

    /// With half as many lists more, if there are more.
    fn wider(self, shape: &Shape) -> Option<Self> {
        let most = shape.nlist as u32;
        (self.nprobe < most)
            .then(|| Self { nprobe: (self.nprobe + self.nprobe.div_ceil(2)).min(most), ..self })
    }

    /// With half as many rows more.
    fn deeper(self, shape: &Shape) -> Option<Self> {
        let most = MOST_ROWS.min(shape.rows.max(1) as u32);
        let shortlist = (self.shortlist + self.shortlist / 2).min(most);
        (self.shortlist < most && shape.tier.has_scales()).then_some(Self { shortlist, ..self })
    }
}

/// Measure the index that `draft` holds, and write the table into it. `order` is the row of the input that each row
/// of the index was, `truth` the rows of the input that are the neighbours of each held-out query.
///
/// # Errors
/// [`crate::Error::Storage`] if the disk refuses, or the listener's error.
pub(crate) fn measure(
    draft: &mut Draft,
    shape: &Shape,
    trial: &Trial,
    truth: &[Vec<u32>],
    order: &[u32],
    team: &mut Team<'_>,
) -> Result<Vec<Effort>> {
    let index = Index::open(draft.path(), Load::Map)?;
    let mut bench = Bench { index, shape, trial, truth, order, known: HashMap::new() };
    let walk = if trial.is_empty() { Vec::new() } else { bench.walk(team)? };
    let efforts = table(&walk);
    let words: Vec<u32> = efforts.iter().flat_map(|effort| effort.encode()).collect();
    draft.replace(Tag::EFFORTS, bytemuck::cast_slice(&words))?;
    Ok(efforts)
}

struct Bench<'a> {
    index: Index,
    shape: &'a Shape,
    trial: &'a Trial,
    truth: &'a [Vec<u32>],
    order: &'a [u32],
    /// What was measured.
    known: HashMap<Step, f32>,
}

impl Bench<'_> {
    /// Steps and their assured recalls, from the least thorough on.
    fn walk(&mut self, team: &mut Team<'_>) -> Result<Vec<(Step, f32)>> {
        let mut here = (FIRST, self.recall(FIRST, team, 0.0)?);
        let mut walk = vec![here];
        while here.1 < TARGETS[POINTS - 1] {
            let mut ways = Vec::new();
            let steps = [here.0.wider(self.shape), here.0.deeper(self.shape)].into_iter().flatten();
            for step in steps.filter(|step| step.is_sensible(self.shape)) {
                ways.push((step, self.recall(step, team, f64::from(here.1))?));
            }
            let gain = |&(step, recall): &(Step, f32)| {
                f64::from(recall - here.1) / (step.cost(self.shape) - here.0.cost(self.shape)).max(1.0)
            };
            let Some(next) = ways.into_iter().max_by(|a, b| gain(a).total_cmp(&gain(b))) else { break };
            here = next;
            walk.push(here);
        }
        Ok(walk)
    }

    /// Recall of a setting, see [`assured_recall`].
    fn recall(&mut self, step: Step, team: &mut Team<'_>, share: f64) -> Result<f32> {
        if let Some(&recall) = self.known.get(&step) {
            return Ok(recall);
        }
        team.enter("calibrate", (share, share));
        let deeper = |step: &Step| step.deeper(self.shape).filter(|step| step.is_sensible(self.shape));
        let steps: Vec<Step> = successors(Some(step), deeper).take(DEPTHS).collect();
        let recalls = self.recalls(&steps, team)?;
        self.known.extend(steps.into_iter().zip(recalls.iter().copied()));
        Ok(recalls[0])
    }

    /// Recall of each of some settings with the same number of lists and rising shortlists.
    fn recalls(&self, steps: &[Step], team: &mut Team<'_>) -> Result<Vec<f32>> {
        let shortlists: Vec<usize> = steps.iter().map(|step| step.shortlist as usize).collect();
        let plan = (NEIGHBOURS, steps[0].nprobe as usize);
        let search = |queries: &[f32]| {
            let find = |query| {
                let depths = self.index.hits_by_depth(query, plan, &shortlists)?;
                self.index.release();
                let rows = |hits: Vec<Hit>| hits.iter().map(|hit| self.order[hit.row as usize]).collect();
                Ok(depths.into_iter().map(rows).collect())
            };
            queries.chunks_exact(self.shape.dim).map(find).collect()
        };
        let pieces = self.trial.held_out.chunks(PIECE * self.shape.dim);
        let found: Vec<Vec<Vec<Vec<u32>>>> = team.run(pieces, search)?;
        let mut found = found.concat();
        let at = |depth: usize| found.iter_mut().map(|depths| std::mem::take(&mut depths[depth])).collect();
        let by_depth: Vec<Vec<Vec<u32>>> = (0..steps.len()).map(at).collect();
        Ok(by_depth.iter().map(|found| assured_recall(self.truth, found)).collect())
    }
}

/// For each target the least setting that reaches it, between two steps by their distance; the best step for those
/// that none reaches.
fn table(walk: &[(Step, f32)]) -> Vec<Effort> {
    let mut rising: Vec<(Step, f32)> = Vec::new();
    for &step in walk {
        if rising.last().is_none_or(|last| step.1 > last.1) {
            rising.push(step);
        }
    }
    TARGETS.iter().map(|&target| point(&rising, target)).collect()
}

fn point(walk: &[(Step, f32)], target: f32) -> Effort {
    let effort = |recall, nprobe: f32, shortlist: f32| Effort {
        recall,
        nprobe: nprobe.ceil() as u32,
        shortlist: shortlist.ceil() as u32,
    };
    let (Some(first), Some(last)) = (walk.first(), walk.last()) else { return effort(0.0, 1.0, 1.0) };
    let reached = walk.iter().position(|&(_, recall)| recall >= target);
    match reached {
        None => effort(last.1, last.0.nprobe as f32, last.0.shortlist as f32),
        Some(0) => effort(first.1, first.0.nprobe as f32, first.0.shortlist as f32),
        Some(at) => {
            let ((low, below), (high, above)) = (walk[at - 1], walk[at]);
            let share = ((target - below) / (above - below)).clamp(0.0, 1.0);
            let between = |low: u32, high: u32| low as f32 + share * (high as f32 - low as f32);
            effort(target, between(low.nprobe, high.nprobe), between(low.shortlist, high.shortlist))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk() -> Vec<(Step, f32)> {
        let step = |nprobe, shortlist| Step { nprobe, shortlist };
        vec![(step(2, 20), 0.6), (step(4, 20), 0.8), (step(4, 40), 0.78), (step(8, 40), 0.96)]
    }

    #[test]
    fn targets_lie_between_steps() {
        let effort = |recall, nprobe, shortlist| Effort { recall, nprobe, shortlist };
        let table = table(&walk());
        let at = |target| table[TARGETS.iter().position(|&other| other == target).unwrap()];
        assert_eq!(at(0.5), effort(0.6, 2, 20));
        assert_eq!(at(0.7), effort(0.7, 3, 20));
        assert_eq!(at(0.85), effort(0.85, 6, 27));
        assert_eq!(at(0.998), effort(0.96, 8, 40));
    }

    #[test]
    fn the_table_never_falls() {
        let table = table(&walk());
        assert!(
            table.len() == POINTS && table.is_sorted_by(|a, b| a.recall <= b.recall && a.nprobe <= b.nprobe)
        );
        assert_eq!(super::table(&[])[0].nprobe, 1);
    }
}
