//! Training the codes of an index: which transform, and the codebooks for it.
//!
//! Every kind of transform is fitted to the same sample of residuals and tried on other rows with held-out queries; the one
//! whose codes find most of the true neighbours is taken.

use crate::build::transform::{Kind, Moments, Transform};
use crate::build::trial::{Best, NEIGHBOURS, Trial, recall};
use crate::clustering::kmeans::set_mean;
use crate::codes::blocks::STRETCH_ONE;
use crate::codes::pq;
use crate::codes::{DSUB, full_m};
use crate::error::Result;
use crate::index::lists::{Asking, Codes, Means, TRANSFORMS, Trained};
use crate::math::linalg::{products, products_of_columns, second_moment};
use crate::math::random::Random;
use crate::parallel::Team;
use crate::vectors::cross::{Coded, Crosser, Panels};
use crate::vectors::rows::Rows;

/// Rows whose residuals codes are trained on.
const TRAIN_ROWS: usize = 49_152;

/// Rows that transforms are tried on.
const TRIAL_ROWS: usize = 32_768;

/// Rows that may be looked at for ten neighbours when a transform is tried: as the shortlist of a search, some more
/// than are wanted.
const SHORTLIST: usize = 20;

/// Rows of one piece of work.
const PIECE: usize = 4096;

/// Rows that are multiplied together: their products with a few axes stay in the cache.
const TILE: usize = 1024;

/// Recall of each kind of transform, none for those not tried, in the order of [`Kind::ALL`].
pub type Gains = [Option<f32>; TRANSFORMS];

/// Rows, and the list and the mean of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assigned<'a> {
    pub(crate) rows: &'a Rows<'a>,
    pub(crate) lists: &'a [u32],
    pub(crate) means: &'a Means,
}

impl Assigned<'_> {
    /// The residuals of the rows numbered `numbers`, shape (n, dim).
    pub(crate) fn residuals(&self, numbers: &[u32]) -> Result<Vec<f32>> {
        let mut values = self.rows.gather(numbers)?;
        let mut mean = vec![0.0; self.rows.dim()];
        for (&row, values) in numbers.iter().zip(values.chunks_exact_mut(mean.len())) {
            self.means.decode(self.lists[row as usize] as usize, &mut mean);
            values.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
        }
        Ok(values)
    }
}

/// Train transform and codebooks for `m` subquantizers; `kind` is tried alone if it is given. Returns the recall of
/// each kind tried, too.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or the listener's error.
pub(crate) fn train(
    data: Assigned<'_>,
    trial: &Trial,
    m: usize,
    kind: Option<Kind>,
    seed: u64,
    team: &mut Team<'_>,
) -> Result<(Trained, Gains)> {
    team.enter("codes", (0.0, 0.0));
    let mut random = Random::new(seed, 4);
    let numbers = random.sample(data.rows.len(), TRAIN_ROWS);
    let residuals = data.residuals(&numbers)?;
    let moments = moments(data.rows, &numbers, &residuals, trial, team)?;
    let field = Field::new(data, trial, random.sample(data.rows.len(), TRIAL_ROWS), team)?;
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|&one| wanted(one, kind, data.rows.dim(), m)).collect();
    let mut best: Option<(f32, Kind, Coder)> = None;
    let mut gains = Gains::default();
    for (place, &kind) in kinds.iter().enumerate() {
        team.enter("codes", (place as f64 / kinds.len() as f64, (place + 1) as f64 / kinds.len() as f64));
        let transform = moments.fit(kind, m, &mut || team.check())?;
        let coder = Coder::train(transform, &residuals, data.rows.dim(), seed, team)?;
        let gain = field.recall(&coder, trial, team)?;
        gains[kind.number() as usize] = Some(gain);
        if best.as_ref().is_none_or(|&(most, ..)| gain > most) {
            best = Some((gain, kind, coder));
        }
    }
    let Some((_, kind, coder)) = best else { unreachable!("one kind was tried at least") };
    let asked = moments.asked(&mut || team.check())?;
    Ok((finish(data, m, kind, coder, asked, seed, team)?, gains))
}

/// Whether a kind is tried: the one asked for, or all that can be with so few subquantizers.
fn wanted(kind: Kind, asked: Option<Kind>, dim: usize, m: usize) -> bool {
    asked.map_or(kind != Kind::Identity || m >= full_m(dim), |asked| asked == kind)
}

fn moments(
    rows: &Rows<'_>,
    numbers: &[u32],
    residuals: &[f32],
    trial: &Trial,
    team: &mut Team<'_>,
) -> Result<Moments> {
    let dim = rows.dim();
    let few: Vec<u32> =
        numbers.iter().copied().step_by(numbers.len().div_ceil(TRAIN_ROWS / 2).max(1)).collect();
    let mut moment = |rows: &[f32]| second_moment(rows, dim, &mut || team.check());
    let vectors = moment(&rows.gather(&few)?)?;
    let queries = if trial.learnt.is_empty() { None } else { Some(moment(&trial.learnt)?) };
    let residuals = moment(residuals)?;
    Moments::new(queries.as_deref(), &vectors, residuals, dim, &mut || team.check())
}

/// A transform and its codebooks.
#[derive(Debug)]
struct Coder {
    transform: Transform,
    books: Vec<f32>,
}

impl Coder {
    fn train(
        transform: Transform,
        residuals: &[f32],
        dim: usize,
        seed: u64,
        team: &mut Team<'_>,
    ) -> Result<Self> {
        let columns = turned(&Coded::new(&transform.a, dim), residuals, dim, &mut || team.check())?;
        let books = pq::train(&columns, transform.a.len() / dim / DSUB, seed, team)?;
        Ok(Self { transform, books })
    }

    /// What the codes of `residuals` stand for, stretched, in columns of shape (4m, n).
    fn rebuilt(&self, residuals: &[f32], dim: usize) -> Result<Vec<f32>> {
        let (codes, mut rebuilt) = encode(&self.transform.a, &self.books, residuals, dim)?;
        for column in rebuilt.chunks_exact_mut(codes.stretches.len().max(1)) {
            let stretched = column.iter_mut().zip(&codes.stretches);
            stretched.for_each(|(value, &stretch)| *value *= f32::from(stretch) / f32::from(STRETCH_ONE));
        }
        Ok(rebuilt)
    }
}

/// The codes of `residuals` (n, dim), and what they stand for by themselves, in columns of shape (4m, n).
///
/// The residuals are multiplied with `a` by int8 codes of both: of a row's energy that loses about a ten-thousandth, where
/// 4 bits lose a third.
pub(crate) fn encode(a: &[f32], books: &[f32], residuals: &[f32], dim: usize) -> Result<(Codes, Vec<f32>)> {
    let n = residuals.len() / dim;
    let columns = turned(&Coded::new(a, dim), residuals, dim, &mut || Ok(()))?;
    let mut codes = vec![0; columns.len() / DSUB];
    pq::encode(&columns, n, books, &mut codes);
    let rebuilt = pq::decode(&codes, n, books);
    let stretches = pq::stretches(&columns, &rebuilt, n);
    Ok((Codes { codes, stretches }, rebuilt))
}

/// Products of the rows of `a` with `residuals` (n, dim), in columns of shape (4m, n).
fn turned(
    a: &Coded,
    residuals: &[f32],
    dim: usize,
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<Vec<f32>> {
    let n = residuals.len() / dim;
    let mut columns = vec![0.0; a.len() * n];
    let crosser = Crosser::fastest();
    for (tile, residuals) in residuals.chunks(TILE * dim).enumerate() {
        check()?;
        let coded = Coded::new(residuals, dim);
        crosser.products(a, 0..a.len(), &Panels::new(&coded), |axis, products| {
            let column = &mut columns[axis * n + tile * TILE..][..products.len()];
            let scaled = products.iter().zip(coded.scales());
            column.iter_mut().zip(scaled).for_each(|(value, (&product, scale))| {
                *value = product as f32 * (a.scales()[axis] * scale);
            });
        });
    }
    Ok(columns)
}

/// The rows that transforms are tried on, and which of them are the true neighbours of the held-out queries.
struct Field<'a> {
    data: Assigned<'a>,
    numbers: Vec<u32>,
    truth: Vec<Vec<u32>>,
}

impl<'a> Field<'a> {
    fn new(data: Assigned<'a>, trial: &Trial, numbers: Vec<u32>, team: &mut Team<'_>) -> Result<Self> {
        let best = |(start, numbers): (u32, &[u32])| {
            Ok(trial.best(&data.rows.gather(numbers)?, start..start + numbers.len() as u32))
        };
        let parts = team.run(pieces(&numbers), best)?;
        let truth = Best::merge(parts, trial.len(), NEIGHBOURS);
        Ok(Self { data, numbers, truth })
    }

    /// Share of the true neighbours among the rows that score best by their codes.
    fn recall(&self, coder: &Coder, trial: &Trial, team: &mut Team<'_>) -> Result<f32> {
        let dim = self.data.rows.dim();
        let mut asked = vec![0.0; trial.len() * (coder.transform.b.len() / dim)];
        products(&trial.held_out, &coder.transform.b, dim, &mut asked);
        let score = |(start, numbers): (u32, &[u32])| {
            let residuals = self.data.residuals(numbers)?;
            let mut means = self.data.rows.gather(numbers)?;
            means.iter_mut().zip(&residuals).for_each(|(value, residual)| *value -= residual);
            let mut scores = vec![0.0; trial.len() * numbers.len()];
            products(&trial.held_out, &means, dim, &mut scores);
            products_of_columns(&asked, &coder.rebuilt(&residuals, dim)?, numbers.len(), &mut scores);
            let mut best = Best::new(trial.len(), SHORTLIST);
            best.offer(&scores, numbers.len(), start..start + numbers.len() as u32);
            Ok(best)
        };
        let parts = team.run(pieces(&self.numbers), score)?;
        Ok(recall(&self.truth, &Best::merge(parts, trial.len(), SHORTLIST)))
    }
}

/// Pieces of row numbers, each with the place of its first.
fn pieces(numbers: &[u32]) -> impl ExactSizeIterator<Item = (u32, &[u32])> + Send {
    numbers.chunks(PIECE).enumerate().map(|(piece, numbers)| ((piece * PIECE) as u32, numbers))
}

/// Code the keys of the lists as well, and put everything together.
fn finish(
    data: Assigned<'_>,
    m: usize,
    kind: Kind,
    coder: Coder,
    asked: Vec<f64>,
    seed: u64,
    team: &mut Team<'_>,
) -> Result<Trained> {
    let dim = data.rows.dim();
    let Coder { transform, books } = coder;
    let keys = centred_keys(data.means, dim);
    let key_coder = Coder::train(transform.clone(), &keys, dim, seed, team)?;
    let (key_codes, _) = encode(&transform.a, &key_coder.books, &keys, dim)?;
    Ok(Trained {
        dim,
        m,
        transform: kind.number(),
        b: Asking::new(&transform.b, dim),
        a: transform.a,
        books,
        key_books: key_coder.books,
        key_codes,
        means: data.means.clone(),
        asked,
    })
}

/// The directions of the means, less their own mean: that is the same for all keys, so it changes no order.
fn centred_keys(means: &Means, dim: usize) -> Vec<f32> {
    let mut keys = vec![0.0; means.len() * dim];
    for (list, key) in keys.chunks_exact_mut(dim).enumerate() {
        means.decode(list, key);
        key.iter_mut().for_each(|value| *value *= means.pulls[list]);
    }
    let mut middle = vec![0.0; dim];
    set_mean(&mut middle, keys.chunks_exact(dim));
    keys.chunks_exact_mut(dim)
        .for_each(|key| key.iter_mut().zip(&middle).for_each(|(value, mean)| *value -= mean));
    keys
}
