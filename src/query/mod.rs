//! Questions about a snapshot. Knows no files, frames, logs or locks.

mod metric;

pub use metric::{MetricQuery, Order};
