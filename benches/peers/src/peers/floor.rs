//! The floor: the plainest loops that keep or read points at all. No names, no checksums, no compression, no format.
//!
//! Logging stores 24 raw bytes a point (8 a value for rows) into a freshly reserved shared mapping, touching its pages
//! on the way, and publishes the end by a release store. Reading copies plain columns out of a mapped file.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::workload::{Chart, Points, View, time, value};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, MutexGuard};

const HEAD: usize = 4096;

pub(crate) fn contestants() -> Vec<Contestant> {
    let all = Part { append: true, bulk: true, read: true };
    let append = Part { append: true, bulk: false, read: false };
    vec![
        Contestant {
            store: FLOOR,
            way: "raw bytes, mapped file",
            class: Class::Kill,
            part: all,
            open: |setup| open(setup, false),
        },
        Contestant {
            store: FLOOR,
            way: "the same, fdatasync a call",
            class: Class::Power,
            part: append,
            open: |setup| open(setup, true),
        },
    ]
}

/// The name of the floor in the tables.
pub(crate) const FLOOR: &str = "*floor*";

fn open(setup: &Setup<'_>, sync: bool) -> Box<dyn Store> {
    let each = setup.points.div_ceil(setup.threads);
    let map = |at: usize| Mutex::new(Mapping::new(&setup.dir.join(at.to_string()), HEAD + each * 24));
    Box::new(Floor {
        maps: (0..setup.threads).map(map).collect(),
        keys: setup.keys.len(),
        columns: setup.dir.join("columns"),
        sync,
        loaded: Mutex::default(),
    })
}

struct Floor {
    /// One for each thread.
    maps: Vec<Mutex<Mapping>>,
    keys: usize,
    columns: PathBuf,
    /// Whether each call ends with a sync.
    sync: bool,
    /// What was loaded of metric 0, to be laid out for reading.
    loaded: Mutex<Points>,
}

impl Floor {
    fn map(&self, metric: usize) -> MutexGuard<'_, Mapping> {
        self.maps[metric * self.maps.len() / self.keys].lock().unwrap()
    }
}

impl Store for Floor {
    fn points(&self, metrics: Range<usize>, steps: Range<i64>) {
        let mut map = self.map(metrics.start);
        for step in steps {
            for metric in metrics.clone() {
                map.push(&[step as u64, time(step) as u64, value(metric, step).to_bits()]);
                if self.sync {
                    map.file.sync_data().unwrap();
                }
            }
        }
    }

    fn rows(&self, steps: Range<i64>) {
        let mut map = self.map(0);
        let mut row = vec![0.0; self.keys];
        for step in steps {
            row.iter_mut().enumerate().for_each(|(metric, place)| *place = value(metric, step));
            map.push_values(&row);
            if self.sync {
                map.file.sync_data().unwrap();
            }
        }
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let mut map = self.map(0);
        map.push_integers(points.steps);
        map.push_integers(points.times);
        map.push_values(points.values);
        drop(map);
        if metric == 0 {
            let mut loaded = self.loaded.lock().unwrap();
            loaded.steps.extend_from_slice(points.steps);
            loaded.times.extend_from_slice(points.times);
            loaded.values.extend_from_slice(points.values);
        }
    }

    fn sync(&self) {
        self.map(0).file.sync_data().unwrap();
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        let loaded = self.loaded.into_inner().unwrap();
        std::fs::write(&self.columns, loaded.to_bytes()).unwrap();
        Box::new(Columns { map: map_file(&self.columns), buffers: Points::default() })
    }
}

struct Mapping {
    file: File,
    map: memmap2::MmapMut,
    at: usize,
}

impl Mapping {
    fn new(path: &Path, len: usize) -> Self {
        let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, len as u64).unwrap();
        #[expect(unsafe_code, reason = "the floor is a bare mapping")]
        // SAFETY: the file is this program's own, in a folder that nobody else knows.
        let map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
        Self { file, map, at: HEAD }
    }

    #[inline]
    fn push(&mut self, words: &[u64; 3]) {
        for word in words {
            self.map[self.at..self.at + 8].copy_from_slice(&word.to_le_bytes());
            self.at += 8;
        }
        self.publish();
    }

    fn push_values(&mut self, values: &[f64]) {
        let place = &mut self.map[self.at..self.at + values.len() * 8];
        place.as_chunks_mut::<8>().0.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_le_bytes());
        self.at += values.len() * 8;
        self.publish();
    }

    fn push_integers(&mut self, numbers: &[i64]) {
        let place = &mut self.map[self.at..self.at + numbers.len() * 8];
        place.as_chunks_mut::<8>().0.iter_mut().zip(numbers).for_each(|(to, number)| *to = number.to_le_bytes());
        self.at += numbers.len() * 8;
        self.publish();
    }

    #[inline]
    fn publish(&mut self) {
        fence(Ordering::Release);
        self.map[..8].copy_from_slice(&(self.at as u64).to_le_bytes());
    }
}

/// Maps a file to read. Also for the peers that read from memory.
pub(crate) fn map_file(path: &Path) -> memmap2::Mmap {
    let file = File::open(path).unwrap();
    #[expect(unsafe_code, reason = "a file that is read from a mapping")]
    // SAFETY: the file is this program's own, in a folder that nobody else knows, and is written no more.
    let map = unsafe { memmap2::Mmap::map(&file).unwrap() };
    map
}

/// Three plain columns of one metric in a mapped file.
struct Columns {
    map: memmap2::Mmap,
    buffers: Points,
}

impl Columns {
    fn column(&self, at: usize) -> &[[u8; 8]] {
        let len = self.map.len() / 3;
        self.map[at * len..(at + 1) * len].as_chunks::<8>().0
    }

    fn rows(&self, column: usize, range: Range<i64>) -> Range<usize> {
        let bound = |x: i64| self.column(column).partition_point(|word| i64::from_le_bytes(*word) < x);
        bound(range.start)..bound(range.end)
    }

    fn copy(&mut self, rows: Range<usize>) -> View<'_> {
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.clear();
        buffers.steps.extend(self.column(0)[rows.clone()].iter().map(|word| i64::from_le_bytes(*word)));
        buffers.times.extend(self.column(1)[rows.clone()].iter().map(|word| i64::from_le_bytes(*word)));
        buffers.values.extend(self.column(2)[rows].iter().map(|word| f64::from_le_bytes(*word)));
        self.buffers = buffers;
        self.buffers.view()
    }
}

impl Reader for Columns {
    fn all(&mut self, _metric: usize) -> View<'_> {
        self.copy(0..self.map.len() / 24)
    }

    fn by_step(&mut self, _metric: usize, range: Range<i64>) -> View<'_> {
        self.copy(self.rows(0, range))
    }

    fn by_time(&mut self, _metric: usize, range: Range<i64>) -> View<'_> {
        // The curves' clocks never fall, so a search does.
        self.copy(self.rows(1, range))
    }

    fn latest(&mut self, _metric: usize) -> Option<f64> {
        self.column(2).last().map(|word| f64::from_le_bytes(*word))
    }

    fn chart(&mut self, _metric: usize, chart: &mut Chart) {
        for (step, value) in self.column(0).iter().zip(self.column(2)) {
            chart.push(i64::from_le_bytes(*step), f64::from_le_bytes(*value));
        }
    }
}
