//! Points by column.

use crate::types::Point;

/// Points by column: three vectors of equal length. Reused between reads, it allocates only when it has to grow.
///
/// ```
/// let mut columns = trackway::Columns::default();
/// columns.push(trackway::Point::new(1, 1_700_000_000_000, 0.5));
/// assert_eq!((columns.len(), columns.values()), (1, &[0.5][..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    pub(crate) steps: Vec<i64>,
    pub(crate) timestamps: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

impl Columns {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True when there is no point.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Removes all points and keeps the memory.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.timestamps.clear();
        self.values.clear();
    }

    /// Appends a point.
    pub fn push(&mut self, point: Point) {
        self.steps.push(point.step);
        self.timestamps.push(point.timestamp);
        self.values.push(point.value);
    }

    /// The steps.
    pub fn steps(&self) -> &[i64] {
        &self.steps
    }

    /// The timestamps, in milliseconds since the Unix epoch.
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// The values.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The point at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<Point> {
        Some(Point::new(*self.steps.get(index)?, *self.timestamps.get(index)?, *self.values.get(index)?))
    }

    /// The points, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Point> + '_ {
        (0..self.len()).map(|i| self.get(i).unwrap_or(Point::new(0, 0, f64::NAN)))
    }
}

impl FromIterator<Point> for Columns {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut columns = Self::default();
        points.into_iter().for_each(|point| columns.push(point));
        columns
    }
}
