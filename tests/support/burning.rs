//! A machine that others keep busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Both cores of a small machine, busy until it is dropped.
pub(crate) struct Burning {
    out: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
}

impl Burning {
    pub(crate) fn new() -> Self {
        let out = Arc::new(AtomicBool::new(false));
        let burn = |_| {
            let out = Arc::clone(&out);
            std::thread::spawn(move || {
                std::iter::repeat_with(|| out.load(Ordering::Relaxed))
                    .take_while(|out| !out)
                    .count()
            })
        };
        let threads = (0..2).map(burn).collect();
        Self { out, threads }
    }
}

impl Drop for Burning {
    fn drop(&mut self) {
        self.out.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}
