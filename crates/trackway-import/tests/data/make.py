"""Writes the data of these tests with the real packages, and beside it what they say it holds.

    python3 -m venv venv && venv/bin/pip install mlflow==3.17.2 tensorboardX==2.6.5
    rm -rf mlruns tensorboard mlflow.sql *.json && venv/bin/python make.py

or only some of it: `rm -rf mlruns && venv/bin/python make.py mlruns sqlite`.

Made with Python 3.11, mlflow 3.17.2, tensorboardX 2.6.5. The ids and times differ each time. The sqlite file is kept as
text (its tables of experiments and runs, in the order of the rows): the file itself has 60 other tables.
"""

import json, math, os, shutil, socket, sqlite3, struct, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
os.environ["LOGNAME"] = "ann"
socket.gethostname = lambda: "host"
PARTS = sys.argv[1:] or ["mlruns", "sqlite", "tensorboard"]
sys.argv = ["train.py"]

from mlflow.entities import (
    Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag, ViewType,
)
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

KEPT_TABLES = [
    "experiments", "experiment_tags", "runs", "params", "tags", "metrics", "latest_metrics",
    "datasets", "inputs", "input_tags",
    "logged_models", "logged_model_params", "logged_model_tags", "logged_model_metrics",
]


def text(value):
    """A double as the tests compare it: by its bits."""
    return struct.pack(">d", value).hex()


class Models:
    """Logged models as they are made, with all that is logged of them: a store of files says only the last of it."""

    def __init__(self, client):
        self.client, self.logged = client, {}

    def create(self, experiment, **facts):
        model = self.client.create_logged_model(experiment, **facts).model_id
        self.logged[model] = []
        return model

    def log(self, model, run, key, value, timestamp, step, dataset=(None, None)):
        name, digest = dataset
        self.client.log_metric(run, key, value, timestamp=timestamp, step=step, model_id=model, dataset_name=name, dataset_digest=digest)
        self.logged[model].append([key, step, timestamp, run, text(value), name or "", digest or ""])

    def put(self, model, files):
        work = tempfile.mkdtemp()
        for name, content in files.items():
            os.makedirs(os.path.dirname(f"{work}/{name}"), exist_ok=True)
            with open(f"{work}/{name}", "wb") as file:
                file.write(content)
        self.client.log_model_artifacts(model, work)
        shutil.rmtree(work)


def fill_models(client, experiment, other, full, child):
    """Models of all states in two experiments, and what the two runs have to do with them."""
    models = Models(client)
    best = models.create(experiment, name="digits cnn, \u03b1", source_run_id=full, model_type="pytorch",
                         params={"depth": "3", "note": "two\nlines: 'quoted'"}, tags={"team": "vision \u03b1", "empty": ""})
    client.log_model_params(best, {"opt/name": "adam"})
    client.set_logged_model_tags(best, {"team": "vision", "stage/of it": "done"})
    models.put(best, {"MLmodel": b"flavors: {}\n", "data/weights.bin": bytes(range(200)), "data/empty": b""})
    for i, value in enumerate([math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1]):
        models.log(best, full, "odd", value, 1_700_000_004_000 + i, 3 - i)
    for step in [1, 2]:
        models.log(best, full, "on/data", step / 3, 1_700_000_005_000 + step, step, ("digits", "a1b2c3"))
        models.log(best, full, "on/data", step / 7, 1_700_000_006_000 + step, step, ("plain", "0"))
    # The same key, step and time by two runs.
    models.log(best, full, "acc of it", 0.25, 1_700_000_007_000, 5)
    models.log(best, child, "acc of it", 0.75, 1_700_000_007_000, 5)
    client.finalize_logged_model(best, "READY")
    pending = models.create(experiment)
    failed = models.create(experiment, name="failed", source_run_id=child, tags={"gone": "x", "kept": "y"})
    client.delete_logged_model_tag(failed, "gone")
    client.finalize_logged_model(failed, "FAILED")
    deleted = models.create(experiment, name="deleted", source_run_id=full, params={"depth": "1"})
    models.put(deleted, {"old.bin": b"old"})
    client.finalize_logged_model(deleted, "READY")
    client.log_outputs(full, [LoggedModelOutput(best, 3), LoggedModelOutput(deleted, -1)])
    client.log_inputs(child, models=[LoggedModelInput(best), LoggedModelInput(pending)])
    client.log_outputs(child, [LoggedModelOutput(failed, 2**40)])
    client.delete_logged_model(deleted)
    dropped = models.create(other, name="of a dropped experiment", params={"depth": "2"})
    models.put(dropped, {"small": b"s"})
    return models.logged


def model_of(client, model_id, logged):
    """What the package says of a model; of a deleted one only its store does."""
    model = client._tracking_client.store.get_logged_model(model_id, allow_deleted=True)
    try:
        client.get_logged_model(model_id)
        stage = "active"
    except Exception:
        stage = "deleted"
    root, files = local_file_uri_to_path(model.artifact_location), {}
    for folder, _, names in os.walk(root):
        for path in [f"{folder}/{name}" for name in names]:
            with open(path, "rb") as file:
                files[os.path.relpath(path, root)] = file.read().hex()
    metrics = [[m.key, m.step, m.timestamp, m.run_id, text(m.value), m.dataset_name or "", m.dataset_digest or ""]
               for m in model.metrics or []]
    return dict(id=model_id, experiment=model.experiment_id, name=model.name, type=model.model_type or "", status=str(model.status),
                source_run=model.source_run_id or "", created=model.creation_timestamp, updated=model.last_updated_timestamp,
                stage=stage, params=model.params, tags=model.tags, metrics=sorted(metrics), logged=logged, artifacts=files)


def fill(client):
    """The same experiments, runs and models for any store. Gives what the package says of the models."""
    digits = client.create_experiment("digits, first")
    client.set_experiment_tag(digits, "team", "vision \u03b1")
    dropped = client.create_experiment("dropped")
    work = tempfile.mkdtemp()
    os.makedirs(f"{work}/model")
    for name, content in [("notes.txt", b"hello\n"), ("model/weights.bin", bytes(range(256)) * 5), ("model/empty", b"")]:
        with open(f"{work}/{name}", "wb") as file:
            file.write(content)

    full = client.create_run(digits, start_time=1_700_000_000_000, run_name="baseline: lr=0.1, a long name " + "with words " * 12,
                             tags={"mlflow.user": "ann", "mlflow.source.name": "train.py"}).info.run_id
    for i in range(40):
        client.log_metric(full, "train/loss", 1 / (i + 1), timestamp=1_700_000_000_000 + 7 * i, step=i)
    for i, value in enumerate([math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1, 1e300, 123456789.123456789]):
        client.log_metric(full, "odd values", value, timestamp=1_700_000_001_000 + i, step=3 - i)
    for step in [5, 5, -2, 2**40]:
        client.log_metric(full, "repeats", 0.25, timestamp=1_700_000_002_000, step=step)
    client.log_batch(full, metrics=[Metric("acc", 0.5 + i / 100, 1_700_000_003_000 + i, i) for i in range(10)],
                     params=[Param("lr", "0.1"), Param("note", "two\nlines: 'quoted' \"text\" #"), Param("opt/name", "adam")],
                     tags=[RunTag("stage", "warm up"), RunTag("empty", ""), RunTag("lines", "a\n\nb\n")])
    client.set_tag(full, "stage", "done")
    client.log_artifacts(full, work)
    data = Dataset("digits", "a1b2c3", "local", '{"uri": "data/digits.csv"}', schema='{"columns": 3}', profile='{"rows": 7}')
    bare = Dataset("plain", "0", "http", "https://example.org/x?a=b#c")
    client.log_inputs(full, datasets=[DatasetInput(data, [InputTag("mlflow.data.context", "training")]), DatasetInput(bare, [])])
    child = client.create_run(digits, start_time=1_700_000_010_000, run_name="child: 'yes'", tags={"mlflow.parentRunId": full}).info.run_id
    client.log_metric(child, "loss", 2.5, timestamp=1_700_000_010_500, step=0)
    logged = fill_models(client, digits, dropped, full, child)
    client.set_terminated(full, "FINISHED", end_time=1_700_000_009_000)
    client.set_terminated(child, "FAILED", end_time=1_700_000_011_000)

    gone = client.create_run(digits, start_time=1_700_000_012_000, run_name="no").info.run_id
    client.log_metric(gone, "loss", 3.5, timestamp=1_700_000_012_500, step=1)
    client.log_param(gone, "empty", "")
    client.set_terminated(gone, "KILLED", end_time=1_700_000_013_000)
    client.delete_run(gone)

    live = client.create_run("0", start_time=1_700_000_014_000, run_name="123").info.run_id
    client.log_metric(live, "loss", 4.5, timestamp=1_700_000_014_500, step=1)

    last = client.create_run(dropped, start_time=1_700_000_015_000, run_name="in a dropped experiment").info.run_id
    client.log_metric(last, "loss", 5.5, timestamp=1_700_000_015_500, step=1)
    client.set_terminated(last, "FINISHED", end_time=1_700_000_016_000)
    # A store of files does not find models of deleted experiments.
    models = [model_of(client, model, points) for model, points in logged.items()]
    client.delete_experiment(dropped)
    shutil.rmtree(work)
    return models


def read_back(client, models):
    """What the package says that the store holds."""
    experiments = []
    for experiment in client.search_experiments(view_type=ViewType.ALL):
        runs = []
        for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL):
            info, run_id = run.info, run.info.run_id
            metrics = {
                key: [[point.step, point.timestamp, text(point.value)] for point in client.get_metric_history(run_id, key)]
                for key in run.data.metrics
            }
            datasets = [
                [i.dataset.name, i.dataset.digest, i.dataset.source_type, i.dataset.source, i.dataset.schema or "",
                 i.dataset.profile or "", {tag.key: tag.value for tag in i.tags}]
                for i in run.inputs.dataset_inputs
            ]
            # Searches of a database do not tell of models.
            whole = client.get_run(run_id)
            runs.append(dict(id=run_id, name=info.run_name, user=info.user_id, status=info.status, start=info.start_time,
                             end=info.end_time, stage=info.lifecycle_stage, params=run.data.params, tags=run.data.tags,
                             metrics=metrics, datasets=sorted(datasets),
                             model_inputs=sorted(i.model_id for i in whole.inputs.model_inputs),
                             model_outputs=sorted([o.model_id, o.step] for o in whole.outputs.model_outputs)))
        experiments.append(dict(id=experiment.experiment_id, name=experiment.name, stage=experiment.lifecycle_stage,
                                tags=experiment.tags, runs=sorted(runs, key=lambda run: run["start"]),
                                models=[model for model in models if model["experiment"] == experiment.experiment_id]))
    return experiments


def write_json(name, value):
    with open(f"{HERE}/{name}", "w") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.write("\n")


def make_mlruns():
    client = MlflowClient(f"{HERE}/mlruns")
    models = fill(client)
    write_json("mlruns.json", read_back(client, models))
    # As if it had been moved here: the absolute paths inside lead nowhere.
    for folder, _, names in os.walk(f"{HERE}/mlruns"):
        for name in [f"{folder}/{name}" for name in names if name == "meta.yaml"]:
            with open(name) as file:
                moved = file.read().replace(HERE, "/home/ann/project")
            with open(name, "w") as file:
                file.write(moved)


def make_sqlite():
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    models = fill(client)
    write_json("mlflow.json", read_back(client, models))
    db = sqlite3.connect(f"{folder}/mlflow.db")
    with open(f"{HERE}/mlflow.sql", "w") as out:
        for table in KEPT_TABLES:
            (schema,) = db.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [table]).fetchone()
            out.write(schema + ";\n")
            names = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
            quoted = ", ".join(f"quote({name})" for name in names)
            for row in db.execute(f"SELECT {quoted} FROM {table} ORDER BY rowid"):
                out.write(f"INSERT INTO {table} VALUES ({', '.join(row)});\n".replace(folder, "@FOLDER@"))
    if os.path.exists(f"{HERE}/sqlite-artifacts"):
        shutil.rmtree(f"{HERE}/sqlite-artifacts")
    shutil.copytree(f"{folder}/mlruns", f"{HERE}/sqlite-artifacts")


def make_tensorboard():
    import numpy
    from tensorboardX import SummaryWriter

    expected = {}
    single = lambda value: text(float(numpy.float32(value)))
    for run, first in [(".", 0), ("train", 10), ("eval/deep", 20)]:
        writer = SummaryWriter(os.path.join(HERE, "tensorboard", run), flush_secs=1)
        tags = expected.setdefault(run, {})
        for step in range(12):
            wall = 1_700_000_000.25 + first + step * 0.5
            values = {"loss": 1 / (first + step + 1), "odd/values": [math.nan, math.inf, -math.inf, -0.0][step % 4]}
            for tag, value in values.items():
                writer.add_scalar(tag, value, global_step=step, walltime=wall)
                tags.setdefault(tag, []).append([step, round(wall * 1000), single(value)])
        writer.add_histogram("weights", numpy.array([1.0, 2.0, 3.0]), 1, walltime=1_700_000_100.0)
        writer.add_text("notes", "some text", 1, walltime=1_700_000_100.0)
        writer.close()
    # A training that went on later, in a second file of the same folder.
    writer = SummaryWriter(os.path.join(HERE, "tensorboard", "train"), filename_suffix=".later")
    for step in [11, 12, 13]:
        writer.add_scalar("loss", 0.5, global_step=step, walltime=1_700_000_200.0 + step)
        expected["train"]["loss"].append([step, 1_700_000_200_000 + step * 1000, single(0.5)])
    writer.close()
    writer = SummaryWriter(os.path.join(HERE, "tensorboard", "hparams"))
    writer.add_hparams({"lr": 0.1, "opt": "adam", "nesterov": True, "layers": 4}, {"hparam/acc": 0.75}, name="trial", global_step=3)
    writer.close()
    write_json("tensorboard.json", expected)


for part in PARTS:
    {"mlruns": make_mlruns, "sqlite": make_sqlite, "tensorboard": make_tensorboard}[part]()
