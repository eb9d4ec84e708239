//! The ids that a caller gives the rows.

use crate::error::{Error, Result};

/// One id for each row, no two the same.
pub(crate) fn check_ids(rows: usize, ids: Option<&[i64]>) -> Result<()> {
    let Some(ids) = ids else { return Ok(()) };
    if ids.len() != rows {
        return Err(Error::IdsLength { expected: rows, got: ids.len() });
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::IdsRepeated { id: pair[0] }),
        None => Ok(()),
    }
}
