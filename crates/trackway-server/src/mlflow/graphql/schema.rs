//! What can be asked for: the types of MLflow's schema and the questions at its root, as tables.
//!
//! A field has the name of the REST answer's in camel case. What the REST answer leaves out has protobuf's default here,
//! as MLflow's has: an empty text, `"0"`, an empty list, an object of such.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A whole number of 64 bits, told as a text: JavaScript cannot hold all of them.
    Long,
    /// A number; null for NaN.
    Float,
    Flag,
    Texts,
    Object(&'static str),
    List(&'static str),
    /// An object that is never there: errors are told beside the answer.
    Never(&'static str),
    /// The experiment of a run.
    Experiment,
    /// The registered versions that came from a run.
    ModelVersions,
}

impl Kind {
    /// The type of what is selected from.
    pub(super) fn object(self) -> Option<&'static Type> {
        match self {
            Self::Object(name) | Self::List(name) | Self::Never(name) => find(name),
            Self::Experiment => find("MlflowExperiment"),
            Self::ModelVersions => find("MlflowModelVersion"),
            Self::Text | Self::Long | Self::Float | Self::Flag | Self::Texts => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    fields: &'static [(&'static str, Kind)],
}

impl Type {
    pub(super) fn field(&self, name: &str) -> Option<Kind> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

pub(super) fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.name == name)
}

/// A question: which endpoint of the REST API answers it, and what the answer is.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) field: &'static str,
    pub(super) is_mutation: bool,
    pub(super) path: &'static str,
    pub(super) input: &'static str,
    /// What may be said in it.
    pub(super) inputs: &'static [&'static str],
    pub(super) answer: &'static str,
}

pub(super) fn root(field: &str, is_mutation: bool) -> Option<&'static Root> {
    ROOTS.iter().find(|root| root.field == field && root.is_mutation == is_mutation)
}

pub(super) const GET_EXPERIMENT: &str = "/mlflow/experiments/get";
pub(super) const SEARCH_VERSIONS: &str = "/mlflow/model-versions/search";

const fn query(
    field: &'static str,
    path: &'static str,
    input: &'static str,
    inputs: &'static [&'static str],
    answer: &'static str,
) -> Root {
    Root { field, is_mutation: false, path, input, inputs, answer }
}

const SEARCH_RUNS: Root = query(
    "mlflowSearchRuns",
    "/mlflow/runs/search",
    "MlflowSearchRunsInput",
    &["experimentIds", "filter", "runViewType", "maxResults", "orderBy", "pageToken"],
    "MlflowSearchRunsResponse",
);

const ROOTS: &[Root] = &[
    query(
        "mlflowGetExperiment",
        GET_EXPERIMENT,
        "MlflowGetExperimentInput",
        &["experimentId"],
        "MlflowGetExperimentResponse",
    ),
    query("mlflowGetRun", "/mlflow/runs/get", "MlflowGetRunInput", &["runId", "runUuid"], "MlflowGetRunResponse"),
    query(
        "mlflowGetMetricHistoryBulkInterval",
        "/mlflow/metrics/get-history-bulk-interval",
        "MlflowGetMetricHistoryBulkIntervalInput",
        &["runIds", "metricKey", "startStep", "endStep", "maxResults"],
        "MlflowGetMetricHistoryBulkIntervalResponse",
    ),
    query(
        "mlflowListArtifacts",
        "/mlflow/artifacts/list",
        "MlflowListArtifactsInput",
        &["runId", "runUuid", "path", "pageToken"],
        "MlflowListArtifactsResponse",
    ),
    query(
        "mlflowSearchModelVersions",
        SEARCH_VERSIONS,
        "MlflowSearchModelVersionsInput",
        &["filter", "maxResults", "orderBy", "pageToken"],
        "MlflowSearchModelVersionsResponse",
    ),
    SEARCH_RUNS,
    Root { is_mutation: true, ..SEARCH_RUNS },
    Root {
        is_mutation: true,
        ..query(
            "mlflowSearchDatasets",
            "/mlflow/experiments/search-datasets",
            "MlflowSearchDatasetsInput",
            &["experimentIds"],
            "MlflowSearchDatasetsResponse",
        )
    },
];

use Kind::{Experiment, Flag, Float, List, Long, ModelVersions, Never, Object, Text, Texts};

const fn of(name: &'static str, fields: &'static [(&'static str, Kind)]) -> Type {
    Type { name, fields }
}

const KEY_VALUE: &[(&str, Kind)] = &[("key", Text), ("value", Text)];

const TYPES: &[Type] = &[
    of("ApiError", &[("code", Text), ("message", Text), ("helpUrl", Text)]),
    of("MlflowGetExperimentResponse", &[("experiment", Object("MlflowExperiment")), ("apiError", Never("ApiError"))]),
    of(
        "MlflowExperiment",
        &[
            ("experimentId", Text),
            ("name", Text),
            ("artifactLocation", Text),
            ("lifecycleStage", Text),
            ("lastUpdateTime", Long),
            ("creationTime", Long),
            ("tags", List("MlflowExperimentTag")),
            ("effectiveTraceArchivalRetention", Text),
            ("workspace", Text),
        ],
    ),
    of("MlflowExperimentTag", KEY_VALUE),
    of("MlflowGetRunResponse", &[("run", Object("MlflowRunExtension")), ("apiError", Never("ApiError"))]),
    of(
        "MlflowSearchRunsResponse",
        &[("runs", List("MlflowRunExtension")), ("nextPageToken", Text), ("apiError", Never("ApiError"))],
    ),
    of(
        "MlflowRunExtension",
        &[
            ("info", Object("MlflowRunInfo")),
            ("data", Object("MlflowRunData")),
            ("inputs", Object("MlflowRunInputs")),
            ("outputs", Object("MlflowRunOutputs")),
            ("experiment", Experiment),
            ("modelVersions", ModelVersions),
        ],
    ),
    of(
        "MlflowRunInfo",
        &[
            ("runId", Text),
            ("runUuid", Text),
            ("runName", Text),
            ("experimentId", Text),
            ("userId", Text),
            ("status", Text),
            ("startTime", Long),
            ("endTime", Long),
            ("artifactUri", Text),
            ("lifecycleStage", Text),
        ],
    ),
    of(
        "MlflowRunData",
        &[("metrics", List("MlflowMetricExtension")), ("params", List("MlflowParam")), ("tags", List("MlflowRunTag"))],
    ),
    of(
        "MlflowMetricExtension",
        &[
            ("key", Text),
            ("value", Float),
            ("timestamp", Long),
            ("step", Long),
            ("datasetName", Text),
            ("datasetDigest", Text),
            ("modelId", Text),
            ("runId", Text),
        ],
    ),
    of("MlflowParam", KEY_VALUE),
    of("MlflowRunTag", KEY_VALUE),
    of("MlflowRunInputs", &[("datasetInputs", List("MlflowDatasetInput")), ("modelInputs", List("MlflowModelInput"))]),
    of("MlflowDatasetInput", &[("tags", List("MlflowInputTag")), ("dataset", Object("MlflowDataset"))]),
    of("MlflowInputTag", KEY_VALUE),
    of(
        "MlflowDataset",
        &[
            ("name", Text),
            ("digest", Text),
            ("sourceType", Text),
            ("source", Text),
            ("schema", Text),
            ("profile", Text),
        ],
    ),
    of("MlflowModelInput", &[("modelId", Text)]),
    of("MlflowRunOutputs", &[("modelOutputs", List("MlflowModelOutput"))]),
    of("MlflowModelOutput", &[("modelId", Text), ("step", Long)]),
    of(
        "MlflowGetMetricHistoryBulkIntervalResponse",
        &[("metrics", List("MlflowMetricWithRunId")), ("apiError", Never("ApiError"))],
    ),
    of(
        "MlflowMetricWithRunId",
        &[("key", Text), ("value", Float), ("timestamp", Long), ("step", Long), ("runId", Text)],
    ),
    of(
        "MlflowListArtifactsResponse",
        &[
            ("rootUri", Text),
            ("files", List("MlflowFileInfo")),
            ("nextPageToken", Text),
            ("apiError", Never("ApiError")),
        ],
    ),
    of("MlflowFileInfo", &[("path", Text), ("isDir", Flag), ("fileSize", Long)]),
    of(
        "MlflowSearchModelVersionsResponse",
        &[("modelVersions", List("MlflowModelVersion")), ("nextPageToken", Text), ("apiError", Never("ApiError"))],
    ),
    of(
        "MlflowModelVersion",
        &[
            ("name", Text),
            ("version", Text),
            ("creationTimestamp", Long),
            ("lastUpdatedTimestamp", Long),
            ("userId", Text),
            ("currentStage", Text),
            ("description", Text),
            ("source", Text),
            ("runId", Text),
            ("status", Text),
            ("statusMessage", Text),
            ("tags", List("MlflowModelVersionTag")),
            ("runLink", Text),
            ("aliases", Texts),
            ("modelId", Text),
        ],
    ),
    of("MlflowModelVersionTag", KEY_VALUE),
    of(
        "MlflowSearchDatasetsResponse",
        &[("datasetSummaries", List("MlflowDatasetSummary")), ("apiError", Never("ApiError"))],
    ),
    of("MlflowDatasetSummary", &[("experimentId", Text), ("name", Text), ("digest", Text), ("context", Text)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_there() {
        for kind in TYPES.iter().flat_map(|known| known.fields).map(|(_, kind)| *kind) {
            let is_plain = matches!(kind, Text | Long | Float | Flag | Texts);
            assert_eq!(kind.object().is_none(), is_plain, "{kind:?}");
        }
        assert!(ROOTS.iter().all(|root| find(root.answer).is_some()));
    }
}
