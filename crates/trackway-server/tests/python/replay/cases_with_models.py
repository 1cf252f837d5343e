"""Artifacts, inputs and outputs of runs, logged models, and the model registry."""

CASES = []
FILES = "/api/2.0/mlflow-artifacts/"
NOBODY = "m-" + "0" * 32


def add(name, method, path, **rest):
    CASES.append({"name": "models: " + name, "method": method, "path": path, **rest})


def post(name, path, body, **rest):
    add(name, "POST", path, body=body, **rest)


def get(name, path, query=None, **rest):
    add(name, "GET", path, query=query, **rest)


def patch(name, path, body, **rest):
    add(name, "PATCH", path, body=body, **rest)


def delete(name, path, body=None, **rest):
    add(name, "DELETE", path, body=body if body is not None else {}, **rest)


# Artifacts -----------------------------------------------------------------------------------------------------------------

post("experiment", "experiments/create", {"name": "for models"}, keep={"mexp": "experiment_id"})
post("run", "runs/create", {"experiment_id": "$mexp", "run_name": "maker", "start_time": 1}, keep={"mrun": "run.info.run_id"})
post("another run", "runs/create", {"experiment_id": "$mexp", "run_name": "other", "start_time": 2}, keep={"mother": "run.info.run_id"})
ROOT = "${mexp}/${mrun}/artifacts"
for path in ["a.txt", "d/b.json", "d/e/c.bin", "empty"]:
    add(f"put {path}", "PUT", f"artifacts/{ROOT}/{path}", prefix=FILES, raw="" if path == "empty" else "hello", headers={"Content-Type": "x/y"})
for path in ["", "/d", "/d/e", "/nothing", "/a.txt"]:
    get(f"proxy list {path}", "artifacts", {"path": ROOT + path}, prefix=FILES)
for what, path in {"up": "../x", "encoded": "%2e%2e/x", "absolute": "/etc", "hash": "a#b", "backslash": "a\\b", "of nobody": "7/8/artifacts"}.items():
    get(f"proxy list, {what}", "artifacts", {"path": path}, prefix=FILES)
get("proxy get", f"artifacts/{ROOT}/a.txt", prefix=FILES)
get("proxy get, a folder", f"artifacts/{ROOT}/d", prefix=FILES)
get("proxy get, nothing", f"artifacts/{ROOT}/nothing", prefix=FILES)
for what, path in {"up": "%2e%2e/%2e%2e/x", "double": "%252e%252e/x", "hash": "a%23b", "backslash": "a%5Cb"}.items():
    get(f"proxy get, {what}", f"artifacts/{ROOT}/{path}", prefix=FILES)
    add(f"proxy put, {what}", "PUT", f"artifacts/{ROOT}/{path}", prefix=FILES, raw="x")
    add(f"proxy delete, {what}", "DELETE", f"artifacts/{ROOT}/{path}", prefix=FILES)
for path in ["", "d", "d/e", "nothing", "a.txt"]:
    get(f"list {path}", "artifacts/list", {"run_id": "$mrun", "path": path} if path else {"run_id": "$mrun"})
get("list by run_uuid", "artifacts/list", {"run_uuid": "$mrun"})
get("list of no run", "artifacts/list", {"path": "d"})
get("list of an unknown run", "artifacts/list", {"run_id": "0" * 32})
for what, path in {"up": "../x", "encoded": "%2e%2e/x", "double": "%252e%252e/x", "absolute": "/etc", "hash": "a#b", "backslash": "..\\x"}.items():
    get(f"list, {what}", "artifacts/list", {"run_id": "$mrun", "path": path})
get("get-artifact", "get-artifact", {"run_uuid": "$mrun", "path": "a.txt"}, prefix="/")
get("get-artifact, a folder", "get-artifact", {"run_id": "$mrun", "path": "d"}, prefix="/")
get("get-artifact, up", "get-artifact", {"run_id": "$mrun", "path": "../x"}, prefix="/")
get("get-artifact, unknown run", "get-artifact", {"run_id": "0" * 32, "path": "a"}, prefix="/")
add("page puts", "POST", "upload-artifact", query={"run_uuid": "$mrun", "path": "page/x.txt"}, prefix="/ajax-api/2.0/mlflow/", raw="x")
add("page puts, no run", "POST", "upload-artifact", query={"path": "x"}, prefix="/ajax-api/2.0/mlflow/", raw="x")
add("page puts, no path", "POST", "upload-artifact", query={"run_uuid": "$mrun"}, prefix="/ajax-api/2.0/mlflow/", raw="x")
add("page puts, up", "POST", "upload-artifact", query={"run_uuid": "$mrun", "path": "../x"}, prefix="/ajax-api/2.0/mlflow/", raw="x")
delete("proxy delete a file", f"artifacts/{ROOT}/a.txt", prefix=FILES)
delete("proxy delete a folder", f"artifacts/{ROOT}/d", prefix=FILES)
get("proxy list after deletions", "artifacts", {"path": ROOT}, prefix=FILES)
for step in ["create", "complete", "abort"]:
    post(f"multipart {step}", f"mpu/{step}/{ROOT}", {"path": "x", "num_parts": 1, "upload_id": "u", "parts": []}, prefix=FILES)
get("presigned", f"presigned/{ROOT}/x", prefix=FILES)
for what, body in {"of a run": {"run_id": "$mrun", "path": "x"}, "of nothing": {"path": "x"}, "no path": {"run_id": "$mrun"},
                   "of both": {"run_id": "a", "model_id": "b", "path": "x"}, "up": {"run_id": "$mrun", "path": "../x"},
                   "unknown": {"run_id": "0" * 32, "path": "x"}, "unknown model": {"model_id": NOBODY, "path": "x"}}.items():
    post(f"presigned upload {what}", "artifacts/presigned-upload-url", body)
for what, body in {"of a run": {"run_id": "$mrun", "path": "x"}, "no run": {"path": "x"}, "too long": {"run_id": "$mrun", "path": "x", "expiration": 604801},
                   "zero": {"run_id": "$mrun", "path": "x", "expiration": 0}}.items():
    post(f"presigned download {what}", "artifacts/presigned-download-url", body)

# Inputs and outputs ----------------------------------------------------------------------------------------------------------

DATASET = {"name": "train", "digest": "d1", "source_type": "local", "source": "{}", "schema": "s", "profile": "p"}
CONTEXT = [{"key": "mlflow.data.context", "value": "training"}]
post("inputs", "runs/log-inputs", {"run_id": "$mrun", "datasets": [{"dataset": DATASET, "tags": CONTEXT}], "models": [{"model_id": NOBODY}]})
post("inputs again", "runs/log-inputs", {"run_id": "$mrun", "datasets": [{"dataset": DATASET, "tags": []}]})
post("outputs", "runs/outputs", {"run_id": "$mrun", "models": [{"model_id": NOBODY, "step": 7}]})
get("run with inputs", "runs/get", {"run_id": "$mrun"})
post("search by dataset", "runs/search", {"experiment_ids": ["$mexp"], "filter": "dataset.name = 'train'"})
post("search by context", "runs/search", {"experiment_ids": ["$mexp"], "filter": "dataset.context = 'training'"})
for what, change in {"long name": {"name": "n" * 501}, "long digest": {"digest": "d" * 37}, "long source": {"source": "s" * 65536}}.items():
    post(f"inputs, {what}", "runs/log-inputs", {"run_id": "$mrun", "datasets": [{"dataset": {**DATASET, **change}}]})
for what, tag in {"long key": {"key": "k" * 256, "value": "v"}, "long value": {"key": "k", "value": "v" * 501}}.items():
    post(f"inputs, tag with {what}", "runs/log-inputs", {"run_id": "$mrun", "datasets": [{"dataset": DATASET, "tags": [tag]}]})
for what, body in {"no run": {"datasets": []}, "unknown run": {"run_id": "0" * 32}, "no list": {"run_id": "$mrun", "datasets": "x"}, "nothing": {"run_id": "$mrun"}}.items():
    post(f"inputs, {what}", "runs/log-inputs", body)
for what, body in {"no models": {"run_id": "$mrun"}, "empty": {"run_id": "$mrun", "models": []}, "unknown run": {"run_id": "0" * 32, "models": [{"model_id": NOBODY}]}}.items():
    post(f"outputs, {what}", "runs/outputs", body)
for what, text in {"no json": "{", "too little": "{}", "no object": "[]"}.items():
    post(f"log-model, {what}", "runs/log-model", {"run_id": "$mrun", "model_json": text})
post("log-model, no text", "runs/log-model", {"run_id": "$mrun"})
AJAX = "/ajax-api/2.0/mlflow/"
post("datasets", "experiments/search-datasets", {"experiment_ids": ["$mexp"]}, prefix=AJAX)
post("datasets of nothing", "experiments/search-datasets", {"experiment_ids": []}, prefix=AJAX)
post("datasets of too many", "experiments/search-datasets", {"experiment_ids": ["0"] * 21}, prefix=AJAX)

# Logged models ---------------------------------------------------------------------------------------------------------------

NEW = {"experiment_id": "$mexp", "name": "digits", "model_type": "tree", "source_run_id": "$mrun",
       "params": [{"key": "depth", "value": "3"}], "tags": [{"key": "team", "value": "v"}]}
post("logged model", "logged-models", NEW, keep={"lm": "model.info.model_id"})
post("logged model, bare", "logged-models", {"experiment_id": "$mexp", "name": "bare"}, keep={"lm2": "model.info.model_id"})
post("logged model, third", "logged-models", {"experiment_id": "$mexp", "name": "third", "tags": [{"key": "n", "value": "0.01"}]}, keep={"lm3": "model.info.model_id"})
for what, body in {"no experiment": {}, "word": {"experiment_id": "abc"}, "unknown": {"experiment_id": "987654321"},
                   "slash": {"experiment_id": "$mexp", "name": "a/b"}, "colon": {"experiment_id": "$mexp", "name": "a:b"},
                   "dot": {"experiment_id": "$mexp", "name": "a.b"}, "percent": {"experiment_id": "$mexp", "name": "a%b"},
                   "quote": {"experiment_id": "$mexp", "name": "a'b"}, "params no list": {"experiment_id": "$mexp", "params": "x"}}.items():
    post(f"logged model, {what}", "logged-models", body)
METRIC = {"key": "acc", "timestamp": 1, "step": 1, "model_id": "$lm", "dataset_name": "train", "dataset_digest": "d1"}
post("logged model metric", "runs/log-metric", {"run_id": "$mrun", "value": 0.5, **METRIC})
post("logged model metric again", "runs/log-metric", {"run_id": "$mrun", "value": 0.5, **METRIC})
post("logged model batch", "runs/log-batch", {"run_id": "$mrun", "metrics": [
    {**METRIC, "value": 0.9, "step": 2, "timestamp": 2}, {"key": "acc", "value": 0.1, "timestamp": 1, "step": 1, "model_id": "$lm2"},
    {"key": "loss", "value": 3, "timestamp": 1, "step": 1}]})
patch("logged model ready", "logged-models/$lm".replace("$lm", "${lm}"), {"model_id": "$lm", "status": "LOGGED_MODEL_READY"})
get("logged model read", "logged-models/${lm}")
get("logged model, bare, read", "logged-models/${lm2}")
patch("logged model, no status", "logged-models/${lm}", {"model_id": "$lm"})
patch("logged model, status of nobody", f"logged-models/{NOBODY}", {"model_id": NOBODY, "status": "LOGGED_MODEL_READY"})
get("logged model of nobody", f"logged-models/{NOBODY}")
get("logged model read, word", "logged-models/abc")
patch("logged model tags", "logged-models/${lm}/tags", {"model_id": "$lm", "tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]})
patch("logged model tags of nobody", f"logged-models/{NOBODY}/tags", {"tags": [{"key": "a", "value": "1"}]})
delete("logged model tag", "logged-models/${lm}/tags/a")
delete("logged model tag again", "logged-models/${lm}/tags/a")
post("logged model params", "logged-models/${lm}/params", {"model_id": "$lm", "params": [{"key": "more", "value": "1"}]})
post("logged model params of nobody", f"logged-models/{NOBODY}/params", {"model_id": NOBODY, "params": [{"key": "more", "value": "1"}]})
get("logged model after changes", "logged-models/${lm}")
add("logged model file", "PUT", "artifacts/${mexp}/models/${lm}/artifacts/d/MLmodel", prefix=FILES, raw="flavors:")
for path in ["", "d", "nothing"]:
    get(f"logged model directory {path}", "logged-models/${lm}/artifacts/directories", {"artifact_directory_path": path} if path else None)
get("logged model directory, up", "logged-models/${lm}/artifacts/directories", {"artifact_directory_path": "../x"})
get("logged model directory of nobody", f"logged-models/{NOBODY}/artifacts/directories")
get("logged model file sent", "logged-models/${lm}/artifacts/files", {"artifact_file_path": "d/MLmodel"}, prefix=AJAX)
get("logged model file, up", "logged-models/${lm}/artifacts/files", {"artifact_file_path": "../x"}, prefix=AJAX)
get("logged model file, none", "logged-models/${lm}/artifacts/files", prefix=AJAX)


def search(name, **body):
    post(f"search {name}", "logged-models/search", {"experiment_ids": ["$mexp"], **body})


BY_NAME = [{"field_name": "name", "ascending": True}]
for text in ["", "name = 'digits'", "name LIKE 'd%'", "name ILIKE 'D%'", "name IN ('digits', 'bare')", "name NOT IN ('digits')", "name != 'digits'",
             "attributes.name = 'bare'", "model_type = 'tree'", "source_run_id != 'x'", "metrics.acc > 0.4", "metrics.acc >= 0.9 AND params.depth = '3'",
             "metrics.`acc` < 1", "tags.team = 'v'", "tags.n = 0.01", "tags.team != 'v'", "creation_timestamp > 0", "creation_time > 0",
             "last_updated_timestamp < 5", "params.nothing = 'x'", "name like 'd%' and name in ('digits')"]:
    search(f"filter {text}", filter=text, order_by=BY_NAME)
for text in ["nothing", "name = 'a' OR name = 'b'", "name > 'a'", "metrics.acc LIKE 'a'", "params.depth > 3", "tag.team = 'v'", "param.a = 'x'",
             "params.a IS NULL", " ", "name =", "metrics.acc ="]:
    search(f"bad filter {text}", filter=text)
for what, order in {"metric": [{"field_name": "metrics.acc"}], "metric down": [{"field_name": "metrics.acc", "ascending": False}],
                    "metric on": [{"field_name": "metrics.acc", "dataset_name": "train", "dataset_digest": "d1"}],
                    "name down": [{"field_name": "name", "ascending": False}], "model_type": [{"field_name": "model_type"}, *BY_NAME],
                    "creation": [{"field_name": "creation_timestamp"}], "params": [{"field_name": "params.depth"}], "unknown": [{"field_name": "colour"}]}.items():
    search(f"order {what}", order_by=order)
for what, datasets in {"name": [{"dataset_name": "train"}], "digest": [{"dataset_name": "train", "dataset_digest": "d1"}],
                       "other": [{"dataset_name": "other"}], "no name": [{"dataset_digest": "d"}]}.items():
    search(f"datasets {what}", datasets=datasets, order_by=BY_NAME)
post("search nowhere", "logged-models/search", {})
post("search in an unknown experiment", "logged-models/search", {"experiment_ids": ["987654321"]})
post("search in a word", "logged-models/search", {"experiment_ids": ["abc"]})
post("search page", "logged-models/search", {"experiment_ids": ["$mexp"], "order_by": BY_NAME, "max_results": 2}, keep={"lmtoken": "next_page_token"})
search("next page", order_by=BY_NAME, max_results=2, page_token="$lmtoken")
search("page of another search", filter="name = 'x'", page_token="$lmtoken")
delete("logged model deleted", "logged-models/${lm3}")
get("deleted logged model", "logged-models/${lm3}")
get("deleted logged model, shown", "logged-models/${lm3}", {"allow_deleted": "true"})
delete("logged model of nobody deleted", f"logged-models/{NOBODY}")

# Registry --------------------------------------------------------------------------------------------------------------------

post("registered", "registered-models/create", {"name": "digits", "description": "reads", "tags": [{"key": "team", "value": "v"}]})
post("registered, bare", "registered-models/create", {"name": "bare"})
for what, body in {"taken": {"name": "digits"}, "no name": {}, "empty": {"name": ""}, "space": {"name": " "}, "slash": {"name": "a/b"}, "colon": {"name": "a:b"},
                   "dots": {"name": ".."}, "number": {"name": 7}, "bad tag": {"name": "x", "tags": [{"key": "a@b", "value": "1"}]},
                   "long tag": {"name": "y", "tags": [{"key": "a", "value": "v" * 100001}]}}.items():
    post(f"registered, {what}", "registered-models/create", body)
get("registered read", "registered-models/get", {"name": "digits"})
get("registered of nobody", "registered-models/get", {"name": "nobody"})
get("registered of no name", "registered-models/get", {"x": "y"})
patch("registered described", "registered-models/update", {"name": "digits", "description": "more"})
patch("registered described, nobody", "registered-models/update", {"name": "nobody", "description": "more"})
post("tag", "registered-models/set-tag", {"name": "digits", "key": "k", "value": "v"})
for what, body in {"nobody": {"name": "nobody", "key": "k", "value": "v"}, "no key": {"name": "digits", "value": "v"}, "bad key": {"name": "digits", "key": "a@", "value": "v"},
                   "long key": {"name": "digits", "key": "k" * 251, "value": "v"}, "long value": {"name": "digits", "key": "k", "value": "v" * 100001}}.items():
    post(f"tag, {what}", "registered-models/set-tag", body)
delete("tag deleted", "registered-models/delete-tag", {"name": "digits", "key": "k"})
delete("tag deleted again", "registered-models/delete-tag", {"name": "digits", "key": "k"})
delete("tag of nobody deleted", "registered-models/delete-tag", {"name": "nobody", "key": "k"})

post("version", "model-versions/create", {"name": "digits", "source": "s3://b/one", "tags": [{"key": "a", "value": "b"}], "description": "first"})
post("version of a run", "model-versions/create", {"name": "digits", "source": "runs:/${mrun}/m", "run_id": "$mrun"})
post("version of the proxy", "model-versions/create", {"name": "digits", "source": "mlflow-artifacts:/${mexp}/${mrun}/artifacts/m", "run_id": "$mrun"})
post("version of a logged model", "model-versions/create", {"name": "digits", "source": "models:/${lm}", "model_id": "$lm"})
post("version of a version", "model-versions/create", {"name": "bare", "source": "models:/digits/1"})
for what, body in {
    "no name": {"source": "s3://b/x"}, "no source": {"name": "digits"}, "nobody": {"name": "nobody", "source": "s3://b/x"},
    "local": {"name": "digits", "source": "/etc"}, "local with run": {"name": "digits", "source": "/etc", "run_id": "$mrun"},
    "relative": {"name": "digits", "source": "x"}, "file": {"name": "digits", "source": "file:///etc", "run_id": "$mrun"},
    "up": {"name": "digits", "source": "mlflow-artifacts:/${mexp}/${mrun}/artifacts/../../x", "run_id": "$mrun"},
    "encoded": {"name": "digits", "source": "mlflow-artifacts:/${mexp}/${mrun}/artifacts/%2e%2e/x", "run_id": "$mrun"},
    "double": {"name": "digits", "source": "mlflow-artifacts:/${mexp}/${mrun}/artifacts/%252e%252e/x", "run_id": "$mrun"},
    "of another run": {"name": "digits", "source": "mlflow-artifacts:/${mexp}/${mother}/artifacts/m", "run_id": "$mrun"},
    "runs of another": {"name": "digits", "source": "runs:/${mother}/m", "run_id": "$mrun"}, "runs without": {"name": "digits", "source": "runs:/${mrun}/m"},
    "proxy without": {"name": "digits", "source": "mlflow-artifacts:/${mexp}/${mrun}/artifacts/m"},
    "model without": {"name": "digits", "source": "models:/${lm}"}, "model of another": {"name": "digits", "source": "models:/${lm}", "model_id": "$lm2"},
    "runs with model": {"name": "digits", "source": "runs:/${mrun}/m", "model_id": "$lm"}, "unknown run": {"name": "digits", "source": "mlflow-artifacts:/987654/x", "run_id": "0" * 32},
    "s3 up": {"name": "digits", "source": "s3://b/../x"}, "s3 alone": {"name": "digits", "source": "s3://b"}, "no version": {"name": "digits", "source": "models:/digits/99"},
    "bad models": {"name": "digits", "source": "models:/a/b/c"}, "models host": {"name": "digits", "source": "models://h/digits/1"},
    "http proxy": {"name": "digits", "source": "http://h/api/2.0/mlflow-artifacts/artifacts/x"},
}.items():
    post(f"version, {what}", "model-versions/create", body)
get("version read", "model-versions/get", {"name": "digits", "version": "1"})
for what, query in {"unknown": {"name": "digits", "version": "99"}, "word": {"name": "digits", "version": "x"}, "nobody": {"name": "nobody", "version": "1"},
                    "none": {"name": "digits"}, "zero": {"name": "digits", "version": "0"}, "negative": {"name": "digits", "version": "-1"}}.items():
    get(f"version read, {what}", "model-versions/get", query)
for number in "1234":
    get(f"download uri {number}", "model-versions/get-download-uri", {"name": "digits", "version": number})
get("download uri of a copy", "model-versions/get-download-uri", {"name": "bare", "version": "1"})
get("download uri of nobody", "model-versions/get-download-uri", {"name": "nobody", "version": "1"})
patch("version described", "model-versions/update", {"name": "digits", "version": "1", "description": "second"})
patch("version described, unknown", "model-versions/update", {"name": "digits", "version": "99", "description": "second"})
post("version tag", "model-versions/set-tag", {"name": "digits", "version": "1", "key": "k", "value": "v"})
post("version tag, unknown", "model-versions/set-tag", {"name": "digits", "version": "99", "key": "k", "value": "v"})
post("version tag, bad", "model-versions/set-tag", {"name": "digits", "version": "1", "key": "a@", "value": "v"})
delete("version tag deleted", "model-versions/delete-tag", {"name": "digits", "version": "1", "key": "k"})
delete("version tag deleted again", "model-versions/delete-tag", {"name": "digits", "version": "1", "key": "k"})
for what, body in {"production": {"stage": "production"}, "second": {"version": "2", "stage": "Production", "archive_existing_versions": True}, "none": {"stage": "None"},
                   "unknown stage": {"stage": "x"}, "no stage": {}, "unknown version": {"version": "99", "stage": "Staging"}}.items():
    post(f"stage {what}", "model-versions/transition-stage", {"name": "digits", "version": "1", "archive_existing_versions": False, **body})
get("latest", "registered-models/get-latest-versions", {"name": "digits", "stages": "Production"})
post("latest, unknown stage", "registered-models/get-latest-versions", {"name": "digits", "stages": ["x"]})
post("latest of nobody", "registered-models/get-latest-versions", {"name": "nobody"})
post("alias", "registered-models/alias", {"name": "digits", "alias": "champion", "version": "1"})
for what, body in {"latest": {"alias": "latest"}, "LATEST": {"alias": "LATEST"}, "v1": {"alias": "v1"}, "space": {"alias": "a b"}, "dot": {"alias": "a.b"}, "empty": {"alias": ""},
                   "long": {"alias": "x" * 256}, "unknown version": {"version": "99"}, "word": {"version": "x"}, "nobody": {"name": "nobody"}}.items():
    post(f"alias, {what}", "registered-models/alias", {"name": "digits", "alias": "good", "version": "1", **body})
for what, query in {"found": {"name": "digits", "alias": "champion"}, "latest": {"name": "digits", "alias": "latest"}, "unknown": {"name": "digits", "alias": "x"},
                    "nobody": {"name": "nobody", "alias": "x"}, "bad": {"name": "digits", "alias": "a b"}, "none": {"name": "digits"}}.items():
    get(f"by alias, {what}", "registered-models/alias", query)
get("registered with versions", "registered-models/get", {"name": "bare"})
delete("alias deleted", "registered-models/alias", {"name": "digits", "alias": "champion"})
delete("alias deleted again", "registered-models/alias", {"name": "digits", "alias": "champion"})
for text in ["name = 'digits'", "name LIKE 'd%'", "name ILIKE 'D%'", "name IN ('digits')", "tags.team = 'v'", "name != 'digits'", "name = 'a' OR name = 'b'", "nothing = 'x'", "name > 'a'"]:
    get(f"search models {text}", "registered-models/search", {"filter": text, "max_results": "10"})
for what, query in {"order": {"order_by": ["name DESC"]}, "bad order": {"order_by": ["colour"]}, "too many": {"max_results": "1001"}, "bad token": {"page_token": "x"}}.items():
    get(f"search models, {what}", "registered-models/search", query)
get("search models, page", "registered-models/search", {"max_results": "1", "order_by": ["name"]}, keep={"rmtoken": "next_page_token"})
get("search models, next page", "registered-models/search", {"max_results": "1", "order_by": ["name"], "page_token": "$rmtoken"})
for text in ["name = 'digits'", "run_id = '${mrun}'", "source_path LIKE 's3%'", "version_number > 1", "version_number = '1'", "run_id IN ('${mrun}')", "tags.a = 'b'", "colour = 'x'"]:
    get(f"search versions {text}", "model-versions/search", {"filter": text, "max_results": "10", "order_by": ["name ASC", "version_number DESC"]})
for what, query in {"zero": {"max_results": "0"}, "too many": {"max_results": "200001"}, "bad order": {"order_by": ["colour"]}, "bad token": {"page_token": "x"}}.items():
    get(f"search versions, {what}", "model-versions/search", query)
delete("version deleted", "model-versions/delete", {"name": "digits", "version": "4"})
delete("version deleted again", "model-versions/delete", {"name": "digits", "version": "4"})
delete("version deleted, word", "model-versions/delete", {"name": "digits", "version": "x"})
post("version after a deletion", "model-versions/create", {"name": "digits", "source": "s3://b/five"})
post("renamed", "registered-models/rename", {"name": "digits", "new_name": "letters"})
post("renamed to a taken one", "registered-models/rename", {"name": "letters", "new_name": "bare"})
post("renamed badly", "registered-models/rename", {"name": "letters", "new_name": "a/b"})
post("nobody renamed", "registered-models/rename", {"name": "nobody", "new_name": "x"})
get("version of the renamed", "model-versions/get", {"name": "letters", "version": "1"})
delete("registered deleted", "registered-models/delete", {"name": "letters"})
delete("registered deleted again", "registered-models/delete", {"name": "letters"})
PROMPT = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
post("prompt", "registered-models/create", {"name": "greet", "tags": PROMPT})
post("prompt version", "model-versions/create", {"name": "greet", "source": "prompt-template", "tags": PROMPT})
post("prompt version, local", "model-versions/create", {"name": "greet", "source": "/etc", "tags": PROMPT})
get("search without prompts", "registered-models/search", {"max_results": "10"})
get("search for prompts", "registered-models/search", {"filter": "tags.`mlflow.prompt.is_prompt` = 'true'", "max_results": "10"})
get("search for no prompts", "registered-models/search", {"filter": "tags.`mlflow.prompt.is_prompt` = 'false'", "max_results": "10"})
