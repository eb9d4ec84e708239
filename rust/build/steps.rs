//! Building an index of inverted lists: sample, train, assign every row, code every row, write.

use std::ops::Range;
use std::path::Path;

use crate::build::leftover::Leftover;
use crate::build::quantizer::{self, Assigned, Gains, encode};
use crate::build::routing;
use crate::build::screen::Screen;
use crate::build::settings::{Options, Settings};
use crate::build::transform::Kind;
use crate::build::trial::{Best, NEIGHBOURS, Trial};
use crate::clustering::coarse::{self, Coarse, PIECE};
use crate::clustering::kmeans::Members;
use crate::codes::DSUB;
use crate::codes::blocks::BLOCK_ROWS;
use crate::error::{Error, Result};
use crate::file::draft::Draft;
use crate::file::format::{KIND_LISTS, Tag};
use crate::index::lists::{Effort, Means, Shape, Trained};
use crate::math::linalg::products;
use crate::math::random::Random;
use crate::parallel::{Listener, Team};
use crate::tier::refine::Tier;
use crate::tier::shaping::Shaper;
use crate::vectors::cross::Coded;
use crate::vectors::half::encode_halves;
use crate::vectors::ids::check_ids;
use crate::vectors::rows::Rows;

/// Rows of the sample for every list.
const SAMPLE_EACH: usize = 32;

/// Rows whose scores tell which others cannot be neighbours.
const KNOWN_ROWS: usize = 32_768;

/// Pieces that are coded before they are written: their bytes are what is held in memory.
const BATCH: usize = 16;

/// What was built.
#[derive(Clone, Debug)]
pub struct Report {
    /// Shape of the index.
    pub shape: Shape,
    /// The transform that was chosen.
    pub transform: Kind,
    /// Recall of each transform that was tried, on a sample; in the order of [`Kind::ALL`].
    pub gains: Gains,
    /// The calibrated points.
    pub efforts: Vec<Effort>,
}

/// Build the index of `rows` at `path`. `queries` are samples of what will be asked, of the same dimension.
///
/// `ids` has one id for each row; without it they count from 0. The file depends on the input, the options and the seed,
/// and not on the number of threads.
///
/// # Errors
/// [`Error::Dim`], [`Error::NotFinite`], [`Error::IdsLength`], [`Error::IdsRepeated`], [`Error::Setting`] for bad
/// input, [`Error::Storage`] if the disk refuses, or the listener's error. No file is left then.
pub fn build<'a>(
    rows: &Rows<'_>,
    queries: Option<&Rows<'_>>,
    ids: Option<&[i64]>,
    path: &Path,
    options: &Options,
    listener: &'a mut Listener<'a>,
) -> Result<Report> {
    check_queries(rows, queries)?;
    check_ids(rows.len(), ids)?;
    let settings = Settings::choose(rows.len(), rows.dim(), options)?;
    let seed = options.seed;
    let mut team = Team::new(options.threads, listener);
    let trial = Trial::new(rows, queries, seed)?;
    let sample = Random::new(seed, 5).sample(rows.len(), settings.nlist * SAMPLE_EACH);
    let coarse = coarse::train(rows, &sample, settings.nlist, seed, &mut team)?;
    let (lists, truth) = assign(rows, &coarse, &trial, &mut team)?;
    let members = Members::new(&lists, coarse.len().max(1));
    let mut means = means(rows, &members, &mut team)?;
    routing::choose(&mut means, &members, &lists, &trial, &truth);
    let data = Assigned { rows, lists: &lists, means: &means };
    let (trained, gains) = quantizer::train(data, &trial, settings.m, options.transform, seed, &mut team)?;
    let shape = shape(rows, &settings, &members, trained.transform);
    let shaper = Shaper::new(&trained.asked, rows.dim());
    let leftover = Leftover::new(&trained.books, &trained.b.decode(rows.dim()), rows.dim());
    let store = Store { data, ids, members: &members, trained: &trained, leftover, shaper, shape, gains };
    let mut draft = store.write(path, &mut team)?;
    let efforts =
        crate::build::calibrate::measure(&mut draft, &shape, &trial, &truth, &members.rows, &mut team)?;
    draft.publish()?;
    let transform = Kind::ALL[trained.transform as usize];
    Ok(Report { shape, transform, gains, efforts })
}

fn check_queries(rows: &Rows<'_>, queries: Option<&Rows<'_>>) -> Result<()> {
    match queries {
        Some(queries) if queries.dim() != rows.dim() => {
            Err(Error::Dim { expected: rows.dim(), got: queries.dim() })
        }
        _ => Ok(()),
    }
}

/// The list of every row, and the true neighbours of the held-out queries.
fn assign(
    rows: &Rows<'_>,
    coarse: &Coarse,
    trial: &Trial,
    team: &mut Team<'_>,
) -> Result<(Vec<u32>, Vec<Vec<u32>>)> {
    team.enter("assign", (0.0, 0.0));
    let known = known(rows, trial, team)?;
    let screen = Screen::new(trial, coarse.middle(), &known);
    team.enter("assign", (0.0, 1.0));
    let starts = (0..rows.len()).step_by(PIECE);
    let work = |start: usize| {
        let end = rows.len().min(start + PIECE);
        let values = rows.read(start..end)?;
        let coded = Coded::around(coarse.middle(), &values);
        let best = screen.best(&values, &coded, start as u32..end as u32);
        Ok((coarse.assign(&coded), best))
    };
    let (lists, parts): (Vec<Vec<u32>>, Vec<Best>) = team.run(starts, work)?.into_iter().unzip();
    Ok((lists.concat(), Best::merge(parts, trial.len(), NEIGHBOURS)))
}

/// The neighbours of the held-out queries among rows here and there: all rows' are no farther.
fn known(rows: &Rows<'_>, trial: &Trial, team: &mut Team<'_>) -> Result<Best> {
    let some: Vec<u32> = (0..rows.len() as u32).step_by(rows.len().div_ceil(KNOWN_ROWS).max(1)).collect();
    // Which they are does not matter here, but how much they score.
    let best = |numbers: &[u32]| Ok(trial.best(&rows.gather(numbers)?, 0..numbers.len() as u32));
    let parts = team.run(some.chunks(PIECE / 2), best)?;
    Ok(Best::joined(parts, trial.len(), NEIGHBOURS))
}

/// The means of all rows of each list; a list without rows has a mean of zeros.
fn means(rows: &Rows<'_>, members: &Members, team: &mut Team<'_>) -> Result<Means> {
    team.enter("means", (0.0, 1.0));
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let mut means = vec![0.0; members.lists() * rows.dim()];
    coarse::move_to_means(rows, &all, members, &mut means, team)?;
    Ok(Means::new(&means, rows.dim()))
}

fn shape(rows: &Rows<'_>, settings: &Settings, members: &Members, transform: u32) -> Shape {
    Shape {
        rows: rows.len(),
        dim: rows.dim(),
        m: settings.m,
        nlist: members.lists(),
        tier: settings.tier,
        transform,
        efforts: crate::build::calibrate::POINTS,
    }
}

/// Everything that the file is written from.
struct Store<'a> {
    data: Assigned<'a>,
    ids: Option<&'a [i64]>,
    members: &'a Members,
    trained: &'a Trained,
    /// By what queries are multiplied with, as it is stored.
    leftover: Leftover,
    shaper: Shaper,
    shape: Shape,
    gains: Gains,
}

/// The coded rows of one piece, in list order.
#[derive(Default)]
struct Stored {
    blocks: Vec<u8>,
    ids: Vec<i64>,
    tier: Vec<u8>,
    scales: Vec<f32>,
}

impl Store<'_> {
    fn write(&self, path: &Path, team: &mut Team<'_>) -> Result<Draft> {
        let (rows, dim) = (self.shape.rows as u64, self.shape.dim as u32);
        let mut draft = Draft::create(path, KIND_LISTS, rows, dim, &self.shape.layout())?;
        self.write_trained(&mut draft)?;
        let count = self.shape.rows;
        let share = |row: usize| row as f64 / count as f64;
        for start in (0..count).step_by(BATCH * PIECE) {
            let end = count.min(start + BATCH * PIECE);
            team.enter("write", (share(start), share(end)));
            let pieces = (start..end).step_by(PIECE).map(|start| start..end.min(start + PIECE));
            for stored in team.run(pieces, |piece| self.code(piece))? {
                draft.append(Tag::BLOCKS, &stored.blocks)?;
                draft.append(Tag::IDS, bytemuck::cast_slice(&stored.ids))?;
                draft.append(Tag::TIER, &stored.tier)?;
                draft.append(Tag::SCALES, bytemuck::cast_slice(&stored.scales))?;
            }
        }
        draft.seal()?;
        Ok(draft)
    }

    /// Every section that is not about rows.
    fn write_trained(&self, draft: &mut Draft) -> Result<()> {
        let Trained { a, b, books, key_books, key_codes, means, m, .. } = self.trained;
        let starts: Vec<u64> = self.members.starts.iter().map(|&start| start as u64).collect();
        draft.append(Tag::SHAPE, bytemuck::cast_slice(&self.shape.encode()))?;
        draft.append(Tag::A, bytemuck::cast_slice(a))?;
        draft.append(Tag::B, bytemuck::cast_slice(&b.codes))?;
        draft.append(Tag::B_SCALES, bytemuck::cast_slice(&b.scales))?;
        draft.append(Tag::BOOKS, bytemuck::cast_slice(books))?;
        draft.append(Tag::KEY_BOOKS, bytemuck::cast_slice(key_books))?;
        draft.append(Tag::KEY_BLOCKS, &key_codes.pack(*m))?;
        draft.append(Tag::MEANS, bytemuck::cast_slice(&means.codes))?;
        draft.append(Tag::MEAN_SCALES, bytemuck::cast_slice(&means.scales))?;
        draft.append(Tag::PULLS, bytemuck::cast_slice(&means.pulls))?;
        draft.append(Tag::STARTS, bytemuck::cast_slice(&starts))?;
        draft.append(Tag::EFFORTS, &vec![0; self.shape.efforts * size_of::<[u32; 4]>()])?;
        let gains = self.gains.map(|gain| gain.unwrap_or(-1.0));
        draft.append(Tag::GAINS, bytemuck::cast_slice(&gains))
    }

    /// The rows of one piece, coded.
    fn code(&self, rows: Range<usize>) -> Result<Stored> {
        let numbers = &self.members.rows[rows];
        let residuals = self.data.residuals(numbers)?;
        let (codes, _) = encode(&self.trained.a, &self.trained.books, &residuals, self.shape.dim)?;
        let ids = numbers.iter().map(|&row| self.id(row)).collect();
        let mut stored = Stored { blocks: codes.pack(self.shape.m), ids, ..Stored::default() };
        self.refine(residuals, &codes.codes, &mut stored);
        Ok(stored)
    }

    fn id(&self, row: u32) -> i64 {
        self.ids.map_or(i64::from(row), |ids| ids[row as usize])
    }

    /// Code for the tier what the 4-bit `codes`, shape (m, n), leave over of the residuals, shape (n, dim).
    fn refine(&self, mut residuals: Vec<f32>, codes: &[u8], stored: &mut Stored) {
        let Shape { tier, dim, .. } = self.shape;
        if !tier.has_scales() {
            return;
        }
        let n = residuals.len() / dim;
        self.leftover.subtract(codes, &mut residuals);
        (stored.tier, stored.scales) = (vec![0; n * tier.row_bytes(dim)], vec![0.0; n]);
        if tier == Tier::Float16 {
            let lines = stored.tier.chunks_exact_mut(tier.row_bytes(dim));
            let rows = residuals.chunks_exact(dim).zip(lines).zip(&mut stored.scales);
            rows.for_each(|((row, line), scale)| *scale = encode_halves(row, line));
        } else if let Some(trellis) = tier.trellis() {
            let mut columns = vec![0.0; n * self.shape.m * DSUB];
            products(&self.trained.a, &residuals, dim, &mut columns);
            trellis.encode(&columns, dim, &mut stored.tier, &mut stored.scales);
        } else {
            self.shaper.encode(tier, &residuals, &mut stored.tier, &mut stored.scales);
        }
    }
}

const _: () = assert!(PIECE.is_multiple_of(BLOCK_ROWS));
