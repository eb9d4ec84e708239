//! Builds an IVF index: sample, train, assign rows to lists, encode rows, calibrate, write.
//!
//! | step | module |
//! |---|---|
//! | resolve the options | `options` |
//! | take over what another index was trained to | `shared_training` |
//! | hold queries out, or make noisy ones of rows | `held_out` |
//! | train the list centroids | `two_level_kmeans`, `kmeans`, `int8_centroids` |
//! | assign every row, and find the held-out queries' true neighbours | `ground_truth` |
//! | choose the list weights | `probe_order` |
//! | choose the transform and train PQ | `transform_choice` |
//! | encode every row and write the file | `encode_rows` |
//! | measure the calibration tables | `calibrate`, `operating_points` |

pub mod calibrate;
pub mod options;

mod argmax;
mod encode_rows;
mod ground_truth;
mod held_out;
mod int8_centroids;
mod kmeans;
mod operating_points;
mod probe_order;
mod shared_training;
mod transform_choice;
mod two_level_kmeans;

use std::path::Path;

use crate::error::{Error, Result};
use crate::ivf::build::calibrate::MeasuredQueries;
use crate::ivf::build::encode_rows::RowEncoder;
use crate::ivf::build::ground_truth::PrunedScan;
use crate::ivf::build::held_out::{QuerySplit, TopKPerQuery};
use crate::ivf::build::kmeans::Assignment;
use crate::ivf::build::options::{BuildOptions, ResolvedOptions};
use crate::ivf::build::shared_training::SharedTraining;
use crate::ivf::build::transform_choice::AssignedRows;
use crate::ivf::build::two_level_kmeans::{BATCH_ROWS, TwoLevelKmeans, update_centroids};
use crate::ivf::calibration::{KindRule, TABLES};
use crate::ivf::early_stop::STEPS;
use crate::ivf::layout::{CoarseCentroids, IvfLayout, RowProjection};
use crate::ivf::storage_forms::StorageForms;
use crate::kernels::gemm_i8::Int8Matrix;
use crate::linalg::rng::Rng;
use crate::matrix::{RowsView, check_ids};
use crate::parallel::{Interrupt, ProgressCallback, ScopedWorkers};
use crate::quantizer::ldlq::LdlqEncoder;
use crate::quantizer::magnitude::ordinary_rows;
use crate::quantizer::residual_table::CodewordTable;
use crate::topk::packed_ids::IdForm;

/// Sample rows for every list.
const SAMPLE_ROWS_PER_LIST: usize = 32;

/// Rows whose scores bound those of the true neighbours.
const SEED_ROWS: usize = 32_768;

/// Build the index of `rows` at `path`. `queries` are samples of future queries, of the same dimension.
///
/// `ids` has one id for each row; without it they count from 0. The file depends on the input, the options and the seed, and
/// not on the number of threads.
///
/// # Errors
/// [`Error::Dim`], [`Error::NotFinite`], [`Error::MagnitudeRange`], [`Error::IdsLength`], [`Error::IdsRepeated`],
/// [`Error::OptionOutOfRange`] for bad input, [`Error::Storage`] if the disk refuses, the progress callback's error, or [`Error::Stopped`]. No file is left then.
pub fn build<'a>(
    rows: &RowsView<'_>,
    queries: Option<&RowsView<'_>>,
    ids: Option<&[i64]>,
    path: &Path,
    options: &BuildOptions,
    on_progress: &'a mut ProgressCallback<'a>,
    interrupt: Interrupt<'a>,
) -> Result<()> {
    check_queries(rows, queries)?;
    check_ids(rows.len(), ids)?;
    let shared = SharedTraining::of(options, rows.dim())?;
    let options = shared.as_ref().map_or_else(|| options.clone(), |shared| shared.options(options));
    let id_range = id_range(rows.len(), ids);
    let id_form = IdForm::of_range(id_range.0, id_range.1);
    let resolved = ResolvedOptions::new(rows.len(), rows.dim(), id_form, &options)?;
    let (dim, seed) = (rows.dim(), options.seed);
    let (rows, unit) = &ordinary_rows(rows, interrupt)?;
    let queries = queries.map(|queries| ordinary_rows(queries, interrupt)).transpose()?;
    let queries = queries.as_ref().map(|(queries, _)| queries);
    let mut workers = ScopedWorkers::new(options.threads, on_progress, interrupt);
    let split = QuerySplit::new(rows, queries, seed)?;
    let kmeans = if let Some(shared) = &shared {
        shared.lists(*unit, seed, interrupt)?
    } else {
        let sample = Rng::new(seed, 5).sample(rows.len(), resolved.nlist * SAMPLE_ROWS_PER_LIST);
        two_level_kmeans::train(rows, &sample, resolved.nlist, seed, &mut workers)?
    };
    let row_split = QuerySplit::of_rows(rows, seed)?;
    let (lists, [truth, row_truth]) = assign(rows, &kmeans, [&split, &row_split], &mut workers)?;
    let assignment = Assignment::new(&lists, kmeans.len().max(1));
    let centroids = if let Some(shared) = &shared {
        shared.centroids(*unit)
    } else {
        let mut centroids = centroids(rows, &assignment, &mut workers)?;
        probe_order::choose(&mut centroids, &assignment, &lists, &split, &truth, interrupt)?;
        centroids
    };
    let assigned = AssignedRows { rows, lists: &lists, centroids: &centroids };
    let (trained, transform_recalls) = if let Some(shared) = &shared {
        shared.params(assigned, &split, (*unit, seed), &workers)?
    } else {
        transform_choice::train(assigned, &split, resolved.m, options.transform, seed, &mut workers)?
    };
    let layout = IvfLayout {
        rows: rows.len(),
        dim,
        m: resolved.m,
        nlist: assignment.lists(),
        refine: resolved.refine,
        transform: trained.transform,
        calibration_points: operating_points::POINTS,
        calibration_tables: TABLES.len(),
        stop_thresholds: STEPS,
        forms: StorageForms {
            // Indexes with the same training store it in the same form.
            int8_projection: matches!(trained.a, RowProjection::Int8(_)),
            ..StorageForms::smallest(id_form)
        },
    };
    let samples = if split.train.is_empty() { &[] } else { &split.held_out[..] };
    let encoder = RowEncoder {
        assigned,
        ids,
        smallest_id: id_range.0,
        unit: *unit,
        assignment: &assignment,
        codeword_table: CodewordTable::new(&trained.codebooks, &trained.b.decode(dim), dim),
        ldlq: LdlqEncoder::new(&trained.query_second_moment, dim, interrupt)?,
        a: trained.a.decode(dim),
        trained: &trained,
        layout,
        transform_recalls,
        kind_rule: shared
            .as_ref()
            .and_then(|shared| shared.kind_rule())
            .unwrap_or_else(|| KindRule::fit(samples, &row_split.held_out, dim)),
    };
    let mut writer = encoder.write(path, &mut workers)?;
    let thresholds = shared.map(|shared| shared.stop_thresholds());
    let row_of = inverse(&assignment.rows);
    let samples = MeasuredQueries::new(&split, &truth, &row_of);
    let own = MeasuredQueries::new(&row_split, &row_truth, &row_of);
    calibrate::measure(&mut writer, [&samples, &own], thresholds, &mut workers)?;
    writer.persist()
}

fn check_queries(rows: &RowsView<'_>, queries: Option<&RowsView<'_>>) -> Result<()> {
    match queries {
        Some(queries) if queries.dim() != rows.dim() => {
            Err(Error::Dim { expected: rows.dim(), got: queries.dim() })
        }
        _ => Ok(()),
    }
}

/// The smallest and the largest id.
fn id_range(rows: usize, ids: Option<&[i64]>) -> (i64, i64) {
    let counted = (0, rows.saturating_sub(1) as i64);
    ids.map_or(Some(counted), |ids| Some((*ids.iter().min()?, *ids.iter().max()?))).unwrap_or(counted)
}

/// The true neighbours of each query, best first.
type Truth = Vec<Vec<u32>>;

/// Invert a permutation.
fn inverse(order: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(index, &row)| inverse[row as usize] = index as u32);
    inverse
}

/// Return the list of every row, and the true neighbours of the held-out queries of each split.
fn assign(
    rows: &RowsView<'_>,
    kmeans: &TwoLevelKmeans,
    splits: [&QuerySplit; 2],
    workers: &mut ScopedWorkers<'_>,
) -> Result<(Vec<u32>, [Truth; 2])> {
    workers.begin_stage("assign", (0.0, 0.0));
    let interrupt = workers.interrupt();
    let seeds = [seed_neighbours(rows, splits[0], workers)?, seed_neighbours(rows, splits[1], workers)?];
    let scan = |index: usize| PrunedScan::new(splits[index], kmeans.mean(), &seeds[index]);
    let pruned_scans = [scan(0), scan(1)];
    workers.begin_stage("assign", (0.0, 1.0));
    let starts = (0..rows.len()).step_by(BATCH_ROWS);
    let work = |start: usize| {
        let end = rows.len().min(start + BATCH_ROWS);
        let values = rows.read(start..end)?;
        let encoded = Int8Matrix::centered(kmeans.mean(), &values);
        let best =
            |index: usize| pruned_scans[index].best(&values, &encoded, start as u32..end as u32, interrupt);
        Ok((kmeans.assign(&encoded, interrupt)?, (best(0)?, best(1)?)))
    };
    let (lists, parts): (Vec<Vec<u32>>, Vec<_>) = workers.run(starts, work)?.into_iter().unzip();
    let (of_samples, of_rows) = parts.into_iter().unzip();
    Ok((lists.concat(), [splits[0].neighbours(of_samples), splits[1].neighbours(of_rows)]))
}

/// Return the held-out queries' neighbours among evenly spaced rows: their scores are lower bounds for those among all rows.
fn seed_neighbours(
    rows: &RowsView<'_>,
    split: &QuerySplit,
    workers: &mut ScopedWorkers<'_>,
) -> Result<TopKPerQuery> {
    let step = rows.len().div_ceil(SEED_ROWS).max(1);
    let subset: Vec<u32> = (0..rows.len() as u32).step_by(step).collect();
    // Only the scores count: the row numbers are not used.
    let interrupt = workers.interrupt();
    let best = |numbers: &[u32]| split.best(&rows.gather(numbers)?, 0..numbers.len() as u32, interrupt);
    let parts = workers.run(subset.chunks(BATCH_ROWS / 2), best)?;
    Ok(TopKPerQuery::merge(parts, split.len(), split.depth()))
}

/// Return the means of all rows of each list; a list without rows has a centroid of zeros.
fn centroids(
    rows: &RowsView<'_>,
    assignment: &Assignment,
    workers: &mut ScopedWorkers<'_>,
) -> Result<CoarseCentroids> {
    workers.begin_stage("means", (0.0, 1.0));
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let mut centroids = vec![0.0; assignment.lists() * rows.dim()];
    update_centroids(rows, &all, assignment, &mut centroids, workers)?;
    Ok(CoarseCentroids::new(&centroids, rows.dim()))
}
