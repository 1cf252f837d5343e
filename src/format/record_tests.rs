#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Written {
    Point(u32, i64, i64, u64),
    Row(i64, i64, Vec<u64>),
    Columns(u32, Vec<(i64, i64, u64)>),
    Metric(u32, String),
    Meta(Meta),
    /// Only random bytes give these here.
    Other,
}

fn key() -> impl Strategy<Value = String> {
    "[a-z/]{1,12}"
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<u64>(), key(), any::<i64>(), key(), any::<Option<[u8; 16]>>()).prop_map(
            |(id, name, start, user, parent)| {
                Change::Created {
                    experiment_id: ExperimentId::new(id),
                    experiment_name: name,
                    start_time: start,
                    user,
                    parent: parent.map(RunId::from_bytes),
                }
            }
        ),
        key().prop_map(Change::Name),
        (0usize..5, any::<Option<i64>>()).prop_map(|(status, end_time)| Change::Status {
            status: RunStatus::ALL[status],
            cause: StatusCause::Vanished,
            end_time
        }),
        (key(), ".*").prop_map(|(key, value)| Change::Param { key, value }),
        (key(), ".*").prop_map(|(key, value)| Change::Tag { key, value }),
        key().prop_map(|key| Change::TagDeleted { key }),
        (any::<bool>(), any::<i64>()).prop_map(|(deleted, at)| Change::Lifecycle { deleted, at }),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    let axis = prop_oneof![any::<i64>(), -50i64..50];
    let metric = 0u32..1000;
    prop_oneof![
        (metric.clone(), axis.clone(), axis.clone(), any::<u64>()).prop_map(|(m, s, t, v)| Written::Point(m, s, t, v)),
        (axis.clone(), axis.clone(), prop::collection::vec(any::<u64>(), 3))
            .prop_map(|(s, t, v)| Written::Row(s, t, v)),
        (metric.clone(), prop::collection::vec((axis.clone(), axis, any::<u64>()), 0..20))
            .prop_map(|(m, points)| Written::Columns(m, points)),
        (metric, key()).prop_map(|(m, name)| Written::Metric(m, name)),
        (any::<u64>(), change()).prop_map(|(at_us, change)| Written::Meta(Meta { at_us, change })),
    ]
}

/// Appends what `encode` writes, and looks at its checksum.
fn sunk(out: &mut Vec<u8>, encode: impl FnOnce(&mut Sink<'_>)) {
    let (at, seed) = (out.len(), 77);
    out.resize(at + (1 << 12), 0);
    let mut sink = Sink::new(&mut out[at..], seed);
    encode(&mut sink);
    let (len, crc) = sink.finish().unwrap();
    out.truncate(at + len);
    assert_eq!(crc, crate::format::wire::crc(seed, &out[at..]));
}

#[test]
fn numbers_of_a_call_take_the_shortest_form() {
    let wide: Vec<i64> = vec![0, i64::MAX, 1];
    let long: Vec<i64> = (0..1000).map(|at| 5 - 3 * at).collect();
    let bent: Vec<i64> = long.iter().copied().chain([0]).collect();
    for (axis, form, len) in [
        (vec![], AXIS_STRIDE, 17),
        (vec![10, 20, 30], AXIS_STRIDE, 17),
        (long, AXIS_STRIDE, 17),
        (vec![-7, -7, -6], AXIS_OFFSETS, 9 + 12),
        (vec![0, 1, i64::from(u32::MAX)], AXIS_OFFSETS, 9 + 12),
        (bent, AXIS_OFFSETS, 9 + 4004),
        (vec![0, 1, i64::from(u32::MAX) + 1], AXIS_RAW, 1 + 24),
        (wide, AXIS_RAW, 1 + 24),
    ] {
        let (plan, mut out) = (AxisPlan::new(&axis), Vec::new());
        sunk(&mut out, |sink| plan.put(sink));
        assert_eq!((out[0], out.len(), plan.len()), (form, len, len), "{axis:?}");
    }
    let steps = [1, 2, 3];
    assert_eq!(ColumnsPlan::new(&steps, &[0, 1, i64::MAX], &[0.0; 3]).max_len(), 16 + 17 + 25 + 24);
}

/// Each byte of a short point that may say that more follow it.
#[test]
fn points_of_one_byte_each_are_read_at_once_and_others_are_not() {
    for (metric, step, timestamp, is_short) in [
        (0, 0, 0, true),
        (127, -64, 63, true),
        (128, 0, 0, false),
        (0, 64, 0, false),
        (0, 0, -65, false),
        (200, 200, 0, false),
        (200, 0, 200, false),
        (0, 200, 200, false),
        (200, 200, 200, false),
    ] {
        let (mut out, point) = (Vec::new(), Point::new(step, timestamp, 0.1));
        sunk(&mut out, |sink| put_point(sink, &mut Base::default(), metric, point));
        out.push(99);
        let mut base = Base::default();
        let read = short_point(&out, &mut base);
        assert_eq!(read, is_short.then_some((metric, point, &[99][..])), "{metric} {step} {timestamp}");
        assert!(short_point(&out[..11], &mut base).is_none(), "cut");
        let mut other = out;
        other[0] = ROW;
        assert!(short_point(&other, &mut base).is_none());
    }
}

#[test]
fn the_greatest_number_of_a_metric_is_read_and_no_greater_one() {
    let read = |number: usize| {
        let mut out = Vec::new();
        put_define_metric(&mut out, number as u32, "m");
        Record::decode(&mut Reader::new(&out), &mut Base::default(), |_| None).is_ok()
    };
    assert!(read(limits::MAX_METRICS_PER_RUN - 1));
    assert!(!read(limits::MAX_METRICS_PER_RUN) && !read(limits::MAX_METRICS_PER_RUN + 1));
}

fn encode(records: &[Written]) -> Vec<u8> {
    let (mut out, mut base) = (Vec::new(), Base::default());
    for record in records {
        match record {
            Written::Point(m, s, t, v) => {
                let point = Point::new(*s, *t, f64::from_bits(*v));
                sunk(&mut out, |sink| put_point(sink, &mut base, *m, point));
            }
            Written::Row(s, t, v) => {
                let values: Vec<f64> = v.iter().map(|bits| f64::from_bits(*bits)).collect();
                sunk(&mut out, |sink| put_row(sink, &mut base, 7, *s, *t, &values));
            }
            Written::Columns(m, points) => {
                let steps: Vec<i64> = points.iter().map(|p| p.0).collect();
                let times: Vec<i64> = points.iter().map(|p| p.1).collect();
                let values: Vec<f64> = points.iter().map(|p| f64::from_bits(p.2)).collect();
                let plan = ColumnsPlan::new(&steps, &times, &values);
                let before = out.len();
                sunk(&mut out, |sink| plan.put(sink, *m));
                assert!(out.len() - before <= plan.max_len());
            }
            Written::Metric(m, name) => put_define_metric(&mut out, *m, name),
            Written::Meta(meta) => meta.encode(&mut out),
            Written::Other => {}
        }
    }
    out
}

fn read_back(bytes: &[u8]) -> Decoded<Vec<Written>> {
    let (mut reader, mut base, mut all) = (Reader::new(bytes), Base::default(), Vec::new());
    while !reader.is_empty() {
        all.push(match Record::decode(&mut reader, &mut base, |_| Some(3))? {
            Record::Point { metric, point } => {
                Written::Point(metric, point.step, point.timestamp, point.value.to_bits())
            }
            Record::Row { step, timestamp, values, .. } => {
                Written::Row(step, timestamp, values.iter().map(f64::to_bits).collect())
            }
            Record::Columns { metric, steps, timestamps, values } => {
                let (mut s, mut t) = (Vec::new(), Vec::new());
                steps.read_into(values.len(), &mut s);
                timestamps.read_into(values.len(), &mut t);
                let axes = s.into_iter().zip(t);
                Written::Columns(metric, axes.zip(values.iter()).map(|((s, t), v)| (s, t, v.to_bits())).collect())
            }
            Record::DefineMetric { number, name } => Written::Metric(number, name.to_owned()),
            Record::Meta(meta) => Written::Meta(meta),
            Record::DefineRow { .. } | Record::Unknown { .. } => Written::Other,
        });
    }
    Ok(all)
}

proptest! {
    #[test]
    fn records_come_back_bit_for_bit(records in prop::collection::vec(written(), 0..40)) {
        let read = read_back(&encode(&records)).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{records:?}"));
    }

    #[test]
    fn any_bytes_give_records_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_back(&bytes);
        let _ = Meta::decode_all(&bytes);
    }

    #[test]
    fn cut_records_are_an_error_or_a_prefix(records in prop::collection::vec(written(), 1..8), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&records);
        let at = cut.index(bytes.len());
        if let Ok(read) = read_back(&bytes[..at]) {
            prop_assert!(read.len() < records.len());
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", &records[..read.len()]));
        }
    }
}

#[test]
fn an_unknown_kind_about_the_run_is_skipped_and_others_are_refused() {
    let mut bytes = vec![0x7f, 3, 1, 2, 3];
    put_define_metric(&mut bytes, 1, "a");
    let mut reader = Reader::new(&bytes);
    let mut base = Base::default();
    assert_eq!(Record::decode(&mut reader, &mut base, |_| None), Ok(Record::Unknown { at_us: 1 }));
    assert_eq!(Record::decode(&mut reader, &mut base, |_| None), Ok(Record::DefineMetric { number: 1, name: "a" }));
    assert!(Record::decode(&mut Reader::new(&[0x09]), &mut base, |_| None).is_err());
}

#[test]
fn times_in_a_sequence_count_from_the_record_before_known_or_not() {
    let tag = |at_us, value: &str| Meta { at_us, change: Change::Tag { key: "k".to_owned(), value: value.to_owned() } };
    let records = [tag(1000, "a"), tag(1007, "b"), tag(3, "c")];
    let mut bytes = Meta::encode_all(&records);
    assert_eq!(Meta::decode_all(&bytes).unwrap(), records);
    // A kind of a newer version between the first two takes 5 of the 7 microseconds.
    assert_eq!(bytes[..10], [0x24, 6, 0xe8, 7, 1, b'k', 1, b'a', 0x24, 5]);
    bytes.splice(8..11, [0x7f, 3, 5, 1, 2, 0x24, 5, 2]);
    assert_eq!(Meta::decode_all(&bytes).unwrap(), records);
}
