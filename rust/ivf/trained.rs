//! What an open index was trained to, for indexes that share it.

use bytemuck::cast_slice;

use crate::ivf::index::IvfIndex;
use crate::ivf::layout::{CoarseCentroids, Int8Projection, RowProjection, TrainedParams};
use crate::storage::format::Tag;

/// The trained sections: of the codes, and of the lists.
const TRANSFORM_SECTIONS: [Tag; 4] = [Tag::A, Tag::A_SCALES, Tag::B, Tag::CODEBOOKS];
const LIST_SECTIONS: [Tag; 3] = [Tag::CENTROIDS, Tag::CENTROID_SCALES, Tag::LIST_WEIGHTS];

impl IvfIndex {
    /// Checksum of what the index was trained to: the transform, the codebooks and the lists. Indexes with the same one give
    /// scores of the same error, and probe the same lists for a query.
    pub fn training_checksum(&self) -> u64 {
        let checksum = |tags: &[Tag]| {
            let add = |sum, &tag: &Tag| crc32c::crc32c_append(sum, self.section(tag));
            u64::from(tags.iter().fold(0, add))
        };
        checksum(&TRANSFORM_SECTIONS) << 32 | checksum(&LIST_SECTIONS)
    }

    /// Return the parameters that the index was trained to, for rows that are as large as its own divided by `unit`.
    pub(crate) fn trained_params(&self, unit: f32) -> TrainedParams {
        let floats = |tag| cast_slice::<u8, f32>(self.section(tag));
        let int8 = |codes, scales| Int8Projection {
            codes: cast_slice(self.section(codes)).to_vec(),
            scales: floats(scales).to_vec(),
        };
        let scaled = |tag| floats(tag).iter().map(|value| value / unit).collect();
        TrainedParams {
            m: self.layout().m,
            transform: self.layout().transform,
            a: if self.layout().forms.int8_projection {
                RowProjection::Int8(int8(Tag::A, Tag::A_SCALES))
            } else {
                RowProjection::F32(floats(Tag::A).to_vec())
            },
            b: int8(Tag::B, Tag::B_SCALES),
            codebooks: scaled(Tag::CODEBOOKS),
            routing_codebooks: floats(Tag::ROUTING_CODEBOOKS).to_vec(),
            routing_blocks: self.section(Tag::ROUTING_BLOCKS).to_vec(),
            centroids: CoarseCentroids {
                codes: cast_slice(self.section(Tag::CENTROIDS)).to_vec(),
                scales: scaled(Tag::CENTROID_SCALES),
                list_weights: floats(Tag::LIST_WEIGHTS).to_vec(),
            },
            query_second_moment: Vec::new(),
        }
    }
}
