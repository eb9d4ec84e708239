//! An index of inverted lists: what is trained for it, its shape, and the sections of its file (kind 2).
//!
//! Rows lie in list order, and blocks of 32 are cut from them without regard to lists: row `r` is in block `r / 32`. Row
//! `x` of list `l` is a *mean* plus a *residual*: the mean is stored as int8, and the residual is taken from the stored one,
//! so that its rounding costs nothing. The residual's 4-bit codes are in `blocks`; what they leave over is in the tier.

use crate::codes::blocks::{BLOCK_ROWS, block_bytes, block_count, pack};
use crate::codes::{DSUB, KSUB, M_STEP, MAX_M};
use crate::error::Fault;
use crate::file::format::{Tag, chunk_count};
use crate::tier::refine::Tier;
use crate::vectors::{decode_row, encode_row, stride};

/// Most inverted lists.
pub const MAX_LISTS: usize = 1 << 22;

/// Kinds of transforms.
pub const TRANSFORMS: usize = 4;

/// Most points of the effort table.
pub const MAX_EFFORTS: usize = 64;

/// The shape of an index, stored in section `shape`; every other section's size follows from it, rows and dim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of rows.
    pub rows: usize,
    /// Dimension of a vector.
    pub dim: usize,
    /// Subquantizers of a code: a positive multiple of [`M_STEP`].
    pub m: usize,
    /// Inverted lists, at least 1.
    pub nlist: usize,
    /// What the candidates are refined with.
    pub tier: Tier,
    /// Which transform was chosen: 0 identity, 1 PCA, 2 query-aware with power 0.25, 3 query-aware with power 0.5.
    pub transform: u32,
    /// Points of the effort table.
    pub efforts: usize,
}

/// One calibrated point: probing `nprobe` lists and refining `shortlist` rows had this recall@10 on held-out queries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Mean recall@10, 0 to 1: what it is at least, with 99 % confidence.
    pub recall: f32,
    /// Lists probed.
    pub nprobe: u32,
    /// Rows refined.
    pub shortlist: u32,
}

impl Effort {
    /// Its words in section `efforts`: the bits of a float32, two numbers and a zero.
    pub fn encode(self) -> [u32; 4] {
        [self.recall.to_bits(), self.nprobe, self.shortlist, 0]
    }

    /// Read its words.
    pub fn decode([recall, nprobe, shortlist, _]: [u32; 4]) -> Self {
        Self { recall: f32::from_bits(recall), nprobe, shortlist }
    }
}

/// Everything of an index but its rows.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Dimension of a vector.
    pub dim: usize,
    /// Subquantizers of a code: a positive multiple of [`M_STEP`], at most [`MAX_M`].
    pub m: usize,
    /// Which transform was chosen, see [`Shape::transform`].
    pub transform: u32,
    /// Codes see `y = A x`: shape (4m, dim), row-major.
    pub a: Vec<f32>,
    /// Queries ask with `q' = B q`, and `q'·y = q·x`: shape (4m, dim).
    pub b: Asking,
    /// Codebooks of the residuals `A (x - mean)`, shape (m, 16, 4).
    pub books: Vec<f32>,
    /// Codebooks of the keys `A mean/|mean|` (less any constant vector: it moves all scores alike), shape (m, 16, 4).
    pub key_books: Vec<f32>,
    /// Codes of the keys.
    pub key_codes: Codes,
    /// Means of the lists.
    pub means: Means,
    /// Second moment of queries, but for a factor, shape (dim, dim): the tier is rounded for them. Not in the file.
    pub asked: Vec<f64>,
}

/// 4-bit codes of rows.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    /// One byte each with values 0 to 15, shape (m, n).
    pub codes: Vec<u8>,
    /// See [`crate::codes::blocks::stretch`], shape (n,).
    pub stretches: Vec<u8>,
}

impl Codes {
    /// Pack them into blocks, shape (ceil(n / 32), block bytes).
    pub fn pack(&self, m: usize) -> Vec<u8> {
        let n = self.stretches.len();
        let mut blocks = vec![0; block_count(n) * block_bytes(m)];
        let mut together = vec![0; BLOCK_ROWS * m];
        for (start, block) in (0..n).step_by(BLOCK_ROWS).zip(blocks.chunks_exact_mut(block_bytes(m))) {
            let rows = start..n.min(start + BLOCK_ROWS);
            for (group, column) in self.codes.chunks_exact(n).enumerate() {
                let places = together.iter_mut().skip(group).step_by(m);
                places.zip(&column[rows.clone()]).for_each(|(place, &code)| *place = code);
            }
            pack(&together[..rows.len() * m], &self.stretches[rows], m, block);
        }
        blocks
    }
}

/// The matrix that queries are multiplied with, in int8 codes and a scale a row, so that it is read fast.
///
/// Its rounding costs little: what codes leave over is taken with the rounded matrix, and is in the tier.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// Codes, shape (4m, stride).
    pub codes: Vec<i8>,
    /// Scales, shape (4m,).
    pub scales: Vec<f32>,
}

impl Asking {
    /// Code a matrix of shape (n, dim).
    pub fn new(matrix: &[f32], dim: usize) -> Self {
        let mut codes = vec![0; matrix.len() / dim * stride(dim)];
        let rows = matrix.chunks_exact(dim).zip(codes.chunks_exact_mut(stride(dim)));
        let scales = rows.map(|(row, codes)| encode_row(row, codes)).collect();
        Self { codes, scales }
    }

    /// The matrix as stored, shape (n, dim).
    pub fn decode(&self, dim: usize) -> Vec<f32> {
        let mut matrix = vec![0.0; self.scales.len() * dim];
        let rows = self.codes.chunks_exact(stride(dim)).zip(&self.scales);
        rows.zip(matrix.chunks_exact_mut(dim))
            .for_each(|((codes, &scale), row)| decode_row(codes, scale, row));
        matrix
    }
}

/// The means of the lists: int8 codes, one scale each, and the length that routing divides by.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// Codes, shape (nlist, stride).
    pub codes: Vec<i8>,
    /// Scales, shape (nlist,).
    pub scales: Vec<f32>,
    /// What the product with a mean is multiplied by for routing: `1 / |mean|` to some power, 0 for a mean of zeros,
    /// shape (nlist,).
    pub pulls: Vec<f32>,
}

impl Means {
    /// Code means of shape (nlist, dim).
    pub fn new(means: &[f32], dim: usize) -> Self {
        let mut coded = Self::default();
        for mean in means.chunks_exact(dim) {
            let start = coded.codes.len();
            coded.codes.resize(start + stride(dim), 0);
            coded.scales.push(encode_row(mean, &mut coded.codes[start..]));
            let square: f64 = mean.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
            let pull = square.sqrt().recip() as f32;
            coded.pulls.push(if pull.is_finite() { pull } else { 0.0 });
        }
        coded
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no lists.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// The mean of a list as stored, into `mean`, shape (dim,): what residuals are taken from.
    pub fn decode(&self, list: usize, mean: &mut [f32]) {
        decode_row(&self.codes[list * stride(mean.len())..], self.scales[list], mean);
    }
}

impl Tag {
    /// uint32 (8,): the [`Shape`].
    pub const SHAPE: Self = Self(*b"shape\0\0\0");
    /// float32 (4m, dim): what rows are multiplied with before they are coded.
    pub const A: Self = Self(*b"a\0\0\0\0\0\0\0");
    /// int8 (4m, stride): what queries are multiplied with.
    pub const B: Self = Self(*b"b\0\0\0\0\0\0\0");
    /// float32 (4m,): scales of it.
    pub const B_SCALES: Self = Self(*b"bscales\0");
    /// float32 (m, 16, 4): codebooks of the residuals.
    pub const BOOKS: Self = Self(*b"books\0\0\0");
    /// float32 (m, 16, 4): codebooks of the keys.
    pub const KEY_BOOKS: Self = Self(*b"keybooks");
    /// Blocks of the keys' codes.
    pub const KEY_BLOCKS: Self = Self(*b"keyblock");
    /// int8 (nlist, stride): means.
    pub const MEANS: Self = Self(*b"means\0\0\0");
    /// float32 (nlist,): scales of the means.
    pub const MEAN_SCALES: Self = Self(*b"mscales\0");
    /// float32 (nlist,): one over the length of each mean.
    pub const PULLS: Self = Self(*b"pulls\0\0\0");
    /// uint64 (nlist + 1,): first row of each list.
    pub const STARTS: Self = Self(*b"starts\0\0");
    /// Calibrated [`Effort`] points.
    pub const EFFORTS: Self = Self(*b"efforts\0");
    /// float32 (4,): recall of each transform that was tried, -1 for those that were not.
    pub const GAINS: Self = Self(*b"gains\0\0\0");
    /// Blocks of the rows' codes, list after list.
    pub const BLOCKS: Self = Self(*b"blocks\0\0");
    /// int64 (rows,): ids in row order.
    pub const IDS: Self = Self(*b"ids\0\0\0\0\0");
    /// The residuals, finer: [`Tier::row_bytes`] for each row.
    pub const TIER: Self = Self(*b"tier\0\0\0\0");
}

/// Sections of a file of kind 2, in order; the last is `chunks`.
pub const SECTIONS: [Tag; 18] = [
    Tag::SHAPE,
    Tag::A,
    Tag::B,
    Tag::B_SCALES,
    Tag::BOOKS,
    Tag::KEY_BOOKS,
    Tag::KEY_BLOCKS,
    Tag::MEANS,
    Tag::MEAN_SCALES,
    Tag::PULLS,
    Tag::STARTS,
    Tag::EFFORTS,
    Tag::GAINS,
    Tag::BLOCKS,
    Tag::IDS,
    Tag::TIER,
    Tag::SCALES,
    Tag::CHUNKS,
];

impl Shape {
    /// The words of section `shape`.
    pub fn encode(&self) -> [u32; 8] {
        let (m, nlist) = (self.m as u32, self.nlist as u32);
        [m, nlist, self.tier.number(), self.transform, self.efforts as u32, 0, 0, 0]
    }

    /// Read the words of section `shape`; `rows` and `dim` were checked before.
    ///
    /// # Errors
    /// [`Fault::Shape`] for numbers that no index has.
    pub fn decode(words: [u32; 8], rows: usize, dim: usize) -> Result<Self, Fault> {
        let refused =
            |name: &'static str, max: u64, got: u32| Fault::Shape { name, max, got: u64::from(got) };
        let [m, nlist, tier, transform, efforts, reserved @ ..] = words;
        if m == 0 || m as usize > MAX_M || !(m as usize).is_multiple_of(M_STEP) {
            return Err(refused("m", MAX_M as u64, m));
        }
        let most_lists = rows.clamp(1, MAX_LISTS) as u64;
        if nlist == 0 || u64::from(nlist) > most_lists {
            return Err(refused("nlist", most_lists, nlist));
        }
        let tier_kind = Tier::of_number(tier).ok_or(refused("tier", u64::from(Tier::LAST), tier))?;
        if transform as usize >= TRANSFORMS {
            return Err(refused("transform", TRANSFORMS as u64 - 1, transform));
        }
        if efforts as usize > MAX_EFFORTS {
            return Err(refused("efforts", MAX_EFFORTS as u64, efforts));
        }
        if let Some(&word) = reserved.iter().find(|&&word| word != 0) {
            return Err(refused("reserved", 0, word));
        }
        let (m, nlist, efforts) = (m as usize, nlist as usize, efforts as usize);
        Ok(Self { rows, dim, m, nlist, tier: tier_kind, transform, efforts })
    }

    /// Every section with its size, in the order of [`SECTIONS`].
    ///
    /// Nothing here can overflow: rows are below 2^32, a row's bytes below 2^14, and lists no more than rows.
    pub fn layout(&self) -> Vec<(Tag, u64)> {
        let mut layout: Vec<(Tag, u64)> =
            SECTIONS.iter().map(|&tag| (tag, self.section_bytes(tag))).collect();
        let chunks: u64 = layout.iter().map(|&(_, size)| chunk_count(size)).sum();
        if let Some(last) = layout.last_mut() {
            last.1 = chunks * size_of::<u32>() as u64;
        }
        layout
    }

    /// Bytes of one section; 0 for `chunks`, which follows from the others.
    fn section_bytes(&self, tag: Tag) -> u64 {
        let floats = |count: usize| count as u64 * size_of::<f32>() as u64;
        match tag {
            Tag::SHAPE => 32,
            Tag::A => floats(self.m * DSUB * self.dim),
            Tag::B => (self.m * DSUB * stride(self.dim)) as u64,
            Tag::B_SCALES => floats(self.m * DSUB),
            Tag::BOOKS | Tag::KEY_BOOKS => floats(self.m * KSUB * DSUB),
            Tag::KEY_BLOCKS => (block_count(self.nlist) * block_bytes(self.m)) as u64,
            Tag::MEANS => (self.nlist * stride(self.dim)) as u64,
            Tag::MEAN_SCALES | Tag::PULLS => floats(self.nlist),
            Tag::STARTS => (self.nlist as u64 + 1) * 8,
            Tag::EFFORTS => (self.efforts * size_of::<[u32; 4]>()) as u64,
            Tag::BLOCKS => (block_count(self.rows) * block_bytes(self.m)) as u64,
            Tag::IDS => self.rows as u64 * 8,
            Tag::TIER => self.rows as u64 * self.tier.row_bytes(self.dim) as u64,
            Tag::SCALES if self.tier.has_scales() => floats(self.rows),
            Tag::GAINS => floats(TRANSFORMS),
            _ => 0,
        }
    }
}
