//! Trains product quantization, and chooses the transform for it.
//!
//! Every kind of transform is fitted to the same sample of residuals and validated on other rows with the held-out queries. The
//! one whose codes find most of the true neighbours is taken.

use crate::error::Result;
use crate::ivf::build::held_out::{NEIGHBOURS, QuerySplit, TopKPerQuery, recall};
use crate::ivf::build::kmeans::{gather, mean_into};
use crate::ivf::layout::{
    CoarseCentroids, Int8Projection, PqCodes, RowProjection, TRANSFORMS, TrainedParams,
};
use crate::kernels::gemm_i8::{GemmI8, Int8Matrix, PackedB};
use crate::linalg::gemm::{gemm_nn_acc, gemm_nt, second_moment};
use crate::linalg::rng::Rng;
use crate::matrix::RowsView;
use crate::parallel::{Interrupt, ScopedWorkers};
use crate::quantizer::length_correction::{CORRECTION_ONE, length_corrections};
use crate::quantizer::pq::{self, DSUB, default_m};
use crate::quantizer::query_transform::{SecondMoments, Transform, TransformKind};

/// Fewest and most rows whose residuals the codebooks are trained on; between them one row in this many.
const TRAIN_ROWS: (usize, usize) = (16_384, 49_152);
const ROWS_PER_TRAIN_ROW: usize = 4;

/// Rows and iterations for the codebooks of a kind of transform that is only tried.
const TRIAL_ROWS: usize = 8192;
const TRIAL_ITERATIONS: usize = 6;

/// Rows and queries that transforms are validated with.
const VALIDATION_ROWS: usize = 8192;
const VALIDATION_QUERIES: usize = 512;

/// Candidates among which the ten neighbours are counted: as in a search, some more than are needed.
const SHORTLIST: usize = 20;

/// Rows of one piece of work.
const BATCH_ROWS: usize = 1024;

/// Rows that are projected at once: their products with some axes stay in the cache.
const TILE: usize = 1024;

/// Recall of each kind of transform, `None` for those not tried, in the order of [`TransformKind::ALL`].
pub(crate) type TransformRecalls = [Option<f32>; TRANSFORMS];

/// Rows, and the list and the centroid of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AssignedRows<'a> {
    pub(crate) rows: &'a RowsView<'a>,
    pub(crate) lists: &'a [u32],
    pub(crate) centroids: &'a CoarseCentroids,
}

impl AssignedRows<'_> {
    /// Return the residuals of the rows numbered `numbers`, shape (n, dim).
    pub(crate) fn residuals(&self, numbers: &[u32]) -> Result<Vec<f32>> {
        let mut values = self.rows.gather(numbers)?;
        let mut centroid = vec![0.0; self.rows.dim()];
        for (&row, values) in numbers.iter().zip(values.chunks_exact_mut(centroid.len())) {
            self.centroids.decode(self.lists[row as usize] as usize, &mut centroid);
            values.iter_mut().zip(&centroid).for_each(|(value, centroid)| *value -= centroid);
        }
        Ok(values)
    }
}

/// Train transform and codebooks for `m` subquantizers; only `kind` is tried if it is given. Also returns the recall of each
/// kind tried.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or the progress callback's error.
pub(crate) fn train(
    assigned: AssignedRows<'_>,
    split: &QuerySplit,
    m: usize,
    kind: Option<TransformKind>,
    seed: u64,
    workers: &mut ScopedWorkers<'_>,
) -> Result<(TrainedParams, TransformRecalls)> {
    workers.begin_stage("codes", (0.0, 0.0));
    let (rows, dim, mut rng) = (assigned.rows, assigned.rows.dim(), Rng::new(seed, 4));
    let numbers = train_rows(rows, &mut rng);
    let residuals = assigned.residuals(&numbers)?;
    let moments = second_moments(rows, &numbers, &residuals, split, workers)?;
    let trial = Rng::new(seed, 8).sample(numbers.len(), TRIAL_ROWS);
    let trial = gather(&residuals, dim, &trial);
    let validation = ValidationSet::new(assigned, split, rng.sample(rows.len(), VALIDATION_ROWS), workers)?;
    let is_tried = |&other: &TransformKind| is_tried(other, kind, dim, m);
    let kinds: Vec<TransformKind> = TransformKind::ALL.into_iter().filter(is_tried).collect();
    let mut best: Option<(f32, TransformKind, Transform)> = None;
    let mut recalls = TransformRecalls::default();
    for (index, &kind) in kinds.iter().enumerate() {
        let share = |index: usize| index as f64 / (kinds.len() + 1) as f64;
        workers.begin_stage("codes", (share(index), share(index + 1)));
        let transform = moments.fit(kind, m, workers.interrupt())?;
        let pq = TransformedPq::train(transform, &trial, dim, (seed, TRIAL_ITERATIONS), workers)?;
        let recall = validation.recall(&pq, workers)?;
        recalls[kind.number() as usize] = Some(recall);
        if best.as_ref().is_none_or(|&(best_recall, ..)| recall > best_recall) {
            best = Some((recall, kind, pq.transform));
        }
    }
    let Some((_, kind, transform)) = best else { unreachable!("at least one kind was tried") };
    workers.begin_stage("codes", (0.9, 1.0));
    let pq = TransformedPq::train(transform, &residuals, dim, (seed, pq::ITERATIONS), workers)?;
    let query_second_moment = moments.query_second_moment(workers.interrupt())?;
    Ok((assemble(assigned, kind, pq, query_second_moment, seed, workers)?, recalls))
}

/// Return the second moment of queries for LDLQ, shape (dim, dim), without training anything.
///
/// # Errors
/// [`crate::Error::NotFinite`] for a bad row, or [`crate::Error::Stopped`].
pub(crate) fn query_second_moment(
    assigned: AssignedRows<'_>,
    split: &QuerySplit,
    seed: u64,
    workers: &ScopedWorkers<'_>,
) -> Result<Vec<f64>> {
    let numbers = train_rows(assigned.rows, &mut Rng::new(seed, 4));
    let residuals = assigned.residuals(&numbers)?;
    let moments = second_moments(assigned.rows, &numbers, &residuals, split, workers)?;
    moments.query_second_moment(workers.interrupt())
}

/// Return the rows that are trained on, rising.
fn train_rows(rows: &RowsView<'_>, rng: &mut Rng) -> Vec<u32> {
    rng.sample(rows.len(), (rows.len() / ROWS_PER_TRAIN_ROW).clamp(TRAIN_ROWS.0, TRAIN_ROWS.1))
}

/// Whether a kind is tried: the given one, or all that `m` subquantizers can represent.
fn is_tried(kind: TransformKind, given: Option<TransformKind>, dim: usize, m: usize) -> bool {
    given.map_or(kind != TransformKind::Identity || m >= default_m(dim), |given| given == kind)
}

fn second_moments(
    rows: &RowsView<'_>,
    numbers: &[u32],
    residuals: &[f32],
    split: &QuerySplit,
    workers: &ScopedWorkers<'_>,
) -> Result<SecondMoments> {
    let dim = rows.dim();
    let step = numbers.len().div_ceil(TRAIN_ROWS.1 / 2).max(1);
    let subset: Vec<u32> = numbers.iter().copied().step_by(step).collect();
    let interrupt = workers.interrupt();
    let moment = |rows: &[f32]| second_moment(rows, dim, interrupt);
    let vectors = moment(&rows.gather(&subset)?)?;
    let queries = if split.train.is_empty() { None } else { Some(moment(&split.train)?) };
    let residuals = moment(residuals)?;
    SecondMoments::new(queries.as_deref(), &vectors, residuals, dim, interrupt)
}

/// A transform and the codebooks for it.
#[derive(Debug)]
struct TransformedPq {
    transform: Transform,
    codebooks: Vec<f32>,
}

impl TransformedPq {
    fn train(
        transform: Transform,
        residuals: &[f32],
        dim: usize,
        (seed, iterations): (u64, usize),
        workers: &mut ScopedWorkers<'_>,
    ) -> Result<Self> {
        let a = Int8Matrix::new(&transform.a, dim);
        let columns = project(&a, residuals, dim, workers.interrupt())?;
        let m = transform.a.len() / dim / DSUB;
        let codebooks = pq::train(&columns, m, (seed, iterations), workers)?;
        Ok(Self { transform, codebooks })
    }

    /// Return the length-corrected reconstructions of `residuals`, in columns of shape (4m, n).
    fn reconstruct(&self, residuals: &[f32], dim: usize, interrupt: Interrupt<'_>) -> Result<Vec<f32>> {
        let (codes, mut columns) = encode(&self.transform.a, &self.codebooks, residuals, dim, interrupt)?;
        for column in columns.chunks_exact_mut(codes.corrections.len().max(1)) {
            let factor = |correction: u8| f32::from(correction) / f32::from(CORRECTION_ONE);
            let pairs = column.iter_mut().zip(&codes.corrections);
            pairs.for_each(|(value, &correction)| *value *= factor(correction));
        }
        Ok(columns)
    }
}

/// Encode `residuals`, shape (n, dim); also return the reconstructions without length correction, in columns of shape (4m, n).
///
/// The residuals are projected with int8 codes of both sides: the error is about a ten-thousandth of a row's energy, where the
/// error of 4-bit codes is a third.
pub(crate) fn encode(
    a: &[f32],
    codebooks: &[f32],
    residuals: &[f32],
    dim: usize,
    interrupt: Interrupt<'_>,
) -> Result<(PqCodes, Vec<f32>)> {
    let n = residuals.len() / dim;
    let columns = project(&Int8Matrix::new(a, dim), residuals, dim, interrupt)?;
    let mut codes = vec![0; columns.len() / DSUB];
    pq::encode(&columns, n, codebooks, &mut codes);
    let reconstructed = pq::decode(&codes, n, codebooks);
    let corrections = length_corrections(&columns, &reconstructed, n);
    Ok((PqCodes { codes, corrections }, reconstructed))
}

/// Project `residuals`, shape (n, dim), with `a` to columns of shape (4m, n).
fn project(a: &Int8Matrix, residuals: &[f32], dim: usize, interrupt: Interrupt<'_>) -> Result<Vec<f32>> {
    let n = residuals.len() / dim;
    let mut columns = vec![0.0; a.len() * n];
    let gemm = GemmI8::fastest();
    for (tile, residuals) in residuals.chunks(TILE * dim).enumerate() {
        interrupt.check()?;
        let encoded = Int8Matrix::new(residuals, dim);
        gemm.products(a, 0..a.len(), &PackedB::new(&encoded), |axis, products| {
            let column = &mut columns[axis * n + tile * TILE..][..products.len()];
            let pairs = products.iter().zip(encoded.scales());
            column.iter_mut().zip(pairs).for_each(|(value, (&product, scale))| {
                *value = product as f32 * (a.scales()[axis] * scale);
            });
        });
    }
    Ok(columns)
}

/// The rows that transforms are validated on, and the true neighbours of some held-out queries among them.
struct ValidationSet<'a> {
    assigned: AssignedRows<'a>,
    numbers: Vec<u32>,
    /// Shape (queries, dim).
    queries: &'a [f32],
    truth: Vec<Vec<u32>>,
    /// For each batch of rows, the scores of their centroids, shape (queries, n): the same for all transforms.
    centroid_scores: Vec<Vec<f32>>,
}

impl<'a> ValidationSet<'a> {
    fn new(
        assigned: AssignedRows<'a>,
        split: &'a QuerySplit,
        numbers: Vec<u32>,
        workers: &mut ScopedWorkers<'_>,
    ) -> Result<Self> {
        let (dim, count) = (assigned.rows.dim(), split.len().min(VALIDATION_QUERIES));
        let queries = &split.held_out[..count * dim];
        let score = |(start, numbers): (u32, &[u32])| {
            let mut values = assigned.rows.gather(numbers)?;
            let mut scores = vec![0.0; count * numbers.len()];
            gemm_nt(queries, &values, dim, &mut scores);
            let mut best = TopKPerQuery::new(count, NEIGHBOURS);
            best.push(&scores, numbers.len(), start..start + numbers.len() as u32);
            for (&row, values) in numbers.iter().zip(values.chunks_exact_mut(dim)) {
                assigned.centroids.decode(assigned.lists[row as usize] as usize, values);
            }
            gemm_nt(queries, &values, dim, &mut scores);
            Ok((best, scores))
        };
        let (parts, centroid_scores) = workers.run(batches(&numbers), score)?.into_iter().unzip();
        let truth = TopKPerQuery::merged_rows(parts, count, NEIGHBOURS);
        Ok(Self { assigned, numbers, queries, truth, centroid_scores })
    }

    /// Return the share of the true neighbours among the rows that score best by their codes.
    fn recall(&self, pq: &TransformedPq, workers: &mut ScopedWorkers<'_>) -> Result<f32> {
        let (dim, count) = (self.assigned.rows.dim(), self.truth.len());
        let mut projected = vec![0.0; count * (pq.transform.b.len() / dim)];
        gemm_nt(self.queries, &pq.transform.b, dim, &mut projected);
        let interrupt = workers.interrupt();
        let score = |((start, numbers), centroid_scores): ((u32, &[u32]), &Vec<f32>)| {
            let residuals = self.assigned.residuals(numbers)?;
            let mut scores = centroid_scores.clone();
            gemm_nn_acc(&projected, &pq.reconstruct(&residuals, dim, interrupt)?, numbers.len(), &mut scores);
            let mut best = TopKPerQuery::new(count, SHORTLIST);
            best.push(&scores, numbers.len(), start..start + numbers.len() as u32);
            Ok(best)
        };
        let parts = workers.run(batches(&self.numbers).zip(&self.centroid_scores), score)?;
        Ok(recall(&self.truth, &TopKPerQuery::merged_rows(parts, count, SHORTLIST)))
    }
}

/// Batches of row numbers, each with the index of its first.
fn batches(numbers: &[u32]) -> impl ExactSizeIterator<Item = (u32, &[u32])> + Send {
    numbers.chunks(BATCH_ROWS).enumerate().map(|(batch, numbers)| ((batch * BATCH_ROWS) as u32, numbers))
}

/// Encode the routing centroids as well, and assemble everything that was trained.
fn assemble(
    assigned: AssignedRows<'_>,
    kind: TransformKind,
    pq: TransformedPq,
    query_second_moment: Vec<f64>,
    seed: u64,
    workers: &mut ScopedWorkers<'_>,
) -> Result<TrainedParams> {
    let dim = assigned.rows.dim();
    let TransformedPq { transform, codebooks } = pq;
    let routing = centered_routing_centroids(assigned.centroids, dim);
    let routing_pq = TransformedPq::train(transform.clone(), &routing, dim, (seed, pq::ITERATIONS), workers)?;
    let (routing_codes, _) = encode(&transform.a, &routing_pq.codebooks, &routing, dim, workers.interrupt())?;
    let m = transform.a.len() / dim / DSUB;
    Ok(TrainedParams {
        m,
        transform: kind.number(),
        b: Int8Projection::new(&transform.b, dim),
        a: RowProjection::Int8(Int8Projection::new(&transform.a, dim)),
        codebooks,
        routing_codebooks: routing_pq.codebooks,
        routing_blocks: routing_codes.pack(m),
        centroids: assigned.centroids.clone(),
        query_second_moment,
    })
}

/// Return the routing centroids `c |c|^-e` less their mean, which is the same for all and so changes no order.
fn centered_routing_centroids(centroids: &CoarseCentroids, dim: usize) -> Vec<f32> {
    let mut routing = vec![0.0; centroids.len() * dim];
    for (list, centroid) in routing.chunks_exact_mut(dim).enumerate() {
        centroids.decode(list, centroid);
        centroid.iter_mut().for_each(|value| *value *= centroids.list_weights[list]);
    }
    let mut mean = vec![0.0; dim];
    mean_into(&mut mean, routing.chunks_exact(dim));
    for centroid in routing.chunks_exact_mut(dim) {
        centroid.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
    }
    routing
}
