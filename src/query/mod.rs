//! Questions about a snapshot. Knows no files, frames, logs or locks.

mod against;
mod bands;
mod chart;
mod chart_options;
mod grid;
mod histogram;
mod m4;
mod metric;
mod smooth;
mod view;
mod walk;

pub use bands::{BandColumn, Bands};
pub use chart::{Chart, ChartAxis, ChartColumn, ChartPoint};
pub use chart_options::ChartOptions;
pub use histogram::Histogram;
pub use metric::{MetricQuery, Order};
pub use smooth::Smoothing;
