//! The index at the start of a catalog file: the ended runs by column, so that a search reads what it asks for.
//!
//! Runs lie in groups of at most 4096. Each group has a directory of its columns; a column is in two parts, the first of
//! which searches and orders ask for. The root lies behind all of it, where the header says, and is framed as the
//! entries that follow it are (catalog.rs).
//!
//! ```text
//! piece: offset u64, length u32, crc u32 (seeded with file id and offset)
//! root:  0x03, latest change u64 in microseconds, rows u32,
//!        keys piece     table of texts (catalog_column.rs): names of metrics, params and tags, ascending
//!        ids piece      rows u32 each: the numbers of all rows, in ascending order of their run's id
//!        group count u32, each: rows u16, directory piece
//! directory: column count u32, each: kind u8, key u32, offset u64, length u32, crc u32 of the first part,
//!                                    length u32, crc u32 (seeded with its own offset) of the second part, behind it
//!
//! kind 0: attribute, key is its number    kind 1: metric    kind 2: param    kind 3: tag; their key is one of the table
//! metric: present, floats (latest value) | numbers: count, NaN count, step and timestamp of the latest point;
//!         floats: min, max, each perhaps as the latest value; of a metric with nothing but NaN they mean nothing
//! param, tag: present, texts
//! attribute 0: run ids, 16 bytes each            1: experiment, 5: status, 6: cause, 7: start, 8: end, 9: deletion,
//!           2: name, 3: user, 4: parent id,          11: tidy: present, numbers
//!           10: datasets (records, record.rs):   12: records about the run (catalog_records.rs)
//!           present, texts
//! ```
//!
//! Columns ascend by kind and key.

use super::wire::{Decoded, Reader};
use crate::format::catalog_column::MAX_ROWS;

pub(crate) const ROOT: u8 = 3;

/// A part of the file with a checksum of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) crc: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupRef {
    pub(crate) rows: usize,
    pub(crate) directory: Piece,
}

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    /// Time of the latest change of a run.
    pub(crate) latest_us: u64,
    pub(crate) keys: Piece,
    pub(crate) ids: Piece,
    pub(crate) groups: Vec<GroupRef>,
}

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ColumnKind {
    Attribute,
    Metric,
    Param,
    Tag,
}

/// Numbers of the attributes.
pub(crate) mod attribute {
    pub(crate) const ID: u32 = 0;
    pub(crate) const EXPERIMENT: u32 = 1;
    pub(crate) const NAME: u32 = 2;
    pub(crate) const USER: u32 = 3;
    pub(crate) const PARENT: u32 = 4;
    pub(crate) const STATUS: u32 = 5;
    pub(crate) const CAUSE: u32 = 6;
    pub(crate) const START: u32 = 7;
    pub(crate) const END: u32 = 8;
    pub(crate) const DELETED: u32 = 9;
    pub(crate) const DATASETS: u32 = 10;
    pub(crate) const TIDY: u32 = 11;
    pub(crate) const RECORDS: u32 = 12;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRef {
    pub(crate) kind: ColumnKind,
    pub(crate) key: u32,
    pub(crate) first: Piece,
    pub(crate) second: Piece,
}

/// Bytes of a column in a directory.
const COLUMN_BYTES: usize = 29;

fn put_piece(out: &mut Vec<u8>, piece: &Piece) {
    out.extend_from_slice(&piece.offset.to_le_bytes());
    out.extend_from_slice(&piece.len.to_le_bytes());
    out.extend_from_slice(&piece.crc.to_le_bytes());
}

fn take_piece(reader: &mut Reader<'_>) -> Decoded<Piece> {
    const WHAT: &str = "place in the index";
    Ok(Piece { offset: reader.u64(WHAT)?, len: reader.u32(WHAT)?, crc: reader.u32(WHAT)? })
}

impl Root {
    pub(crate) fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.rows).sum()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![ROOT];
        out.extend_from_slice(&self.latest_us.to_le_bytes());
        out.extend_from_slice(&(self.rows() as u32).to_le_bytes());
        put_piece(&mut out, &self.keys);
        put_piece(&mut out, &self.ids);
        out.extend_from_slice(&(self.groups.len() as u32).to_le_bytes());
        for group in &self.groups {
            out.extend_from_slice(&(group.rows as u16).to_le_bytes());
            put_piece(&mut out, &group.directory);
        }
        out
    }

    pub(crate) fn decode(body: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(body);
        if reader.u8("entry kind")? != ROOT {
            return Err(reader.error("entry kind", "it is no root of an index"));
        }
        let latest_us = reader.u64("latest change")?;
        let rows = reader.u32("row count")? as usize;
        let (keys, ids) = (take_piece(&mut reader)?, take_piece(&mut reader)?);
        let count = reader.u32("group count")? as usize;
        if count.saturating_mul(18) != reader.remaining() {
            return Err(reader.error("group count", "it is not that of the groups that follow"));
        }
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let rows = usize::from(reader.u16("rows of a group")?);
            if rows == 0 || rows > MAX_ROWS {
                return Err(reader.error("rows of a group", "there are none or too many"));
            }
            groups.push(GroupRef { rows, directory: take_piece(&mut reader)? });
        }
        let root = Self { latest_us, keys, ids, groups };
        if root.rows() != rows || ids.len as usize != rows.saturating_mul(4) {
            return Err(reader.error("row count", "it is not that of the groups"));
        }
        Ok(root)
    }
}

pub(crate) fn encode_directory(columns: &[ColumnRef]) -> Vec<u8> {
    let mut out = (columns.len() as u32).to_le_bytes().to_vec();
    for column in columns {
        out.push(column.kind as u8);
        out.extend_from_slice(&column.key.to_le_bytes());
        put_piece(&mut out, &column.first);
        out.extend_from_slice(&column.second.len.to_le_bytes());
        out.extend_from_slice(&column.second.crc.to_le_bytes());
    }
    out
}

pub(crate) fn decode_directory(bytes: &[u8]) -> Decoded<Vec<ColumnRef>> {
    let mut reader = Reader::new(bytes);
    let count = reader.u32("column count")? as usize;
    if count.saturating_mul(COLUMN_BYTES) != reader.remaining() {
        return Err(reader.error("column count", "it is not that of the columns that follow"));
    }
    let mut columns: Vec<ColumnRef> = Vec::with_capacity(count);
    for _ in 0..count {
        let kind = match reader.u8("kind of a column")? {
            0 => ColumnKind::Attribute,
            1 => ColumnKind::Metric,
            2 => ColumnKind::Param,
            3 => ColumnKind::Tag,
            _ => return Err(reader.error("kind of a column", "it is unknown")),
        };
        let key = reader.u32("key of a column")?;
        let first = take_piece(&mut reader)?;
        let offset = first.offset.saturating_add(u64::from(first.len));
        let second = Piece { offset, len: reader.u32("length")?, crc: reader.u32("checksum")? };
        if columns.last().is_some_and(|last| (last.kind, last.key) >= (kind, key)) {
            return Err(reader.error("columns", "they do not ascend"));
        }
        columns.push(ColumnRef { kind, key, first, second });
    }
    Ok(columns)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece() -> impl Strategy<Value = Piece> {
        (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(offset, len, crc)| Piece { offset, len, crc })
    }

    #[test]
    fn a_root_that_does_not_add_up_is_refused() {
        let whole = |rows: &[usize]| {
            let groups: Vec<_> =
                rows.iter().map(|rows| GroupRef { rows: *rows, directory: Piece::default() }).collect();
            let ids = Piece { len: 4 * rows.iter().sum::<usize>() as u32, ..Piece::default() };
            Root { latest_us: 1, keys: Piece::default(), ids, groups }
        };
        let is_read = |root: &Root| Root::decode(&root.encode()).is_ok();
        assert!(is_read(&whole(&[])) && is_read(&whole(&[1, MAX_ROWS])));
        for rows in [0, MAX_ROWS + 1, usize::from(u16::MAX)] {
            assert!(!is_read(&whole(&[rows])), "{rows}");
        }
        let mut wrong = whole(&[5]);
        wrong.ids.len += 4;
        assert!(!is_read(&wrong), "ids of another number of runs");
        // The number of rows, behind kind and time.
        let mut bytes = whole(&[5]).encode();
        bytes.iter_mut().skip(9).take(1).for_each(|byte| *byte += 1);
        assert!(Root::decode(&bytes).is_err(), "rows of another number");
    }

    proptest! {
        #[test]
        fn roots_come_back(latest_us: u64, keys in piece(), ids in piece(), groups in prop::collection::vec((1usize..=MAX_ROWS, piece()), 0..9)) {
            let groups: Vec<_> = groups.into_iter().map(|(rows, directory)| GroupRef { rows, directory }).collect();
            let rows: usize = groups.iter().map(|group| group.rows).sum();
            let ids = Piece { len: 4 * rows as u32, ..ids };
            let root = Root { latest_us, keys, ids, groups };
            prop_assert_eq!(Root::decode(&root.encode()), Ok(root));
        }

        #[test]
        fn directories_come_back(keys in prop::collection::btree_set((0usize..4, any::<u32>()), 0..20), pieces in piece()) {
            let kinds = [ColumnKind::Attribute, ColumnKind::Metric, ColumnKind::Param, ColumnKind::Tag];
            let first = Piece { offset: pieces.offset >> 1, ..pieces };
            let second = Piece { offset: first.offset + u64::from(first.len), len: 7, crc: 9 };
            let columns: Vec<_> =
                keys.into_iter().map(|(kind, key)| ColumnRef { kind: kinds[kind], key, first, second }).collect();
            prop_assert_eq!(decode_directory(&encode_directory(&columns)), Ok(columns.clone()));
            let mut twice = columns.clone();
            twice.extend(columns.last());
            prop_assert_eq!(decode_directory(&encode_directory(&twice)).is_ok(), columns.is_empty());
        }

        #[test]
        fn any_bytes_give_an_index_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Root::decode(&bytes);
            let _ = decode_directory(&bytes);
        }
    }
}
