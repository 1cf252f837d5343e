//! The ended runs by column, mapped: opened without reading it, and read where it is asked.
//!
//! A part of the file is checked when it is first used, and not again. Immutable: entries behind it overrule it.

use super::kept_order::KeptOrders;
use super::known::Known;
use crate::env::{File, Region};
use crate::error::{Error, IoContext, Result};
use crate::format::Decoded;
use crate::format::catalog::{RunEntry, next_body};
use crate::format::catalog_column::{
    Floats, Numbers, Present, Texts, take_floats, take_numbers, take_present, take_table, take_texts,
};
use crate::format::catalog_index::{ColumnKind, ColumnRef, Piece, Root, attribute, decode_directory};
use crate::format::catalog_records::{BLOCK_ROWS, Packed, take_blocks};
use crate::format::wire::{self, Reader};
use crate::limits::MAX_SECTION_BYTES;
use crate::types::{ExperimentId, FileId, RunId};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    file_id: FileId,
    region: Region,
    root: Root,
    /// The first row of each group.
    starts: Vec<usize>,
    directories: Vec<OnceLock<Directory>>,
    keys_checked: AtomicBool,
    ids_checked: AtomicBool,
    orders: KeptOrders,
    /// The keys that were asked for, as `Run`s have them.
    names: OnceLock<Box<[OnceLock<Arc<str>>]>>,
}

#[derive(Debug)]
struct Directory {
    columns: Vec<ColumnRef>,
    /// Of each column both parts.
    checked: Vec<[AtomicBool; 2]>,
}

/// Some of the runs, side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    index: &'a Index,
    number: usize,
    directory: &'a Directory,
}

#[derive(Clone, Debug)]
pub(crate) struct NumberColumn<'a> {
    pub(crate) present: Present,
    pub(crate) values: Numbers<'a>,
}

#[derive(Clone, Debug)]
pub(crate) struct FloatColumn<'a> {
    pub(crate) present: Present,
    pub(crate) values: Floats<'a>,
}

#[derive(Clone, Debug)]
pub(crate) struct TextColumn<'a> {
    pub(crate) present: Present,
    pub(crate) values: Texts<'a>,
}

/// What is known of a metric beside its latest value, in the order of the column's values.
#[derive(Clone, Debug)]
pub(crate) struct MetricRest<'a> {
    pub(crate) count: Numbers<'a>,
    pub(crate) nan_count: Numbers<'a>,
    pub(crate) step: Numbers<'a>,
    pub(crate) timestamp: Numbers<'a>,
    pub(crate) min: Floats<'a>,
    pub(crate) max: Floats<'a>,
}

impl NumberColumn<'_> {
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        self.values.get(self.present.place(row)?)
    }
}

impl<'a> TextColumn<'a> {
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        self.values.get(self.present.place(row)?)
    }
}

impl Index {
    /// Opens the index whose root lies at `root_at`. Also returns where the entries begin that follow it. Cost: the root,
    /// 18 bytes for each 4096 runs.
    pub(crate) fn open(file: &dyn File, path: &Path, file_id: FileId, root_at: u64) -> Result<(Self, u64)> {
        let region = file.map().at(path, "map")?;
        let here = usize::try_from(root_at).ok().and_then(|at| region.get(at..)).unwrap_or_default();
        let mut reader = Reader::new(here);
        let corrupt = |reason: String| Error::corrupt(path, root_at, reason);
        let body = next_body(&mut reader, file_id, root_at).map_err(|error| corrupt(error.to_string()))?;
        let body = body.ok_or_else(|| corrupt("the root of the index is cut".to_owned()))?;
        let root = Root::decode(body).map_err(|error| corrupt(error.to_string()))?;
        let end = root_at + reader.position() as u64;
        let starts = root.groups.iter().scan(0, |next, group| {
            *next += group.rows;
            Some(*next - group.rows)
        });
        let starts = starts.collect();
        let directories = root.groups.iter().map(|_| OnceLock::new()).collect();
        let path = path.to_path_buf();
        let (keys_checked, ids_checked) = (AtomicBool::new(false), AtomicBool::new(false));
        let (orders, names) = (KeptOrders::default(), OnceLock::new());
        Ok((Self { path, file_id, region, root, starts, directories, keys_checked, ids_checked, orders, names }, end))
    }

    pub(crate) fn rows(&self) -> usize {
        self.root.rows()
    }

    pub(super) fn orders(&self) -> &KeptOrders {
        &self.orders
    }

    /// When a run last changed.
    pub(crate) fn latest_us(&self) -> u64 {
        self.root.latest_us
    }

    fn piece(&self, piece: &Piece, checked: &AtomicBool) -> Result<&[u8]> {
        let start = usize::try_from(piece.offset).unwrap_or(usize::MAX);
        let bytes = start.checked_add(piece.len as usize).and_then(|end| self.region.get(start..end));
        let Some(bytes) = bytes else {
            return Err(Error::corrupt(
                &self.path,
                piece.offset,
                "a part of the index lies behind the end of the file",
            ));
        };
        if !checked.load(Ordering::Relaxed) {
            if wire::crc(wire::crc_seed(&self.file_id.0, piece.offset), bytes) != piece.crc {
                return Err(Error::corrupt(
                    &self.path,
                    piece.offset,
                    "the checksum of a part of the index does not match",
                ));
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    fn decode<'a, T>(
        &self,
        piece: &Piece,
        bytes: &'a [u8],
        take: impl FnOnce(&mut Reader<'a>) -> Decoded<T>,
    ) -> Result<T> {
        let mut reader = Reader::new(bytes);
        let taken = take(&mut reader).and_then(|value| reader.finish("part of the index").map(|()| value));
        taken.map_err(|error| Error::corrupt(&self.path, piece.offset, error.to_string()))
    }

    /// Names of metrics, params and tags, ascending.
    pub(crate) fn keys(&self) -> Result<Texts<'_>> {
        let bytes = self.piece(&self.root.keys, &self.keys_checked)?;
        self.decode(&self.root.keys, bytes, take_table)
    }

    /// A name by its number, made once for all who ask.
    pub(super) fn shared_name(&self, key: u32) -> Result<Option<Arc<str>>> {
        let made = self.names.get().and_then(|names| names.get(key as usize)?.get());
        if let Some(name) = made {
            return Ok(Some(Arc::clone(name)));
        }
        let keys = self.keys()?;
        let names = self.names.get_or_init(|| (0..keys.distinct()).map(|_| OnceLock::new()).collect());
        let Some((slot, name)) = names.get(key as usize).zip(keys.text(key as usize)) else { return Ok(None) };
        Ok(Some(Arc::clone(slot.get_or_init(|| name.into()))))
    }

    /// The number of a metric's, param's or tag's name.
    pub(crate) fn key(&self, name: &str) -> Result<Option<u32>> {
        Ok(self.keys()?.find(name).map(|key| key as u32))
    }

    pub(crate) fn group_count(&self) -> usize {
        self.root.groups.len()
    }

    pub(crate) fn group(&self, number: usize) -> Result<Group<'_>> {
        let (Some(group), Some(slot)) = (self.root.groups.get(number), self.directories.get(number)) else {
            return Err(Error::corrupt(&self.path, 0, "the index has no such group"));
        };
        if let Some(directory) = slot.get() {
            return Ok(Group { index: self, number, directory });
        }
        let bytes = self.piece(&group.directory, &AtomicBool::new(false))?;
        let columns = decode_directory(bytes)
            .map_err(|error| Error::corrupt(&self.path, group.directory.offset, error.to_string()))?;
        let checked = columns.iter().map(|_| [AtomicBool::new(false), AtomicBool::new(false)]).collect();
        let directory = slot.get_or_init(|| Directory { columns, checked });
        Ok(Group { index: self, number, directory })
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = Result<Group<'_>>> {
        (0..self.group_count()).map(|number| self.group(number))
    }

    /// The group of a row, and its place there.
    pub(crate) fn place(&self, row: usize) -> Result<(Group<'_>, usize)> {
        let number = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
        let start = self.starts.get(number).copied().unwrap_or(0);
        Ok((self.group(number)?, row - start))
    }

    /// All runs with their experiments, ascending by id.
    pub(crate) fn sorted_places(&self) -> Result<Vec<(RunId, ExperimentId)>> {
        let order = self.piece(&self.root.ids, &self.ids_checked)?.as_chunks().0;
        let columns = self.groups().map(|group| {
            let group = group?;
            Ok((group.ids()?, group.numbers(attribute::EXPERIMENT)?))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let place_of = |row: &[u8; 4]| {
            let row = u32::from_le_bytes(*row) as usize;
            let group = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
            let at = row - self.starts.get(group).copied().unwrap_or(0);
            let id = columns.get(group).and_then(|(ids, _)| ids.get(at)).copied().unwrap_or_default();
            let experiment = columns.get(group).and_then(|(_, experiments)| experiments.as_ref()?.get(at)).unwrap_or(0);
            (RunId::from_bytes(id), ExperimentId::new(experiment as u64))
        };
        Ok(order.iter().map(place_of).collect())
    }

    /// Checks every byte, and that the columns of each run say what its records say. Gives the entries that it was made of,
    /// each with the place of its group.
    pub(crate) fn check(&self) -> Result<Vec<(u64, RunEntry)>> {
        self.keys()?;
        self.piece(&self.root.ids, &self.ids_checked)?;
        let mut all = Vec::with_capacity(self.rows());
        for group in self.groups() {
            let group = group?;
            (0..group.columns().len()).try_for_each(|at| group.part(at, false).and(group.part(at, true)).map(drop))?;
            let rows: Vec<usize> = (0..group.rows()).collect();
            for (entry, run) in group.entries(&rows)?.into_iter().zip(group.runs(&rows)?) {
                let row = self.find(entry.run_id)?;
                let known = Known::new(entry.clone());
                let is_same = known.as_ref().is_some_and(|known| known.tells_as(&run));
                if !is_same || row != Some(all.len()) {
                    return Err(group.damage("the columns of the index say something else of a run than its records"));
                }
                all.push((group.offset(), entry));
            }
        }
        Ok(all)
    }

    /// The row of a run. Cost: logarithmic.
    pub(crate) fn find(&self, id: RunId) -> Result<Option<usize>> {
        let order = self.piece(&self.root.ids, &self.ids_checked)?.as_chunks().0;
        let (mut low, mut high) = (0, order.len());
        while low < high {
            let middle = low.midpoint(high);
            let row = order.get(middle).map_or(0, |row| u32::from_le_bytes(*row) as usize);
            let (group, at) = self.place(row)?;
            match group.id(at)?.cmp(&id) {
                std::cmp::Ordering::Equal => return Ok(Some(row)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }
}

impl<'a> Group<'a> {
    pub(crate) fn index(&self) -> &'a Index {
        self.index
    }

    pub(crate) fn rows(&self) -> usize {
        self.index.root.groups.get(self.number).map_or(0, |group| group.rows)
    }

    pub(crate) fn first_row(&self) -> usize {
        self.index.starts.get(self.number).copied().unwrap_or(0)
    }

    /// Where its directory lies in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.index.root.groups.get(self.number).map_or(0, |group| group.directory.offset)
    }

    pub(crate) fn columns(&self) -> &'a [ColumnRef] {
        &self.directory.columns
    }

    /// The checked bytes of a part of a column.
    pub(crate) fn part(&self, column: usize, second: bool) -> Result<&'a [u8]> {
        let found = self.directory.columns.get(column).zip(self.directory.checked.get(column));
        let Some((column, [first_checked, second_checked])) = found else { return Ok(&[]) };
        if second {
            self.index.piece(&column.second, second_checked)
        } else {
            self.index.piece(&column.first, first_checked)
        }
    }

    /// The place of a column among [`Self::columns`].
    pub(crate) fn place(&self, kind: ColumnKind, key: u32) -> Option<usize> {
        self.directory.columns.binary_search_by_key(&(kind, key), |column| (column.kind, column.key)).ok()
    }

    fn take_at<T>(&self, place: usize, take: impl FnOnce(&mut Reader<'a>, usize) -> Decoded<T>) -> Result<T> {
        let bytes = self.part(place, false)?;
        let piece = self.directory.columns.get(place).map_or(Piece::default(), |column| column.first);
        self.index.decode(&piece, bytes, |reader| take(reader, self.rows()))
    }

    fn take<T>(
        &self,
        (kind, key): (ColumnKind, u32),
        take: impl FnOnce(&mut Reader<'a>, usize) -> Decoded<T>,
    ) -> Result<Option<T>> {
        self.place(kind, key).map(|place| self.take_at(place, take)).transpose()
    }

    pub(crate) fn numbers(&self, attribute: u32) -> Result<Option<NumberColumn<'a>>> {
        self.take((ColumnKind::Attribute, attribute), |reader, rows| {
            let present = take_present(reader, rows)?;
            let values = take_numbers(reader, present.count)?;
            Ok(NumberColumn { present, values })
        })
    }

    pub(crate) fn texts(&self, kind: ColumnKind, key: u32) -> Result<Option<TextColumn<'a>>> {
        self.place(kind, key).map(|place| self.texts_at(place)).transpose()
    }

    pub(crate) fn texts_at(&self, place: usize) -> Result<TextColumn<'a>> {
        self.take_at(place, |reader, rows| {
            let present = take_present(reader, rows)?;
            let values = take_texts(reader, present.count)?;
            Ok(TextColumn { present, values })
        })
    }

    /// The latest values of a metric.
    pub(crate) fn metric_at(&self, place: usize) -> Result<FloatColumn<'a>> {
        self.take_at(place, |reader, rows| {
            let present = take_present(reader, rows)?;
            let values = take_floats(reader, present.count, None)?;
            Ok(FloatColumn { present, values })
        })
    }

    /// What else is known of a metric.
    pub(crate) fn metric_rest(&self, place: usize, latest: &FloatColumn<'a>) -> Result<MetricRest<'a>> {
        let piece = self.directory.columns.get(place).map_or(Piece::default(), |column| column.second);
        let len = latest.present.count;
        self.index.decode(&piece, self.part(place, true)?, |reader| {
            Ok(MetricRest {
                count: take_numbers(reader, len)?,
                nan_count: take_numbers(reader, len)?,
                step: take_numbers(reader, len)?,
                timestamp: take_numbers(reader, len)?,
                min: take_floats(reader, len, Some(latest.values))?,
                max: take_floats(reader, len, Some(latest.values))?,
            })
        })
    }

    pub(crate) fn ids(&self) -> Result<&'a [[u8; 16]]> {
        let ids =
            self.take((ColumnKind::Attribute, attribute::ID), |reader, rows| reader.take(16 * rows, "run ids"))?;
        let ids = ids.ok_or_else(|| self.damage("a group of the index lacks the ids of its runs"))?;
        Ok(ids.as_chunks().0)
    }

    pub(crate) fn id(&self, row: usize) -> Result<RunId> {
        let id = self.ids()?.get(row).copied();
        id.map(RunId::from_bytes).ok_or_else(|| self.damage("a group of the index lacks the id of a run"))
    }

    /// The records about the runs of these rows, which ascend.
    pub(crate) fn records(&self, rows: &[usize]) -> Result<Vec<Vec<u8>>> {
        let blocks = self.take((ColumnKind::Attribute, attribute::RECORDS), take_blocks)?.unwrap_or_default();
        let mut records = Vec::with_capacity(rows.len());
        for rows in rows.chunk_by(|a, b| a / BLOCK_ROWS == b / BLOCK_ROWS) {
            let number = rows.first().map_or(0, |row| row / BLOCK_ROWS);
            let block = blocks.get(number).map(Packed::unpack).unwrap_or_else(|| Ok(Vec::new()));
            let block = block.map_err(|error| self.damage(&error.to_string()))?;
            let (mut reader, mut next) = (Reader::new(&block), number * BLOCK_ROWS);
            for row in rows {
                let mut last: Decoded<&[u8]> = Ok(&[]);
                while next <= *row {
                    last = reader.bytes(MAX_SECTION_BYTES, "records about a run");
                    next += 1;
                }
                records.push(last.map_err(|error| self.damage(&error.to_string()))?.to_vec());
            }
        }
        Ok(records)
    }

    pub(crate) fn damage(&self, reason: &str) -> Error {
        Error::corrupt(&self.index.path, self.offset(), reason)
    }
}
