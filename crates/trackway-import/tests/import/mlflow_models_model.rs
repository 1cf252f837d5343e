//! Random logged models in folders as MLflow writes them, against what they say; and random damage to real ones.

use crate::harness::{Place, copy_folder, data, files, told};
use crate::mlflow::import;
use crate::odd_mlflow::execute;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use trackway::{LifecycleStage, LoggedModelId, LoggedModelStatus, RunId};
use trackway_import::{MlflowOptions, import_mlflow, keep_going};

const RUN: RunId = RunId::from_bytes([7; 16]);

/// What MLflow does to a model.
#[derive(Clone, Debug)]
enum Op {
    /// Few keys, steps and values, so that places repeat.
    Log {
        key: u8,
        step: i64,
        value: u8,
        dataset: bool,
    },
    Param(u8),
    Tag {
        key: u8,
        value: u8,
    },
    Finish(bool),
    Put {
        name: u8,
        content: Vec<u8>,
    },
    Import,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let log = (0..2_u8, 0..3_i64, 0..3_u8, any::<bool>());
    let put = (0..2_u8, prop::collection::vec(any::<u8>(), 0..3));
    prop::collection::vec(
        prop_oneof![
            4 => log.prop_map(|(key, step, value, dataset)| Op::Log { key, step, value, dataset }),
            1 => (0..3_u8).prop_map(Op::Param),
            1 => (0..2_u8).prop_map(|key| Op::Tag { key, value: key }),
            1 => any::<bool>().prop_map(Op::Finish),
            1 => put.prop_map(|(name, content)| Op::Put { name, content }),
            2 => Just(Op::Import),
        ],
        1..24,
    )
}

/// What the model says, as it should be in the store.
#[derive(Default)]
struct Said {
    status: u8,
    updated: i64,
    params: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    metrics: BTreeMap<(String, i64), (u8, &'static str)>,
    artifacts: BTreeMap<String, Vec<u8>>,
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

impl Said {
    /// Does the same to the folder and to this.
    fn apply(&mut self, folder: &Path, op: &Op) {
        match op {
            Op::Log { key, step, value, dataset } => {
                let path = folder.join(format!("metrics/m{key}"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
                let (of, name) = if *dataset { (" digits d1", "digits") } else { ("", "") };
                writeln!(file, "5 {value}.0 {step} {RUN}{of}").unwrap();
                self.metrics.entry((format!("m{key}"), *step)).or_insert((*value, name));
            }
            Op::Param(key) => {
                write(&folder.join(format!("params/p{key}")), b"once");
                self.params.insert(format!("p{key}"), "once".to_owned());
            }
            Op::Tag { key, value } => {
                write(&folder.join(format!("tags/t/{key}")), value.to_string().as_bytes());
                self.tags.insert(format!("t/{key}"), value.to_string());
            }
            Op::Finish(is_ready) => {
                (self.status, self.updated) = (2 + u8::from(!is_ready), self.updated + 1);
            }
            Op::Put { name, content } => {
                write(&folder.join(format!("artifacts/{name}")), content);
                self.artifacts.insert(name.to_string(), content.clone());
            }
            Op::Import => {}
        }
        self.write_meta(folder, "active");
    }

    fn write_meta(&self, folder: &Path, stage: &str) {
        let (status, updated) = (self.status, self.updated);
        let text = format!(
            "creation_timestamp: 3\nlast_updated_timestamp: {updated}\nlifecycle_stage: {stage}\nname: digits\n\
             source_run_id: null\nstatus: {status}\n"
        );
        write(&folder.join("meta.yaml"), text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// After each import the store says what the folder says, and the same import again changes nothing. So it is with a
    /// model that is deleted before the last import, if that is the first one; else it stays.
    #[test]
    fn imports_between_changes_say_what_the_source_says(ops in ops(), is_deleted in any::<bool>()) {
        let place = Place::new();
        let (root, store) = (place.path("mlruns"), place.store("store"));
        write(&root.join("1/meta.yaml"), b"experiment_id: '1'\nname: one\nlifecycle_stage: active\n");
        let id = LoggedModelId::from_bytes([9; 16]);
        let folder = root.join("1/models").join(id.to_string());
        let mut said = Said { status: 1, updated: 3, ..Said::default() };
        said.write_meta(&folder, "active");
        let (mut imports, count) = (0, ops.len());
        for (at, op) in ops.into_iter().chain([Op::Import]).enumerate() {
            said.apply(&folder, &op);
            if !matches!(op, Op::Import) {
                continue;
            }
            let is_last = at == count;
            if is_deleted && is_last {
                said.write_meta(&folder, "deleted");
            }
            import(&store, &root);
            let model = &told(&store).2[0];
            let metrics = model.metrics.iter().map(|m| ((m.0.clone(), m.1), (f64::from_bits(m.4) as u8, m.5.as_str())));
            prop_assert_eq!(metrics.collect::<BTreeMap<_, _>>(), said.metrics.clone());
            prop_assert_eq!(model.metrics.len(), said.metrics.len());
            prop_assert_eq!((&model.model.params, &model.model.tags), (&said.params, &said.tags));
            prop_assert_eq!(&model.artifacts, &said.artifacts);
            prop_assert_eq!(model.model.status, LoggedModelStatus::ALL[usize::from(said.status) - 1]);
            let is_gone = is_deleted && is_last && imports == 0;
            let stage = if is_gone { LifecycleStage::Deleted } else { LifecycleStage::Active };
            prop_assert_eq!(model.model.lifecycle_stage, stage);
            prop_assert_eq!(model.model.updated_at, if is_gone { 0 } else { said.updated });
            imports += 1;
            prop_assert!(import(&store, &root).is_unchanged());
        }
    }

    /// Whatever the files of models and links hold: an answer, the runs that are not damaged, and nothing that a second
    /// import would add.
    #[test]
    fn damaged_files_are_told_and_keep_no_other_from_coming(
        at in any::<prop::sample::Index>(),
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[ -~\n]{0,40}".prop_map(String::into_bytes),
            r"(status|model_id|name|step|source_id|destination_type|creation_timestamp): [-a-zA-Z0-9'.\[\]{}]{0,12}\n"
                .prop_map(String::into_bytes),
        ],
        is_added in any::<bool>(),
    ) {
        let place = Place::new();
        let (root, store) = (place.path("mlruns"), place.store("store"));
        copy_folder(&data("mlruns"), &root);
        let all: Vec<PathBuf> = files(&root).into_keys().collect();
        let ours = |path: &&PathBuf| {
            let path = path.to_str().unwrap();
            ["/models/", "/outputs/", "/inputs/"].iter().any(|part| path.contains(part))
        };
        let ours: Vec<&PathBuf> = all.iter().filter(ours).collect();
        let path = ours[at.index(ours.len())];
        let mut content = if is_added { std::fs::read(path).unwrap() } else { Vec::new() };
        content.extend(bytes);
        std::fs::write(path, content).unwrap();
        let report = import_mlflow(&store, &root, &MlflowOptions::default(), &mut keep_going).unwrap();
        prop_assert!(report.failures.len() <= 1, "{:?}", report.failures);
        prop_assert!(report.new_runs >= 4 && report.models >= 4);
        let again = import_mlflow(&store, &root, &MlflowOptions::default(), &mut keep_going).unwrap();
        prop_assert!(again.is_unchanged(), "{again:?}");
    }

    /// The same for any value in any column: SQLite keeps values of any kind in all of them.
    #[test]
    fn odd_values_in_tables_are_told_and_keep_no_other_from_coming(
        at in any::<prop::sample::Index>(),
        value in prop::sample::select(vec!["NULL", "x'00ff'", "'text'", "''", "-1", "9223372036854775807", "1e300", "7.5"]),
        row in 0..12_u8,
    ) {
        let place = Place::new();
        let (db, store) = (place.mlflow_db(), place.store("store"));
        let columns = [
            ("logged_models", "model_id experiment_id name artifact_location creation_timestamp_ms last_updated_timestamp_ms \
                               status lifecycle_stage model_type source_run_id status_message"),
            ("logged_model_params", "model_id param_key param_value"),
            ("logged_model_tags", "model_id tag_key tag_value"),
            ("logged_model_metrics", "model_id metric_name metric_timestamp_ms metric_step metric_value run_id dataset_name \
                                      dataset_digest"),
            ("inputs", "source_type source_id destination_type destination_id step"),
        ];
        let all: Vec<_> = columns.iter().flat_map(|(table, names)| names.split(' ').map(move |name| (table, name))).collect();
        let (table, column) = all[at.index(all.len())];
        // Without the rules of the schema, as a database that was edited may be.
        execute(
            &db,
            &format!(
                "CREATE TABLE odd AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE odd RENAME TO {table};
                 UPDATE {table} SET {column} = {value} WHERE rowid = {row} % (SELECT count(*) FROM {table}) + 1;"
            ),
        );
        let report = import_mlflow(&store, &db, &MlflowOptions::default(), &mut keep_going).unwrap();
        prop_assert!(report.failures.len() <= 1, "{:?}", report.failures);
        prop_assert!(report.new_runs >= 4 && report.models >= 4, "{report:?}");
        let again = import_mlflow(&store, &db, &MlflowOptions::default(), &mut keep_going).unwrap();
        prop_assert!(again.is_unchanged(), "{again:?}");
    }
}
