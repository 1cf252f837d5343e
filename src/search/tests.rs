//! Both languages on runs made by hand.

use super::{Filter, RunOrder};
use crate::error::Error;
use crate::types::{
    DatasetInput, ExperimentId, KeyMap, LifecycleStage, MetricSummary, Point, Run, RunId, RunStatus, StatusCause,
};
use std::collections::BTreeMap;

fn summary(value: f64) -> MetricSummary {
    let known = (!value.is_nan()).then_some(value);
    MetricSummary {
        count: 5,
        nan_count: 0,
        latest: Point::new(9, 9, value),
        min: known.map(|value| value - 1.0),
        max: known.map(|value| value + 1.0),
    }
}

fn run(number: u8) -> Run {
    Run {
        id: RunId::from_bytes([number; 16]),
        experiment_id: ExperimentId::new(7),
        name: format!("Exp-{number}"),
        user: String::new(),
        parent: None,
        status: RunStatus::Running,
        status_cause: StatusCause::Reported,
        start_time: 1000 + i64::from(number),
        end_time: None,
        lifecycle_stage: LifecycleStage::Active,
        deleted_at: None,
        params: KeyMap::default(),
        tags: KeyMap::default(),
        datasets: Vec::new(),
        models: Vec::new(),
        metrics: KeyMap::default(),
    }
}

/// A run that has everything the examples ask for.
fn rich() -> Run {
    let mut run = run(1);
    run.status = RunStatus::Finished;
    run.end_time = Some(run.start_time + 500);
    let metrics = [("loss", 0.25), ("eval/f1 score", 0.7), ("nan", f64::NAN), ("train.max", 5.0), ("train", 1.0)];
    run.metrics = metrics.map(|(key, value)| (key, summary(value))).into_iter().collect();
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    run.params = [text("opt", "adam"), text("learning rate", "0.05"), text("lr", " 1e-3")].into_iter().collect();
    run.tags = [text("env", "prod"), text("t", "it's")].into_iter().collect();
    let dataset = |name: &str, context: &str| DatasetInput {
        name: name.to_owned(),
        digest: format!("d-{name}"),
        tags: BTreeMap::from([("mlflow.data.context".to_owned(), context.to_owned())]),
        ..DatasetInput::default()
    };
    run.datasets = vec![dataset("iris-v1", "training"), dataset("digits", "validation")];
    run
}

#[test]
fn mlflows_examples_mean_the_same_in_both_languages() {
    let run = rich();
    let holds = [
        "",
        "metrics.loss < 0.5 and params.opt = 'adam'",
        "metrics.`eval/f1 score` >= .7",
        "metric.\"eval/f1 score\" <= 7e-1",
        "params.\"learning rate\" LIKE '0.0%'",
        "tags.missing IS NULL AND status != 'RUNNING'",
        "run_id IN ('a','01010101010101010101010101010101')",
        "run_id not in ('a')",
        "attributes.start_time >= 1001 and attr.end_time < 1e9",
        "dataset.context = 'training' AND dataset.name ILIKE 'IRIS%'",
        "dataset.name = 'iris-v1' and datasets.context = 'validation'",
        "datasets.digest not in ('d-digits')",
        "run_name ILIKE 'exp-%'",
        "`run name` = 'Exp-1'",
        "tags.t = \"it's\"",
        "and metrics.loss = 0.25 params.opt != 'sgd' and",
        "metrics.nan != 1",
        "metrics.train.max = 5",
        "tags.mlflow.runName = 'Exp-1'",
        "params.opt is not null",
        "artifact_uri = 'mlflow-artifacts:/7/01010101010101010101010101010101/artifacts'",
    ];
    let fails = [
        "metrics.loss > 0.5",
        "metrics.missing != 1",
        "metrics.nan = 1",
        "metrics.nan < 1",
        "params.missing != 'x'",
        "params.opt LIKE 'ADAM'",
        "tags.env IS NULL",
        "run_id IN ('a')",
        "dataset.name = 'iris'",
        "user_id = 'ada'",
    ];
    for (texts, expected) in [(&holds[..], true), (&fails[..], false)] {
        for text in texts {
            for filter in [Filter::mlflow(text), Filter::new(text)] {
                let filter = filter.unwrap_or_else(|error| panic!("{text}: {error}"));
                assert_eq!(filter.matches(&run), expected, "{text}");
            }
        }
    }
}

#[test]
fn what_mlflow_refuses_is_refused_with_its_place() {
    let refused = [
        ("params.lr > 0.1", 10),
        ("params.lr = 0.1", 12),
        ("metrics.a > '1'", 12),
        ("params.a IN ('x')", 9),
        ("status IN ('FINISHED')", 7),
        ("metrics.a IS NULL", 10),
        ("metrics.a = 1 OR metrics.b = 2", 14),
        ("(metrics.a > 1)", 0),
        ("metrics.a-b > 1", 9),
        ("run_id IN (1)", 11),
        ("run_id IN ()", 11),
        ("   ", 0),
        ("a = 1", 0),
        ("metrics.a NOT LIKE 'b'", 14),
        ("metrics.a == 1", 10),
        ("metrics.a <> 1", 10),
        ("experiment_id = '0'", 0),
        ("metrics.a > +1", 12),
        ("metrics.a > inf", 12),
        ("metrics.a = ", 12),
        ("NOT metrics.a = 1", 0),
        ("params.a RLIKE 'b'", 9),
        ("metrics. = 1", 0),
        ("models.a = 1", 0),
        ("metrics.a = 1;", 13),
        ("metrics.`a`.min = 1", 0),
    ];
    for (text, place) in refused {
        match Filter::mlflow(text) {
            Err(Error::InvalidQuery { position, .. }) => assert_eq!(position, place, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn the_wide_language_knows_more() {
    let run = rich();
    let holds = [
        " ",
        "metrics.loss > 1 or params.opt = 'adam'",
        "not metrics.loss > 1",
        "not metrics.missing = 1",
        "(metrics.loss > 1 or status = 'FINISHED') and params.lr < 0.01",
        "metrics.loss > 1 or status = 'FINISHED' and params.lr == 0.001",
        "metrics.loss.min = -0.75 and metrics.loss.max = 1.25 and metrics.loss.count = 5 and metrics.loss.last = .25",
        "metrics.train.max = 5",
        "metrics.train.min = 0",
        "metrics.`train`.max = 2 and metrics.`loss`.count = 5 and metric.\"eval/f1 score\".last = 0.7",
        "metrics.loss between 0.25 and 0.25 and metrics.loss not between 0.5 and 1",
        "params.opt rlike '^ad' and params.opt =~ 'm$' and params.opt !~ 'sgd'",
        "params.opt in ('sgd', 'adam') and status in ('FINISHED') and tags.env not in ('test')",
        "metrics.missing is null and metrics.loss is not null",
        "params.opt not like 's%' and run_name not ilike 'x%'",
        "duration = 500 and experiment_id = '7'",
        "params.lr <> 2",
        "metrics.loss = 1 or metrics.loss = 2 or not (metrics.loss = 3 or metrics.loss = 4)",
    ];
    let fails = [
        "metrics.`loss.min` = -0.75",
        "metrics.`train.max`.min = 0",
        "params.opt < 3",
        "params.opt != 3",
        "metrics.nan not between 1 and 2",
        "metrics.nan.min < 100",
        "params.missing not in ('x')",
        "params.missing !~ 'x'",
    ];
    for (texts, expected) in [(&holds[..], true), (&fails[..], false)] {
        for text in texts {
            let filter = Filter::new(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(filter.matches(&run), expected, "{text}");
        }
    }
}

#[test]
fn mistakes_are_explained() {
    let explained = [
        ("metrics.loss < 'low'", "filter, character 16: expected a number without quotes, found 'low'"),
        ("(metrics.a = 1", "filter, character 15: expected a closing parenthesis, found the end"),
        ("metrics.a ~ 1", "filter, character 11: unexpected '~'"),
        ("params.a =~ '('", "filter, character 13: not a regular expression"),
        (
            "params.a < 'b'",
            "filter, character 12: expected a number without quotes: texts have no order here, found 'b'",
        ),
        ("metrics.`a`.mean > 1", "filter, character 1: \".mean\" is no statistic of a metric"),
        ("tags.`a`.min = 'b'", "filter, character 1: \".min\" follows the closing quote"),
        ("acc > 1", "filter, character 1: \"acc\" is no attribute of a run"),
    ];
    for (text, expected) in explained {
        let error = Filter::new(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let deep = "(".repeat(5000) + "metrics.a = 1" + &")".repeat(5000);
    assert!(Filter::new(&deep).is_err());
}

#[test]
fn runs_are_sorted_by_value_then_nan_then_nothing_in_both_directions() {
    let mut runs: Vec<Run> = (0..6).map(run).collect();
    for (number, value) in [(0, 2.0), (1, f64::NAN), (2, -1.0), (4, f64::INFINITY)] {
        runs[number].metrics.insert("m", summary(value));
    }
    let sorted = |texts: &[&str]| {
        let order = RunOrder::mlflow(texts).unwrap();
        let mut sorted = runs.clone();
        sorted.sort_by(|a, b| order.compare(a, b));
        sorted.iter().map(|run| run.id.as_bytes()[0]).collect::<Vec<_>>()
    };
    assert_eq!(sorted(&["metrics.m"]), [2, 0, 4, 1, 5, 3]);
    assert_eq!(sorted(&["metrics.m desc"]), [4, 0, 2, 1, 5, 3]);
    assert_eq!(sorted(&[]), [5, 4, 3, 2, 1, 0]);
    assert_eq!(sorted(&["start_time ASC"]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(sorted(&["params.none", "run_name DESC"]), [5, 4, 3, 2, 1, 0]);
}

#[test]
fn orders_that_are_none_are_refused() {
    for text in ["", "metrics.a, metrics.b", "metrics.a upwards", "bogus", "metrics.a ASC DESC", "datasets.name", "1"] {
        assert!(matches!(RunOrder::mlflow(&[text]), Err(Error::InvalidQuery { .. })), "{text}");
    }
    assert!(RunOrder::mlflow(&["metrics.a", "metrics.a DESC"]).is_err());
}
