//! NumPy arguments: borrowed in place where possible, or refused with how to fix them.

use half::f16;
use half::slice::HalfBitsSliceExt;
use numpy::{
    Element, PyArray2, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use super::classes::InputError;
use crate::matrix::{MatrixF32, RowsView, Values};

pub(super) type Found<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

/// A float16 or float32 array, borrowed from memory or from a mapped file.
pub(super) enum FloatArray<'py> {
    F16(PyReadonlyArrayDyn<'py, u16>),
    F32(PyReadonlyArrayDyn<'py, f32>),
}

impl<'py> FloatArray<'py> {
    pub(super) fn new(name: &str, array: &Bound<'py, PyAny>) -> PyResult<Self> {
        let Ok(untyped) = array.cast::<PyUntypedArray>() else { return Err(wrong_type::<f32>(name, array)) };
        if untyped.dtype().str()? != "float16" {
            return Ok(Self::F32(readonly(name, array)?));
        }
        let array = if untyped.is_c_contiguous() { array.clone() } else { array.call_method0("copy")? };
        Ok(Self::F16(readonly(name, &array.call_method1("view", ("uint16",))?)?))
    }

    /// Return its rows, shape (n, dim).
    pub(super) fn rows(&self) -> PyResult<RowsView<'_>> {
        let (values, shape) = match self {
            Self::F16(array) => (Values::F16(array.as_slice()?.reinterpret_cast::<f16>()), array.shape()),
            Self::F32(array) => (Values::F32(array.as_slice()?), array.shape()),
        };
        match *shape {
            [_, dim] => Ok(RowsView::new(values, dim)?),
            _ => Err(refused("vectors", "shape (n, dim)", &format!("shape {shape:?}"))),
        }
    }
}

/// Make arrays of ids or rows and of scores, both of this shape.
///
/// A copy of the few values of an answer costs less than an array that owns a vector.
pub(super) fn found<'py>(
    py: Python<'py>,
    ids: &[i64],
    scores: &[f32],
    shape: [usize; 2],
) -> PyResult<Found<'py>> {
    Ok((array(py, ids, shape)?, array(py, scores, shape)?))
}

fn array<'py, T: Element + Copy>(
    py: Python<'py>,
    values: &[T],
    shape: [usize; 2],
) -> PyResult<Bound<'py, PyArray2<T>>> {
    let array = PyArray2::<T>::zeros(py, shape, false);
    // SAFETY: nobody else has the new array.
    unsafe { array.as_slice_mut() }?.copy_from_slice(values);
    Ok(array)
}

/// Convert an integer that is not negative.
pub(super) fn count(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let found = || value.repr().map_or_else(|_| value.get_type().to_string(), |text| text.to_string());
    value.extract().map_err(|_| refused(name, "a whole number, 0 or more", &found()))
}

/// Borrow the array in C order and aligned; it is copied only if it is not so already.
pub(super) fn readonly<'py, T: Element>(
    name: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let mut array = array.cast::<PyArrayDyn<T>>().map_err(|_| wrong_type::<T>(name, array))?.clone();
    if !(array.is_c_contiguous() && array.is_aligned()) {
        array = array.call_method0("copy")?.cast_into()?;
    }
    array.try_readonly().map_err(|_| refused(name, "an array that nobody is writing", "one in use"))
}

/// Borrow integers, shape (n,) int64.
pub(super) fn int64_array<'py>(
    name: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, i64>> {
    let array = readonly::<i64>(name, array)?;
    if array.ndim() != 1 {
        return Err(refused(name, "shape (n,)", &format!("shape {:?}", array.shape())));
    }
    Ok(array)
}

/// View an array with one of these numbers of dimensions as rows.
pub(super) fn matrix<'a>(
    name: &str,
    array: &'a PyReadonlyArrayDyn<'_, f32>,
    ndims: &[usize],
) -> PyResult<MatrixF32<'a>> {
    let shape = array.shape();
    let dim = shape.last().filter(|_| ndims.contains(&shape.len()));
    let dim = dim.ok_or_else(|| refused(name, "shape (n, dim)", &format!("shape {shape:?}")))?;
    Ok(MatrixF32::new(array.as_slice()?, *dim)?)
}

/// Borrow flags, shape (n,), as bytes: a NumPy bool may hold any byte, and a Rust bool may not.
pub(super) fn flag_bytes<'py>(array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArrayDyn<'py, u8>> {
    let flags = array.cast::<PyArrayDyn<bool>>().map_err(|_| wrong_type::<bool>("allow", array))?;
    if flags.ndim() != 1 {
        return Err(refused("allow", "shape (n,)", &format!("shape {:?}", flags.shape())));
    }
    readonly("allow", &flags.call_method1("view", ("uint8",))?)
}

/// Copy flags, shape (n,).
pub(super) fn bool_array(array: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    Ok(flag_bytes(array)?.as_slice()?.iter().map(|&byte| byte != 0).collect())
}

fn wrong_type<T: Element>(name: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let dtype = numpy::dtype::<T>(found.py()).typeobj();
    let dtype = dtype.name().map_or_else(|_| "other".to_owned(), |name| name.to_string());
    let found = match found.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of {}", array.dtype()),
        Err(_) => found.get_type().to_string(),
    };
    let expected = format!("a NumPy array of {dtype} (numpy.asarray(x, dtype=numpy.{dtype}) makes one)");
    refused(name, &expected, &found)
}

pub(super) fn refused(name: &str, expected: &str, got: &str) -> PyErr {
    InputError::new_err(format!("{name} must be {expected}, got {got}"))
}
