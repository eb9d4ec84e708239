//! Product quantization: every four dimensions of a row become the number of the nearest of sixteen centroids.
//!
//! Here rows stand in *columns*, shape (4m, n): one dimension of many rows lies together, so that the loops over rows
//! are vectorised on every CPU.

use crate::codes::blocks::stretch;
use crate::codes::{DSUB, KSUB};
use crate::error::Result;
use crate::math::random::Random;
use crate::parallel::Team;

/// Rounds of Lloyd's algorithm. After twenty, the error falls by less than a thousandth a round.
const ROUNDS: usize = 20;

/// Rows that are compared with the centroids side by side.
const LANES: usize = 16;

/// Values of one subquantizer's codebook.
const BOOK: usize = KSUB * DSUB;

/// Train the codebooks, shape (m, 16, 4), on columns of shape (4m, n).
///
/// # Errors
/// The listener's error.
pub fn train(columns: &[f32], m: usize, seed: u64, team: &mut Team<'_>) -> Result<Vec<f32>> {
    let n = columns.len() / (m * DSUB);
    let book = |group: usize| {
        let columns = &columns[group * DSUB * n..][..DSUB * n];
        Ok(train_one(columns, n, &mut Random::new(seed, 2000 + group as u64)))
    };
    Ok(team.run(0..m, book)?.concat())
}

/// One codebook, shape (16, 4), from columns of shape (4, n).
fn train_one(columns: &[f32], n: usize, random: &mut Random) -> Vec<f32> {
    let mut book = first_book(columns, n, random);
    let mut codes = vec![0; n];
    for _ in 0..ROUNDS {
        encode_one(columns, n, &book, &mut codes);
        move_to_means(columns, n, &codes, &mut book, random);
    }
    book
}

/// Sixteen random rows; with fewer, some come twice, and with none, all are zero.
fn first_book(columns: &[f32], n: usize, random: &mut Random) -> Vec<f32> {
    let rows = random.sample(n, KSUB);
    let mut book = vec![0.0; BOOK];
    for (centroid, &row) in book.chunks_exact_mut(DSUB).zip(rows.iter().cycle()) {
        centroid.copy_from_slice(&row_of(columns, n, row as usize));
    }
    book
}

fn row_of(columns: &[f32], n: usize, row: usize) -> [f32; DSUB] {
    std::array::from_fn(|d| columns[d * n + row])
}

/// Move each centroid to the mean of its rows; one without rows goes to a random row.
fn move_to_means(columns: &[f32], n: usize, codes: &[u8], book: &mut [f32], random: &mut Random) {
    let mut counts = [0_u32; KSUB];
    codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
    for d in 0..DSUB {
        let mut sums = [0.0_f64; KSUB];
        let column = &columns[d * n..][..n];
        codes.iter().zip(column).for_each(|(&code, &value)| sums[usize::from(code)] += f64::from(value));
        for (code, sum) in sums.into_iter().enumerate().filter(|&(code, _)| counts[code] > 0) {
            book[code * DSUB + d] = (sum / f64::from(counts[code])) as f32;
        }
    }
    for code in (0..KSUB).filter(|&code| counts[code] == 0 && n > 0) {
        book[code * DSUB..][..DSUB].copy_from_slice(&row_of(columns, n, random.below(n)));
    }
}

/// Code columns of shape (4m, n) into `codes`, shape (m, n), values 0 to 15.
///
/// # Panics
/// If the shapes do not agree.
pub fn encode(columns: &[f32], n: usize, books: &[f32], codes: &mut [u8]) {
    assert_eq!(columns.len() * KSUB, books.len() * n, "columns and codebooks have not one m");
    assert_eq!(codes.len() * DSUB, columns.len(), "there is not one code for four values");
    if n == 0 {
        return;
    }
    let groups = columns.chunks_exact(DSUB * n).zip(books.chunks_exact(BOOK)).zip(codes.chunks_exact_mut(n));
    groups.for_each(|((columns, book), codes)| encode_one(columns, n, book, codes));
}

/// Code columns of shape (4, n); of equally near centroids the first.
fn encode_one(columns: &[f32], n: usize, book: &[f32], codes: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: this CPU has AVX2.
        unsafe { encode_one_avx2(columns, n, book, codes) };
        return;
    }
    encode_lanes(columns, n, book, codes);
}

/// The same code, compiled for wider registers: it multiplies and adds one by one, so every CPU gives the same codes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn encode_one_avx2(columns: &[f32], n: usize, book: &[f32], codes: &mut [u8]) {
    encode_lanes(columns, n, book, codes);
}

#[inline(always)]
fn encode_lanes(columns: &[f32], n: usize, book: &[f32], codes: &mut [u8]) {
    let (centroids, _) = book.as_chunks::<DSUB>();
    let half = |centroid: &[f32; DSUB]| centroid.iter().map(|value| value * value).sum::<f32>() / 2.0;
    for (piece, codes) in codes.chunks_mut(LANES).enumerate() {
        let mut values = [[0.0; LANES]; DSUB];
        for (d, lanes) in values.iter_mut().enumerate() {
            let start = d * n + piece * LANES;
            lanes[..codes.len()].copy_from_slice(&columns[start..][..codes.len()]);
        }
        let (mut most, mut best) = ([f32::NEG_INFINITY; LANES], [0; LANES]);
        for (code, centroid) in centroids.iter().enumerate() {
            let scores = scores(&values, centroid, half(centroid));
            keep_best(&scores, code as i32, &mut most, &mut best);
        }
        codes.iter_mut().zip(best).for_each(|(code, best)| *code = best as u8);
    }
}

/// `x·c - half` of sixteen rows with one centroid: the nearest has the largest.
#[inline(always)]
fn scores(values: &[[f32; LANES]; DSUB], centroid: &[f32; DSUB], half: f32) -> [f32; LANES] {
    let mut scores = [-half; LANES];
    for (values, centroid) in values.iter().zip(centroid) {
        for lane in 0..LANES {
            scores[lane] += values[lane] * centroid;
        }
    }
    scores
}

#[inline(always)]
fn keep_best(scores: &[f32; LANES], code: i32, most: &mut [f32; LANES], best: &mut [i32; LANES]) {
    for lane in 0..LANES {
        let better = scores[lane] > most[lane];
        most[lane] = if better { scores[lane] } else { most[lane] };
        best[lane] = if better { code } else { best[lane] };
    }
}

/// What codes of shape (m, n) stand for, shape (4m, n).
///
/// # Panics
/// If the shapes do not agree.
pub fn decode(codes: &[u8], n: usize, books: &[f32]) -> Vec<f32> {
    assert_eq!(codes.len() * BOOK, books.len() * n, "codes and codebooks have not one m");
    let mut columns = vec![0.0; codes.len() * DSUB];
    for (at, column) in columns.chunks_exact_mut(n.max(1)).enumerate() {
        let (group, d) = (at / DSUB, at % DSUB);
        let book = &books[group * BOOK..][..BOOK];
        let codes = &codes[group * n..][..n];
        column.iter_mut().zip(codes).for_each(|(value, &code)| *value = book[usize::from(code) * DSUB + d]);
    }
    columns
}

/// The stretch of each row of `columns`, shape (4m, n), whose codes stand for `rebuilt`, of the same shape.
///
/// # Panics
/// If the shapes do not agree.
pub fn stretches(columns: &[f32], rebuilt: &[f32], n: usize) -> Vec<u8> {
    assert_eq!(columns.len(), rebuilt.len(), "rows and what their codes stand for are not as many");
    let (mut squares, mut products) = (vec![0.0_f32; n], vec![0.0_f32; n]);
    for (column, rebuilt) in columns.chunks_exact(n.max(1)).zip(rebuilt.chunks_exact(n.max(1))) {
        squares.iter_mut().zip(column).for_each(|(sum, value)| *sum += value * value);
        products.iter_mut().zip(column.iter().zip(rebuilt)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    squares.into_iter().zip(products).map(|(square, product)| stretch(square, product)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parallel::Progress;

    fn train(columns: &[f32], m: usize, threads: usize) -> Vec<f32> {
        let mut listener = |_: Progress| Ok(());
        super::train(columns, m, 1, &mut Team::new(threads, &mut listener)).unwrap()
    }

    #[test]
    fn sixteen_points_are_kept_exactly() {
        let points: Vec<f32> = (0..2 * DSUB * 16).map(|at| ((at * 37) % 101) as f32).collect();
        let books = train(&points, 2, 2);
        let mut codes = vec![9; 2 * 16];
        encode(&points, 16, &books, &mut codes);
        assert_eq!(decode(&codes, 16, &books), points);
    }

    #[test]
    fn coding_keeps_most_of_the_energy() {
        let mut random = Random::new(0, 0);
        let n = 4000;
        let columns: Vec<f32> = (0..DSUB * n).map(|_| random.normal()).collect();
        let books = train(&columns, 1, 1);
        let mut codes = vec![0; n];
        encode(&columns, n, &books, &mut codes);
        let off: f32 = decode(&codes, n, &books).iter().zip(&columns).map(|(a, b)| (a - b) * (a - b)).sum();
        // The best that sixteen centroids can do in four dimensions is about 0.36 of the energy.
        assert!(off / (DSUB * n) as f32 <= 0.39, "{}", off / (DSUB * n) as f32);
    }

    #[test]
    fn stretched_codes_are_as_long_as_their_rows() {
        let mut random = Random::new(3, 0);
        let n = 500;
        let columns: Vec<f32> = (0..8 * DSUB * n).map(|_| random.normal()).collect();
        let books = train(&columns, 8, 1);
        let mut codes = vec![0; 8 * n];
        encode(&columns, n, &books, &mut codes);
        let rebuilt = decode(&codes, n, &books);
        for (row, &stretch) in stretches(&columns, &rebuilt, n).iter().enumerate() {
            let of = |columns: &[f32]| -> Vec<f32> { columns.iter().skip(row).step_by(n).copied().collect() };
            let (x, y) = (of(&columns), of(&rebuilt));
            let square: f32 = x.iter().map(|a| a * a).sum();
            let product: f32 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
            let stretched = product * f32::from(stretch) / 128.0;
            assert!(stretch == 255 || (stretched / square - 1.0).abs() < 0.005, "{stretched} and {square}");
        }
    }

    #[test]
    fn no_rows_and_equal_rows_are_no_trouble() {
        assert_eq!(train(&[], 2, 1), [0.0; 2 * BOOK]);
        let books = train(&[5.0; DSUB * 3], 1, 1);
        let mut codes = [9; 3];
        encode(&[5.0; DSUB * 3], 3, &books, &mut codes);
        assert_eq!((codes, &books[..4]), ([0; 3], &[5.0; 4][..]));
    }

    proptest! {
        #[test]
        fn the_nearest_centroid_is_chosen(
            values in prop::collection::vec(-8_i8..8, DSUB * 37), book in prop::collection::vec(-8_i8..8, BOOK)
        ) {
            let float = |values: &[i8]| values.iter().map(|&value| f32::from(value)).collect::<Vec<_>>();
            let (columns, book) = (float(&values), float(&book));
            let mut codes = vec![0; 37];
            encode(&columns, 37, &book, &mut codes);
            for (row, &code) in codes.iter().enumerate() {
                let point = row_of(&columns, 37, row);
                let far = |centroid: &[f32]| centroid.iter().zip(point).map(|(c, x)| (c - x) * (c - x)).sum::<f32>();
                let distances: Vec<f32> = book.chunks(DSUB).map(far).collect();
                let nearest = distances.iter().copied().fold(f32::INFINITY, f32::min);
                prop_assert_eq!(distances.iter().position(|&d| d == nearest), Some(usize::from(code)));
            }
        }
    }
}
