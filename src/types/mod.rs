//! The domain in values: ids, checked names, points, runs.
//!
//! Knows no bytes, files or threads. Each law is checked by the constructor of the type that carries it and nowhere
//! else.

mod columns;
mod dataset;
mod entity;
mod id;
mod key_map;
mod logged_model;
mod model;
mod name;
mod point;
mod stats;

pub use columns::Columns;
pub use dataset::DatasetInput;
pub use entity::{Artifact, Experiment, LifecycleStage, MetricSummary, NewRun, Run, RunStatus, StatusCause};
pub use id::{ExperimentId, RunId};
pub(crate) use id::{FileId, LogId};
pub use key_map::KeyMap;
pub use logged_model::{LoggedModel, LoggedModelId, LoggedModelStatus, ModelLink, ModelMetric, NewLoggedModel};
pub(crate) use logged_model::{check_model_param, check_model_tag, check_model_words, is_link, split_links};
pub(crate) use model::{LATEST, check_alias, check_model_name};
pub use model::{ModelStage, ModelVersion, ModelVersionStatus, NewModel, NewModelVersion, RegisteredModel};
pub(crate) use name::check_value;
pub use name::{ExperimentName, MetricKey, ParamKey, RunName, TagKey};
pub use point::Point;
pub use stats::Stats;
pub(crate) use stats::{extremes, first_equal};
