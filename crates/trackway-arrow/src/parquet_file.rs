//! Columns to Parquet: each column by one of a few threads, each group of rows with all its columns in their order, so
//! that the bytes do not depend on how many threads there were.

use crate::error::{Error, Result};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A group of rows ends with the batch that reaches one of these. It is in memory, encoded, until then.
const GROUP_ROWS: usize = 1 << 20;
const GROUP_BYTES: usize = 1 << 27;

/// Threads that encode at most. Half of the work is one column, the values.
const MAX_THREADS: usize = 4;

/// Batches that may wait for a thread.
const WAITING: usize = 2;

/// A file being written. Its end is what makes it one.
pub(crate) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    group: Option<Group>,
    groups: usize,
}

/// A group of rows being encoded.
struct Group {
    threads: Vec<Thread>,
    rows: usize,
    bytes: usize,
}

/// Encodes some of the columns of the batches that it is sent, until no more can come.
struct Thread {
    batches: SyncSender<RecordBatch>,
    encoded: JoinHandle<ParquetResult<Vec<(usize, ArrowColumnChunk)>>>,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(crate) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        // It adds the schema of Arrow, which has what Parquet's lacks: which columns are dictionaries.
        let writer = ArrowWriter::try_new(out, SchemaRef::clone(schema), Some(properties(schema)?))?;
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self { file, factory, schema: SchemaRef::clone(schema), group: None, groups: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.schema_ref() != &self.schema {
            let reason = "the batch has other columns than the file";
            return Err(Error::Parquet(ParquetError::General(reason.to_owned())));
        }
        let group = match &mut self.group {
            Some(group) => group,
            none => none.insert(Group::new(self.factory.create_column_writers(self.groups)?, &self.schema)),
        };
        group.rows += batch.num_rows();
        group.bytes += bytes(batch);
        let is_full = group.rows >= GROUP_ROWS || group.bytes >= GROUP_BYTES;
        // A thread that is gone says why when it is joined.
        let sent = group.threads.iter().all(|thread| thread.batches.send(batch.clone()).is_ok());
        if is_full || !sent { self.end_group() } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        self.end_group()?;
        self.file.close()?;
        Ok(())
    }

    fn end_group(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        self.groups += 1;
        let mut columns = group.encoded()?;
        columns.sort_unstable_by_key(|(place, _)| *place);
        let mut rows = self.file.next_row_group()?;
        for (_, column) in columns {
            column.append_to_row_group(&mut rows)?;
        }
        rows.close()?;
        Ok(())
    }
}

impl Group {
    /// Columns are dealt out in turns. None of them has columns of its own.
    fn new(columns: Vec<ArrowColumnWriter>, schema: &SchemaRef) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(columns.len());
        let mut hands: Vec<Vec<(usize, ArrowColumnWriter)>> = (0..threads).map(|_| Vec::new()).collect();
        for (place, column) in columns.into_iter().enumerate() {
            if let Some(hand) = hands.get_mut(place % threads) {
                hand.push((place, column));
            }
        }
        let thread = |hand| {
            let (batches, receiver) = sync_channel(WAITING);
            let schema = SchemaRef::clone(schema);
            Thread { batches, encoded: std::thread::spawn(move || encode(hand, &schema, &receiver)) }
        };
        Self { threads: hands.into_iter().map(thread).collect(), rows: 0, bytes: 0 }
    }

    /// All columns, once the threads have done with what they were sent.
    fn encoded(self) -> Result<Vec<(usize, ArrowColumnChunk)>> {
        let mut columns = Vec::new();
        for Thread { batches, encoded } in self.threads {
            drop(batches);
            let gone = |_| Err(ParquetError::General("a thread that encodes columns has panicked".to_owned()));
            columns.extend(encoded.join().unwrap_or_else(gone)?);
        }
        Ok(columns)
    }
}

fn encode(
    mut columns: Vec<(usize, ArrowColumnWriter)>,
    schema: &SchemaRef,
    batches: &Receiver<RecordBatch>,
) -> ParquetResult<Vec<(usize, ArrowColumnChunk)>> {
    for batch in batches {
        for (place, writer) in &mut columns {
            let Some((array, field)) = batch.columns().get(*place).zip(schema.fields().get(*place)) else { continue };
            for leaf in compute_leaves(field, array)? {
                writer.write(&leaf)?;
            }
        }
    }
    columns.into_iter().map(|(place, writer)| Ok((place, writer.close()?))).collect()
}

/// Bytes of a batch; of dictionaries only the keys, since the names are the same in every batch.
fn bytes(batch: &RecordBatch) -> usize {
    let of = |(array, field): (&arrow_array::ArrayRef, &std::sync::Arc<arrow_schema::Field>)| match field.data_type() {
        DataType::Dictionary(..) => array.len() * size_of::<i32>(),
        _ => array.get_array_memory_size(),
    };
    batch.columns().iter().zip(batch.schema_ref().fields()).map(of).sum()
}

/// Numbers are nearly never the same: whole ones become differences, others have their bytes sorted by significance.
fn properties(schema: &SchemaRef) -> Result<WriterProperties> {
    let mut properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?));
    for field in schema.fields() {
        let encoding = match field.data_type() {
            DataType::Int64 | DataType::Timestamp(..) => Encoding::DELTA_BINARY_PACKED,
            DataType::Float64 => Encoding::BYTE_STREAM_SPLIT,
            _ => continue,
        };
        let path = || ColumnPath::new(vec![field.name().clone()]);
        properties = properties.set_column_dictionary_enabled(path(), false).set_column_encoding(path(), encoding);
    }
    Ok(properties.build())
}
