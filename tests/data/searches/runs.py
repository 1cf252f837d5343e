"""Writes what the real MLflow finds among runs: the runs, then searches with the names of what they find, or that they are
refused.

    python3 -m venv venv && venv/bin/pip install mlflow==3.17.2
    venv/bin/python runs.py > runs.json

Made with Python 3.11, mlflow 3.17.2, its sqlite store. Ids and times are the test's, so that the file is the same each time.
"""

import json, os, tempfile, uuid

os.environ["GIT_PYTHON_REFRESH"] = "quiet"

import mlflow.store.tracking.sqlalchemy_store as tracking_module
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException

folder = tempfile.mkdtemp()
store = tracking_module.SqlAlchemyStore("sqlite:///%s/mlflow.db" % folder, folder)

NAN, INF = float("nan"), float("inf")
ID = "%032x"
# Name, user, start, end or None while it runs, status, metrics (key, step, time, value), params, tags, datasets (name, digest,
# context), whether it was deleted.
RUNS = [
    ["exp-1", "ada", 1700000000000, 1700000100000, "FINISHED", [["loss", 1, 10, 0.9], ["loss", 2, 20, 0.4], ["acc", 1, 10, 0.5]],
     {"opt": "adam", "lr": "0.1", "learning rate": "0.05"}, {"env": "prod"}, [["iris", "d1", "training"]], False],
    ["exp-2", "bob", 1700000001000, 1700000090000, "FAILED", [["loss", 1, 10, NAN], ["acc", 1, 10, 0.7]],
     {"opt": "sgd", "lr": "0.01"}, {"env": "test", "note": "it's"}, [["IRIS-large", "d2", "training"], ["iris", "d1", "eval"]], False],
    ["Exp-3", "ada", 1700000002000, None, "RUNNING", [["loss", 1, 10, INF], ["eval/f1 score", 1, 10, 0.75]],
     {"opt": "Adam", "lr": "9"}, {}, [], False],
    ["exp 4", "eve", 1700000003000, 1700000080000, "KILLED", [["loss", 5, 10, -0.5], ["loss", 3, 99, 7.0]],
     {"lr": "10", "learning rate": "0.5"}, {"env": "PROD", "mlflow.parentRunId": "abc"}, [["digits", "d3", "training"]], False],
    ["exp_5", "", 1700000003000, 1700000070000, "FINISHED", [["loss", 1, 10, -INF], ["loss", 1, 10, 0.25], ["acc", 1, 10, 0.5]],
     {"opt": "adam", "lr": "100"}, {"env": "", "a.b.c": "dots"}, [], False],
    ["gone", "ada", 1700000004000, 1700000060000, "FINISHED", [["loss", 1, 10, 0.1]], {"opt": "adam"}, {"env": "prod"}, [], True],
    ["none", "bob", 1700000005000, 1700000200000, "FINISHED", [], {}, {}, [["digits", "d4", "eval"]], False],
    ["exp-1", "bob", 1700000006000, 1700000100000, "FINISHED", [["loss", 1, 10, 0.4], ["acc", 1, 10, NAN]],
     {"opt": "adamw", "lr": "1e-3"}, {"env": "prod", "note": 'say "no"'}, [["iris", "d9", "training"]], False],
]

FILTERS = [
    "", "metrics.loss < 0.5 and params.opt = 'adam'", "metrics.`eval/f1 score` >= .7", "params.\"learning rate\" LIKE '0.0%'",
    "tags.`mlflow.parentRunId` = 'abc'", "tags.env IS NULL AND status != 'RUNNING'", "run_id IN ('" + ID % 1 + "','" + ID % 4 + "')",
    "run_id NOT IN ('" + ID % 1 + "')", "attributes.start_time >= 1700000003000", "run_name ILIKE 'exp-%'", "run_name LIKE 'exp-%'",
    "dataset.context = 'training' AND dataset.name ILIKE 'IRIS%'", "dataset.name = 'iris' AND dataset.context = 'training'",
    "datasets.digest IN ('d3', 'd4')", "datasets.digest NOT IN ('d1')", "dataset.name != 'iris'", "dataset.name LIKE 'iris%'",
    "metric.loss > 0.4", "metrics.loss >= 0.4", "metrics.loss = 0.4", "metrics.loss != 0.4", "metrics.loss <= -0.5", "metrics.acc < 1e-1",
    "metrics.acc > -1.5 AND metrics.loss > .1", "params.lr = '0.1'", "params.lr != '0.1'", "param.opt LIKE 'adam'", "params.opt ILIKE 'ADAM'",
    "parameters.opt LIKE 'adam%'", "params.opt LIKE 'a_am'", "params.opt IS NULL", "params.opt IS NOT NULL AND tags.note IS NULL",
    "tags.env = 'prod'", "tag.env ILIKE 'prod'", "tags.env != 'prod'", "tags.env = ''", "tags.note = \"it's\"", "tags.note = 'say \"no\"'",
    "tags.a.b.c = 'dots'", "tags.mlflow.runName = 'exp-1'", "status = 'FINISHED'", "status = 'finished'", "status LIKE 'F%'",
    "user_id = 'ada'", "attributes.user_id != 'ada'", "user_id = ''", "start_time < 1700000003000 AND start_time > 1700000000000",
    "end_time > 1700000090000", "end_time = 1700000100000", "end_time != 1700000100000", "created = 1700000000000",
    "attributes.`run name` = 'exp-1'", "attributes.\"Run Name\" LIKE 'exp%'", "run.status = 'KILLED'", "attr.run_name = 'none'",
    "metrics.loss > 0 AND", "AND metrics.loss > 0", "metrics.loss > 0 metrics.acc > 0", "metrics.nothing > 0", "params.nothing = 'x'",
    "params.nothing IS NULL", "metrics.loss > 1000000000000000000000", "metrics.loss<0.5", "METRICS.loss < 1", "metrics.loss LIKE 'x'",
    "run_id = '" + ID % 2 + "'", "run_id LIKE '0%3'", "run_id != '" + ID % 2 + "'", "artifact_uri LIKE '%artifacts'",
    # Refused.
    "params.lr > 0.1", "params.lr = 0.1", "metrics.a > '1'", "params.a IN ('x')", "status IN ('FINISHED')", "metrics.a IS NULL",
    "a = 1 OR b = 2", "metrics.a = 1 OR metrics.b = 2", "(metrics.a > 1)", "metrics.a-b > 1", "run_id IN (1)", "run_id IN ()", "  ",
    "NOT metrics.a > 1", "metrics.a BETWEEN 1 AND 2", "params.a RLIKE 'x'", "params.a NOT LIKE 'x'", "metrics.a <> 1", "metrics.a == 1",
    "metrics.a > 1;", "metrics.a > +1", "metrics.a > 0x10", "metrics.a > inf", "metrics.a > nan", "start_time > '5'", "start_time LIKE 'x'",
    "experiment_id = '1'", "lifecycle_stage = 'active'", "metrics.a", "metrics.a >", "> 1", "metrics . a > 1", "nothing.a = 'x'",
    "dataset.source = 'x'", "tags.env > 'a'", "params.a = x", "params.a = 'x", "metrics.a > 1 -- note",
]
ORDERS = [
    ["metrics.loss"], ["metrics.loss DESC"], ["metrics.acc ASC"], ["metrics.acc desc"], ["params.lr"], ["params.lr DESC"], ["params.opt"],
    ["tags.env"], ["tags.env DESC"], ["tags.note"], ["start_time"], ["start_time DESC"], ["attributes.start_time ASC"], ["end_time"],
    ["end_time DESC"], ["status"], ["run_name"], ["run_name DESC"], ["user_id"], ["run_id DESC"], ["created"], ["attributes.`Run Name`"],
    ["metrics.acc", "metrics.loss"], ["metrics.acc DESC", "start_time"], ["params.opt", "metrics.loss DESC"], ["metrics.nothing"],
    ["metrics.`eval/f1 score`"], ["tag.env", "param.lr"],
    # Refused.
    ["nothing"], ["attributes.nothing"], ["metrics.loss, metrics.acc"], ["metrics.loss down"], ["metrics.loss ASC DESC"], ["dataset.name"],
    [""], ["metrics.a-b"],
]


def create(number, name, user, start, end, status, metrics, params, tags, datasets, deleted):
    fixed = uuid.UUID(int=number)
    tracking_module.uuid.uuid4 = lambda: fixed
    run = store.create_run("0", user, start, [RunTag(*pair) for pair in tags.items()], name).info.run_id
    assert run == ID % number
    store.log_batch(run, [Metric(key, value, at, step) for key, step, at, value in metrics], [Param(*pair) for pair in params.items()], [])
    inputs = [DatasetInput(Dataset(name, digest, "local", "here"), [InputTag("mlflow.data.context", context)])
              for name, digest, context in datasets]
    if inputs:
        tracking_module.uuid.uuid4 = uuid_of
        store.log_inputs(run, inputs)
    if end:
        store.update_run_info(run, RunStatus.from_string(status), end, None)
    if deleted:
        store.delete_run(run)


uuid_of = uuid.uuid4
for number, run in enumerate(RUNS):
    create(number, *run)
searches = []
cases = [(filter, [], ViewType.ACTIVE_ONLY) for filter in FILTERS] + [("", order, ViewType.ACTIVE_ONLY) for order in ORDERS]
cases += [("params.opt = 'adam'", ["metrics.loss"], view) for view in (ViewType.ALL, ViewType.DELETED_ONLY)]
for filter, order, view in cases:
    try:
        found = [int(run.info.run_id, 16) for run in store.search_runs(["0"], filter, view, 1000, order)]
    except MlflowException:
        found = None
    searches.append([ViewType.to_string(view), filter, order, found])
# JSON has no other numbers.
told = lambda value: value if value - value == 0 else str(value)
for run in RUNS:
    run[5] = [[*point[:3], told(point[3])] for point in run[5]]
text = json.dumps
print('{"runs": [\n' + ",\n".join(text(run) for run in RUNS) + '],\n"searches": [\n' + ",\n".join(text(search) for search in searches) + "]}")
