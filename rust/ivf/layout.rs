//! The layout of an IVF index file (kind 2): its sections and the trained parameters.
//!
//! Rows are stored in list order, in blocks of 32 that ignore list boundaries: row `r` is in block `r / 32`. A row `x` of list
//! `l` is the centroid of `l` plus a residual. The centroid is stored as int8 and the residual is taken from the stored one, so
//! its rounding costs nothing. The residual's 4-bit PQ codes are in `blocks`; what PQ does not encode of it, the second-level
//! residual, has refine codes.

use crate::error::FormatError;
use crate::ivf::calibration::{MAX_CALIBRATION_POINTS, QUERY_KINDS, TABLES, tables_of_word};
use crate::ivf::early_stop::STEPS;
use crate::ivf::storage_forms::StorageForms;
use crate::kernels::fastscan::blocks::{BLOCK_ROWS, block_bytes, block_count, pack};
use crate::kernels::fastscan::{KSUB, M_MULTIPLE, MAX_M};
use crate::kernels::gemm_i8::Int8Matrix;
use crate::kernels::stride;
use crate::quantizer::pq::DSUB;
use crate::quantizer::query_transform::TransformKind;
use crate::quantizer::refine_codec::RefineCodec;
use crate::quantizer::sq8::decode_row;
use crate::storage::format::{Tag, chunk_count};

/// Largest number of inverted lists.
pub const MAX_LISTS: usize = 1 << 22;

/// Number of transform kinds.
pub const TRANSFORMS: usize = TransformKind::ALL.len();

/// The layout of an index, stored in section `shape`. The size of every other section follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IvfLayout {
    /// Number of rows.
    pub rows: usize,
    /// Dimension of a vector.
    pub dim: usize,
    /// Subquantizers of a code: a positive multiple of [`M_MULTIPLE`].
    pub m: usize,
    /// Inverted lists, at least 1.
    pub nlist: usize,
    /// How the second-level residual is encoded.
    pub refine: RefineCodec,
    /// Number of the transform: 0 identity, 1 PCA, 2 query-aware with power 0.25, 3 query-aware with power 0.5.
    pub transform: u32,
    /// Points of each calibration table.
    pub calibration_points: usize,
    /// Calibration tables: the first of [`TABLES`], or all of them.
    pub calibration_tables: usize,
    /// Thresholds of early termination for each kind of query; 0 in an index of an earlier version.
    pub stop_thresholds: usize,
    /// How ids, scales and the projection of rows are stored.
    pub forms: StorageForms,
}

/// Everything of an index that is trained.
#[derive(Clone, Debug)]
pub struct TrainedParams {
    /// Subquantizers of a code: a positive multiple of [`M_MULTIPLE`], at most [`MAX_M`].
    pub m: usize,
    /// Number of the transform, see [`IvfLayout::transform`].
    pub transform: u32,
    /// The projection of rows, `y = A x`.
    pub a: RowProjection,
    /// The projection of queries, `q' = B q` with `q'·y = q·x`: shape (4m, dim).
    pub b: Int8Projection,
    /// Codebooks of the projected residuals `A (x - centroid)`, shape (m, 16, 4).
    pub codebooks: Vec<f32>,
    /// Codebooks of the projected routing centroids, less their mean, which changes no order: shape (m, 16, 4).
    pub routing_codebooks: Vec<f32>,
    /// PQ codes of the routing centroids, in fast-scan blocks.
    pub routing_blocks: Vec<u8>,
    /// Centroids of the lists.
    pub centroids: CoarseCentroids,
    /// Second moment of queries up to a factor, shape (dim, dim), for LDLQ. Not in the file.
    pub query_second_moment: Vec<f64>,
}

/// 4-bit PQ codes of rows.
#[derive(Clone, Debug, Default)]
pub struct PqCodes {
    /// One byte each with values 0 to 15, shape (m, n).
    pub codes: Vec<u8>,
    /// Length corrections, shape (n,).
    pub corrections: Vec<u8>,
}

impl PqCodes {
    /// Pack them into fast-scan blocks, shape (ceil(n / 32), block bytes).
    pub fn pack(&self, m: usize) -> Vec<u8> {
        let n = self.corrections.len();
        let mut blocks = vec![0; block_count(n) * block_bytes(m)];
        let mut row_major = vec![0; BLOCK_ROWS * m];
        for (start, block) in (0..n).step_by(BLOCK_ROWS).zip(blocks.chunks_exact_mut(block_bytes(m))) {
            let rows = start..n.min(start + BLOCK_ROWS);
            for (group, column) in self.codes.chunks_exact(n).enumerate() {
                let codes = row_major.iter_mut().skip(group).step_by(m);
                codes.zip(&column[rows.clone()]).for_each(|(to, &code)| *to = code);
            }
            pack(&row_major[..rows.len() * m], &self.corrections[rows], m, block);
        }
        blocks
    }
}

/// The projection `A` of rows, as it is stored.
#[derive(Clone, Debug)]
pub enum RowProjection {
    /// Shape (4m, dim), row-major, in a file of an earlier version.
    F32(Vec<f32>),
    /// Int8 codes. PQ encoders round it so anyway.
    Int8(Int8Projection),
}

impl RowProjection {
    /// Decode the matrix, shape (4m, dim).
    pub fn decode(&self, dim: usize) -> Vec<f32> {
        match self {
            Self::F32(matrix) => matrix.clone(),
            Self::Int8(projection) => projection.decode(dim),
        }
    }
}

/// A projection in int8 codes and one scale a row: `A` of rows, or `B` of queries, which is read fast so.
///
/// The rounding of `B` costs little: the second-level residual is computed with the rounded matrix, so the refine codes make up
/// for it.
#[derive(Clone, Debug, Default)]
pub struct Int8Projection {
    /// Codes, shape (4m, stride).
    pub codes: Vec<i8>,
    /// Scales, shape (4m,).
    pub scales: Vec<f32>,
}

impl Int8Projection {
    /// Encode a matrix of shape (n, dim).
    pub fn new(matrix: &[f32], dim: usize) -> Self {
        let Int8Matrix { codes, scales, .. } = Int8Matrix::new(matrix, dim);
        Self { codes, scales }
    }

    /// Decode the matrix as it is stored, shape (n, dim).
    pub fn decode(&self, dim: usize) -> Vec<f32> {
        let mut matrix = vec![0.0; self.scales.len() * dim];
        let rows = self.codes.chunks_exact(stride(dim)).zip(&self.scales);
        rows.zip(matrix.chunks_exact_mut(dim))
            .for_each(|((codes, &scale), row)| decode_row(codes, scale, row));
        matrix
    }
}

/// The centroids of the lists: int8 codes, one scale each, and the weights for ranking lists.
#[derive(Clone, Debug, Default)]
pub struct CoarseCentroids {
    /// Codes, shape (nlist, stride).
    pub codes: Vec<i8>,
    /// Scales, shape (nlist,).
    pub scales: Vec<f32>,
    /// List weights `|c|^-e`, 0 for a centroid of zeros, shape (nlist,): a list is ranked by `q·c |c|^-e`.
    pub list_weights: Vec<f32>,
}

impl CoarseCentroids {
    /// Encode centroids of shape (nlist, dim), with list weights of `e = 1`.
    pub fn new(centroids: &[f32], dim: usize) -> Self {
        let Int8Matrix { codes, scales, .. } = Int8Matrix::new(centroids, dim);
        let weight = |centroid: &[f32]| {
            let square: f64 = centroid.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
            let weight = square.sqrt().recip() as f32;
            if weight.is_finite() { weight } else { 0.0 }
        };
        let list_weights = centroids.chunks_exact(dim).map(weight).collect();
        Self { codes, scales, list_weights }
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no lists.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Decode the stored centroid of a list, from which residuals are taken, into `centroid`, shape (dim,).
    pub fn decode(&self, list: usize, centroid: &mut [f32]) {
        decode_row(&self.codes[list * stride(centroid.len())..], self.scales[list], centroid);
    }
}

// The names in the file are those of format version 1; see docs/FORMAT.md.
impl Tag {
    /// uint32 (8,): the [`IvfLayout`].
    pub const SHAPE: Self = Self(*b"shape\0\0\0");
    /// float32 (4m, dim), or int8 (4m, stride): the projection A of rows.
    pub const A: Self = Self(*b"a\0\0\0\0\0\0\0");
    /// float32 (4m,): scales of A, if it is int8.
    pub const A_SCALES: Self = Self(*b"ascales\0");
    /// int8 (4m, stride): the projection B of queries.
    pub const B: Self = Self(*b"b\0\0\0\0\0\0\0");
    /// float32 (4m,): scales of B.
    pub const B_SCALES: Self = Self(*b"bscales\0");
    /// float32 (m, 16, 4): codebooks of the residuals.
    pub const CODEBOOKS: Self = Self(*b"books\0\0\0");
    /// float32 (m, 16, 4): codebooks of the routing centroids.
    pub const ROUTING_CODEBOOKS: Self = Self(*b"keybooks");
    /// Fast-scan blocks of the routing centroids.
    pub const ROUTING_BLOCKS: Self = Self(*b"keyblock");
    /// int8 (nlist, stride): centroids.
    pub const CENTROIDS: Self = Self(*b"means\0\0\0");
    /// float32 (nlist,): scales of the centroids.
    pub const CENTROID_SCALES: Self = Self(*b"mscales\0");
    /// float32 (nlist,): list weights.
    pub const LIST_WEIGHTS: Self = Self(*b"pulls\0\0\0");
    /// uint64 (nlist + 1,): first row of each list.
    pub const LIST_OFFSETS: Self = Self(*b"starts\0\0");
    /// The calibration tables: [`crate::ivf::calibration::CalibrationPoint`]s.
    pub const CALIBRATION: Self = Self(*b"efforts\0");
    /// float32 (4,): recall of each transform that was tried, -1 for the others.
    pub const TRANSFORM_RECALLS: Self = Self(*b"gains\0\0\0");
    /// float32 (dim + 1,): the rule that distinguishes queries like samples from queries like rows,
    /// [`crate::ivf::calibration::KindRule`]. Not in an index of an earlier version.
    pub const QUERY_KINDS: Self = Self(*b"askkinds");
    /// float32 (2, stop thresholds): at which margin a search for a query like samples, and for one like rows, stops. Not in
    /// an index of an earlier version.
    pub const STOP_THRESHOLDS: Self = Self(*b"stops\0\0\0");
    /// Fast-scan blocks of the rows, list after list.
    pub const BLOCKS: Self = Self(*b"blocks\0\0");
    /// Ids in row order, see [`IdForm::size_bytes`](crate::topk::packed_ids::IdForm::size_bytes).
    pub const IDS: Self = Self(*b"ids\0\0\0\0\0");
    /// Refine codes: [`RefineCodec::row_bytes`] for each row.
    pub const REFINE: Self = Self(*b"tier\0\0\0\0");
}

/// Sections of a file of kind 2, in order; the last is `chunks`. An index of an earlier version has no
/// [`Tag::A_SCALES`], and perhaps no [`Tag::STOP_THRESHOLDS`] or [`Tag::QUERY_KINDS`].
pub const SECTIONS: [Tag; 21] = [
    Tag::SHAPE,
    Tag::A,
    Tag::A_SCALES,
    Tag::B,
    Tag::B_SCALES,
    Tag::CODEBOOKS,
    Tag::ROUTING_CODEBOOKS,
    Tag::ROUTING_BLOCKS,
    Tag::CENTROIDS,
    Tag::CENTROID_SCALES,
    Tag::LIST_WEIGHTS,
    Tag::LIST_OFFSETS,
    Tag::CALIBRATION,
    Tag::TRANSFORM_RECALLS,
    Tag::QUERY_KINDS,
    Tag::STOP_THRESHOLDS,
    Tag::BLOCKS,
    Tag::IDS,
    Tag::REFINE,
    Tag::SCALES,
    Tag::CHUNKS,
];

impl IvfLayout {
    /// Encode the words of section `shape`.
    pub fn encode(&self) -> [u32; 8] {
        let (m, nlist) = (self.m as u32, self.nlist as u32);
        let tables = if self.has_query_kinds() { self.calibration_tables as u32 } else { 0 };
        [
            m,
            nlist,
            self.refine.number(),
            self.transform,
            self.calibration_points as u32,
            tables,
            self.stop_thresholds as u32,
            self.forms.encode(),
        ]
    }

    /// Decode the words of section `shape`; `rows` and `dim` were checked before.
    ///
    /// # Errors
    /// [`FormatError::Shape`] for values out of range.
    pub fn decode(words: [u32; 8], rows: usize, dim: usize) -> Result<Self, FormatError> {
        let refused =
            |name: &'static str, max: u64, got: u32| FormatError::Shape { name, max, got: u64::from(got) };
        let [m, nlist, refine, transform, calibration_points, tables, stop_thresholds, forms] = words;
        if m == 0 || m as usize > MAX_M || !(m as usize).is_multiple_of(M_MULTIPLE) {
            return Err(refused("m", MAX_M as u64, m));
        }
        let max_lists = rows.clamp(1, MAX_LISTS) as u64;
        if nlist == 0 || u64::from(nlist) > max_lists {
            return Err(refused("nlist", max_lists, nlist));
        }
        let codec = RefineCodec::of_number(refine);
        let codec = codec.ok_or(refused("tier", u64::from(RefineCodec::LAST), refine))?;
        if transform as usize >= TRANSFORMS {
            return Err(refused("transform", TRANSFORMS as u64 - 1, transform));
        }
        if calibration_points as usize > MAX_CALIBRATION_POINTS {
            return Err(refused("efforts", MAX_CALIBRATION_POINTS as u64, calibration_points));
        }
        let calibration_tables = tables_of_word(tables)?;
        if stop_thresholds != 0 && stop_thresholds as usize != STEPS {
            return Err(refused("stops", STEPS as u64, stop_thresholds));
        }
        Ok(Self {
            rows,
            dim,
            m: m as usize,
            nlist: nlist as usize,
            refine: codec,
            transform,
            calibration_points: calibration_points as usize,
            calibration_tables,
            stop_thresholds: stop_thresholds as usize,
            forms: StorageForms::decode(forms)?,
        })
    }

    /// Whether queries like samples are distinguished from queries like rows.
    pub fn has_query_kinds(&self) -> bool {
        self.calibration_tables == TABLES.len()
    }

    /// Return every section with its size, in the order of [`SECTIONS`].
    ///
    /// Nothing here can overflow: rows are below 2^32, a row's bytes below 2^14, and lists no more than rows.
    pub fn sections(&self) -> Vec<(Tag, u64)> {
        let is_present = |&tag: &Tag| match tag {
            Tag::A_SCALES => self.forms.int8_projection,
            Tag::QUERY_KINDS => self.has_query_kinds(),
            Tag::STOP_THRESHOLDS => self.stop_thresholds > 0,
            _ => true,
        };
        let tags = SECTIONS.into_iter().filter(is_present);
        let mut sections: Vec<(Tag, u64)> = tags.map(|tag| (tag, self.section_bytes(tag))).collect();
        let chunks: u64 = sections.iter().map(|&(_, size)| chunk_count(size)).sum();
        if let Some(last) = sections.last_mut() {
            last.1 = chunks * size_of::<u32>() as u64;
        }
        sections
    }

    /// Bytes of one section; 0 for `chunks`, which follows from the others.
    fn section_bytes(&self, tag: Tag) -> u64 {
        let floats = |count: usize| count as u64 * size_of::<f32>() as u64;
        match tag {
            Tag::SHAPE => 32,
            Tag::A if !self.forms.int8_projection => floats(self.m * DSUB * self.dim),
            Tag::A | Tag::B => (self.m * DSUB * stride(self.dim)) as u64,
            Tag::A_SCALES | Tag::B_SCALES => floats(self.m * DSUB),
            Tag::CODEBOOKS | Tag::ROUTING_CODEBOOKS => floats(self.m * KSUB * DSUB),
            Tag::ROUTING_BLOCKS => (block_count(self.nlist) * block_bytes(self.m)) as u64,
            Tag::CENTROIDS => (self.nlist * stride(self.dim)) as u64,
            Tag::CENTROID_SCALES | Tag::LIST_WEIGHTS => floats(self.nlist),
            Tag::LIST_OFFSETS => (self.nlist as u64 + 1) * 8,
            Tag::CALIBRATION => {
                (self.calibration_tables * self.calibration_points * size_of::<[u32; 4]>()) as u64
            }
            Tag::QUERY_KINDS => floats(self.dim + 1),
            Tag::STOP_THRESHOLDS => floats(QUERY_KINDS.len() * self.stop_thresholds),
            Tag::BLOCKS => (block_count(self.rows) * block_bytes(self.m)) as u64,
            Tag::IDS => self.forms.ids.size_bytes(self.rows),
            Tag::REFINE => self.rows as u64 * self.refine.row_bytes(self.dim) as u64,
            Tag::SCALES if self.refine.has_scales() => (self.rows * self.forms.scales.size_bytes()) as u64,
            Tag::TRANSFORM_RECALLS => floats(TRANSFORMS),
            _ => 0,
        }
    }
}
