//! Batches to bytes: one thread makes them, another one writes them.

use crate::error::{Error, Result};
use crate::output::OutputFile;
use crate::parquet_file::ParquetWriter;
use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::SchemaRef;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::sync_channel;

/// Batches that may wait to be written.
const WAITING: usize = 4;

/// Formats of files.
///
/// ```
/// use trackway_arrow::Format;
/// assert_eq!(Format::of_path("runs.parquet".as_ref()), Some(Format::Parquet));
/// assert_eq!(Format::of_path("points.arrow".as_ref()), Some(Format::Arrow));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Arrow IPC, the file: batches in any order, without compression, so that it can be mapped. Its end says that it is
    /// whole.
    Arrow,
    /// Arrow IPC, the stream: to be read from front to end, as from a pipe. One that was cut between two batches is not
    /// told from a whole one by its bytes.
    ArrowStream,
    /// Parquet, compressed with zstd. Its end says that it is whole.
    Parquet,
}

impl Format {
    /// The format that the ending of a name stands for: `arrow`, `feather`, `arrows` (the stream) or `parquet`.
    ///
    /// ```
    /// assert_eq!(trackway_arrow::Format::of_path("points.csv".as_ref()), None);
    /// ```
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "arrow" | "feather" => Some(Self::Arrow),
            "arrows" => Some(Self::ArrowStream),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Writes batches and what a format puts around them, and gives the number of rows. A second thread makes the batches, a
/// few of which wait at a time.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # run.log_metric("loss", 1, 0.5)?;
/// use trackway_arrow::{Format, Points, PointsOptions, Selection, write};
///
/// let selection = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
/// let mut points = Points::new(&store, &selection, PointsOptions::default());
/// let (schema, mut bytes) = (points.schema(), Vec::new());
/// assert_eq!(write(&mut bytes, Format::ArrowStream, &schema, &mut points).unwrap(), 1);
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// The first error of `batches`; [`Error::Write`] when `out` refuses to be written; [`Error::Arrow`] and
/// [`Error::Parquet`] when a batch does not have that schema. What was written until then is not whole.
pub fn write<W, B>(out: W, format: Format, schema: &SchemaRef, batches: B) -> Result<u64>
where
    W: Write + Send,
    B: Iterator<Item = Result<RecordBatch>> + Send,
{
    let mut writer = Writer::new(out, format, schema)?;
    let mut rows = 0;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        scope.spawn(move || {
            // Nobody waits for them any more when writing has failed.
            for batch in batches {
                if sender.send(batch).is_err() {
                    break;
                }
            }
        });
        for batch in receiver {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            writer.write(&batch)?;
        }
        Ok::<_, Error>(())
    })?;
    writer.finish()?;
    Ok(rows)
}

/// Writes batches to a file, which has its name only once all of them are on the medium; gives the number of rows.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # run.log_metric("loss", 1, 0.5)?;
/// use trackway_arrow::{Format, Runs, Selection, write_file};
///
/// let selection = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
/// let mut runs = Runs::new(&store, &selection).unwrap();
/// let (path, schema) = (dir.path().join("runs.parquet"), runs.schema());
/// assert_eq!(write_file(&path, Format::Parquet, &schema, &mut runs).unwrap(), 1);
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// As [`write()`], [`OutputFile::create`] and [`OutputFile::commit`]; a file that had the name before is still there then.
pub fn write_file<B>(path: impl AsRef<Path>, format: Format, schema: &SchemaRef, batches: B) -> Result<u64>
where
    B: Iterator<Item = Result<RecordBatch>> + Send,
{
    let mut file = OutputFile::create(path)?;
    let rows = write(&mut file, format, schema, batches).map_err(|error| match error {
        Error::Write(source) => Error::Io { path: file.path().to_path_buf(), action: "write", source },
        other => other,
    })?;
    file.commit()?;
    Ok(rows)
}

enum Writer<W: Write + Send> {
    Arrow(FileWriter<BufWriter<W>>),
    Stream(StreamWriter<BufWriter<W>>),
    Parquet(Box<ParquetWriter<W>>),
}

impl<W: Write + Send> Writer<W> {
    fn new(out: W, format: Format, schema: &SchemaRef) -> Result<Self> {
        Ok(match format {
            Format::Arrow => Self::Arrow(FileWriter::try_new_buffered(out, schema)?),
            Format::ArrowStream => Self::Stream(StreamWriter::try_new_buffered(out, schema)?),
            Format::Parquet => Self::Parquet(Box::new(ParquetWriter::new(out, schema)?)),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Arrow(writer) => writer.write(batch)?,
            Self::Stream(writer) => writer.write(batch)?,
            Self::Parquet(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Arrow(mut writer) => writer.finish()?,
            Self::Stream(mut writer) => {
                writer.finish()?;
                writer.flush()?;
            }
            Self::Parquet(writer) => writer.finish()?,
        }
        Ok(())
    }
}
