//! Scoped worker threads that share out pieces of work, with the same results whatever their number.
//!
//! [`ScopedWorkers`] hands out pieces in order. A piece's result depends on the piece only, and results are returned in the
//! order of the pieces. The calling thread works too, and reports progress between its pieces. [`Interrupt`] stops a long call:
//! every worker checks it between bounded steps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle, Thread};
use std::time::Duration;

use crate::error::{Error, Result};

/// Time between two checks of the interrupt while the calling thread waits for the others.
const WAIT: Duration = Duration::from_millis(50);

/// Progress of a long job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The stage, as a noun for a user: `lists`, `codes`, ...
    pub stage: &'static str,
    /// Share of the stage that is done, 0 to 1.
    pub share: f64,
}

/// Called with the progress of a job, on the calling thread; an error from it ends the job with that error.
pub type ProgressCallback<'a> = dyn FnMut(Progress) -> Result<()> + 'a;

/// How a caller stops a long call: workers ask between bounded steps, a few tens of milliseconds each, whether to stop.
#[derive(Clone, Copy, Default)]
pub struct Interrupt<'a>(Option<&'a (dyn Fn() -> bool + Sync)>);

impl<'a> Interrupt<'a> {
    /// Never stop.
    pub const NEVER: Self = Self(None);

    /// Stop once `is_stopped` returns true. Every worker thread calls it.
    pub fn new(is_stopped: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self(Some(is_stopped))
    }

    /// Fail if the caller wants to stop.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    #[inline]
    pub fn check(&self) -> Result<()> {
        match self.0 {
            Some(is_stopped) if is_stopped() => Err(Error::Stopped),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Interrupt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Interrupt" } else { "Interrupt::NEVER" })
    }
}

/// Run `work` on every piece with up to `threads` threads and return the results in the order of the pieces.
///
/// # Errors
/// The first error in the order of the pieces.
pub fn run_each<I: Send, T: Send>(
    threads: usize,
    pieces: impl ExactSizeIterator<Item = I> + Send,
    work: impl Fn(I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    ScopedWorkers::new(threads, &mut |_| Ok(()), Interrupt::NEVER).run(pieces, work)
}

/// Scoped threads for one run after another, and the progress of the job.
pub struct ScopedWorkers<'a> {
    threads: usize,
    on_progress: &'a mut ProgressCallback<'a>,
    interrupt: Interrupt<'a>,
    stage: &'static str,
    /// The part of the stage that the next [`ScopedWorkers::run`] does: first share and last share.
    span: (f64, f64),
}

impl<'a> ScopedWorkers<'a> {
    /// Use `threads` threads, at least one; the calling thread is the first.
    pub fn new(threads: usize, on_progress: &'a mut ProgressCallback<'a>, interrupt: Interrupt<'a>) -> Self {
        Self { threads: threads.max(1), on_progress, interrupt, stage: "start", span: (0.0, 1.0) }
    }

    /// What stops the job. Every piece is preceded by a check; a piece of more than a few tens of milliseconds checks it, too.
    pub fn interrupt(&self) -> Interrupt<'a> {
        self.interrupt
    }

    /// Name the stage, and the part of it that the next run does.
    pub fn begin_stage(&mut self, stage: &'static str, span: (f64, f64)) {
        (self.stage, self.span) = (stage, span);
    }

    /// Run `work` on every piece and return the results in the order of the pieces.
    ///
    /// # Errors
    /// The first error in the order of the pieces, the progress callback's, or [`Error::Stopped`].
    pub fn run<I: Send, T: Send>(
        &mut self,
        pieces: impl ExactSizeIterator<Item = I> + Send,
        work: impl Fn(I) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let (queue, interrupt, caller) = (Queue::new(pieces), self.interrupt, thread::current());
        let work = |piece| interrupt.check().and_then(|()| work(piece));
        let extra = self.threads.min(queue.total).saturating_sub(1);
        let mut done = thread::scope(|scope| {
            let help = || {
                let _wake = Wake(&caller);
                queue.drain(work, |_| Ok(()))
            };
            let start = |_| thread::Builder::new().spawn_scoped(scope, help);
            // If the system refuses to start a thread, the others do its work.
            let helpers: Vec<_> = (0..extra).filter_map(|index| start(index).ok()).collect();
            let mut done = queue.drain(work, |share| self.report_progress(share));
            if let Err(error) = wait(&helpers, interrupt) {
                done.push((queue.total, Err(error)));
            }
            for helper in helpers {
                done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        done.sort_unstable_by_key(|&(index, _)| index);
        done.into_iter().map(|(_, result)| result).collect()
    }

    fn report_progress(&mut self, share: f64) -> Result<()> {
        let (first, last) = self.span;
        (self.on_progress)(Progress { stage: self.stage, share: first + (last - first) * share })
    }
}

/// Wait for the other threads; the calling thread may be the only one that can find out that it must stop.
fn wait<T>(helpers: &[ScopedJoinHandle<'_, T>], interrupt: Interrupt<'_>) -> Result<()> {
    while !helpers.iter().all(ScopedJoinHandle::is_finished) {
        interrupt.check()?;
        thread::park_timeout(WAIT);
    }
    Ok(())
}

/// Wakes the calling thread at the end of another one, so that it does not wait any longer.
struct Wake<'a>(&'a Thread);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// The pieces that no thread has taken.
struct Queue<P> {
    pieces: Mutex<std::iter::Enumerate<P>>,
    total: usize,
    stopped: AtomicBool,
}

impl<I, P: ExactSizeIterator<Item = I>> Queue<P> {
    fn new(pieces: P) -> Self {
        let total = pieces.len();
        Self { pieces: Mutex::new(pieces.enumerate()), total, stopped: AtomicBool::new(false) }
    }

    fn take(&self) -> Option<(usize, I)> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stopped.load(Ordering::Relaxed) { None } else { pieces.next() }
    }

    /// Take pieces until none is left; report after each the share of pieces taken.
    ///
    /// Pieces are taken in order and every piece taken is finished, so the first error is always the same one. An error of
    /// `report` is ordered after all pieces.
    fn drain<T>(
        &self,
        work: impl Fn(I) -> Result<T>,
        mut report: impl FnMut(f64) -> Result<()>,
    ) -> Vec<(usize, Result<T>)> {
        let mut done = Vec::new();
        while let Some((index, piece)) = self.take() {
            let result = work(piece);
            let failed = result.is_err();
            done.push((index, result));
            let reported = report((index + 1) as f64 / self.total as f64);
            if failed || reported.is_err() {
                self.stopped.store(true, Ordering::Relaxed);
            }
            if let Err(error) = reported {
                done.push((self.total, Err(error)));
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(_: Progress) -> Result<()> {
        Ok(())
    }

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for threads in [1, 2, 7] {
            let mut on_progress = silent;
            let squares = ScopedWorkers::new(threads, &mut on_progress, Interrupt::NEVER)
                .run(0..100_usize, |n| Ok(n * n))
                .unwrap();
            assert!(squares.iter().enumerate().all(|(n, &square)| square == n * n));
        }
    }

    #[test]
    fn an_interrupt_ends_the_work_of_every_thread() {
        for threads in [1, 3] {
            let done = std::sync::atomic::AtomicUsize::new(0);
            let is_stopped = || done.load(Ordering::Relaxed) >= 5;
            let interrupt = Interrupt::new(&is_stopped);
            let work = |_| {
                interrupt.check()?;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            assert!(matches!(run_each(threads, 0..1000_usize, work), Err(Error::Stopped)));
            assert!(done.into_inner() < 5 + threads);
        }
        assert!(run_each(2, 0..9, |_: i32| Interrupt::NEVER.check()).is_ok());
    }

    #[test]
    fn the_calling_thread_notices_an_interrupt_while_it_waits_for_the_others() {
        let (caller, has_begun) = (thread::current().id(), AtomicBool::new(false));
        let stopped = AtomicBool::new(false);
        // As with signals in Python: only the calling thread can find out.
        let is_stopped = || {
            if thread::current().id() == caller && has_begun.load(Ordering::Relaxed) {
                stopped.store(true, Ordering::Relaxed);
            }
            stopped.load(Ordering::Relaxed)
        };
        let interrupt = Interrupt::new(&is_stopped);
        let work = |_| {
            if thread::current().id() == caller {
                while !has_begun.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                return Ok(());
            }
            has_begun.store(true, Ordering::Relaxed);
            while interrupt.check().is_ok() {
                thread::yield_now();
            }
            Err(Error::Stopped)
        };
        let mut on_progress = silent;
        let stopped_early = ScopedWorkers::new(2, &mut on_progress, interrupt).run(0..2, work);
        assert!(matches!(stopped_early, Err(Error::Stopped)));
    }

    #[test]
    fn the_first_error_in_order_is_returned() {
        for threads in [1, 3] {
            let mut on_progress = silent;
            let refuse =
                |n: usize| if n % 10 == 7 { Err(Error::RowRange { rows: 0, got: n }) } else { Ok(()) };
            let error = ScopedWorkers::new(threads, &mut on_progress, Interrupt::NEVER)
                .run(0..100_usize, refuse)
                .unwrap_err();
            assert!(matches!(error, Error::RowRange { got: 7, .. }), "{error}");
        }
    }

    #[test]
    fn the_progress_callback_gets_the_share_and_can_stop() {
        let mut seen = Vec::new();
        let mut on_progress = |progress: Progress| {
            seen.push(progress.share);
            if seen.len() == 3 { Err(Error::Stopped) } else { Ok(()) }
        };
        let mut workers = ScopedWorkers::new(1, &mut on_progress, Interrupt::NEVER);
        workers.begin_stage("count", (0.5, 1.0));
        assert!(matches!(workers.run(0..10_usize, |_| Ok(())), Err(Error::Stopped)));
        assert_eq!(seen, [0.55, 0.6, 0.65]);
    }
}
