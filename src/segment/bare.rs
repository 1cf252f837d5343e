//! The groups of a segment that have no index: each a single row, of which the footer says all.
//!
//! Who reads asks for columns of values. Those of bare groups are put where nothing else can lie, behind the end of the
//! segment: as bytes in memory that raw columns would have.

use crate::codec::CodecId;
use crate::format::index::{AxisChunk, AxisColumn, ColumnRef, GroupIndex};
use crate::format::segment::Footer;
use crate::format::stats::AxisFacts;
use crate::format::wire;
use crate::types::FileId;
use std::iter::once;

/// Length of a value.
const WIDTH: usize = size_of::<f64>();

/// The values of the bare groups of a segment.
#[derive(Debug, Default)]
pub(super) struct BareValues {
    /// Where they would lie: behind the last byte of the segment.
    at: u64,
    bytes: Vec<u8>,
    /// Of each group where its values begin in `bytes`, then where the last ends. Empty when no group is bare.
    starts: Vec<usize>,
}

impl BareValues {
    /// Those of a segment of `len` bytes.
    pub(super) fn of(footer: &Footer, len: u64) -> Self {
        if !footer.groups.iter().any(|group| group.is_bare()) {
            return Self::default();
        }
        let bare = |group: u32| footer.groups.get(group as usize).is_some_and(|group| group.is_bare());
        let members = || footer.series.iter().filter(|series| bare(series.group));
        let mut lens = vec![0; footer.groups.len()];
        for series in members() {
            lens.get_mut(series.group as usize).into_iter().for_each(|len| *len += WIDTH);
        }
        let ends = lens.iter().scan(0, |end, len| {
            *end += len;
            Some(*end)
        });
        let starts: Vec<usize> = once(0).chain(ends).collect();
        let mut bytes = vec![0; starts.last().copied().unwrap_or(0)];
        for series in members() {
            let start = starts.get(series.group as usize).copied().unwrap_or(0) + series.position as usize * WIDTH;
            let (slot, value) = (bytes.get_mut(start..start + WIDTH), series.stats.first.map(|point| point.value));
            slot.zip(value).into_iter().for_each(|(slot, value)| slot.copy_from_slice(&value.to_le_bytes()));
        }
        Self { at: len, bytes, starts }
    }

    /// The index that a bare group would have.
    pub(super) fn index(&self, group: usize, facts: &AxisFacts, file_id: FileId) -> GroupIndex {
        let bounds = self.starts.get(group).copied().zip(self.starts.get(group + 1).copied());
        let (start, end) = bounds.unwrap_or((0, 0));
        let column = |start: usize| {
            let offset = self.at + start as u64;
            let bytes = self.bytes.get(start..start + WIDTH).unwrap_or_default();
            let crc = wire::crc(wire::crc_seed(&file_id.0, offset), bytes);
            ColumnRef { offset, len: WIDTH as u32, crc, codec: CodecId::Raw }
        };
        let columns: Vec<ColumnRef> = (start..end).step_by(WIDTH).map(column).collect();
        let only = |at: i64| AxisColumn { column: None, min: at, max: at, first: at, last: at, sorted: true };
        let axis = vec![AxisChunk { rows: 1, steps: only(facts.first.0), timestamps: only(facts.first.1) }];
        GroupIndex { sister: 0, axis, series: columns.len(), columns, stats: Vec::new() }
    }

    /// What lies there; `None` of what would lie in the segment.
    pub(super) fn bytes(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.at)?).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(len).ok()?)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use crate::codec::Effort;
    use crate::env::Region;
    use crate::env::sim::SimDisk;
    use crate::format::header::{FileType, Header};
    use crate::segment::{ChunkAxis, SegmentPlace, SegmentReader, SegmentWriter, Written, salvage};
    use crate::types::{LogId, RunId};
    use std::path::Path;

    const RUN: RunId = RunId::from_bytes([7; 16]);
    const PATH: &str = "/r/a.seg";

    /// The steps of a group, and of each of its metrics the values.
    type Group<'a> = (Vec<i64>, Vec<(&'a str, Vec<f64>)>);

    fn write(disk: &SimDisk, groups: &[Group<'_>]) -> Vec<u8> {
        let env = disk.process();
        env.fs.create_dir_all(Path::new("/r")).unwrap();
        let mut output = SegmentWriter::create(&env, Path::new(PATH), RUN, Effort::Seal).unwrap();
        for (steps, metrics) in groups {
            let times: Vec<i64> = steps.iter().map(|step| step * 1000).collect();
            let axis = ChunkAxis::new(steps, &times);
            output.push_axis(&axis, None).unwrap();
            for (metric, values) in metrics {
                output.begin_series(metric);
                output.push_values(values, &axis.count(values)).unwrap();
            }
            output.end_group(vec![steps.len() as u64]).unwrap();
        }
        output.finish(Written { logs: vec![LogId { created_us: 1, salt: 1 }], meta: vec![] }).unwrap();
        disk.contents(PATH)
    }

    fn is_as_written(segment: &SegmentReader, groups: &[Group<'_>]) {
        for (number, (steps, metrics)) in groups.iter().enumerate() {
            let index = segment.group(number).unwrap();
            let (mut found, mut times) = (Vec::new(), Vec::new());
            segment.read_axis(number, &index, 0, &mut found, &mut times).unwrap();
            assert_eq!((&found, times), (steps, steps.iter().map(|step| step * 1000).collect()));
            for (metric, values) in metrics {
                let (_, series) = segment.metric(metric).unwrap();
                assert_eq!((series.group as usize, series.stats.count), (number, values.len() as u64));
                let (position, mut read) = (series.position as usize, vec![0.0; values.len()]);
                segment.fill_values(number, &index, position, 0, &mut read).unwrap();
                let mut again = Vec::new();
                segment.read_floats(index.column(position, 0).unwrap(), values.len() as u32, &mut again).unwrap();
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!((bits(&read), bits(&again)), (bits(values), bits(values)), "{metric}");
            }
        }
    }

    fn open(bytes: &[u8]) -> SegmentReader {
        SegmentReader::from_region(Region::from_vec(bytes.to_vec()), &SegmentPlace::file(Path::new(PATH))).unwrap()
    }

    #[test]
    fn groups_of_one_row_are_read_from_the_footer_between_others() {
        let nan = f64::from_bits(0x7ff8_0000_dead_beef);
        let groups: [Group<'_>; 4] = [
            (vec![7], vec![("z", vec![0.1]), ("nan", vec![nan]), ("zero", vec![-0.0])]),
            (vec![1, 2], vec![("two", vec![0.5, 0.1])]),
            (vec![i64::MIN / 1000], vec![("a", vec![f64::INFINITY])]),
            (vec![3, 1, 2], vec![("three", vec![0.1, 0.2, 0.3]), ("more", vec![1.0; 3])]),
        ];
        let disk = SimDisk::new(1);
        let bytes = write(&disk, &groups);
        let segment = open(&bytes);
        assert_eq!([0, 1, 2, 3].map(|group| segment.is_bare(group)), [true, false, true, false]);
        is_as_written(&segment, &groups);
        assert_ne!(Header::decode(&bytes, FileType::Segment).unwrap().required, 0, "older readers refuse it");
        // A byte of the header that cannot be read takes nothing with it, nor does what follows the end.
        for at in [0, 20, 24, 45, 62] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let found = salvage(Region::from_vec(damaged), &SegmentPlace::file(Path::new(PATH)), RUN);
            // Another id is believed only where checksums that begin from it agree.
            assert_eq!(found.is_some(), at != 24, "{at}");
            found.iter().for_each(|segment| is_as_written(segment, &groups));
        }
        let longer = [bytes.as_slice(), &[9; 100]].concat();
        let longer = salvage(Region::from_vec(longer), &SegmentPlace::file(Path::new(PATH)), RUN).unwrap();
        is_as_written(&longer, &groups);
        let none = write(&SimDisk::new(2), &groups[1..2]);
        assert_eq!(Header::decode(&none, FileType::Segment).unwrap().required, 0, "nothing that older readers lack");
    }

    #[test]
    fn columns_that_were_handed_to_the_system_stay() {
        let long: Vec<f64> = (0..200_000).map(|number| 1.0 / f64::from(number + 3)).collect();
        let steps: Vec<i64> = (0..long.len() as i64).collect();
        let names: Vec<String> = (0..140_000).map(|number| format!("{number:06}")).collect();
        // More values of one row than the buffer holds: the first lie in the file before it is known that they end.
        let wide = names.iter().map(|name| (name.as_str(), vec![0.1])).collect();
        let groups: [Group<'_>; 3] =
            [(steps, vec![("long", long)]), (vec![5], vec![("x", vec![2.5])]), (vec![5], wide)];
        let bytes = write(&SimDisk::new(1), &groups);
        let segment = open(&bytes);
        assert_eq!([0, 1, 2].map(|group| segment.is_bare(group)), [false, true, false]);
        is_as_written(&segment, &groups[..2]);
        let index = segment.group(2).unwrap();
        let mut value = [0.0];
        segment.fill_values(2, &index, 139_999, 0, &mut value).unwrap();
        assert_eq!(value, [0.1]);
        assert_ne!(Header::decode(&bytes, FileType::Segment).unwrap().required, 0);
    }
}
