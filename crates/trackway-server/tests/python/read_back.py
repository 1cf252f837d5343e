"""Runs train.py, unmodified, against the server in MLFLOW_TRACKING_URI, and reads back what it logged, call by call.

Each check is a function; what fails is printed, and the process ends with 1.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import traceback

import mlflow
import numpy as np
from mlflow.entities import LoggedModelStatus, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_iris

client = MlflowClient()
folder = os.path.dirname(os.path.abspath(__file__))
trained = subprocess.run([sys.executable, os.path.join(folder, "train.py")], stdout=subprocess.PIPE, text=True, check=True)
RUN, MODEL = trained.stdout.split()[-2:]
mlflow.set_experiment("iris")
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def refused(code, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, error.message)
        return error
    raise AssertionError(f"{function} {arguments} was not refused")


@check
def params_metrics_and_tags():
    run = client.get_run(RUN)
    assert run.info.status == "FINISHED" and run.info.run_name == "baseline"
    assert run.data.params["C"] == "0.5" and run.data.params["nested/param"] == "1"
    assert run.data.tags["team"] == "vision" and run.data.tags["estimator_name"] == "LogisticRegression"
    assert run.data.metrics["loss"] == 1 / 20 and math.isnan(run.data.metrics["auc"])
    assert "training_accuracy_score" in run.data.metrics


@check
def metric_history():
    points = client.get_metric_history(RUN, "loss")
    assert [(point.step, point.value) for point in points] == [(step, 1 / (step + 1)) for step in range(20)]


@check
def search_runs_by_all_sorts_of_fields():
    for text in [
        "metrics.loss < 0.1",
        "params.C = '0.5' and tags.team = 'vision'",
        "dataset.name = 'iris-train' and dataset.context = 'training'",
        "attributes.run_name LIKE 'base%'",
    ]:
        frame = mlflow.search_runs(experiment_names=["iris"], filter_string=text)
        assert list(frame.run_id) == [RUN], (text, frame)
    assert len(mlflow.search_runs(experiment_names=["iris"], filter_string="metrics.loss > 1")) == 0


@check
def dataset_inputs():
    found = {item.dataset.name: item for item in client.get_run(RUN).inputs.dataset_inputs}
    assert "iris-train" in found
    train = found["iris-train"]
    assert {tag.key: tag.value for tag in train.tags}["mlflow.data.context"] == "training"
    assert json.loads(train.dataset.schema) and json.loads(train.dataset.profile)["num_rows"] == 112
    assert mlflow.data.get_source(train).uri == "iris.csv"


@check
def artifacts_are_listed_and_downloaded():
    names = sorted(item.path for item in client.list_artifacts(RUN))
    assert {"notes", "config.json", "files", "table.json"} <= set(names), names
    deep = client.list_artifacts(RUN, "files/deep/er")
    assert [(item.path, item.is_dir) for item in deep] == [("files/deep/er/weights 5%.bin", False)], deep
    assert mlflow.artifacts.load_text(f"runs:/{RUN}/notes/first.txt") == "hello\n"
    assert mlflow.artifacts.load_dict(f"runs:/{RUN}/config.json") == {"a": [1, 2]}
    assert mlflow.load_table("table.json", run_ids=[RUN]).to_dict("list") == {"q": ["x"], "a": ["y"]}
    with tempfile.TemporaryDirectory() as target:
        path = client.download_artifacts(RUN, "files", target)
        with open(os.path.join(path, "deep", "er", "weights 5%.bin"), "rb") as file:
            assert file.read() == bytes(range(256)) * 5000


@check
def images_and_figures():
    with mlflow.start_run(run_id=RUN):
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), key="black", step=1)
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "white.png")
    names = [item.path for item in client.list_artifacts(RUN, "images")]
    assert len(names) == 2, names
    with tempfile.TemporaryDirectory() as target:
        assert os.path.getsize(client.download_artifacts(RUN, names[0], target)) > 0


@check
def a_missing_artifact_is_an_error_and_a_traversal_is_refused():
    for path in ["nothing", "notes", "../x", "/etc/passwd"]:
        try:
            mlflow.artifacts.load_text(f"runs:/{RUN}/{path}")
        except Exception:
            continue
        raise AssertionError(path)


@check
def artifacts_are_deleted():
    repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(client.get_run(RUN).info.artifact_uri)
    client.log_text(RUN, "x", "gone/a.txt")
    repository.delete_artifacts("gone")
    assert client.list_artifacts(RUN, "gone") == []


@check
def the_logged_model():
    model = mlflow.get_logged_model(MODEL)
    assert model.name == "classifier" and model.status == LoggedModelStatus.READY
    assert model.source_run_id == RUN and model.params["C"] == "0.5"
    measured = {(metric.key, metric.step, metric.dataset_name) for metric in model.metrics}
    assert ("val_accuracy", 4, "iris-train") in measured, measured
    run = client.get_run(RUN)
    assert MODEL in [output.model_id for output in run.outputs.model_outputs]
    assert {output.step for output in run.outputs.model_outputs if output.model_id == MODEL} == {3}


@check
def load_model_by_every_uri():
    data = load_iris(as_frame=True).data
    by_id = mlflow.sklearn.load_model(f"models:/{MODEL}")
    by_run = mlflow.sklearn.load_model(f"runs:/{RUN}/classifier")
    assert (by_id.predict(data) == by_run.predict(data)).all() and by_id.C == 0.5
    assert len(mlflow.pyfunc.load_model(f"models:/{MODEL}").predict(data)) == 150


@check
def search_logged_models():
    experiment = client.get_run(RUN).info.experiment_id
    found = client.search_logged_models([experiment], filter_string="name = 'classifier'")
    assert [model.model_id for model in found] == [MODEL]
    frame = mlflow.search_logged_models(experiment_ids=[experiment], filter_string="name = 'classifier'")
    assert list(frame.model_id) == [MODEL]
    ordered = client.search_logged_models(
        [experiment],
        filter_string="metrics.val_accuracy > 0.9 AND params.C = '0.5'",
        order_by=[{"field_name": "metrics.val_accuracy", "ascending": False}],
    )
    assert [model.model_id for model in ordered] == [MODEL]
    on = client.search_logged_models([experiment], datasets=[{"dataset_name": "iris-train"}])
    assert [model.model_id for model in on] == [MODEL]
    refused("INVALID_PARAMETER_VALUE", client.search_logged_models, [experiment], filter_string="nothing > 1")


@check
def logged_models_by_hand():
    with mlflow.start_run(experiment_id=client.get_run(RUN).info.experiment_id) as run:
        model = mlflow.initialize_logged_model(name="by-hand", params={str(n): "x" for n in range(250)}, tags={"a": "1"})
        assert model.status == LoggedModelStatus.PENDING
        mlflow.log_metrics({"m": 1.0}, step=1, model_id=model.model_id)
        client.log_model_artifacts(model.model_id, folder)
        model = mlflow.finalize_logged_model(model.model_id, "READY")
    assert len(model.params) == 250 and model.metrics[0].run_id == run.info.run_id
    assert "train.py" in [item.path for item in client.list_logged_model_artifacts(model.model_id)]
    mlflow.set_logged_model_tags(model.model_id, {"b": "2"})
    mlflow.delete_logged_model_tag(model.model_id, "a")
    assert mlflow.get_logged_model(model.model_id).tags.get("b") == "2"
    client.log_inputs(run.info.run_id, models=[mlflow.entities.LoggedModelInput(model.model_id)])
    assert [item.model_id for item in client.get_run(run.info.run_id).inputs.model_inputs] == [model.model_id]
    client.delete_logged_model(model.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, model.model_id)


@check
def the_model_that_autolog_registered():
    versions = client.search_model_versions("name = 'iris-auto'")
    assert [version.version for version in versions] in ([1], ["1"]) and versions[0].run_id == RUN, versions
    assert len(mlflow.pyfunc.load_model("models:/iris-auto/1").predict(load_iris(as_frame=True).data)) == 150


@check
def registry():
    version = mlflow.register_model(f"models:/{MODEL}", "iris", tags={"size": "small"})
    again = mlflow.register_model(f"runs:/{RUN}/classifier", "iris")
    assert (int(version.version), int(again.version)) == (1, 2)
    assert client.get_model_version("iris", "1").run_id == RUN
    client.set_registered_model_alias("iris", "champion", "1")
    assert int(client.get_model_version_by_alias("iris", "champion").version) == 1
    assert mlflow.sklearn.load_model("models:/iris@champion").C == 0.5
    client.transition_model_version_stage("iris", "1", "Production")
    client.transition_model_version_stage("iris", "2", "Production", archive_existing_versions=True)
    assert client.get_model_version("iris", "1").current_stage == "Archived"
    assert mlflow.sklearn.load_model("models:/iris/Production").C == 0.5
    assert [int(found.version) for found in client.get_latest_versions("iris", ["Production"])] == [2]
    client.update_registered_model("iris", "flowers")
    client.update_model_version("iris", "1", "first")
    client.set_registered_model_tag("iris", "team", "vision")
    client.set_model_version_tag("iris", "1", "checked", "yes")
    client.rename_registered_model("iris", "flowers")
    model = client.get_registered_model("flowers")
    assert model.description == "flowers" and model.tags == {"team": "vision"} and model.aliases["champion"] in (1, "1")
    found = client.search_registered_models("name LIKE 'flow%' AND tags.team = 'vision'")
    assert [item.name for item in found] == ["flowers"]
    found = client.search_model_versions(f"run_id = '{RUN}' AND name = 'flowers'", order_by=["version_number DESC"])
    assert [int(item.version) for item in found] == [2, 1]
    copied = client.copy_model_version("models:/flowers/1", "copies")
    assert mlflow.sklearn.load_model(f"models:/copies/{copied.version}").C == 0.5
    client.delete_registered_model_alias("flowers", "champion")
    client.delete_model_version_tag("flowers", "1", "checked")
    client.delete_registered_model_tag("flowers", "team")
    client.delete_model_version("flowers", "2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "flowers", "2")
    refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, "flowers")
    refused("INVALID_PARAMETER_VALUE", client.create_model_version, "flowers", "/etc/passwd", RUN)
    refused("INVALID_PARAMETER_VALUE", client.create_model_version, "flowers", f"runs:/{RUN}/../../x", RUN)
    client.delete_registered_model("flowers")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "flowers")


@check
def prompts():
    prompt = mlflow.genai.register_prompt(name="greet", template="Hello {{name}}")
    assert prompt.version == 1 and mlflow.genai.load_prompt("prompts:/greet/1").template == "Hello {{name}}"
    assert "greet" not in [item.name for item in client.search_registered_models()]


@check
def nested_runs_and_async_logging():
    with mlflow.start_run(experiment_id=client.get_run(RUN).info.experiment_id) as parent:
        for number in range(3):
            with mlflow.start_run(nested=True, run_name=f"child-{number}"):
                for step in range(50):
                    mlflow.log_metric("m", number * step, step=step, synchronous=False)
        mlflow.flush_async_logging()
    children = mlflow.search_runs(
        experiment_ids=[parent.info.experiment_id], filter_string=f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    assert sorted(children["metrics.m"]) == [0, 49, 98]
    assert all(len(client.get_metric_history(run, "m")) == 50 for run in children.run_id)


@check
def deleting_and_restoring():
    experiment = client.create_experiment("short-lived")
    run = client.create_run(experiment)
    client.delete_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    client.restore_run(run.info.run_id)
    client.delete_experiment(experiment)
    found = client.search_experiments(ViewType.DELETED_ONLY)
    assert [item.name for item in found] == ["short-lived"]
    client.restore_experiment(experiment)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"


def main():
    failed = []
    for function in CHECKS:
        try:
            function()
            print("works", function.__name__, flush=True)
        except Exception:
            failed.append(function.__name__)
            print("FAILS", function.__name__, flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)


main()
