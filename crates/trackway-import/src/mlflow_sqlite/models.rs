//! Logged models in MLflow's tables logged_models, logged_model_params, logged_model_tags and logged_model_metrics, and
//! the links of runs to them in the table inputs.
//!
//! Metrics of models have no flag for NaN: MLflow writes 0 in its place, which nothing tells from a 0 that was logged.

use super::Db;
use crate::error::{Error, Result};
use crate::mlflow::models::{ModelInfo, model_id};
use crate::mlflow::run_id;
use crate::session::Session;
use rusqlite::Row;
use trackway::{ModelLink, ModelMetric};

impl Db {
    fn count(&self, sql: &str) -> Result<u64> {
        let found = self.rows(sql, &[], |row| row.get::<_, i64>(0))?;
        Ok(found.first().map_or(0, |count| count.unsigned_abs()))
    }

    /// How many rows a table has; none when there is no such table.
    pub(super) fn row_count(&self, table: &str) -> Result<u64> {
        if self.columns(table)?.is_empty() { Ok(0) } else { self.count(&format!("SELECT count(*) FROM {table}")) }
    }

    /// The models of an experiment, in the order in which they were created.
    pub(super) fn model_ids(&self, experiment: &str) -> Result<Vec<String>> {
        if self.columns("logged_models")?.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT CAST(model_id AS TEXT) FROM logged_models WHERE experiment_id = ?1 ORDER BY rowid";
        self.rows(sql, &[&experiment], |row| Ok(row.get::<_, Option<String>>(0)?.unwrap_or_default()))
    }

    pub(super) fn model(&self, id: &str) -> Result<ModelInfo> {
        let sql = "SELECT name, model_type, status, status_message, source_run_id, creation_timestamp_ms, \
                   last_updated_timestamp_ms, lifecycle_stage, artifact_location FROM logged_models \
                   WHERE model_id = ?1";
        let info = self.rows(sql, &[&id], |row| {
            let text = |column: usize| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
            Ok(ModelInfo {
                id: id.to_owned(),
                place: format!("{}, logged model {id}", self.path.display()),
                name: text(0)?,
                model_type: text(1)?,
                status: row.get(2)?,
                status_message: text(3)?,
                source_run: text(4)?,
                created_at: row.get(5)?,
                updated_at: row.get(6)?,
                is_deleted: text(7)? == "deleted",
                artifacts: text(8)?,
                ..ModelInfo::default()
            })
        })?;
        let gone = || Error::source(&self.path, format!("logged model {id:?} has no row of this id as text"));
        let mut info = info.into_iter().next().ok_or_else(gone)?;
        info.params = self.pairs("SELECT param_key, param_value FROM logged_model_params WHERE model_id = ?1", id)?;
        info.tags = self.pairs("SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = ?1", id)?;
        let sql = "SELECT metric_name, metric_value, metric_step, run_id, metric_timestamp_ms, dataset_name, \
                   dataset_digest FROM logged_model_metrics WHERE model_id = ?1 ORDER BY rowid";
        info.metrics = self.rows(sql, &[&id], |row| {
            let text = |column: usize| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
            let value = row.get::<_, Option<f64>>(1)?.unwrap_or(f64::NAN);
            let metric = ModelMetric::new(text(0)?, value, row.get(2)?, run_id(&text(3)?));
            Ok(metric.at(row.get(4)?).dataset(text(5)?, text(6)?))
        })?;
        Ok(info)
    }

    /// The models that a run used or made.
    pub(super) fn links(&self, run: &str) -> Result<Vec<ModelLink>> {
        let columns = self.columns("inputs")?;
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let step = if columns.iter().any(|column| column == "step") { "step" } else { "0" };
        let sql = format!(
            "SELECT source_type, destination_id, {step} FROM inputs WHERE source_id = ?1 AND \
             (source_type = 'RUN_INPUT' AND destination_type = 'MODEL_INPUT' OR \
              source_type = 'RUN_OUTPUT' AND destination_type = 'MODEL_OUTPUT')"
        );
        self.rows(&sql, &[&run], |row: &Row<'_>| {
            let model = model_id(&row.get::<_, String>(1)?);
            let is_output = row.get_ref(0)?.as_str()? == "RUN_OUTPUT";
            Ok(if is_output { ModelLink::output(model, row.get(2)?) } else { ModelLink::input(model) })
        })
    }

    /// Notes links between other things than runs, datasets and models.
    pub(super) fn note_other_links(&self, session: &mut Session<'_>) -> Result<()> {
        if self.columns("inputs")?.is_empty() {
            return Ok(());
        }
        let count = self.count(
            "SELECT count(*) FROM inputs WHERE (source_type, destination_type) NOT IN \
             (VALUES ('DATASET', 'RUN'), ('RUN_INPUT', 'MODEL_INPUT'), ('RUN_OUTPUT', 'MODEL_OUTPUT'))",
        )?;
        if count > 0 {
            session.note(format!(
                "{}: {count} rows of inputs link neither a dataset nor a model to a run, left out",
                self.path.display()
            ));
        }
        Ok(())
    }
}
