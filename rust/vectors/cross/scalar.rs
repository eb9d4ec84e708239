//! The obvious version: the specification of the other kernels, and their stand-in.

use super::{COLUMNS, Column, Stage, TOGETHER, Tile};

/// Products of twelve rows with sixteen.
pub(super) fn tile(stage: &[Stage], columns: &[Column]) -> Tile {
    let mut tile = [[0; COLUMNS]; TOGETHER];
    for (stage, column) in stage.iter().zip(columns) {
        for (sums, left) in tile.iter_mut().zip(stage) {
            for (sum, right) in sums.iter_mut().zip(column) {
                *sum += left.iter().zip(right).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>();
            }
        }
    }
    tile
}
