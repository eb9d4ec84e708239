//! What a caller gives, read where it lies or refused with how to mend it.

use numpy::{
    Element, PyArray2, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use super::classes::InputError;
use crate::vectors::Vectors;
use crate::vectors::rows::{Rows, Values};

pub(super) type Found<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

/// An array of float16 or float32, borrowed as it lies in memory or in a mapped file.
pub(super) enum Floats<'py> {
    Half(PyReadonlyArrayDyn<'py, u16>),
    Single(PyReadonlyArrayDyn<'py, f32>),
}

impl<'py> Floats<'py> {
    pub(super) fn new(name: &str, array: &Bound<'py, PyAny>) -> PyResult<Self> {
        let Ok(untyped) = array.cast::<PyUntypedArray>() else { return Err(wrong_type::<f32>(name, array)) };
        if untyped.dtype().str()? != "float16" {
            return Ok(Self::Single(readable(name, array)?));
        }
        let array = if untyped.is_c_contiguous() { array.clone() } else { array.call_method0("copy")? };
        Ok(Self::Half(readable(name, &array.call_method1("view", ("uint16",))?)?))
    }

    /// Its rows, shape (n, dim).
    pub(super) fn rows(&self) -> PyResult<Rows<'_>> {
        let (values, shape) = match self {
            Self::Half(array) => (Values::Half(array.as_slice()?), array.shape()),
            Self::Single(array) => (Values::Single(array.as_slice()?), array.shape()),
        };
        match *shape {
            [_, dim] => Ok(Rows::new(values, dim)?),
            _ => Err(refused("vectors", "shape (n, dim)", &format!("shape {shape:?}"))),
        }
    }
}

pub(super) fn whole_number(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let found = || value.repr().map_or_else(|_| value.get_type().to_string(), |text| text.to_string());
    value.extract().map_err(|_| refused(name, "a whole number, 0 or more", &found()))
}

/// The array in C order, aligned and borrowed; copied only if it is not so already.
pub(super) fn readable<'py, T: Element>(
    name: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let mut array = array.cast::<PyArrayDyn<T>>().map_err(|_| wrong_type::<T>(name, array))?.clone();
    if !(array.is_c_contiguous() && array.is_aligned()) {
        array = array.call_method0("copy")?.cast_into()?;
    }
    array.try_readonly().map_err(|_| refused(name, "an array that nobody is writing", "one in use"))
}

/// Whole numbers, shape (n,) int64.
pub(super) fn numbers_of<'py>(
    name: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, i64>> {
    let array = readable::<i64>(name, array)?;
    if array.ndim() != 1 {
        return Err(refused(name, "shape (n,)", &format!("shape {:?}", array.shape())));
    }
    Ok(array)
}

pub(super) fn rows_of<'a>(
    name: &str,
    array: &'a PyReadonlyArrayDyn<'_, f32>,
    ndims: &[usize],
) -> PyResult<Vectors<'a>> {
    let shape = array.shape();
    let dim = shape.last().filter(|_| ndims.contains(&shape.len()));
    let dim = dim.ok_or_else(|| refused(name, "shape (n, dim)", &format!("shape {shape:?}")))?;
    Ok(Vectors::new(array.as_slice()?, *dim)?)
}

/// The flags, shape (rows,). Read as bytes: NumPy lets a bool hold any byte, and Rust does not.
pub(super) fn flags_of(array: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    let flags = array.cast::<PyArrayDyn<bool>>().map_err(|_| wrong_type::<bool>("allow", array))?;
    if flags.ndim() != 1 {
        return Err(refused("allow", "shape (rows,)", &format!("shape {:?}", flags.shape())));
    }
    let bytes = readable::<u8>("allow", &flags.call_method1("view", ("uint8",))?)?;
    Ok(bytes.as_slice()?.iter().map(|&byte| byte != 0).collect())
}

fn wrong_type<T: Element>(name: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let wanted = numpy::dtype::<T>(found.py()).typeobj();
    let wanted = wanted.name().map_or_else(|_| "other".to_owned(), |kind| kind.to_string());
    let found = match found.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of {}", array.dtype()),
        Err(_) => found.get_type().to_string(),
    };
    let mend = format!("a NumPy array of {wanted} (numpy.asarray(x, dtype=numpy.{wanted}) makes one)");
    refused(name, &mend, &found)
}

pub(super) fn refused(name: &str, expected: &str, got: &str) -> PyErr {
    InputError::new_err(format!("{name} must be {expected}, got {got}"))
}
