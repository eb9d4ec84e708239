//! Ctrl-C during long calls: Python's signal handlers run on the calling thread, between pieces of work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::Result;
use crate::parallel::Interrupt;

/// Time between two runs of the signal handlers. Each run takes the GIL, which another thread may hold for milliseconds.
const PERIOD: Duration = Duration::from_millis(50);

/// Run `work` without the GIL. It ends early, with the exception of the signal handler, when one raises.
pub(super) fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(Interrupt<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let signals = Signals::new();
    let done = py.detach(|| work(Interrupt::new(&|| signals.is_stopped())));
    match signals.raised() {
        Some(exception) => Err(exception),
        None => Ok(done?),
    }
}

/// Runs Python's signal handlers now and then, and keeps what they raise.
struct Signals {
    /// Python runs signal handlers on one thread only: the main one, if that is the caller.
    caller: ThreadId,
    last_run: Mutex<Instant>,
    stopped: AtomicBool,
    exception: Mutex<Option<PyErr>>,
}

impl Signals {
    fn new() -> Self {
        Self {
            caller: thread::current().id(),
            last_run: Mutex::new(Instant::now()),
            stopped: AtomicBool::new(false),
            exception: Mutex::new(None),
        }
    }

    fn is_stopped(&self) -> bool {
        if thread::current().id() == self.caller
            && self.is_due()
            && let Err(exception) = Python::attach(|py| py.check_signals())
        {
            *self.exception.lock().unwrap_or_else(PoisonError::into_inner) = Some(exception);
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.stopped.load(Ordering::Relaxed)
    }

    fn is_due(&self) -> bool {
        let mut last_run = self.last_run.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last_run.elapsed() >= PERIOD;
        if is_due {
            *last_run = Instant::now();
        }
        is_due
    }

    fn raised(self) -> Option<PyErr> {
        self.exception.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
