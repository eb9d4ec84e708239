//! The coarse quantizer: thousands of centroids, trained and searched in two levels.
//!
//! To compare 1.5 million rows with 8192 centroids takes 12 TFLOP. So the centroids are grouped around some hundred
//! *supers*, and a row is compared with the centroids of its nearest supers only. Small groups do best: with 16 centroids
//! in each, 8 groups of 512 hold the nearest of 8192 centroids for 99.8 % of CLIP-like rows, at an eighth of the work; the
//! other rows are farther from theirs by so little that all residuals together gain 0.14 % of energy.

use crate::clustering::kmeans::{Members, copied, lloyd, set_mean};
use crate::clustering::largest::{largest, largest_few};
use crate::clustering::rough::Rough;
use crate::error::Result;
use crate::math::random::Random;
use crate::parallel::Team;
use crate::vectors::cross::Coded;
use crate::vectors::rows::Rows;

/// Least number of centroids in a group, on average.
const GROUP: usize = 16;

/// Supers for a centroid of an average group: with more centroids, both groups and their number grow.
const SUPERS_EACH: usize = 32;

/// Most lists that a super is divided into while training, in average groups: beyond that its rows are likely all
/// the same.
const MOST_GROUPS: usize = 4;

/// Rows for every super and for every centroid of a group while training.
const ROWS_EACH: usize = 64;

/// Rounds of Lloyd's algorithm while dividing, and to group centroids around supers.
const ROUNDS: usize = 8;
const GROUPING_ROUNDS: usize = 4;

/// Rounds over all lists after that.
const REFINING_ROUNDS: usize = 3;

/// Groups searched for each row while training, and at last.
const TRAIN_PROBES: usize = 4;
const PROBES: usize = 8;

/// Rows whose mean everything is coded around.
const MIDDLE_ROWS: usize = 8192;

/// Lists of one piece of work.
const MEANS_PIECE: usize = 64;

/// Rows of one piece of work.
pub const PIECE: usize = 8192;

/// Centroids that are compared with a row only if their group is near.
#[derive(Debug)]
pub struct Coarse {
    /// What rows and centroids are coded around, shape (dim,).
    middle: Vec<f32>,
    supers: Rough,
    groups: Vec<Group>,
    probes: usize,
}

#[derive(Debug)]
struct Group {
    /// Their numbers among all centroids, rising.
    numbers: Vec<u32>,
    centroids: Rough,
}

impl Coarse {
    /// Group `centroids`, shape (k, dim), around supers; all are coded around `middle`, shape (dim,).
    pub fn new(centroids: &[f32], middle: Vec<f32>, probes: usize, random: &mut Random) -> Self {
        let dim = middle.len();
        let count = supers_for(centroids.len() / dim);
        let supers = lloyd(centroids, dim, count, GROUPING_ROUNDS, random);
        let supers = Rough::new(supers.values(), &middle);
        let members = Members::new(&supers.nearest(&Coded::around(&middle, centroids)), supers.len());
        let group = |list| {
            let numbers = members.of(list).to_vec();
            let centroids = Rough::new(&copied(centroids, dim, &numbers), &middle);
            Group { numbers, centroids }
        };
        let groups = (0..supers.len()).map(group).collect();
        Self { middle, supers, groups, probes }
    }

    /// Number of centroids.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.numbers.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What rows are coded around, shape (dim,).
    pub fn middle(&self) -> &[f32] {
        &self.middle
    }

    /// The nearest centroid of each of `rows`, which are coded around the middle, among those of the nearest groups.
    pub fn assign(&self, rows: &Coded) -> Vec<u32> {
        let mut best = vec![(f32::NEG_INFINITY, 0); rows.len()];
        for (group, visitors) in self.groups.iter().zip(self.visitors(rows)) {
            let visitors = visitors.into_iter().map(|row| row as usize);
            group.centroids.score(rows, visitors, |row, scores| {
                let (place, score) = largest(scores);
                let number = group.numbers[place];
                if score > best[row].0 || score == best[row].0 && number < best[row].1 {
                    best[row] = (score, number);
                }
            });
        }
        best.into_iter().map(|(_, number)| number).collect()
    }

    /// The rows that visit each group: a row visits its nearest groups that are not empty.
    fn visitors(&self, rows: &Coded) -> Vec<Vec<u32>> {
        let room = 2 * rows.len() * self.probes / self.groups.len().max(1);
        let mut visitors = vec![Vec::with_capacity(room); self.groups.len()];
        let empty: Vec<usize> =
            (0..self.groups.len()).filter(|&group| self.groups[group].numbers.is_empty()).collect();
        let mut open = vec![0.0; self.groups.len()];
        let mut nearest = Vec::new();
        self.supers.score(rows, 0..rows.len(), |row, scores| {
            open.copy_from_slice(scores);
            empty.iter().for_each(|&group| open[group] = f32::NEG_INFINITY);
            largest_few(&open, self.probes, &mut nearest);
            let full = nearest.iter().filter(|&&group| !self.groups[group as usize].numbers.is_empty());
            full.for_each(|&group| visitors[group as usize].push(row as u32));
        });
        visitors
    }
}

/// Train about `nlist` centroids on the rows numbered `sample`: first supers, then the rows of each super divided, then
/// rounds over all. Rows that are mostly alike give fewer centroids. Returns the means, shape (lists, dim), and how
/// to find the nearest.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or the listener's error.
pub fn train(
    rows: &Rows<'_>,
    sample: &[u32],
    nlist: usize,
    seed: u64,
    team: &mut Team<'_>,
) -> Result<Coarse> {
    let dim = rows.dim();
    let mut random = Random::new(seed, 1);
    team.enter("lists", (0.0, 0.2));
    let middle = middle(rows, sample, seed)?;
    let mut means = divide(rows, sample, nlist, &middle, seed, team)?;
    for round in 0..REFINING_ROUNDS {
        let share = |round: usize| 0.2 + 0.8 * round as f64 / REFINING_ROUNDS as f64;
        team.enter("lists", (share(round), share(round + 1)));
        let coarse = Coarse::new(&means, middle.clone(), TRAIN_PROBES, &mut random);
        let lists = assign(rows, sample, &coarse, team)?;
        let members = Members::new(&lists, means.len() / dim);
        move_to_means(rows, sample, &members, &mut means, team)?;
        for (empty, place) in members.reseeds(&mut random) {
            let row = rows.gather(&[sample[place as usize]])?;
            means[empty * dim..][..dim].copy_from_slice(&row);
        }
    }
    Ok(Coarse::new(&means, middle, PROBES, &mut random))
}

/// The mean of some of the rows numbered `sample`, shape (dim,).
fn middle(rows: &Rows<'_>, sample: &[u32], seed: u64) -> Result<Vec<f32>> {
    let few = rows.gather(&pick(sample, MIDDLE_ROWS, &mut Random::new(seed, 6)))?;
    let mut middle = vec![0.0; rows.dim()];
    set_mean(&mut middle, few.chunks_exact(rows.dim()));
    Ok(middle)
}

/// The first centroids: supers, and within each as many as its share of the sample asks for.
fn divide(
    rows: &Rows<'_>,
    sample: &[u32],
    nlist: usize,
    middle: &[f32],
    seed: u64,
    team: &mut Team<'_>,
) -> Result<Vec<f32>> {
    let (dim, count) = (rows.dim(), supers_for(nlist));
    let mut random = Random::new(seed, 2);
    let few = pick(sample, count * ROWS_EACH, &mut random);
    let supers = lloyd(&rows.gather(&few)?, dim, count, ROUNDS, &mut random);
    let near = Rough::new(supers.values(), middle);
    let pieces = sample.chunks(PIECE);
    let nearest = |piece: &[u32]| Ok(near.nearest(&Coded::around(middle, &rows.gather(piece)?)));
    let lists = team.run(pieces, nearest)?.concat();
    let members = Members::new(&lists, supers.len());
    let shares = allot(nlist, &members);
    let split = |(group, share): (usize, usize)| {
        let mut random = Random::new(seed, 1000 + group as u64);
        let mine: Vec<u32> = members.of(group).iter().map(|&place| sample[place as usize]).collect();
        let mine = rows.gather(&pick(&mine, share * ROWS_EACH, &mut random))?;
        Ok(lloyd(&mine, dim, share, ROUNDS, &mut random).values().to_vec())
    };
    Ok(team.run(shares.into_iter().enumerate(), split)?.concat())
}

/// Up to `count` of these rows, rising.
fn pick(rows: &[u32], count: usize, random: &mut Random) -> Vec<u32> {
    random.sample(rows.len(), count).into_iter().map(|place| rows[place as usize]).collect()
}

/// How many supers for so many centroids: 512 for 8192, 1448 for 65536.
fn supers_for(centroids: usize) -> usize {
    let group = GROUP.max((centroids / SUPERS_EACH).isqrt());
    centroids.div_ceil(group).max(1)
}

/// How many lists each super gets of `nlist`: by its share of the rows, at least one if it has any, no more than
/// [`MOST_GROUPS`] allows and no more than its rows.
fn allot(nlist: usize, members: &Members) -> Vec<usize> {
    let total = members.rows.len().max(1);
    let most = MOST_GROUPS * nlist.div_ceil(members.lists().max(1));
    let share = |list| {
        let rows = members.of(list).len();
        (rows * nlist).div_ceil(total).min(most).min(rows)
    };
    let mut shares: Vec<usize> = (0..members.lists()).map(share).collect();
    // Rounding up gave a few too many: take them from the largest shares.
    while shares.iter().sum::<usize>() > nlist {
        let Some(most) = shares.iter_mut().max().filter(|most| **most > 1) else { break };
        *most -= 1;
    }
    shares
}

/// The list of each of the rows numbered `numbers`.
fn assign(rows: &Rows<'_>, numbers: &[u32], coarse: &Coarse, team: &mut Team<'_>) -> Result<Vec<u32>> {
    let pieces = numbers.chunks(PIECE);
    let nearest = |piece: &[u32]| Ok(coarse.assign(&Coded::around(coarse.middle(), &rows.gather(piece)?)));
    Ok(team.run(pieces, nearest)?.concat())
}

/// Set each mean to that of its list; `numbers` are the rows that `members` counts. Empty lists keep theirs.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or the listener's error.
pub fn move_to_means(
    rows: &Rows<'_>,
    numbers: &[u32],
    members: &Members,
    means: &mut [f32],
    team: &mut Team<'_>,
) -> Result<()> {
    let dim = rows.dim();
    let pieces = means.chunks_mut(MEANS_PIECE * dim).enumerate();
    let update = |(piece, means): (usize, &mut [f32])| {
        for (place, mean) in means.chunks_exact_mut(dim).enumerate() {
            let mine = members.of(piece * MEANS_PIECE + place).iter().map(|&place| numbers[place as usize]);
            let mine = rows.gather(&mine.collect::<Vec<u32>>())?;
            set_mean(mean, mine.chunks_exact(dim));
        }
        Ok(())
    };
    team.run(pieces, update).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Progress;
    use crate::vectors::rows::Values;

    const DIM: usize = 6;

    fn values(n: usize) -> Vec<f32> {
        let mut random = Random::new(9, 0);
        (0..n * DIM).map(|_| random.normal()).collect()
    }

    fn trained(values: &[f32], nlist: usize, threads: usize) -> Coarse {
        let rows = Rows::new(Values::Single(values), DIM).unwrap();
        let sample: Vec<u32> = (0..rows.len() as u32).collect();
        let mut listener = |_: Progress| Ok(());
        train(&rows, &sample, nlist, 5, &mut Team::new(threads, &mut listener)).unwrap()
    }

    fn assigned(coarse: &Coarse, values: &[f32]) -> Vec<u32> {
        coarse.assign(&Coded::around(coarse.middle(), values))
    }

    #[test]
    fn two_levels_find_nearly_what_one_finds() {
        let values = values(6000);
        let coarse = trained(&values, 300, 2);
        assert_eq!(coarse.len(), 300);
        let rows = Coded::around(coarse.middle(), &values);
        let all = Coarse { probes: coarse.groups.len(), ..coarse };
        let exact = all.assign(&rows);
        let few = Coarse { probes: TRAIN_PROBES, ..all };
        let found = few.assign(&rows);
        let same = exact.iter().zip(&found).filter(|(a, b)| a == b).count();
        assert!(same > 5400, "{same} of 6000");
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let values = values(3000);
        let one = assigned(&trained(&values, 150, 1), &values);
        assert_eq!(one, assigned(&trained(&values, 150, 3), &values));
    }

    #[test]
    fn equal_rows_and_few_rows_are_no_trouble() {
        let same = [2.0; 900 * DIM];
        let coarse = trained(&same, 600, 1);
        assert!((1..=600).contains(&coarse.len()));
        assert_eq!(assigned(&coarse, &same).iter().max(), Some(&0));
        assert_eq!(trained(&values(5), 5, 1).len(), 5);
    }
}
