//! A file has its name when it is whole, and not before.

use crate::harness::{FORMATS, Place, everything, read_parquet, rows};
use arrow_array::RecordBatch;
use std::io::{self, Write};
use std::path::Path;
use trackway::{ExperimentId, NewRun, Store};
use trackway_arrow::{Error, Format, Points, PointsOptions, Result, Selection, write, write_file};

fn store_of(place: &Place, points: i64) -> Store {
    let store = place.store();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    (0..points).for_each(|step| run.log_metric_at("loss", step, step, step as f64).unwrap());
    run.finish().unwrap();
    store
}

fn batches<'a>(store: &'a Store, selection: &'a Selection) -> Points<'a> {
    Points::new(store, selection, PointsOptions { batch_rows: 100, ..PointsOptions::default() })
}

/// As a run that turns out to be damaged after some batches.
fn failing<'a>(points: &'a mut Points<'_>, after: usize) -> impl Iterator<Item = Result<RecordBatch>> + Send + 'a {
    let error = || Error::Write(io::Error::other("the batches ended early"));
    points.take(after).chain(std::iter::once_with(move || Err(error())))
}

#[test]
fn a_file_that_was_cut_is_not_there_and_the_old_one_is() {
    let place = Place::new();
    let store = store_of(&place, 1000);
    let all = Selection::find(&store, &everything()).unwrap();
    let path = place.path("points");
    for format in FORMATS {
        let mut points = batches(&store, &all);
        let schema = points.schema();
        write_file(&path, format, &schema, failing(&mut points, 3)).unwrap_err();
        assert_eq!(place.names(), [""; 0]);
    }
    std::fs::write(&path, "what was there").unwrap();
    let mut points = batches(&store, &all);
    let schema = points.schema();
    write_file(&path, Format::Parquet, &schema, failing(&mut points, 3)).unwrap_err();
    assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), place.names().len()), ("what was there", 1));
    assert_eq!(write_file(&path, Format::Parquet, &schema, batches(&store, &all)).unwrap(), 1000);
    assert_eq!((rows(&read_parquet(&path)).len(), place.names().len()), (1000, 1));
}

#[cfg(unix)]
#[test]
fn a_file_is_as_any_other_and_a_link_is_followed() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let place = Place::new();
    let store = store_of(&place, 1);
    let all = Selection::find(&store, &everything()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    let (plain, file, link) = (place.path("plain"), place.path("file"), place.path("link"));
    std::fs::write(&plain, "").unwrap();
    std::fs::write(&file, "").unwrap();
    symlink(&file, &link).unwrap();
    let mut points = batches(&store, &all);
    let schema = points.schema();
    write_file(&link, Format::Arrow, &schema, &mut points).unwrap();
    assert!(link.is_symlink() && file.metadata().unwrap().len() > 0);
    assert_eq!(mode(&file), mode(&plain));
    let refused = write_file(Path::new("/dev/null"), Format::Arrow, &schema, batches(&store, &all));
    assert!(matches!(refused, Err(Error::NotAFile { .. })));
}

/// Whatever its reader does, an export ends: with an error that says why.
#[test]
fn a_reader_that_goes_away_ends_the_export() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let place = Place::new();
    let store = store_of(&place, 50_000);
    let all = Selection::find(&store, &everything()).unwrap();
    for format in FORMATS {
        let mut points = batches(&store, &all);
        let schema = points.schema();
        let error = write(Full(1000), format, &schema, &mut points).unwrap_err();
        assert!(matches!(&error, Error::Write(source) if source.kind() == io::ErrorKind::BrokenPipe), "{error:?}");
    }
}

/// Threads take part in what order they like; the bytes are the same.
#[test]
fn the_same_store_gives_the_same_bytes() {
    let place = Place::new();
    let store = store_of(&place, 20_000);
    let all = Selection::find(&store, &everything()).unwrap();
    for format in FORMATS {
        let bytes = || crate::harness::points(&store, &all, format, 1000).unwrap();
        let first = bytes();
        assert!((0..5).all(|_| bytes() == first), "{format:?}");
    }
}
