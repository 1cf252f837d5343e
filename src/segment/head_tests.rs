#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::format::record::{ColumnsPlan, put_define_metric, put_define_row, put_point, put_row};
use crate::format::sink::Sink;
use proptest::prelude::*;

/// Metrics 0 to 5 are defined before everything else.
const METRICS: u32 = 6;

#[derive(Clone, Debug)]
enum Call {
    Point(u32, i64, i64, f64),
    Columns(u32, Vec<(i64, i64, f64)>),
    /// Defines a row number, also again.
    Define(u32, Vec<u32>),
    Row(u32, i64, i64, f64),
    /// A frame ends: differences count from zero again.
    Frame,
    /// The reader comes by here.
    Look,
}

fn call() -> impl Strategy<Value = Call> {
    // Short and long differences.
    let axis = || prop_oneof![4 => -20i64..20, 1 => any::<i64>()];
    let value = || prop_oneof![4 => -9.0..9.0f64, 1 => Just(f64::NAN)];
    let point = (axis(), axis(), value());
    prop_oneof![
        8 => (0..METRICS, axis(), axis(), value()).prop_map(|(m, s, t, v)| Call::Point(m, s, t, v)),
        1 => (0..METRICS, prop::collection::vec(point, 0..5)).prop_map(|(m, points)| Call::Columns(m, points)),
        2 => (0u32..3, prop::collection::vec(0..METRICS, 1..5)).prop_map(|(row, metrics)| Call::Define(row, metrics)),
        6 => (0u32..3, axis(), axis(), value()).prop_map(|(r, s, t, v)| Call::Row(r, s, t, v)),
        1 => Just(Call::Frame),
        1 => Just(Call::Look),
    ]
}

/// A head that takes what calls write, and what they mean for each metric.
struct Both {
    head: Head,
    /// The open frame, how much of it the head has taken, and its base.
    frame: Vec<u8>,
    taken: usize,
    base: Base,
    rows: Vec<Option<Vec<u32>>>,
    expected: Vec<Vec<Point>>,
}

impl Both {
    fn new() -> Self {
        let mut frame = Vec::new();
        (0..METRICS).for_each(|number| put_define_metric(&mut frame, number, &format!("m{number}")));
        let expected = vec![Vec::new(); METRICS as usize];
        Self { head: Head::default(), frame, taken: 0, base: Base::default(), rows: vec![None; 3], expected }
    }

    fn put(&mut self, write: impl FnOnce(&mut Sink<'_>, &mut Base)) {
        let mut room = vec![0; 4096];
        let mut sink = Sink::new(&mut room, 0);
        write(&mut sink, &mut self.base);
        let (len, _) = sink.finish().unwrap();
        self.frame.extend_from_slice(&room[..len]);
    }

    fn look(&mut self) {
        if self.frame.len() > self.taken {
            self.head.ingest(&self.frame, self.taken).unwrap();
            self.taken = self.frame.len();
        }
    }

    fn make(&mut self, call: &Call) {
        match call {
            Call::Point(metric, step, timestamp, value) => {
                let point = Point::new(*step, *timestamp, *value);
                self.put(|sink, base| put_point(sink, base, *metric, point));
                self.expected[*metric as usize].push(point);
            }
            Call::Columns(metric, points) => {
                let steps: Vec<i64> = points.iter().map(|point| point.0).collect();
                let timestamps: Vec<i64> = points.iter().map(|point| point.1).collect();
                let values: Vec<f64> = points.iter().map(|point| point.2).collect();
                self.put(|sink, _| ColumnsPlan::new(&steps, &timestamps, &values).put(sink, *metric));
                self.expected[*metric as usize].extend(points.iter().map(|(s, t, v)| Point::new(*s, *t, *v)));
            }
            Call::Define(row, metrics) => {
                put_define_row(&mut self.frame, *row, metrics);
                self.rows[*row as usize] = Some(metrics.clone());
            }
            Call::Row(row, step, timestamp, value) => {
                let Some(metrics) = self.rows[*row as usize].clone() else { return };
                let values: Vec<f64> = (0..metrics.len()).map(|k| value + k as f64).collect();
                self.put(|sink, base| put_row(sink, base, *row, *step, *timestamp, &values));
                for (metric, value) in metrics.iter().zip(&values) {
                    self.expected[*metric as usize].push(Point::new(*step, *timestamp, *value));
                }
            }
            Call::Frame => {
                self.look();
                (self.frame, self.taken, self.base) = (Vec::new(), 0, Base::default());
            }
            Call::Look => self.look(),
        }
    }

    fn check(&self) {
        for (number, expected) in self.expected.iter().enumerate() {
            let series = self.head.metric(&format!("m{number}"));
            let from = expected.len() / 3;
            let found: Vec<Point> = series.map(|s| self.head.points(s, from).collect()).unwrap_or_default();
            assert_eq!(found.len(), expected.len() - from);
            assert!(found.iter().zip(&expected[from..]).all(|(a, b)| a.same_bits(b)), "{found:?} {expected:?}");
            let Some(series) = series else { continue };
            let (steps, timestamps) = self.head.axis(series);
            assert!(steps.iter().eq(expected.iter().map(|point| &point.step)));
            assert!(timestamps.iter().eq(expected.iter().map(|point| &point.timestamp)));
            for other in self.head.series() {
                let same = series.shared_stretches().is_some_and(|own| other.shared_stretches() == Some(own));
                assert!(!same || self.head.axis(other) == (steps.clone(), timestamps.clone()));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_head_has_the_points_of_all_calls_in_order(
        first in prop::collection::vec(call(), 0..60),
        second in prop::collection::vec(call(), 0..60),
    ) {
        let mut both = Both::new();
        first.iter().for_each(|call| both.make(call));
        both.look();
        both.check();
        // With the room of the first one.
        let room = both.head.emptied(usize::MAX);
        both = Both { head: room, ..Both::new() };
        second.iter().for_each(|call| both.make(call));
        both.look();
        both.check();
        prop_assert_eq!(both.head.point_count(), both.expected.iter().map(|points| points.len() as u64).sum::<u64>());
    }
}

#[test]
fn metrics_of_one_row_share_their_axis_and_single_points_none() {
    let mut both = Both::new();
    both.make(&Call::Define(0, vec![0, 1]));
    for step in 0..5 {
        both.make(&Call::Row(0, step, step, 0.5));
        both.make(&Call::Point(2, step, step, 0.5));
        both.make(&Call::Point(3, step, step, 0.5));
    }
    both.look();
    let stretches = |name: &str| both.head.metric(name).unwrap().shared_stretches();
    assert_eq!(stretches("m0").map(<[Stretch]>::len), Some(1));
    assert_eq!(stretches("m0"), stretches("m1"));
    assert_eq!((stretches("m2"), stretches("m3")), (None, None));
    both.make(&Call::Point(1, 9, 9, 0.5));
    both.look();
    assert_eq!(both.head.metric("m1").unwrap().shared_stretches(), None);
}
