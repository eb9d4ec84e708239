//! What another index was trained to: its lists, transform and codebooks, taken over by a new index of other rows.
//!
//! Indexes with a shared training give scores of the same error and probe the same lists for a query, as if they were parts of
//! one index. Each is calibrated on its own rows.

use crate::error::{Error, Result};
use crate::ivf::build::held_out::QuerySplit;
use crate::ivf::build::options::BuildOptions;
use crate::ivf::build::transform_choice::{AssignedRows, TransformRecalls, query_second_moment};
use crate::ivf::build::two_level_kmeans::TwoLevelKmeans;
use crate::ivf::early_stop::fit;
use crate::ivf::index::IvfIndex;
use crate::ivf::layout::{CoarseCentroids, TrainedParams};
use crate::parallel::{Interrupt, ScopedWorkers};
use crate::storage::mmap::LoadMode;

/// The index that was trained.
pub(crate) struct SharedTraining {
    index: IvfIndex,
}

impl SharedTraining {
    /// Open the index that the options name, if they name one.
    ///
    /// # Errors
    /// As [`IvfIndex::open`], and [`Error::Dim`] for an index of another dimension.
    pub(crate) fn of(options: &BuildOptions, dim: usize) -> Result<Option<Self>> {
        let Some(path) = &options.training else { return Ok(None) };
        let index = IvfIndex::open(path, LoadMode::Map)?;
        let got = index.layout().dim;
        if got == dim { Ok(Some(Self { index })) } else { Err(Error::Dim { expected: dim, got }) }
    }

    /// Return the options with what the training determines.
    pub(crate) fn options(&self, options: &BuildOptions) -> BuildOptions {
        let layout = self.index.layout();
        let is_free = options.memory_bytes.is_none();
        BuildOptions {
            m: Some(layout.m),
            nlist: Some(layout.nlist),
            refine: options.refine.or(is_free.then_some(layout.refine)),
            ..options.clone()
        }
    }

    /// Return the lists that rows are assigned to.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub(crate) fn lists(&self, unit: f32, seed: u64, interrupt: Interrupt<'_>) -> Result<TwoLevelKmeans> {
        let (dim, centroids) = (self.index.layout().dim, self.centroids(unit));
        let mut values = vec![0.0; centroids.len() * dim];
        values.chunks_exact_mut(dim).enumerate().for_each(|(list, value)| centroids.decode(list, value));
        TwoLevelKmeans::of_centroids(&values, dim, seed, interrupt)
    }

    /// Return the stored centroids and list weights.
    pub(crate) fn centroids(&self, unit: f32) -> CoarseCentroids {
        self.index.trained_params(unit).centroids
    }

    /// Return all that was trained, and the recall of each transform that was tried for it.
    ///
    /// # Errors
    /// As [`query_second_moment`].
    pub(crate) fn params(
        &self,
        assigned: AssignedRows<'_>,
        split: &QuerySplit,
        (unit, seed): (f32, u64),
        workers: &ScopedWorkers<'_>,
    ) -> Result<(TrainedParams, TransformRecalls)> {
        let query_second_moment = query_second_moment(assigned, split, seed, workers)?;
        let mut recalls = TransformRecalls::default();
        for (recall, &known) in recalls.iter_mut().zip(self.index.transform_recalls()) {
            *recall = (known >= 0.0).then_some(known);
        }
        Ok((TrainedParams { query_second_moment, ..self.index.trained_params(unit) }, recalls))
    }

    /// Return the thresholds of early termination, none of an index of an earlier version.
    ///
    /// An index with fewer rows has a lower tenth best score, so it probes every list that the trained index would.
    pub(crate) fn stop_thresholds(&self) -> [Vec<f32>; 2] {
        let stored = self.index.stored_stop_thresholds();
        let (samples, rows) = stored.split_at(stored.len() / 2);
        [samples, rows].map(|stored| if stored.is_empty() { fit(&[]) } else { stored.to_vec() })
    }

    /// Return the rule that distinguishes the kinds of query; none of an index of an earlier version.
    pub(crate) fn kind_rule(&self) -> Option<Vec<f32>> {
        let rule = self.index.stored_kind_rule();
        (!rule.is_empty()).then(|| rule.to_vec())
    }
}
