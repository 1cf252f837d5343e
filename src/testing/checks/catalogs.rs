//! The catalog, and what is asked of it.

use super::super::meter::decoding;
use super::files::{STORE, file_bytes, options, sample};
use super::forged::Edits;
use crate::catalog::{Index, Journal, root_at};
use crate::env::sim::SimDisk;
use crate::format::catalog::{frame, next_body, next_entry};
use crate::format::catalog_index::{ColumnRef, Piece, Root, decode_directory, encode_directory};
use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::wire::{self, Reader};
use crate::{
    Experiment, Filter, ModelVersion, Query, RegisteredModel, RunFilter, RunOrder, RunQuery, Searchable, Store, View,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn original() -> (&'static Path, &'static [u8]) {
    let file = sample().files.iter().find(|(path, _)| path.ends_with("catalog.tw"));
    file.map(|(path, bytes)| (path.as_path(), &bytes[..])).unwrap()
}

/// Everything that a whole catalog has said of a run at some time: in its index and in the entries behind it.
fn said(bytes: &[u8]) -> BTreeSet<String> {
    let header = Header::decode(bytes, FileType::Catalog).unwrap();
    let disk = SimDisk::new(5);
    disk.set_contents("/catalog.tw", bytes);
    let file = disk.process().fs.open(Path::new("/catalog.tw")).unwrap();
    let root_at = root_at(&header).expect("the sample has an index");
    let (index, end) = Index::open(&*file, Path::new("/catalog.tw"), header.file_id, root_at).unwrap();
    let mut all: BTreeSet<String> = index.check().unwrap().iter().map(|(_, entry)| format!("{entry:?}")).collect();
    let mut reader = Reader::new(&bytes[end as usize..]);
    loop {
        let at = end + reader.position() as u64;
        match next_entry(&mut reader, header.file_id, at) {
            Ok(Some(runs)) => all.extend(runs.iter().map(|run| format!("{run:?}"))),
            _ => return all,
        }
    }
}

/// A catalog is lost, or says of each run what it has said at some time.
pub fn catalog(bytes: &[u8]) {
    let (_, original) = original();
    let content = file_bytes(original, bytes);
    let disk = SimDisk::new(5);
    let path = PathBuf::from("/catalog.tw");
    disk.set_contents(&path, content.clone());
    let mut journal = Journal::new(&disk.process(), path);
    let read = || {
        if journal.refresh().is_err() || journal.is_lost() {
            return Vec::new();
        }
        let briefs = journal.briefs().unwrap_or_default();
        briefs.into_iter().filter_map(|brief| journal.entry(brief.run_id).ok().flatten()).collect()
    };
    let found = decoding("a catalog", |_| content.len() * 4, read);
    if bytes.first().is_some_and(|first| first % 2 == 0) {
        let said = said(original);
        found.iter().for_each(|entry| assert!(said.contains(&format!("{entry:?}")), "{entry:?} was never said"));
    }
}

/// Puts a part into the file under a checksum.
fn put(out: &mut Vec<u8>, file_id: crate::types::FileId, part: &[u8]) -> Piece {
    let offset = out.len() as u64;
    out.extend_from_slice(part);
    Piece { offset, len: part.len() as u32, crc: wire::crc(wire::crc_seed(&file_id.0, offset), part) }
}

/// A catalog put together from edited parts: every column, the directory of each group, keys, order, root.
fn forge(original: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut header = Header::decode(original, FileType::Catalog).unwrap();
    let (id, at) = (header.file_id, root_at(&header).unwrap());
    let body = next_body(&mut Reader::new(&original[at as usize..]), id, at).unwrap().unwrap();
    let mut root = Root::decode(body).unwrap();
    let part = |piece: &Piece| &original[piece.offset as usize..][..piece.len as usize];
    let groups: Vec<Vec<ColumnRef>> =
        root.groups.iter().map(|group| decode_directory(part(&group.directory)).unwrap()).collect();
    let columns: usize = groups.iter().map(Vec::len).sum();
    let edits = Edits::new(bytes, 3 + groups.len() + 2 * columns);
    let mut out = original[..HEADER_LEN].to_vec();
    let mut number = 3;
    let mut edited = |bytes: &[u8]| {
        number += 1;
        edits.apply(number - 1, bytes)
    };
    for (group, columns) in root.groups.iter_mut().zip(groups) {
        let columns = columns.into_iter().map(|column| {
            let first = put(&mut out, id, &edited(part(&column.first)));
            ColumnRef { first, second: put(&mut out, id, &edited(part(&column.second))), ..column }
        });
        let directory = encode_directory(&columns.collect::<Vec<_>>());
        group.directory = put(&mut out, id, &edited(&directory));
    }
    (root.keys, root.ids) = (put(&mut out, id, &edits.apply(1, part(&root.keys))), {
        let order = edits.apply(2, part(&root.ids));
        put(&mut out, id, &order)
    });
    let at = out.len() as u64;
    out.extend_from_slice(&frame(id, at, &edits.apply(0, &root.encode())));
    header.owner.iter_mut().zip(at.to_le_bytes()).for_each(|(to, from)| *to = from);
    out.iter_mut().zip(header.encode()).for_each(|(to, from)| *to = from);
    out
}

/// Filters and orders that between them look at every kind of column.
const QUESTIONS: [(&str, &str); 6] = [
    ("metrics.loss < 0.5 and tags.note LIKE '%tag'", "metrics.acc DESC"),
    ("metrics.late.min IS NOT NULL or metrics.wide.count > 2", "metrics.wide.max"),
    ("params.lr BETWEEN 0 AND 1 or run_name != 'x'", "params.lr"),
    ("status IN ('FINISHED', 'KILLED') and end_time > 0", "tags.note DESC"),
    ("user_id = '' or artifact_uri ILIKE '%/artifacts' or experiment_id = '0'", "duration"),
    ("dataset.name IS NULL and run_id != 'x' and start_time > 0", "run_id"),
];

fn ask(store: &Store) {
    let ids: Vec<_> = store.runs(&RunFilter { view: View::All, ..RunFilter::default() }).unwrap_or_default();
    ids.iter().for_each(|run| _ = store.run(run.id));
    for (filter, order) in QUESTIONS {
        let filter = Some(Filter::new(filter).unwrap());
        let order = RunOrder::new(&[order]).unwrap();
        let mut query = RunQuery { filter, order, limit: Some(1), view: View::All, ..RunQuery::default() };
        for _ in 0..4 {
            query.after = store.search(&query).ok().and_then(|page| page.next);
        }
    }
}

/// A catalog with the right checksums is refused or answers, and is made anew by whoever finds it wrong.
pub fn catalog_forged(bytes: &[u8]) {
    let (path, original) = original();
    let forged = forge(original, bytes);
    let disk = SimDisk::new(4);
    for (known, content) in &sample().files {
        disk.set_contents(known, if known == path { forged.as_slice() } else { content.as_slice() });
    }
    let read_only = options(&disk.process()).read_only(true).open(STORE);
    read_only.iter().for_each(ask);
    let Ok(store) = options(&disk.process()).open(STORE) else { return };
    let damage = store.verify(&mut |_| {}).unwrap().damage;
    ask(&store);
    let _ = store.compact(&mut |_| {});
    ask(&store);
    drop(store);
    // Repaired, it says what the files say.
    options(&disk.process()).open(STORE).unwrap().repair(&mut |_| {}).unwrap();
    let report = options(&disk.process()).read_only(true).open(STORE).unwrap().verify(&mut |_| {}).unwrap();
    assert!(report.damage.is_empty(), "first {damage:?}, then {:?}", report.damage);
}

/// Any text is a filter or is refused at a place within it; MLflow's language is a part of the wide one; and a search by
/// column says the same as asking each run.
pub fn filter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let wide = Filter::new(&text);
    if Filter::mlflow(&text).is_ok() {
        assert!(wide.is_ok(), "{wide:?}");
    }
    for orders in [RunOrder::new(&[&text]), RunOrder::mlflow(&[&text])] {
        if let Err(crate::Error::InvalidQuery { position, .. }) = orders {
            assert!(position <= text.len());
        }
    }
    check_entities::<Experiment>(&text);
    check_entities::<RegisteredModel>(&text);
    check_entities::<ModelVersion>(&text);
    let filter = match wide {
        Ok(filter) => filter,
        Err(crate::Error::InvalidQuery { position, .. }) => return assert!(position <= text.len(), "{position}"),
        Err(error) => panic!("{error}"),
    };
    let disk = SimDisk::new(4);
    sample().files.iter().for_each(|(path, content)| disk.set_contents(path, content.clone()));
    let store = options(&disk.process()).open(STORE).unwrap();
    let mut all = store.runs(&RunFilter::default()).unwrap();
    all.retain(|run| filter.matches(run));
    let found = store.search(&RunQuery { filter: Some(filter), ..RunQuery::default() }).unwrap().runs;
    assert_eq!(format!("{found:?}"), format!("{all:?}"));
}

/// The same text as a filter and an order of things that have no index: the wide language knows what MLflow's does, and errors
/// lie within the text.
fn check_entities<T: Searchable>(text: &str) {
    let lies_within = |error: Option<crate::Error>| match error {
        Some(crate::Error::InvalidQuery { position, .. }) => assert!(position <= text.len(), "{position}"),
        Some(error) => panic!("{error}"),
        None => {}
    };
    let (wide, narrow) = (Query::<T>::new().filter(text).err(), Query::<T>::new().mlflow_filter(text).err());
    assert!(wide.is_none() || narrow.is_some(), "{wide:?}");
    lies_within(wide);
    lies_within(narrow);
    let (wide, narrow) = (Query::<T>::new().order_by(&[text]).err(), Query::<T>::new().mlflow_order_by(&[text]).err());
    assert!(wide.is_none() || narrow.is_some(), "{wide:?}");
    lies_within(wide);
    lies_within(narrow);
}
