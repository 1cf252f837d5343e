//! One metric as a chart shows it: which points count, which are shown, and what their x is counted from.

use super::chart::{ChartAxis, ChartColumn};
use super::grid::{Cursor, Grid};
use super::m4::{self, M4};
use super::metric::{MetricQuery, Ranges, Span};
use super::smooth::Smoothing;
use crate::error::Result;
use crate::store::{Along, ChartSource, Piece};
use crate::types::Columns;

/// The numbers of a logarithmic axis.
const ABOVE_0: Span = Span { first: 1, last: i64::MAX };

pub(super) struct View<'a> {
    /// All points that count.
    pub(super) data: MetricQuery<'a>,
    /// Those that lie in the part of the axis that is shown.
    pub(super) shown: MetricQuery<'a>,
    pub(super) along: Along,
    /// The stored number that is 0 on the axis.
    pub(super) origin: i64,
    sources: Vec<ChartSource>,
    /// The ends that were asked for, as they are on the axis.
    asked: (Option<i64>, Option<i64>),
    /// The part of the axis in which points have no place on it.
    outside: Option<Span>,
}

impl<'a> View<'a> {
    /// `zoom` is the part of the axis that is shown.
    pub(super) fn new(query: &MetricQuery<'a>, axis: ChartAxis, zoom: Span, log: bool) -> Result<Self> {
        let along = if axis == ChartAxis::Step { Along::Steps } else { Along::Timestamps };
        let origin = if axis == ChartAxis::SinceStart { query.start_time() } else { 0 };
        let visible = if log { zoom.and(ABOVE_0) } else { zoom };
        let (data, mut shown) = (query.clone(), query.clone());
        shown.narrow(along, visible.plus(origin));
        let (asked, found) = (data.span(along), shown.span(along));
        let is_first_asked = zoom.first > i64::MIN || asked.first > i64::MIN;
        let is_last_asked = zoom.last < i64::MAX || asked.last < i64::MAX;
        let on_axis = |stored: i64| stored.saturating_sub(origin);
        let asked = (is_first_asked.then(|| on_axis(found.first)), is_last_asked.then(|| on_axis(found.last)));
        let outside = log.then_some(zoom.and(Span { first: i64::MIN, last: 0 }).plus(origin));
        let sources = shown.chart_sources()?;
        Ok(Self { data, shown, along, origin, sources, asked, outside })
    }

    /// The range asked for, with that of the points where it is open; counted from the origin.
    pub(super) fn range(&self) -> Result<Option<(i64, i64)>> {
        if let (Some(first), Some(last)) = self.asked {
            return Ok((first <= last).then_some((first, last)));
        }
        let on_axis = |stored: i64| stored.saturating_sub(self.origin);
        let found = self.range_of_points()?;
        Ok(found.map(|(low, high)| (self.asked.0.unwrap_or(on_axis(low)), self.asked.1.unwrap_or(on_axis(high)))))
    }

    /// Smallest and largest stored number of the points that are shown.
    fn range_of_points(&self) -> Result<Option<(i64, i64)>> {
        let query = &self.shown;
        let mut scratch = Columns::default();
        let mut range: Option<(i64, i64)> = None;
        let mut widen = |low: i64, high: i64| {
            range = Some(range.map_or((low, high), |range| (range.0.min(low), range.1.max(high))));
        };
        let by_step = self.along == Along::Steps;
        let mut look = |piece: &Piece, widen: &mut dyn FnMut(i64, i64)| -> Result<()> {
            scratch.clear();
            query.append(piece, &mut scratch)?;
            scratch.along(by_step).iter().for_each(|x| widen(*x, *x));
            Ok(())
        };
        let chosen = |ranges: Ranges| if by_step { ranges.0 } else { ranges.1 };
        for source in &self.sources {
            match source {
                ChartSource::Piece(piece) => look(piece, &mut widen)?,
                ChartSource::Chunks(chunks) if query.covers(chunks.ranges()) => {
                    let (low, high) = chosen(chunks.ranges());
                    widen(low, high);
                }
                ChartSource::Chunks(chunks) => {
                    for chunk in 0..chunks.len() {
                        let Some(ranges) = chunks.chunk_ranges(chunk).filter(|ranges| query.meets(*ranges)) else {
                            continue;
                        };
                        if query.covers(ranges) {
                            let (low, high) = chosen(ranges);
                            widen(low, high);
                        } else {
                            look(&Piece::of_chunk(chunks, chunk), &mut widen)?;
                        }
                    }
                }
            }
        }
        Ok(range)
    }

    /// The columns of the points that are shown.
    pub(super) fn columns(&self, grid: &Grid) -> Result<Vec<ChartColumn>> {
        m4::columns(&self.shown, &self.sources, self.along, &grid.at_origin(self.origin))
    }

    /// The columns of the smoothed values of the points that are shown.
    pub(super) fn smoothed(&self, grid: &Grid, smoothing: Smoothing) -> Result<Vec<ChartColumn>> {
        let grid = grid.at_origin(self.origin);
        let mut columns = M4::new(grid.width());
        self.each_shown(Some(smoothing), &grid, |column, x, value| columns.push(column, x, value))?;
        Ok(columns.into_columns())
    }

    /// Hands over column, x and value of the points that are shown; smoothed ones by rising x. `grid` has the origin of the
    /// view.
    pub(super) fn each_shown(
        &self,
        smoothing: Option<Smoothing>,
        grid: &Grid,
        mut take: impl FnMut(usize, i64, f64),
    ) -> Result<()> {
        let mut cursor = Cursor::new(grid);
        let mut each = |x: i64, value: f64| take(cursor.column(x), grid.shown(x), value);
        let Some(smoothing) = smoothing else {
            return self.shown.each_piece(|points| {
                let xs = points.along(self.along == Along::Steps);
                xs.iter().zip(points.values()).for_each(|(x, value)| each(*x, *value));
            });
        };
        let mut smoothing = self.data.smoothing(smoothing)?;
        let shown = self.shown.span(self.along);
        self.data.each_along(self.along, |x, value| {
            let value = smoothing.as_mut().map_or(value, |smoothing| smoothing.push(value));
            if shown.holds(x) {
                each(x, value);
            }
        })
    }

    /// How many points have no place on the axis.
    pub(super) fn left_out(&self) -> Result<u64> {
        let Some(outside) = self.outside else { return Ok(0) };
        let mut query = self.data.clone();
        query.narrow(self.along, outside);
        Ok(query.summary(self.along)?.map_or(0, |all| all.count))
    }
}
