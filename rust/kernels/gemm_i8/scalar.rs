//! The reference kernel: specification, fallback and oracle of the others.

use super::{PANEL_ROWS, PackedA, PanelColumn, TILE_ROWS, Tile};

/// Products of twelve rows of A with a panel of B.
pub(super) fn gemm_i8_tile(packed_a: &[PackedA], columns: &[PanelColumn]) -> Tile {
    let mut tile = [[0; PANEL_ROWS]; TILE_ROWS];
    for (packed, column) in packed_a.iter().zip(columns) {
        for (sums, a) in tile.iter_mut().zip(packed) {
            for (sum, b) in sums.iter_mut().zip(column) {
                *sum += a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>();
            }
        }
    }
    tile
}
