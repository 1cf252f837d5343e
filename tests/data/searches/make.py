"""Writes what the real MLflow finds among experiments, registered models and model versions: operations, then searches with
what they find, or that they are refused.

    python3 -m venv venv && venv/bin/pip install mlflow==3.17.2
    venv/bin/python make.py > mlflow.json

Made with Python 3.11, mlflow 3.17.2, its sqlite stores. Times are the test's, so that the file is the same each time.
"""

import json, os, tempfile

os.environ["GIT_PYTHON_REFRESH"] = "quiet"

import mlflow.store.model_registry.sqlalchemy_store as registry_module
import mlflow.store.tracking.sqlalchemy_store as tracking_module
from mlflow.entities import ExperimentTag, ViewType
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.exceptions import MlflowException

now = 1000
for module in (registry_module, tracking_module):
    module.get_current_time_millis = lambda: now

folder = tempfile.mkdtemp()
tracking = tracking_module.SqlAlchemyStore("sqlite:///%s/mlflow.db" % folder, folder)
registry = registry_module.SqlAlchemyStore("sqlite:///%s/mlflow.db" % folder)

RUN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
PROMPT = "mlflow.prompt.is_prompt"

# The time, what is done, and to what.
OPERATIONS = [
    [2000, "create_experiment", "digits", {"team": "vision", "size": "10"}],
    [3000, "create_experiment", "Digits, large", {"team": "Vision"}],
    [4000, "create_experiment", "letters", {"team": "it's \"text\""}],
    [5000, "create_experiment", "speech_100%", {}],
    [6000, "create_experiment", "gone", {"team": "vision"}],
    [7000, "rename_experiment", "digits", "digits"],
    [7500, "set_experiment_tag", "letters", "later", "yes"],
    [8000, "delete_experiment", "gone"],
    [9000, "create_model", "digits", {"team": "vision", "kind": "a"}],
    [9000, "create_model", "Digits", {"team": "vision"}],
    [10000, "create_model", "letters", {"team": "text", "kind": "b"}],
    [11000, "create_model", "speech 100%", {}],
    [12000, "create_model", "greeting", {PROMPT: "true", "team": "text"}],
    [13000, "create_model", "plain", {PROMPT: "false"}],
    [14000, "create_model", "old name", {"kind": "a"}],
    [15000, "create_version", "digits", "s3://models/digits/1", RUN, {"size": "small"}],
    [16000, "create_version", "digits", "s3://models/digits/2", OTHER, {"size": "large", "ok": "yes"}],
    [17000, "create_version", "letters", "s3://models/Letters/1", RUN, {}],
    [18000, "create_version", "old name", "mlflow-artifacts:/0/x/artifacts/model", None, {"size": "SMALL"}],
    [19000, "create_version", "digits", "s3://models/digits/3", None, {}],
    [20000, "create_version", "greeting", "prompt", None, {PROMPT: "true"}],
    [21000, "create_version", "Digits", "s3://models/digits/1", RUN, {"size": "small"}],
    [22000, "set_stage", "digits", 2, "Production", False],
    [23000, "set_stage", "digits", 1, "Production", True],
    [24000, "rename_model", "old name", "new name"],
    [25000, "delete_version", "digits", 3],
    [26000, "create_version", "digits", "s3://models/digits/4", None, {"size": "small"}],
    [27000, "describe_model", "speech 100%", "words"],
    [28000, "describe_version", "letters", 1, "the alphabet"],
    [29000, "set_model_tag", "letters", "kind", "c"],
    [30000, "set_version_tag", "letters", 1, "size", "tiny"],
    [31000, "delete_model_tag", "Digits", "team"],
    [31000, "describe_version", "digits", 1, "the first"],
]


def apply(what, *given):
    if what == "create_experiment":
        tracking.create_experiment(given[0], tags=[ExperimentTag(k, v) for k, v in given[1].items()])
    elif what == "rename_experiment":
        tracking.rename_experiment(tracking.get_experiment_by_name(given[0]).experiment_id, given[1])
    elif what == "set_experiment_tag":
        tag = ExperimentTag(given[1], given[2])
        tracking.set_experiment_tag(tracking.get_experiment_by_name(given[0]).experiment_id, tag)
    elif what == "delete_experiment":
        tracking.delete_experiment(tracking.get_experiment_by_name(given[0]).experiment_id)
    elif what == "create_model":
        registry.create_registered_model(given[0], [RegisteredModelTag(k, v) for k, v in given[1].items()])
    elif what == "create_version":
        tags = [ModelVersionTag(k, v) for k, v in given[3].items()]
        registry.create_model_version(given[0], given[1], run_id=given[2], tags=tags)
    elif what == "set_stage":
        registry.transition_model_version_stage(given[0], str(given[1]), given[2], given[3])
    elif what == "rename_model":
        registry.rename_registered_model(given[0], given[1])
    elif what == "delete_version":
        registry.delete_model_version(given[0], str(given[1]))
    elif what == "describe_model":
        registry.update_registered_model(given[0], given[1])
    elif what == "describe_version":
        registry.update_model_version(given[0], str(given[1]), given[2])
    elif what == "set_model_tag":
        registry.set_registered_model_tag(given[0], RegisteredModelTag(given[1], given[2]))
    elif what == "delete_model_tag":
        registry.delete_registered_model_tag(given[0], given[1])
    elif what == "set_version_tag":
        registry.set_model_version_tag(given[0], str(given[1]), ModelVersionTag(given[2], given[3]))


EXPERIMENTS = [
    ("", []),
    ("", ["name"]),
    ("", ["name DESC"]),
    ("", ["creation_time"]),
    ("", ["attribute.last_update_time DESC", "name"]),
    ("name = 'digits'", []),
    ("name != 'digits'", ["name ASC"]),
    ("name LIKE 'digits%'", []),
    ("name ILIKE 'digits%'", []),
    ("name LIKE '%100%'", []),
    ("name LIKE 'speech_100_'", []),
    ("attribute.name = \"letters\"", []),
    ("tags.team = 'vision'", []),
    ("tag.team ILIKE 'vision'", []),
    ("tags.team != 'vision'", []),
    ("tags.team IS NULL", []),
    ("tags.team IS NOT NULL AND tags.size IS NULL", ["creation_time ASC"]),
    ("tags.`team` LIKE 'it%'", []),
    ("creation_time > 3000", []),
    ("creation_time >= 3000 AND creation_time < 5000", []),
    ("last_update_time = 7000", []),
    ("creation_time != 3000", []),
    ("experiment_id = '0'", []),
    ("experiment_id != '0'", []),
    ("experiment_id IN ('0', '77777')", []),
    ("experiment_id NOT IN ('0')", []),
    ("experiment_id LIKE '0'", []),
    ("experiment_id > '0'", []),
    ("name IN ('digits')", []),
    ("creation_time > '3000'", []),
    ("creation_time > 1.5", []),
    ("name > 'a'", []),
    ("name = digits", []),
    ("nam = 'digits'", []),
    ("tags.team IN ('vision')", []),
    ("params.lr = '1'", []),
    ("attributes.name = 'digits'", []),
    ("name = 'a' OR name = 'b'", []),
    ("name = 'digits' AND", []),
    ("name IS NULL", []),
    ("", ["tags.team"]),
    ("", ["nam"]),
    ("", ["name down"]),
    ("", ["name, creation_time"]),
]
MODELS = [
    ("", []),
    ("", ["name DESC"]),
    ("", ["name ASC"]),
    ("", ["last_updated_timestamp DESC"]),
    ("", ["last_updated_timestamp"]),
    ("", ["timestamp desc", "name"]),
    ("name = 'digits'", []),
    ("name != 'digits'", []),
    ("name LIKE 'd%'", []),
    ("name ILIKE 'd%'", []),
    ("name LIKE '%100%'", []),
    ("name IN ('digits', 'letters', 'none')", []),
    ("name NOT IN ('digits', 'letters')", ["name DESC"]),
    ("attribute.name = 'digits'", []),
    ("tags.team = 'vision'", []),
    ("tag.team != 'vision'", []),
    ("tags.team LIKE 't%' AND tags.kind = 'c'", []),
    ("tags.kind ILIKE 'A'", []),
    ("tags.kind = 'a' AND name LIKE 'new%'", []),
    ("tags.`mlflow.prompt.is_prompt` = 'true'", []),
    ("tags.`mlflow.prompt.is_prompt` = 'TRUE'", []),
    ("tags.`mlflow.prompt.is_prompt` != 'true'", []),
    ("tags.`mlflow.prompt.is_prompt` = 'false'", []),
    ("tags.`mlflow.prompt.is_prompt` = 'true' AND tags.team = 'text'", []),
    ("tags.`mlflow.prompt.is_prompt` != 'true' AND tags.team = 'text'", []),
    ("name = 'greeting'", []),
    ("name > 'digits'", []),
    ("name = digits", []),
    ("timestamp > 3", []),
    ("last_updated_timestamp > 3", []),
    ("description = 'words'", []),
    ("run_id = 'x'", []),
    ("tags.team IN ('vision')", []),
    ("tags.team IS NULL", []),
    ("name = 'a' OR name = 'b'", []),
    ("name IN ()", []),
    ("name IN (1)", []),
    ("", ["creation_timestamp"]),
    ("", ["tags.team"]),
    ("", ["name down"]),
]
VERSIONS = [
    ("", []),
    ("", ["name"]),
    ("", ["name DESC"]),
    ("", ["version_number"]),
    ("", ["version_number DESC", "name DESC"]),
    ("", ["creation_timestamp"]),
    ("", ["creation_timestamp DESC"]),
    ("", ["last_updated_timestamp ASC"]),
    ("name = 'digits'", []),
    ("name != 'digits'", []),
    ("name ILIKE 'DIGITS'", []),
    ("name IN ('digits', 'letters')", ["version_number ASC"]),
    ("run_id = '%s'" % RUN, []),
    ("run_id != '%s'" % RUN, []),
    ("run_id IN ('%s', '%s')" % (RUN, OTHER), []),
    ("run_id NOT IN ('%s')" % RUN, []),
    ("run_id LIKE '0123%'", []),
    ("source_path = 's3://models/digits/1'", []),
    ("source_path LIKE 's3://models/l%'", []),
    ("source_path ILIKE 's3://models/l%'", []),
    ("source_path != 's3://models/digits/1'", []),
    ("version_number = 1", []),
    ("version_number > 1", []),
    ("version_number <= 2 AND name = 'digits'", []),
    ("version_number != 1", []),
    ("tags.size = 'small'", []),
    ("tags.size ILIKE 'small'", []),
    ("tags.size != 'small'", []),
    ("tags.size = 'large' AND tags.ok = 'yes'", []),
    ("tags.size = 'small' AND run_id = '%s'" % RUN, ["name"]),
    ("tags.`mlflow.prompt.is_prompt` = 'true'", []),
    ("tags.`mlflow.prompt.is_prompt` = 'false'", []),
    ("name = 'greeting'", []),
    ("version_number > '1'", []),
    ("version_number > 1.5", []),
    ("version_number LIKE 1", []),
    ("version_number IN (1)", []),
    ("source_path IN ('x')", []),
    ("run_id > 'x'", []),
    ("creation_timestamp > 3", []),
    ("stage = 'Production'", []),
    ("tags.size IN ('small')", []),
    ("tags.size IS NULL", []),
    ("name = 'a' OR name = 'b'", []),
    ("", ["run_id"]),
    ("", ["source_path"]),
    ("", ["tags.size"]),
]


def search(of, filter, order_by):
    if of == "models":
        found = registry.search_registered_models(filter, 1000, order_by, None)
        return [model.name for model in found]
    if of == "versions":
        found = registry.search_model_versions(filter, 1000, order_by, None)
        return ["%s %s" % (version.name, version.version) for version in found]
    view = {"experiments": ViewType.ACTIVE_ONLY, "deleted experiments": ViewType.DELETED_ONLY}.get(of, ViewType.ALL)
    return [experiment.name for experiment in tracking.search_experiments(view, 1000, filter, order_by, None)]


for at, *operation in OPERATIONS:
    now = at
    apply(*operation)
cases = [("experiments", *case) for case in EXPERIMENTS]
cases += [(of, "tags.team = 'vision'", []) for of in ("deleted experiments", "all experiments")]
cases += [("models", *case) for case in MODELS] + [("versions", *case) for case in VERSIONS]
searches = []
for of, filter, order_by in cases:
    case = {"of": of, "filter": filter, "order_by": order_by}
    try:
        case["found"] = search(of, filter, order_by)
    except MlflowException as error:
        case["refused"] = error.error_code
    except ValueError as error:
        case["refused"] = "ValueError"  # Not meant to be: IS NULL where it is not known.
    searches.append(case)
lines = lambda key, all: '"%s": [\n%s\n]' % (key, ",\n".join(json.dumps(one) for one in all))
print("{%s,\n%s}" % (lines("operations", OPERATIONS), lines("searches", searches)))
