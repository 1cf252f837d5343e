//! Points by column.

use crate::types::Point;
use std::ops::Range;

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
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let columns: Columns = [Point::new(1, 70, 0.5), Point::new(2, 80, 0.4)].into_iter().collect();
    /// assert_eq!(columns.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True when there is no point.
    ///
    /// ```
    /// assert!(trackway::Columns::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Removes all points and keeps the memory.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # run.log_metric("loss", 1, 0.5)?;
    /// let (snapshot, mut columns) = (store.snapshot(run.id())?, trackway::Columns::default());
    /// snapshot.metric("loss")?.read_into(&mut columns)?;
    /// assert_eq!(columns.len(), 1);
    /// columns.clear();
    /// assert!(columns.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn clear(&mut self) {
        self.steps.clear();
        self.timestamps.clear();
        self.values.clear();
    }

    /// Appends a point.
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let mut columns = Columns::default();
    /// columns.push(Point::new(1, 70, 0.5));
    /// assert_eq!(columns.steps(), [1]);
    /// ```
    pub fn push(&mut self, point: Point) {
        self.steps.push(point.step);
        self.timestamps.push(point.timestamp);
        self.values.push(point.value);
    }

    /// The steps.
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let columns: Columns = [Point::new(1, 70, 0.5), Point::new(2, 80, 0.4)].into_iter().collect();
    /// assert_eq!(columns.steps(), [1, 2]);
    /// ```
    pub fn steps(&self) -> &[i64] {
        &self.steps
    }

    /// The timestamps, in milliseconds since the Unix epoch.
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let columns: Columns = [Point::new(1, 70, 0.5), Point::new(2, 80, 0.4)].into_iter().collect();
    /// assert_eq!(columns.timestamps(), [70, 80]);
    /// ```
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// The values.
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let columns: Columns = [Point::new(1, 70, 0.5), Point::new(2, 80, 0.4)].into_iter().collect();
    /// assert_eq!(columns.values(), [0.5, 0.4]);
    /// ```
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The point at `index`, if there is one.
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let columns: Columns = [Point::new(1, 70, 0.5), Point::new(2, 80, 0.4)].into_iter().collect();
    /// assert_eq!((columns.get(1), columns.get(2)), (Some(Point::new(2, 80, 0.4)), None));
    /// ```
    pub fn get(&self, index: usize) -> Option<Point> {
        Some(Point::new(*self.steps.get(index)?, *self.timestamps.get(index)?, *self.values.get(index)?))
    }

    /// The points, in order.
    ///
    /// ```
    /// use trackway::{Columns, Point};
    /// let columns: Columns = [Point::new(1, 70, 0.5), Point::new(2, 80, 0.4)].into_iter().collect();
    /// let best = columns.iter().min_by(|a, b| a.value.total_cmp(&b.value));
    /// assert_eq!(best.map(|point| point.step), Some(2));
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Point> + '_ {
        (0..self.len()).map(|i| self.get(i).unwrap_or(Point::new(0, 0, f64::NAN)))
    }

    /// The steps or the timestamps.
    pub(crate) fn along(&self, steps: bool) -> &[i64] {
        if steps { &self.steps } else { &self.timestamps }
    }

    /// Takes room for `len` points in all, so that they need not move while more and more of them come.
    pub(crate) fn reserve(&mut self, len: usize) {
        let more = len.saturating_sub(self.len());
        self.steps.reserve(more);
        self.timestamps.reserve(more);
        self.values.reserve(more);
    }

    /// Cut to `len` points, or made as long with zeros.
    pub(crate) fn resize(&mut self, len: usize) {
        self.steps.resize(len, 0);
        self.timestamps.resize(len, 0);
        self.values.resize(len, 0.0);
    }

    /// The columns of the points in `range`, to be written; empty when not all of them are there.
    pub(crate) fn slots(&mut self, range: Range<usize>) -> (&mut [i64], &mut [i64], &mut [f64]) {
        (
            self.steps.get_mut(range.clone()).unwrap_or_default(),
            self.timestamps.get_mut(range.clone()).unwrap_or_default(),
            self.values.get_mut(range).unwrap_or_default(),
        )
    }
}

impl FromIterator<Point> for Columns {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut columns = Self::default();
        points.into_iter().for_each(|point| columns.push(point));
        columns
    }
}
