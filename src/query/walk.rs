//! Every point of an answer, piece by piece: for what no statistics can tell.

use super::metric::{MetricQuery, Order};
use super::smooth::Smoothing;
use crate::error::Result;
use crate::store::{Along, ChartSource, SeriesChunks};
use crate::types::{Columns, Point};

impl MetricQuery<'_> {
    /// Hands over the points, as written, a piece at a time; of [`Order::LastPerStep`] all at once.
    pub(super) fn each_piece(&self, mut take: impl FnMut(&Columns)) -> Result<()> {
        if self.order == Order::LastPerStep {
            take(&self.read()?);
            return Ok(());
        }
        let mut scratch = Columns::default();
        for piece in self.pieces()? {
            scratch.clear();
            self.append(&piece, &mut scratch)?;
            take(&scratch);
        }
        Ok(())
    }

    /// Hands over x and value of the points by rising x, those of one x as written. One piece is in memory at a time,
    /// unless x falls somewhere.
    pub(super) fn each_along(&self, along: Along, mut take: impl FnMut(i64, f64)) -> Result<()> {
        let by_step = along == Along::Steps;
        let mut each = |points: &Columns| {
            points.along(by_step).iter().zip(points.values()).for_each(|(x, value)| take(*x, *value));
        };
        if self.order != Order::LastPerStep && self.is_rising(along)? {
            return self.each_piece(each);
        }
        let as_written = if self.order == Order::LastPerStep { Order::LastPerStep } else { Order::AsWritten };
        let points = self.clone().order(as_written).read()?;
        if points.along(by_step).is_sorted() {
            each(&points);
        } else {
            let mut points: Vec<Point> = points.iter().collect();
            points.sort_by_key(|point| if by_step { point.step } else { point.timestamp });
            each(&points.into_iter().collect());
        }
        Ok(())
    }

    /// What smooths the points; nothing when all values are the same number.
    pub(super) fn smoothing(&self, smoothing: Smoothing) -> Result<Option<Smoothing>> {
        let is_flat = if self.order == Order::LastPerStep {
            let points = self.read()?;
            points.values().first().is_some_and(|first| points.values().iter().all(|value| value == first))
        } else {
            let all = self.summary(Along::Steps)?.filter(|all| all.nan_count == 0);
            all.and_then(|all| all.min.zip(all.max)).is_some_and(|(min, max)| min.value == max.value)
        };
        Ok((!is_flat).then_some(smoothing))
    }

    /// Whether x never falls from point to point, as far as is known without reading chunks.
    fn is_rising(&self, along: Along) -> Result<bool> {
        let mut before = i64::MIN;
        let mut follows = |range: Option<(i64, i64)>| {
            let Some((first, last)) = range else { return true };
            let rises = before <= first;
            before = last;
            rises
        };
        let mut scratch = Columns::default();
        for source in self.chart_sources()? {
            match source {
                ChartSource::Piece(piece) => {
                    scratch.clear();
                    self.append(&piece, &mut scratch)?;
                    let xs = scratch.along(along == Along::Steps);
                    if !xs.is_sorted() || !follows(xs.first().copied().zip(xs.last().copied())) {
                        return Ok(false);
                    }
                }
                ChartSource::Chunks(chunks) => {
                    for run in chunks.runs(along) {
                        let first = run_end(&chunks, along, run.chunks.start);
                        let last = run.chunks.end.checked_sub(1).and_then(|last| run_end(&chunks, along, last));
                        let range = first.zip(last).map(|(first, last)| (first.0, last.1));
                        if !run.sorted || !follows(range) {
                            return Ok(false);
                        }
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Smallest and largest x of a chunk.
fn run_end(chunks: &SeriesChunks, along: Along, chunk: usize) -> Option<(i64, i64)> {
    let (steps, timestamps) = chunks.chunk_ranges(chunk)?;
    Some(if along == Along::Steps { steps } else { timestamps })
}
