//! Questions about a snapshot. Knows no files, frames, logs or locks.

mod chart;
mod metric;

pub use chart::{Chart, ChartAxis, ChartColumn, ChartPoint};
pub use metric::{MetricQuery, Order};
