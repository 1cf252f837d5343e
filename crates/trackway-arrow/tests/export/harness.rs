//! Stores in temporary folders, and the readers of the formats.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use trackway::{RunOrder, RunQuery, Store, StoreOptions, View};
use trackway_arrow::{Format, Points, PointsOptions, Result, Runs, Selection, write};

/// All of them.
pub(crate) const FORMATS: [Format; 3] = [Format::Arrow, Format::ArrowStream, Format::Parquet];

/// Run, metric, step, time, bits of the value.
pub(crate) type Row = (String, String, i64, i64, u64);

/// A folder with a store and whatever a test puts beside it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the store, without background work: what a test sees is what was done for it.
    pub(crate) fn store(&self) -> Store {
        StoreOptions::new().background(false).open(self.path("store")).unwrap()
    }

    /// The names of the files beside the store.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "store").collect();
        names.sort();
        names
    }
}

/// All runs, the one that started first at first.
pub(crate) fn everything() -> RunQuery {
    RunQuery { view: View::All, order: RunOrder::new(&["start_time"]).unwrap(), ..RunQuery::default() }
}

/// The points of a selection in batches of so many, as bytes of a format.
pub(crate) fn points(store: &Store, selection: &Selection, format: Format, batch_rows: usize) -> Result<Vec<u8>> {
    let mut points = Points::new(store, selection, PointsOptions { batch_rows, ..PointsOptions::default() });
    let (schema, mut bytes) = (points.schema(), Vec::new());
    write(&mut bytes, format, &schema, &mut points)?;
    Ok(bytes)
}

/// The runs table of a selection, as bytes of a format.
pub(crate) fn runs(store: &Store, selection: &Selection, format: Format) -> Result<Vec<u8>> {
    let mut runs = Runs::new(store, selection)?;
    let (schema, mut bytes) = (runs.schema(), Vec::new());
    write(&mut bytes, format, &schema, &mut runs)?;
    Ok(bytes)
}

/// What the reader of a format finds in these bytes.
pub(crate) fn read(bytes: Vec<u8>, format: Format) -> Vec<RecordBatch> {
    let cursor = Cursor::new(bytes);
    match format {
        Format::Arrow => FileReader::try_new(cursor, None).unwrap().map(|batch| batch.unwrap()).collect(),
        Format::ArrowStream => StreamReader::try_new(cursor, None).unwrap().map(|batch| batch.unwrap()).collect(),
        _ => {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), cursor.into_inner()).unwrap();
            read_parquet(file.path())
        }
    }
}

pub(crate) fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(|batch| batch.unwrap()).collect()
}

/// The points in batches.
pub(crate) fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    batches.iter().flat_map(rows_of).collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    assert!(batch.columns().iter().all(|column| column.null_count() == 0));
    let names = |place: usize| -> Vec<String> {
        let dictionary = batch.column(place).as_dictionary::<Int32Type>();
        let names = dictionary.values().as_string::<i32>();
        dictionary.keys().values().iter().map(|key| names.value(*key as usize).to_owned()).collect()
    };
    let (runs, metrics) = (names(0), names(1));
    let steps = batch.column(2).as_primitive::<Int64Type>().values();
    let times = batch.column(3).as_primitive::<TimestampMillisecondType>().values();
    let values = batch.column(4).as_primitive::<Float64Type>().values();
    let numbers = steps.iter().zip(times).zip(values);
    let names = runs.into_iter().zip(metrics);
    names
        .zip(numbers)
        .map(|((run, metric), ((step, time), value))| (run, metric, *step, *time, value.to_bits()))
        .collect()
}
