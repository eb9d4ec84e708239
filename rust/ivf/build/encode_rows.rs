//! Encodes every row and writes the index file.

use std::ops::Range;
use std::path::Path;

use crate::error::Result;
use crate::ivf::build::kmeans::Assignment;
use crate::ivf::build::transform_choice::{AssignedRows, TransformRecalls, encode};
use crate::ivf::build::two_level_kmeans::BATCH_ROWS;
use crate::ivf::calibration::QUERY_KINDS;
use crate::ivf::early_stop::NEVER;
use crate::ivf::layout::{IvfLayout, RowProjection, TrainedParams};
use crate::kernels::fastscan::blocks::BLOCK_ROWS;
use crate::linalg::gemm::gemm_nt;
use crate::parallel::{Interrupt, ScopedWorkers};
use crate::quantizer::f16::encode_f16;
use crate::quantizer::ldlq::LdlqEncoder;
use crate::quantizer::pq::DSUB;
use crate::quantizer::refine_codec::RefineCodec;
use crate::quantizer::residual_table::CodewordTable;
use crate::quantizer::row_scales::to_bf16;
use crate::storage::format::{KIND_IVF, Tag};
use crate::storage::section_writer::SectionWriter;
use crate::topk::packed_ids::IdPacker;

/// Batches that are encoded before they are written: bounds the memory for encoded rows.
const BATCHES_PER_WRITE: usize = 16;

/// Axes that residuals are projected on between two checks of the interrupt.
const STEP_AXES: usize = 64;

// So that every batch begins a block.
const _: () = assert!(BATCH_ROWS.is_multiple_of(BLOCK_ROWS));

/// Everything that the file is written from.
pub(crate) struct RowEncoder<'a> {
    pub(crate) assigned: AssignedRows<'a>,
    pub(crate) ids: Option<&'a [i64]>,
    pub(crate) smallest_id: i64,
    /// What scaled rows are multiplied by to be as they were passed: a power of two.
    pub(crate) unit: f32,
    pub(crate) assignment: &'a Assignment,
    pub(crate) trained: &'a TrainedParams,
    /// The decoded projection of rows, shape (4m, dim).
    pub(crate) a: Vec<f32>,
    /// Built with the stored query projection, whose rounding the refine codes make up for.
    pub(crate) codeword_table: CodewordTable,
    pub(crate) ldlq: LdlqEncoder,
    pub(crate) layout: IvfLayout,
    pub(crate) transform_recalls: TransformRecalls,
    /// The rule that distinguishes the kinds of query, in its stored form.
    pub(crate) kind_rule: Vec<f32>,
}

/// The encoded rows of one batch, in list order.
#[derive(Default)]
struct EncodedRows {
    blocks: Vec<u8>,
    ids: Vec<i64>,
    refine_codes: Vec<u8>,
    scales: Vec<u16>,
}

impl RowEncoder<'_> {
    /// Write the index, but for its calibration tables and the thresholds of early termination.
    pub(crate) fn write(&self, path: &Path, workers: &mut ScopedWorkers<'_>) -> Result<SectionWriter> {
        let (rows, dim) = (self.layout.rows as u64, self.layout.dim as u32);
        let mut writer = SectionWriter::create(path, KIND_IVF, rows, dim, &self.layout.sections())?;
        self.write_trained(&mut writer)?;
        let mut ids = IdPacker::new(self.layout.forms.ids, self.smallest_id);
        let count = self.layout.rows;
        let share = |row: usize| row as f64 / count as f64;
        let interrupt = workers.interrupt();
        for start in (0..count).step_by(BATCHES_PER_WRITE * BATCH_ROWS) {
            let end = count.min(start + BATCHES_PER_WRITE * BATCH_ROWS);
            workers.begin_stage("write", (share(start), share(end)));
            let batches = (start..end).step_by(BATCH_ROWS).map(|start| start..end.min(start + BATCH_ROWS));
            for encoded in workers.run(batches, |rows| self.encode(rows, interrupt))? {
                writer.append(Tag::BLOCKS, &encoded.blocks)?;
                ids.push(&encoded.ids);
                writer.append(Tag::IDS, &ids.take())?;
                writer.append(Tag::REFINE, &encoded.refine_codes)?;
                writer.append(Tag::SCALES, bytemuck::cast_slice(&encoded.scales))?;
            }
        }
        writer.append(Tag::IDS, &ids.finish())?;
        writer.finalize()?;
        Ok(writer)
    }

    /// Write every section without rows.
    fn write_trained(&self, writer: &mut SectionWriter) -> Result<()> {
        let TrainedParams { a, b, codebooks, routing_codebooks, routing_blocks, centroids, .. } =
            self.trained;
        let list_offsets: Vec<u64> = self.assignment.offsets.iter().map(|&offset| offset as u64).collect();
        writer.append(Tag::SHAPE, bytemuck::cast_slice(&self.layout.encode()))?;
        match a {
            RowProjection::F32(matrix) => writer.append(Tag::A, bytemuck::cast_slice(matrix))?,
            RowProjection::Int8(projection) => {
                writer.append(Tag::A, bytemuck::cast_slice(&projection.codes))?;
                writer.append(Tag::A_SCALES, bytemuck::cast_slice(&projection.scales))?;
            }
        }
        writer.append(Tag::B, bytemuck::cast_slice(&b.codes))?;
        writer.append(Tag::B_SCALES, bytemuck::cast_slice(&b.scales))?;
        writer.append(Tag::CODEBOOKS, bytemuck::cast_slice(&self.in_input_units(codebooks)))?;
        writer.append(Tag::ROUTING_CODEBOOKS, bytemuck::cast_slice(routing_codebooks))?;
        writer.append(Tag::ROUTING_BLOCKS, routing_blocks)?;
        writer.append(Tag::CENTROIDS, bytemuck::cast_slice(&centroids.codes))?;
        let centroid_scales = self.in_input_units(&centroids.scales);
        writer.append(Tag::CENTROID_SCALES, bytemuck::cast_slice(&centroid_scales))?;
        writer.append(Tag::LIST_WEIGHTS, bytemuck::cast_slice(&centroids.list_weights))?;
        writer.append(Tag::LIST_OFFSETS, bytemuck::cast_slice(&list_offsets))?;
        let points = self.layout.calibration_tables * self.layout.calibration_points;
        writer.append(Tag::CALIBRATION, &vec![0; points * size_of::<[u32; 4]>()])?;
        let recalls = self.transform_recalls.map(|recall| recall.unwrap_or(-1.0));
        writer.append(Tag::TRANSFORM_RECALLS, bytemuck::cast_slice(&recalls))?;
        writer.append(Tag::QUERY_KINDS, bytemuck::cast_slice(&self.kind_rule))?;
        let thresholds = vec![NEVER; QUERY_KINDS.len() * self.layout.stop_thresholds];
        writer.append(Tag::STOP_THRESHOLDS, bytemuck::cast_slice(&thresholds))
    }

    /// Undo the scaling of the rows.
    fn in_input_units(&self, values: &[f32]) -> Vec<f32> {
        values.iter().map(|value| value * self.unit).collect()
    }

    /// Encode one batch of rows in list order.
    fn encode(&self, rows: Range<usize>, interrupt: Interrupt<'_>) -> Result<EncodedRows> {
        let numbers = &self.assignment.rows[rows];
        let residuals = self.assigned.residuals(numbers)?;
        let (codes, _) = encode(&self.a, &self.trained.codebooks, &residuals, self.layout.dim, interrupt)?;
        let id = |&row: &u32| self.ids.map_or(i64::from(row), |ids| ids[row as usize]);
        let ids = numbers.iter().map(id).collect();
        let mut encoded = EncodedRows { blocks: codes.pack(self.layout.m), ids, ..EncodedRows::default() };
        self.encode_refine(residuals, &codes.codes, &mut encoded, interrupt)?;
        Ok(encoded)
    }

    /// Encode the second-level residual: the residuals, shape (n, dim), less the reconstruction of their PQ `codes`, shape
    /// (m, n).
    fn encode_refine(
        &self,
        mut residuals: Vec<f32>,
        codes: &[u8],
        encoded: &mut EncodedRows,
        interrupt: Interrupt<'_>,
    ) -> Result<()> {
        let IvfLayout { refine, dim, .. } = self.layout;
        if !refine.has_scales() {
            return Ok(());
        }
        let n = residuals.len() / dim;
        self.codeword_table.subtract(codes, &mut residuals, interrupt)?;
        let (mut refine_codes, mut scales) = (vec![0; n * refine.row_bytes(dim)], vec![0.0; n]);
        if refine == RefineCodec::Float16 {
            let encoded_rows = refine_codes.chunks_exact_mut(refine.row_bytes(dim));
            let rows = residuals.chunks_exact(dim).zip(encoded_rows).zip(&mut scales);
            rows.for_each(|((row, encoded_row), scale)| *scale = encode_f16(row, encoded_row));
        } else if refine.is_trellis() {
            let mut columns = vec![0.0; n * self.layout.m * DSUB];
            let axes = self.a.chunks(STEP_AXES * dim).zip(columns.chunks_mut((STEP_AXES * n).max(1)));
            for (axes, columns) in axes {
                interrupt.check()?;
                gemm_nt(axes, &residuals, dim, columns);
            }
            refine.encode_columns(&columns, dim, &mut refine_codes, &mut scales, interrupt)?;
        } else {
            self.ldlq.encode(refine, &residuals, &mut refine_codes, &mut scales, interrupt)?;
        }
        let scales = self.in_input_units(&scales);
        (encoded.refine_codes, encoded.scales) = (refine_codes, scales.into_iter().map(to_bf16).collect());
        Ok(())
    }
}
