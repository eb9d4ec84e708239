//! The best rows by the words of a query.

use numpy::{PyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::arrays::{count, int64_array, readonly, refused};
use crate::words::{Lengths, MAX_WORDS, Words, best_rows, unite};

/// Rows, and the score of each.
type Scored<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f32>>);

/// Return the rows of lists and of bitmaps together, as packed bits.
#[pyfunction]
pub(super) fn unite_rows<'py>(
    py: Python<'py>,
    rows: &Bound<'py, PyAny>,
    lists: Vec<Bound<'py, PyAny>>,
    bitmaps: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let rows = count("rows", rows)?;
    let lists = lists.iter().map(|list| readonly::<i32>("lists", list)).collect::<PyResult<Vec<_>>>()?;
    let bitmaps =
        bitmaps.iter().map(|bitmap| readonly::<u8>("bitmaps", bitmap)).collect::<PyResult<Vec<_>>>()?;
    let lists = lists.iter().map(|list| list.as_slice()).collect::<Result<Vec<_>, _>>()?;
    let bitmaps = bitmaps.iter().map(|bitmap| bitmap.as_slice()).collect::<Result<Vec<_>, _>>()?;
    Ok(PyArray1::from_vec(py, py.detach(|| unite(rows, &lists, &bitmaps))))
}

/// Return the best k rows with a word, and their scores.
#[pyfunction]
#[pyo3(signature = (words, weights, k, *, rows, within=None, lengths=None, factors=None, ids=None))]
#[allow(clippy::too_many_arguments)]
pub(super) fn best_rows_by_words<'py>(
    py: Python<'py>,
    words: Vec<Bound<'py, PyAny>>,
    weights: &Bound<'py, PyAny>,
    k: &Bound<'py, PyAny>,
    rows: &Bound<'py, PyAny>,
    within: Option<&Bound<'py, PyAny>>,
    lengths: Option<&Bound<'py, PyAny>>,
    factors: Option<&Bound<'py, PyAny>>,
    ids: Option<&Bound<'py, PyAny>>,
) -> PyResult<Scored<'py>> {
    let (k, rows) = (count("k", k)?, count("rows", rows)?);
    let bytes = rows.div_ceil(64) * 8;
    let words = words.iter().map(|word| sized::<u8>("words", word, bytes)).collect::<PyResult<Vec<_>>>()?;
    if words.len() > MAX_WORDS {
        return Err(refused("words", &format!("{MAX_WORDS} arrays at most"), &words.len().to_string()));
    }
    let weights = sized::<f32>("weights", weights, words.len())?;
    let within = within.map(|within| sized::<u8>("within", within, bytes)).transpose()?;
    let lengths = lengths.map(|lengths| sized::<u16>("lengths", lengths, rows)).transpose()?;
    let factors = factors.map(|factors| readonly::<f32>("factors", factors)).transpose()?;
    let ids = ids.map(|ids| int64_array("ids", ids)).transpose()?;
    let (weights, within) =
        (weights.as_slice()?, within.as_ref().map(|within| within.as_slice()).transpose()?);
    let bits = words.iter().map(|word| word.as_slice()).collect::<Result<Vec<_>, _>>()?;
    let ids = ids.as_ref().map(|ids| ids.as_slice()).transpose()?;
    if ids.is_some_and(|ids| ids.len() != rows) {
        return Err(refused("ids", &format!("{rows} numbers"), "another number of them"));
    }
    let lengths = match (&lengths, &factors) {
        (Some(of_row), Some(factors)) => {
            Some(Lengths { of_row: of_row.as_slice()?, factors: factors.as_slice()? })
        }
        (None, None) => None,
        _ => return Err(refused("lengths", "passed together with factors", "one of them")),
    };
    let words = Words { bits: &bits, weights, within, rows };
    let found = py.detach(|| best_rows(&words, lengths, ids, k));
    let rows = found.iter().map(|hit| i64::from(hit.row)).collect();
    let scores = found.iter().map(|hit| hit.score).collect();
    Ok((PyArray1::from_vec(py, rows), PyArray1::from_vec(py, scores)))
}

/// Borrow an array of shape (length,).
fn sized<'py, T: numpy::Element>(
    name: &str,
    array: &Bound<'py, PyAny>,
    length: usize,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let array = readonly::<T>(name, array)?;
    if array.shape() != [length] {
        return Err(refused(name, &format!("shape ({length},)"), &format!("shape {:?}", array.shape())));
    }
    Ok(array)
}
