//! Matrices, eigenvectors and numbers by chance. Knows nothing of the other rooms.

pub mod eigen;
pub mod linalg;
pub mod random;
