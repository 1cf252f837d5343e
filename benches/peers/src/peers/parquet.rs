//! Parquet through its own crate, tuned: rows sorted by run and key, dictionaries for both, deltas for steps and
//! times, byte-stream-split for values, zstd level 3, no nulls, page index.
//!
//! A file cannot be read before its footer is written, so it takes no part in logging. Files are read from a mapping,
//! by the crate's column readers straight into the caller's buffers, which beats its record batches with a row
//! selection; the page index leaves out the pages that a range does not meet.

use crate::peer::{Class, Contestant, Part, Reader, Setup, Store};
use crate::peers::floor::map_file;
use crate::workload::{Chart, Points, View};
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{DoubleType, Int64Type as Int64};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Places of the columns in the file.
const STEP: usize = 2;
const TIME: usize = 3;
const VALUE: usize = 4;

/// Rows of a row group, the crate's own.
const WHOLE: usize = 1 << 20;

/// The name in the tables.
pub(crate) const PARQUET: &str = "Parquet, tuned";

pub(crate) fn contestants() -> Vec<Contestant> {
    let part = Part { append: false, bulk: true, read: true };
    vec![Contestant { store: PARQUET, way: "", class: Class::Buffered, part, open }]
}

fn open(setup: &Setup<'_>) -> Box<dyn Store> {
    let path = setup.dir.join("points.parquet");
    let writer = Mutex::new(Some(TableWriter::create(&path, Layout::Ranges)));
    Box::new(Loading { writer, keys: setup.keys.to_vec(), path })
}

struct Loading {
    /// `None` when the footer is written.
    writer: Mutex<Option<TableWriter>>,
    keys: Vec<String>,
    path: PathBuf,
}

impl Store for Loading {
    fn points(&self, _metrics: Range<usize>, _steps: Range<i64>) {
        unreachable!("a Parquet file takes no part in logging");
    }

    fn rows(&self, _steps: Range<i64>) {
        unreachable!("a Parquet file takes no part in logging");
    }

    fn bulk(&self, metric: usize, points: View<'_>) {
        let zeros = vec![0; points.values.len()];
        let names = (["run".to_owned()], [self.keys[metric].clone()]);
        if let Some(writer) = self.writer.lock().unwrap().as_mut() {
            writer.write((&names.0, zeros.clone()), (&names.1, zeros), points);
            // A row group is of one metric, so that its statistics name it.
            writer.0.flush().unwrap();
        }
    }

    fn sync(&self) {
        if let Some(writer) = self.writer.lock().unwrap().take() {
            writer.finish();
        }
    }

    fn reader(self: Box<Self>) -> Box<dyn Reader> {
        self.sync();
        Box::new(ByMetric { table: Table::open(&self.path), keys: self.keys.clone(), buffers: Points::default() })
    }
}

/// What a file is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The crate's pages of 20,000 rows, with a page index: of 2,048 to 20,000 rows the fastest for 1 % of a million.
    Ranges,
    /// The same pages, statistics of whole row groups only.
    Size,
    /// A row group is one page, of a million rows: smaller still, but every read decodes all of it.
    Smallest,
}

/// A file being written.
pub(crate) struct TableWriter(ArrowWriter<File>);

impl TableWriter {
    pub(crate) fn create(path: &Path, layout: Layout) -> Self {
        let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let schema = Schema::new(vec![
            Field::new("run", dictionary(), false),
            Field::new("key", dictionary(), false),
            Field::new("step", DataType::Int64, false),
            Field::new("time", DataType::Int64, false),
            Field::new("value", DataType::Float64, false),
        ]);
        let column = |name: &str| ColumnPath::from(name);
        let statistics = match layout {
            Layout::Ranges => EnabledStatistics::Page,
            Layout::Size | Layout::Smallest => EnabledStatistics::Chunk,
        };
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_column_dictionary_enabled(column("step"), false)
            .set_column_dictionary_enabled(column("time"), false)
            .set_column_dictionary_enabled(column("value"), false)
            .set_column_encoding(column("step"), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(column("time"), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(column("value"), Encoding::BYTE_STREAM_SPLIT)
            .set_column_statistics_enabled(column("step"), statistics)
            .set_column_statistics_enabled(column("time"), statistics)
            .set_column_statistics_enabled(column("value"), EnabledStatistics::None);
        if layout == Layout::Smallest {
            properties = properties.set_data_page_row_count_limit(WHOLE).set_data_page_size_limit(WHOLE * 8);
        }
        let file = File::create(path).unwrap();
        Self(ArrowWriter::try_new(file, Arc::new(schema), Some(properties.build())).unwrap())
    }

    /// Writes rows: names and, for each row, which of them; sorted by run and key already.
    pub(crate) fn write(&mut self, runs: (&[String], Vec<i32>), keys: (&[String], Vec<i32>), points: View<'_>) {
        let dictionary = |(names, rows): (&[String], Vec<i32>)| -> ArrayRef {
            let names: StringArray = names.iter().map(|name| Some(name.as_str())).collect();
            Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(rows), Arc::new(names)).unwrap())
        };
        let columns: Vec<ArrayRef> = vec![
            dictionary(runs),
            dictionary(keys),
            Arc::new(PrimitiveArray::<Int64Type>::from_iter_values(points.steps.iter().copied())),
            Arc::new(PrimitiveArray::<Int64Type>::from_iter_values(points.times.iter().copied())),
            Arc::new(PrimitiveArray::<Float64Type>::from_iter_values(points.values.iter().copied())),
        ];
        let schema = Schema::new(
            ["run", "key", "step", "time", "value"]
                .iter()
                .zip(&columns)
                .map(|(name, column)| Field::new(*name, column.data_type().clone(), false))
                .collect::<Vec<_>>(),
        );
        self.0.write(&RecordBatch::try_new(Arc::new(schema), columns).unwrap()).unwrap();
    }

    /// Writes the footer and syncs the file.
    pub(crate) fn finish(self) {
        self.0.into_inner().unwrap().sync_all().unwrap();
    }
}

/// A file being read from a mapping.
pub(crate) struct Table {
    file: SerializedFileReader<Bytes>,
}

impl Table {
    pub(crate) fn open(path: &Path) -> Self {
        let options = ReadOptionsBuilder::new().with_page_index().build();
        let bytes = Bytes::from_owner(map_file(path));
        Self { file: SerializedFileReader::new_with_options(bytes, options).unwrap() }
    }

    pub(crate) fn groups(&self) -> usize {
        self.file.num_row_groups()
    }

    /// Appends the points of one row group, which are of metrics one after the other.
    pub(crate) fn read_group(&self, group: usize, into: &mut Points) {
        let rows = 0..self.rows(group);
        self.integers(group, STEP, rows.clone(), &mut into.steps);
        self.integers(group, TIME, rows.clone(), &mut into.times);
        self.values(group, rows, &mut into.values);
    }

    fn rows(&self, group: usize) -> usize {
        self.file.metadata().row_group(group).num_rows() as usize
    }

    /// Appends rows of a column; pages that have none of them are not even decompressed.
    fn integers(&self, group: usize, column: usize, rows: Range<usize>, into: &mut Vec<i64>) {
        let group = self.file.get_row_group(group).unwrap();
        let mut reader = get_typed_column_reader::<Int64>(group.get_column_reader(column).unwrap());
        reader.skip_records(rows.start).unwrap();
        reader.read_records(rows.len(), None, None, into).unwrap();
    }

    fn values(&self, group: usize, rows: Range<usize>, into: &mut Vec<f64>) {
        let group = self.file.get_row_group(group).unwrap();
        let mut reader = get_typed_column_reader::<DoubleType>(group.get_column_reader(VALUE).unwrap());
        reader.skip_records(rows.start).unwrap();
        reader.read_records(rows.len(), None, None, into).unwrap();
    }

    /// Appends the points of a row group whose `column` lies in `range`; the column rises inside the group.
    fn range(&self, group: usize, column: usize, range: &Range<i64>, into: &mut Points) {
        let pages = self.candidates(group, column, range);
        if pages.is_empty() {
            return;
        }
        let mut xs = Vec::with_capacity(pages.len());
        self.integers(group, column, pages.clone(), &mut xs);
        let kept = xs.partition_point(|x| *x < range.start)..xs.partition_point(|x| *x < range.end);
        let rows = pages.start + kept.start..pages.start + kept.end;
        if column == STEP {
            into.steps.extend_from_slice(&xs[kept]);
            self.integers(group, TIME, rows.clone(), &mut into.times);
        } else {
            into.times.extend_from_slice(&xs[kept]);
            self.integers(group, STEP, rows.clone(), &mut into.steps);
        }
        self.values(group, rows, &mut into.values);
    }

    /// Rows of the pages that can have a point of `range`.
    fn candidates(&self, group: usize, column: usize, range: &Range<i64>) -> Range<usize> {
        let total = self.rows(group);
        let index = self.file.metadata().page_index_for_row_group(group);
        let (Some(ColumnIndexMetaData::INT64(bounds)), Some(pages)) =
            (index.column_index(column), index.page_locations(column))
        else {
            return 0..total;
        };
        let first = bounds.max_values().partition_point(|max| *max < range.start);
        let end = bounds.min_values().partition_point(|min| *min < range.end);
        let row = |page: usize| pages.get(page).map_or(total, |page| page.first_row_index as usize);
        row(first)..row(end).max(row(first))
    }
}

/// A file whose row groups are of one metric each.
struct ByMetric {
    table: Table,
    keys: Vec<String>,
    buffers: Points,
}

impl ByMetric {
    /// Row groups of a metric, by the statistics of their keys.
    fn groups(&self, metric: usize) -> Vec<usize> {
        let wanted = self.keys[metric].as_bytes();
        let metadata = self.table.file.metadata();
        let holds = |group: &usize| {
            let statistics = metadata.row_group(*group).column(1).statistics();
            statistics.is_none_or(|s| s.min_bytes_opt() <= Some(wanted) && Some(wanted) <= s.max_bytes_opt())
        };
        (0..self.table.groups()).filter(holds).collect()
    }

    fn ranges(&mut self, metric: usize, column: usize, range: &Range<i64>) -> View<'_> {
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.clear();
        self.groups(metric).into_iter().for_each(|group| self.table.range(group, column, range, &mut buffers));
        self.buffers = buffers;
        self.buffers.view()
    }
}

impl Reader for ByMetric {
    fn all(&mut self, metric: usize) -> View<'_> {
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.clear();
        self.groups(metric).into_iter().for_each(|group| self.table.read_group(group, &mut buffers));
        self.buffers = buffers;
        self.buffers.view()
    }

    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.ranges(metric, STEP, &range)
    }

    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_> {
        self.ranges(metric, TIME, &range)
    }

    fn latest(&mut self, _metric: usize) -> Option<f64> {
        None
    }

    fn chart(&mut self, metric: usize, chart: &mut Chart) {
        for group in self.groups(metric) {
            self.buffers.clear();
            let rows = 0..self.table.rows(group);
            self.table.integers(group, STEP, rows.clone(), &mut self.buffers.steps);
            self.table.values(group, rows, &mut self.buffers.values);
            chart.scan(&self.buffers.steps, &self.buffers.values);
        }
    }
}
