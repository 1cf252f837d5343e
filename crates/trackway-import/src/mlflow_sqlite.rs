//! MLflow's tables in a file of SQLite: experiments, experiment_tags, runs, params, tags, metrics, inputs, input_tags,
//! datasets.
//!
//! The rows of a metric are taken in the order in which they were added (`rowid`), so that what an earlier import
//! brought is their beginning. MLflow stores NaN as the flag `is_nan`, and infinities as the largest doubles: those come
//! as the doubles that they are, since nothing tells them from doubles that were logged. Logged models: `models.rs`.

mod models;

use crate::error::{Error, Result};
use crate::mlflow::models::import_model;
use crate::mlflow::{MlflowOptions, RunInfo, local_folder, put_artifacts, source_experiment};
use crate::session::{Session, SourceExperiment};
use crate::target::{ARTIFACT_URI_TAG, Rule, Target};
use rusqlite::{Connection, OpenFlags, Row, ToSql};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trackway::{DatasetInput, ExperimentId, Point, RunStatus};

/// How long a writer of the database is waited for.
const BUSY: Duration = Duration::from_secs(30);

/// The database.
struct Db {
    path: PathBuf,
    connection: Connection,
}

/// An experiment with what its runs need of it.
struct FoundExperiment {
    id: String,
    source: SourceExperiment,
    artifacts: String,
}

pub(crate) fn import(session: &mut Session<'_>, path: &Path, options: &MlflowOptions) -> Result<()> {
    let db = Db::open(path)?;
    let experiments = db.experiments()?;
    session.progress.total_runs = db.row_count("runs")?;
    session.progress.total_models = db.row_count("logged_models")?;
    let (mut missing, mut any_artifacts) = (Vec::new(), false);
    for found in &experiments {
        let experiment = session.experiment(&found.source)?;
        let (runs, models) = (db.run_infos(&found.id)?, db.model_ids(&found.id)?);
        let root = local_folder(&found.artifacts, db.path.parent().unwrap_or(Path::new("")));
        let is_empty = runs.is_empty() && models.is_empty();
        missing.extend(root.filter(|root| !is_empty && !root.is_dir()));
        for (info, uri) in runs {
            let what = format!("{}, run {}", path.display(), info.id);
            let folders = artifact_folders(&db, options, &Path::new(&found.id).join(&info.id), &uri);
            any_artifacts |= folders.iter().any(|folder| folder.is_dir());
            session.run(&what, |session| import_run(session, &db, experiment, info, &uri, &folders))?;
        }
        for id in models {
            let what = format!("{}, logged model {id}", path.display());
            session.model(&what, |session| {
                let info = db.model(&id)?;
                let below = Path::new(&found.id).join("models").join(&id);
                let folders = artifact_folders(&db, options, &below, &info.artifacts);
                any_artifacts |= folders.iter().any(|folder| folder.is_dir());
                import_model(session, experiment, info, &folders)
            })?;
        }
        session.end_experiment(&found.source, experiment)?;
    }
    // A store that was moved says where its artifacts were. That a run has none is nothing to say.
    if let Some(root) = missing.first().filter(|_| !any_artifacts) {
        session.note(format!(
            "{}: no artifacts were found, nor {}, the folder of some",
            path.display(),
            root.display()
        ));
    }
    for table in ["registered_models", "trace_info"] {
        let count = db.row_count(table)?;
        if count > 0 {
            session.note(format!("{}: {count} rows of {table} left out", path.display()));
        }
    }
    let lost = session.progress.total_models.saturating_sub(session.progress.models);
    if lost > 0 {
        session.note(format!("{}: {lost} logged models are of no experiment, left out", path.display()));
    }
    db.note_other_links(session)
}

/// Where the artifacts of a run or model may be, the likeliest first.
fn artifact_folders(db: &Db, options: &MlflowOptions, of: &Path, uri: &str) -> Vec<PathBuf> {
    let below = |root: &Path| root.join(of).join("artifacts");
    let base = db.path.parent().unwrap_or(Path::new(""));
    let mut folders: Vec<PathBuf> = options.artifacts.iter().map(|root| below(root)).collect();
    folders.extend(local_folder(uri, base));
    folders.extend(["mlruns", "mlartifacts"].map(|name| below(&base.join(name))));
    folders
}

fn import_run(
    session: &mut Session<'_>,
    db: &Db,
    experiment: ExperimentId,
    mut info: RunInfo,
    uri: &str,
    folders: &[PathBuf],
) -> Result<()> {
    let run = info.id.clone();
    info.params = db.pairs("SELECT key, value FROM params WHERE run_uuid = ?1", &run)?;
    info.tags = db.pairs("SELECT key, value FROM tags WHERE run_uuid = ?1", &run)?;
    info.datasets = db.datasets(&run)?;
    info.models = db.links(&run)?;
    let is_remote = local_folder(uri, Path::new("")).is_none() && !uri.is_empty();
    if is_remote && !folders.iter().any(|folder| folder.is_dir()) {
        session.note(format!("run {run}: its artifacts are at {uri} and were not copied"));
        info.tags.insert(ARTIFACT_URI_TAG.to_owned(), uri.to_owned());
    }
    let facts = info.into_facts();
    let id = facts.id;
    let Some(mut target) = Target::begin(session, experiment, facts, Rule::Merge)? else { return Ok(()) };
    db.points(&run, None, &mut |key, point| target.push(session, key, point))?;
    let to = session.store.artifacts(id)?;
    put_artifacts(session, &to, folders)?;
    target.end(session, &mut |key, each| db.points(&run, Some(key), &mut |_, point| each(point)))
}

impl Db {
    fn open(path: &Path) -> Result<Self> {
        let sqlite = |source| Error::Sqlite { path: path.to_path_buf(), source };
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
        connection.busy_timeout(BUSY).map_err(sqlite)?;
        let db = Self { path: path.to_path_buf(), connection };
        for (table, column) in [("experiments", "lifecycle_stage"), ("runs", "lifecycle_stage"), ("metrics", "is_nan")]
        {
            if !db.has_column(table, column)? {
                return Err(Error::source(path, format!("no database of MLflow 1.4 or later: no {table}.{column}")));
            }
        }
        Ok(db)
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite { path: self.path.clone(), source }
    }

    /// All rows of an answer that is known to be small.
    fn rows<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare(sql).map_err(|e| self.error(e))?;
        let rows = statement.query_map(values, |row| each(row)).map_err(|e| self.error(e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.error(e))
    }

    fn columns(&self, table: &str) -> Result<Vec<String>> {
        self.rows("SELECT name FROM pragma_table_info(?1)", &[&table], |row| row.get(0))
    }

    fn has_column(&self, table: &str, column: &str) -> Result<bool> {
        Ok(self.columns(table)?.iter().any(|name| name == column))
    }

    fn pairs(&self, sql: &str, id: &str) -> Result<BTreeMap<String, String>> {
        let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()));
        Ok(self.rows(sql, &[&id], pair)?.into_iter().collect())
    }

    fn experiments(&self) -> Result<Vec<FoundExperiment>> {
        let columns = self.columns("experiments")?;
        let has = |name: &str| columns.iter().any(|column| column == name);
        let optional = |name: &'static str| if has(name) { name } else { "NULL" };
        let sql = format!(
            "SELECT CAST(experiment_id AS TEXT), name, lifecycle_stage, artifact_location, {}, {} FROM experiments \
             ORDER BY experiment_id",
            optional("creation_time"),
            optional("workspace")
        );
        type Found = (String, String, Option<String>, Option<String>, Option<i64>, Option<String>);
        let found: Vec<Found> = self.rows(&sql, &[], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })?;
        let mut experiments = Vec::new();
        for (id, name, stage, artifacts, created, workspace) in found {
            let tags = if self.columns("experiment_tags")?.is_empty() {
                BTreeMap::new()
            } else {
                self.pairs("SELECT key, value FROM experiment_tags WHERE experiment_id = ?1", &id)?
            };
            // Names are unique in a workspace only.
            let name = match workspace.filter(|workspace| workspace != "default") {
                Some(workspace) => format!("{workspace}/{name}"),
                None => name,
            };
            let source = source_experiment(&id, &name, stage.as_deref() == Some("deleted"), created, tags);
            experiments.push(FoundExperiment { id, source, artifacts: artifacts.unwrap_or_default() });
        }
        Ok(experiments)
    }

    /// The runs of an experiment, without params, tags and datasets, each with the URI of its artifacts.
    fn run_infos(&self, experiment: &str) -> Result<Vec<(RunInfo, String)>> {
        let name = if self.has_column("runs", "name")? { "name" } else { "NULL" };
        let sql = format!(
            "SELECT run_uuid, {name}, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri FROM runs \
             WHERE experiment_id = ?1 ORDER BY rowid"
        );
        let rows = self.rows(&sql, &[&experiment], |row| {
            let id: String = row.get(0)?;
            let status: Option<String> = row.get(3)?;
            let info = RunInfo {
                place: format!("{}, run {id}", self.path.display()),
                id,
                name: row.get(1)?,
                user: row.get(2)?,
                start_time: row.get(4)?,
                end_time: row.get(5)?,
                is_deleted: row.get::<_, Option<String>>(6)?.as_deref() == Some("deleted"),
                ..RunInfo::default()
            };
            Ok((info, status, row.get::<_, Option<String>>(7)?.unwrap_or_default()))
        })?;
        let known = |(mut info, status, uri): (RunInfo, Option<String>, String)| {
            let status = status.unwrap_or_default();
            let wrong = |_| Error::source(&self.path, format!("run {}: no status {status:?}", info.id));
            info.status = status.parse::<RunStatus>().map_err(wrong)?;
            Ok((info, uri))
        };
        rows.into_iter().map(known).collect()
    }

    /// The points of a run, metric by metric, or those of one metric.
    fn points(&self, run: &str, key: Option<&str>, each: &mut dyn FnMut(&str, Point) -> Result<()>) -> Result<()> {
        let one = if key.is_some() { "AND key = ?2" } else { "AND ?2 IS NULL" };
        let sql = format!(
            "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ?1 {one} ORDER BY key, rowid"
        );
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.error(e))?;
        let mut rows = statement.query(rusqlite::params![run, key]).map_err(|e| self.error(e))?;
        while let Some(row) = rows.next().map_err(|e| self.error(e))? {
            let point = |row: &Row<'_>| {
                let value = if row.get::<_, bool>(4)? { f64::NAN } else { row.get(3)? };
                Ok(Point::new(row.get(1)?, row.get(2)?, value))
            };
            let point = point(row).map_err(|e| self.error(e))?;
            let key = row.get_ref(0).and_then(|key| Ok(key.as_str()?)).map_err(|e| self.error(e))?;
            each(key, point)?;
        }
        Ok(())
    }

    fn datasets(&self, run: &str) -> Result<Vec<DatasetInput>> {
        if self.columns("inputs")?.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema, \
                   d.dataset_profile FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id \
                   WHERE i.destination_id = ?1 AND i.destination_type = 'RUN' AND i.source_type = 'DATASET' \
                   ORDER BY i.rowid";
        let found = self.rows(sql, &[&run], |row| {
            let text = |column: usize| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
            let dataset = DatasetInput {
                name: text(1)?,
                digest: text(2)?,
                source_type: text(3)?,
                source: text(4)?,
                schema: text(5)?,
                profile: text(6)?,
                tags: BTreeMap::new(),
            };
            Ok((text(0)?, dataset))
        })?;
        let mut datasets = Vec::new();
        for (input, mut dataset) in found {
            dataset.tags = self.pairs("SELECT name, value FROM input_tags WHERE input_uuid = ?1", &input)?;
            datasets.push(dataset);
        }
        Ok(datasets)
    }
}
