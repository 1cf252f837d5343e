//! `demo-child`: the writer that `demo` kills. It logs as fast as it can and tells on standard output how many points
//! were acknowledged, until nobody reads that any more or it is killed.

use crate::error::{Failure, Outcome};
use crate::output::Context;
use crate::text::now_ms;
use std::io::Write as _;
use trackway::{NewRun, Point};

/// The metric it logs.
pub(crate) const METRIC: &str = "train/loss";

/// Points between two messages.
pub(crate) const BATCH: u64 = 100;

/// Its clock: slower than any machine logs, so that no timestamp lies in the future.
const STEPS_PER_MS: u64 = 50_000;

/// The most it logs: it must end even if its parent neither reads nor kills.
const MOST_POINTS: u64 = 100_000_000;

/// The point of a step, for a run that started at `start` (in milliseconds since the Unix epoch): the reader knows what
/// it must find. The value has a full mantissa, so that no bit goes unseen.
pub(crate) fn point(start: i64, step: u64) -> Point {
    let noise = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    let value = 1.0 / (1.0 + step as f64) + noise as f64 / (1_u64 << 53) as f64;
    Point::new(step as i64, start + (step / STEPS_PER_MS) as i64, value)
}

/// Sends the id of its run (16 bytes) and its start (8 bytes), then again and again the number of acknowledged points
/// (8 bytes; numbers are little-endian).
pub(crate) fn run(context: &mut Context) -> Outcome {
    let store = context.open_or_create()?;
    let experiment = store.experiment_or_create("killed")?;
    let start = now_ms();
    let writer = store.create_run(NewRun::new(experiment).name("killed-in-mid-flight").start_time(start))?;
    let mut out = std::io::stdout().lock();
    let mut send = |bytes: &[u8]| out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Failure::stdout(&e));
    send(writer.id().as_bytes())?;
    send(&start.to_le_bytes())?;
    let metric = writer.metric(METRIC)?;
    for step in 0..MOST_POINTS {
        let point = point(start, step);
        metric.log_at(point.step, point.timestamp, point.value)?;
        // The count is sent after the call returned: what the parent reads was acknowledged.
        if (step + 1).is_multiple_of(BATCH) {
            send(&(step + 1).to_le_bytes())?;
        }
    }
    Ok(())
}
