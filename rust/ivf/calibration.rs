//! The calibration of an index: measured operating points for two kinds of query and two numbers of hits, and the rule that
//! distinguishes the kinds of query.

use crate::error::FormatError;

/// Largest number of points of a calibration table.
pub const MAX_CALIBRATION_POINTS: usize = 64;

/// What a query is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// The sample queries of the build, for example texts.
    Samples,
    /// The rows, for example pictures.
    Rows,
}

/// Names of the kinds of query.
pub const QUERY_KINDS: [(&str, QueryKind); 2] = [("samples", QueryKind::Samples), ("rows", QueryKind::Rows)];

/// The kind of query and the number of hits of each calibration table, in order. An index of an earlier version has the first.
pub const TABLES: [(QueryKind, usize); 4] =
    [(QueryKind::Samples, 10), (QueryKind::Samples, 100), (QueryKind::Rows, 10), (QueryKind::Rows, 100)];

/// Return the number of tables by its word in a file: 0 in an index of an earlier version.
///
/// # Errors
/// [`FormatError::Shape`] for a number that no version writes.
pub fn tables_of_word(word: u32) -> Result<usize, FormatError> {
    match word as usize {
        0 => Ok(1),
        tables if tables == TABLES.len() => Ok(tables),
        _ => Err(FormatError::Shape { name: "tables", max: TABLES.len() as u64, got: u64::from(word) }),
    }
}

/// The queries that a calibration was measured with, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationSource {
    /// Not recorded: by a version that did not.
    Unknown,
    /// Sample queries.
    Samples(u32),
    /// Queries made of rows: with noise, to be like samples; as they are, in a table for queries like rows.
    Rows(u32),
}

impl CalibrationSource {
    /// Encode it: its kind in the low two bits, the number of queries above.
    pub fn encode(self) -> u32 {
        match self {
            CalibrationSource::Unknown => 0,
            CalibrationSource::Samples(queries) => queries << 2 | 1,
            CalibrationSource::Rows(queries) => queries << 2 | 2,
        }
    }

    /// Decode its word.
    pub fn decode(word: u32) -> Self {
        match word & 3 {
            1 => CalibrationSource::Samples(word >> 2),
            2 => CalibrationSource::Rows(word >> 2),
            _ => CalibrationSource::Unknown,
        }
    }

    /// Its name, and the number of queries.
    pub fn name(self) -> (&'static str, u32) {
        match self {
            CalibrationSource::Unknown => ("unknown", 0),
            CalibrationSource::Samples(queries) => ("samples", queries),
            CalibrationSource::Rows(queries) => ("rows", queries),
        }
    }
}

/// A calibrated operating point: `nprobe` lists and `shortlist` candidates had this recall on held-out queries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationPoint {
    /// Lower bound of the mean recall, 0 to 1, with 99 % confidence.
    pub recall: f32,
    /// Lists to probe.
    pub nprobe: u32,
    /// Candidates to rerank.
    pub shortlist: u32,
    /// What it was measured with.
    pub source: CalibrationSource,
}

impl CalibrationPoint {
    /// Encode for section `efforts`: the bits of a float32, two integers and the source.
    pub fn encode(self) -> [u32; 4] {
        [self.recall.to_bits(), self.nprobe, self.shortlist, self.source.encode()]
    }

    /// Decode its words.
    pub fn decode([recall, nprobe, shortlist, source]: [u32; 4]) -> Self {
        let source = CalibrationSource::decode(source);
        Self { recall: f32::from_bits(recall), nprobe, shortlist, source }
    }
}

/// Share of the sample queries that must be distinguished from rows; and of rows, where there are no samples, that must be known.
const KNOWN_SHARE: f64 = 0.995;
const KNOWN_ROWS: f64 = 0.95;

/// Without sample queries, rows are known by their mean if the square of its length is at least this share of theirs: else
/// queries of any kind may be near it.
const MIN_MEAN_SHARE: f64 = 0.1;

/// The rule that distinguishes the kinds of query: a query `q` is like rows if `q · direction > threshold |q|`.
///
/// With sample queries the direction is from their mean to the mean of the rows, and the threshold is half-way between the
/// means, or higher, so that nearly all samples are known as such. A query that is taken for a sample in error only costs time.
#[derive(Clone, Copy, Debug)]
pub struct KindRule<'a> {
    /// The direction, shape (dim,), and the threshold.
    values: &'a [f32],
}

impl<'a> KindRule<'a> {
    /// A rule in its stored form, shape (dim + 1,). An index of an earlier version has none: every query is a sample.
    pub fn new(values: &'a [f32]) -> Self {
        Self { values }
    }

    /// The kind of a query, shape (dim,).
    pub fn kind(self, query: &[f32]) -> QueryKind {
        match self.values.split_last() {
            Some((&threshold, direction)) if projection(query, direction) > f64::from(threshold) => {
                QueryKind::Rows
            }
            _ => QueryKind::Samples,
        }
    }

    /// Fit the stored form of a rule to sample queries (none if only rows are known) and rows, shape (n, dim) each.
    pub fn fit(samples: &[f32], rows: &[f32], dim: usize) -> Vec<f32> {
        let (sample_mean, row_mean) = (unit_mean(samples, dim), unit_mean(rows, dim));
        let square = |mean: &[f64]| mean.iter().map(|value| value * value).sum::<f64>();
        let direction: Vec<f32> = row_mean.iter().zip(&sample_mean).map(|(a, b)| (a - b) as f32).collect();
        let quantile = |values: &[f32], share: f64| {
            let mut projections: Vec<f64> =
                values.chunks_exact(dim).map(|value| projection(value, &direction)).collect();
            projections.sort_unstable_by(f64::total_cmp);
            let last = projections.len().saturating_sub(1);
            projections.get((share * last as f64).ceil() as usize).copied()
        };
        let threshold = if samples.is_empty() {
            let is_cone = square(&row_mean) >= MIN_MEAN_SHARE;
            quantile(rows, 1.0 - KNOWN_ROWS).filter(|_| is_cone)
        } else {
            let middle = (square(&row_mean) - square(&sample_mean)) / 2.0;
            quantile(samples, KNOWN_SHARE).map(|known| known.max(middle))
        };
        let threshold = threshold.map_or(f32::MAX, |threshold| threshold as f32);
        direction.into_iter().chain([threshold]).collect()
    }
}

/// Return `value · direction / |value|`; 0 for a vector of zeros.
fn projection(value: &[f32], direction: &[f32]) -> f64 {
    let sum =
        |other: &[f32]| value.iter().zip(other).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let length = sum(value).sqrt();
    if length > 0.0 { sum(direction) / length } else { 0.0 }
}

/// Return the mean of vectors, shape (n, dim), each divided by its length.
fn unit_mean(values: &[f32], dim: usize) -> Vec<f64> {
    let mut mean = vec![0.0; dim];
    let count = (values.len() / dim).max(1) as f64;
    for value in values.chunks_exact(dim) {
        let length = value.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        let factor = if length > 0.0 { 1.0 / (length * count) } else { 0.0 };
        mean.iter_mut().zip(value).for_each(|(mean, &x)| *mean += f64::from(x) * factor);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::rng::Rng;

    const DIM: usize = 8;

    /// Vectors around a mean along one axis, of any length.
    fn vectors(axis: usize, mean: f32, seed: u64) -> Vec<f32> {
        let mut rng = Rng::new(seed, 0);
        let value = |i: usize, noise: f32| (if i % DIM == axis { mean } else { 0.0 } + 0.3 * noise) * 1e-3;
        (0..400 * DIM).map(|i| value(i, rng.normal())).collect()
    }

    fn share_of_rows(rule: &[f32], vectors: &[f32]) -> f64 {
        let rule = KindRule::new(rule);
        let rows = vectors.chunks_exact(DIM).filter(|query| rule.kind(query) == QueryKind::Rows).count();
        rows as f64 / (vectors.len() / DIM) as f64
    }

    #[test]
    fn queries_are_distinguished_from_rows_by_the_nearer_mean() {
        let rule = KindRule::fit(&vectors(0, 1.0, 1), &vectors(1, 1.0, 2), DIM);
        assert!(share_of_rows(&rule, &vectors(0, 1.0, 3)) < 0.01);
        assert!(share_of_rows(&rule, &vectors(1, 1.0, 4)) > 0.9);
    }

    #[test]
    fn queries_like_rows_and_samples_alike_are_samples() {
        let rule = KindRule::fit(&vectors(0, 1.0, 1), &vectors(0, 1.0, 2), DIM);
        assert!(share_of_rows(&rule, &vectors(0, 1.0, 3)) < 0.03);
        assert_eq!(KindRule::new(&[]).kind(&[1.0; DIM]), QueryKind::Samples);
        assert_eq!(KindRule::new(&rule).kind(&[0.0; DIM]), QueryKind::Samples);
    }

    #[test]
    fn without_samples_rows_are_known_by_a_narrow_cone() {
        let rule = KindRule::fit(&[], &vectors(0, 1.0, 1), DIM);
        assert!(share_of_rows(&rule, &vectors(0, 1.0, 3)) > 0.9);
        assert!(share_of_rows(&rule, &vectors(1, 1.0, 4)) < 0.05);
        let around_zero = KindRule::fit(&[], &vectors(0, 0.0, 1), DIM);
        assert_eq!(share_of_rows(&around_zero, &vectors(0, 0.0, 3)), 0.0);
        assert_eq!(KindRule::fit(&[], &[], DIM)[DIM], f32::MAX);
    }

    #[test]
    fn sources_round_trip() {
        use CalibrationSource::{Rows, Samples, Unknown};
        for source in [Unknown, Samples(7), Rows(1024)] {
            assert_eq!(CalibrationSource::decode(source.encode()), source);
        }
    }

    #[test]
    fn only_written_numbers_of_tables_are_read() {
        assert_eq!((tables_of_word(0).unwrap(), tables_of_word(4).unwrap()), (1, 4));
        assert!(matches!(tables_of_word(1), Err(FormatError::Shape { name: "tables", got: 1, .. })));
    }
}
