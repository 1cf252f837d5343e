"""Experiments, runs, logging, search and histories."""

NAN, INF = "NaN", "Infinity"
LONG_KEY = "k" * 251
BAD_KEYS = {
    "missing": None, "empty": "", "at": "a@b", "comma": "a,b", "slashes": "a//b", "tail": "a/", "dot": "./a", "dots": "a/../b",
    "up": "../a", "root": "/a", "percent": "a%b", "only dot": ".", "long": LONG_KEY, "number": 7, "list": ["a"],
}
GOOD_KEYS = {"slash": "a/b", "space": "a b", "colon": "a:b", "hidden": ".hidden", "latin": "m\u00e9trique", "han": "\u65e5\u672c", "long": "k" * 250}
UNKNOWN_RUN = "0123456789abcdef0123456789abcdef"

CASES = []


def add(name, method, path, **rest):
    CASES.append({"name": name, "method": method, "path": path, **rest})


def post(name, path, body, **rest):
    add(name, "POST", path, body=body, **rest)


def get(name, path, query=None, **rest):
    add(name, "GET", path, query=query, **rest)


def with_key(base, key):
    return base if key is None else {**base, "key": key}


# Experiments ---------------------------------------------------------------------------------------------------------------

get("experiment: the default one", "experiments/get", {"experiment_id": "0"})
post("experiment: created", "experiments/create", {"name": "digits"}, keep={"digits": "experiment_id"})
get("experiment: read", "experiments/get", {"experiment_id": "$digits"})
post("experiment: with tags", "experiments/create",
     {"name": "tagged", "tags": [{"key": "a", "value": "1"}, {"key": "b/c", "value": ""}]}, keep={"tagged": "experiment_id"})
get("experiment: tags read", "experiments/get", {"experiment_id": "$tagged"})
post("experiment: with a location", "experiments/create",
     {"name": "located", "artifact_location": "s3://bucket/path"}, keep={"located": "experiment_id"})
get("experiment: location read", "experiments/get", {"experiment_id": "$located"})
get("experiment: by name", "experiments/get-by-name", {"experiment_name": "tagged"})
get("experiment: by a name of nobody", "experiments/get-by-name", {"experiment_name": "nobody"})
get("experiment: by no name", "experiments/get-by-name", {"x": "y"})
get("experiment: by an empty name", "experiments/get-by-name", {"experiment_name": ""})
for what, value in {"unknown": "987654321", "word": "abc", "empty": "", "float": "1.5", "negative": "-1"}.items():
    get(f"experiment: id {what}", "experiments/get", {"experiment_id": value})
get("experiment: no id", "experiments/get", {"x": "1"})
get("experiment: no query", "experiments/get")
for what, body in {
    "no name": {}, "empty name": {"name": ""}, "null name": {"name": None}, "number": {"name": 5}, "list": {"name": ["a"]},
    "long name": {"name": "n" * 501}, "taken": {"name": "digits"}, "fragment": {"name": "x1", "artifact_location": "s3://b/x#f"},
    "runs uri": {"name": "x2", "artifact_location": "runs:/a/b"}, "bad tag": {"name": "x3", "tags": [{"key": "a@b", "value": "1"}]},
    "long tag": {"name": "x4", "tags": [{"key": "a", "value": "v" * 20001}]}, "tags no list": {"name": "x5", "tags": "a"},
    "location number": {"name": "x6", "artifact_location": 7}, "long location": {"name": "x7", "artifact_location": "s3://" + "a" * 2050},
    "query with dots": {"name": "x8", "artifact_location": "s3://b/x?a=../b"},
    "http params": {"name": "x9", "artifact_location": "http://b/x;a"},
}.items():
    post(f"experiment: create, {what}", "experiments/create", body)
post("experiment: unknown fields are ignored", "experiments/create", {"name": "odd", "colour": "red"}, keep={"odd": "experiment_id"})
post("experiment: the longest name", "experiments/create", {"name": "\u00e9" * 500}, keep={"longest": "experiment_id"})
post("experiment: camel case", "experiments/create", {"name": "camel", "artifactLocation": "s3://b/camel"}, keep={"camel": "experiment_id"})
get("experiment: camel case read", "experiments/get", {"experiment_id": "$camel"})
post("experiment: two spellings", "experiments/create", {"name": "two", "artifactLocation": "s3://b", "artifact_location": "s3://b"})
add("experiment: malformed", "POST", "experiments/create", raw="{\"name\": ")
add("experiment: no object", "POST", "experiments/create", raw="null")
add("experiment: empty body", "POST", "experiments/create", raw="")
add("experiment: doubly encoded", "POST", "experiments/create", raw='"{\\"name\\": \\"doubly\\"}"', keep={"doubly": "experiment_id"})
add("experiment: other type of content", "POST", "experiments/create", raw='{"name": "t"}', headers={"Content-Type": "text/plain"})
add("experiment: with a charset", "POST", "experiments/create", raw='{"name": "charset"}',
    headers={"Content-Type": "application/json; charset=utf-8"}, keep={"charset": "experiment_id"})

post("experiment: renamed", "experiments/update", {"experiment_id": "$odd", "new_name": "odd 2"})
get("experiment: renamed, read", "experiments/get", {"experiment_id": "$odd"})
for what, body in {
    "no name": {"experiment_id": "$odd"}, "empty name": {"experiment_id": "$odd", "new_name": ""}, "no id": {"new_name": "x"},
    "unknown": {"experiment_id": "987654321", "new_name": "x"}, "taken": {"experiment_id": "$odd", "new_name": "digits"},
    "long": {"experiment_id": "$odd", "new_name": "n" * 501}, "number": {"experiment_id": "$odd", "new_name": 7},
    "same": {"experiment_id": "$odd", "new_name": "odd 2"}, "word": {"experiment_id": "abc", "new_name": "x"},
}.items():
    post(f"experiment: rename, {what}", "experiments/update", body)

post("experiment: tag set", "experiments/set-experiment-tag", {"experiment_id": "$odd", "key": "k", "value": "v"})
post("experiment: tag set again", "experiments/set-experiment-tag", {"experiment_id": "$odd", "key": "k", "value": "w"})
post("experiment: tag without value", "experiments/set-experiment-tag", {"experiment_id": "$odd", "key": "none"})
post("experiment: tag of the greatest length", "experiments/set-experiment-tag", {"experiment_id": "$odd", "key": "long", "value": "v" * 20000})
post("experiment: tag too long", "experiments/set-experiment-tag", {"experiment_id": "$odd", "key": "long", "value": "v" * 20001})
for what, key in BAD_KEYS.items():
    post(f"experiment: tag key {what}", "experiments/set-experiment-tag", with_key({"experiment_id": "$odd", "value": "v"}, key))
for what, key in GOOD_KEYS.items():
    post(f"experiment: good tag key {what}", "experiments/set-experiment-tag", with_key({"experiment_id": "$odd", "value": "v"}, key))
post("experiment: tag of nobody", "experiments/set-experiment-tag", {"experiment_id": "987654321", "key": "k", "value": "v"})
post("experiment: tag, no id", "experiments/set-experiment-tag", {"key": "k", "value": "v"})
get("experiment: all tags read", "experiments/get", {"experiment_id": "$odd"})
post("experiment: tag deleted", "experiments/delete-experiment-tag", {"experiment_id": "$odd", "key": "k"})
post("experiment: tag deleted again", "experiments/delete-experiment-tag", {"experiment_id": "$odd", "key": "k"})
post("experiment: tag deleted of nobody", "experiments/delete-experiment-tag", {"experiment_id": "987654321", "key": "k"})
post("experiment: tag deleted, no key", "experiments/delete-experiment-tag", {"experiment_id": "$odd"})

# Runs ----------------------------------------------------------------------------------------------------------------------

T = 1_700_000_000_000


def new_run(variable, **fields):
    body = {"experiment_id": "$digits", "start_time": T, "run_name": variable, **fields}
    return body, {variable: "run.info.run_id"}


body, keep = new_run("first", user_id="ada", tags=[{"key": "mlflow.user", "value": "ada"}, {"key": "set", "value": "digits"}])
post("run: created", "runs/create", body, keep=keep)
get("run: read", "runs/get", {"run_id": "$first"})
get("run: read by its old name", "runs/get", {"run_uuid": "$first"})
body, keep = new_run("second", start_time=str(T + 1000))
post("run: times as text", "runs/create", body, keep=keep)
# For what the servers take differently, so that the others stay alike.
body, keep = new_run("odds", experiment_id="$located")
post("run: for odds", "runs/create", body, keep=keep)
post("run: random name", "runs/create", {"experiment_id": "$digits", "start_time": T + 2000},
     keep={"third": "run.info.run_id", "third_name": "run.info.run_name"})
get("run: random name read", "runs/get", {"run_id": "$third"})
post("run: name by tag", "runs/create",
     {"experiment_id": "$digits", "start_time": T + 3000, "tags": [{"key": "mlflow.runName", "value": "by tag"}]}, keep={"fourth": "run.info.run_id"})
post("run: name and tag agree", "runs/create",
     {"experiment_id": "$digits", "run_name": "same", "start_time": T + 4000, "tags": [{"key": "mlflow.runName", "value": "same"}]},
     keep={"fifth": "run.info.run_id"})
post("run: name and tag differ", "runs/create",
     {"experiment_id": "$digits", "run_name": "a", "start_time": T, "tags": [{"key": "mlflow.runName", "value": "b"}]})
post("run: child", "runs/create",
     {"experiment_id": "$digits", "run_name": "child", "start_time": T + 5000, "tags": [{"key": "mlflow.parentRunId", "value": "$first"}]},
     keep={"child": "run.info.run_id"})
get("run: child read", "runs/get", {"run_id": "$child"})
post("run: in a located experiment", "runs/create", {"experiment_id": "$located", "run_name": "there", "start_time": T}, keep={"there": "run.info.run_id"})
for what, body in {
    "no experiment": {"start_time": T}, "unknown experiment": {"experiment_id": "987654321", "start_time": T},
    "word": {"experiment_id": "abc", "start_time": T}, "time is a word": {"experiment_id": "$digits", "start_time": "soon"},
    "name is a number": {"experiment_id": "$digits", "start_time": T, "run_name": 7},
    "experiment is a number": {"experiment_id": 0, "start_time": T},
}.items():
    post(f"run: create, {what}", "runs/create", body)
for what, query in {"unknown": {"run_id": UNKNOWN_RUN}, "empty": {"run_id": ""}, "none": {"x": "y"}, "word": {"run_id": "abc"}, "dots": {"run_id": "../x"}}.items():
    get(f"run: get, {what}", "runs/get", query)

post("run: renamed", "runs/update", {"run_id": "$second", "run_name": "second, renamed"})
get("run: renamed, read", "runs/get", {"run_id": "$second"})
post("run: renamed by tag", "runs/set-tag", {"run_id": "$second", "key": "mlflow.runName", "value": "second by tag"})
get("run: renamed by tag, read", "runs/get", {"run_id": "$second"})
post("run: empty name is ignored", "runs/update", {"run_id": "$second", "run_name": ""})
post("run: ended", "runs/update", {"run_id": "$second", "status": "FINISHED", "end_time": T + 9000})
get("run: ended, read", "runs/get", {"run_id": "$second"})
post("run: logged to after its end", "runs/log-metric", {"run_id": "$second", "key": "late", "value": 1, "timestamp": T, "step": 1})
get("run: still ended", "runs/get", {"run_id": "$second"})
post("run: status by number", "runs/update", {"run_id": "$fourth", "status": 4, "end_time": T + 9500})
post("run: killed", "runs/update", {"run_id": "$fifth", "status": "KILLED", "end_time": T + 9600})
post("run: running again", "runs/update", {"run_id": "$fifth", "status": "RUNNING"})
post("run: scheduled", "runs/update", {"run_id": "$fifth", "status": "SCHEDULED"})
post("run: by its old name", "runs/update", {"run_uuid": "$fifth", "status": "FAILED", "end_time": str(T + 9700)})
for what, body in {
    "unknown": {"run_id": UNKNOWN_RUN, "status": "FINISHED"}, "no id": {"status": "FINISHED"}, "empty": {"run_id": ""},
    "odd status": {"run_id": "$first", "status": "BOGUS"}, "time is a word": {"run_id": "$first", "end_time": "soon"},
    "nothing": {"run_id": "$first"}, "name is a list": {"run_id": "$first", "run_name": ["a"]},
}.items():
    post(f"run: update, {what}", "runs/update", body)

# Logging -------------------------------------------------------------------------------------------------------------------

metric = {"run_id": "$first", "key": "loss", "value": 0.5, "timestamp": T, "step": 1}
post("metric: logged", "runs/log-metric", metric)
post("metric: the same again", "runs/log-metric", metric)
post("metric: another value at the same step and time", "runs/log-metric", {**metric, "value": 0.25})
post("metric: later step", "runs/log-metric", {**metric, "step": 2, "value": 0.125, "timestamp": T - 5})
post("metric: numbers as text", "runs/log-metric", {**metric, "step": "3", "value": "0.5", "timestamp": str(T + 1)})
post("metric: negative step", "runs/log-metric", {**metric, "step": -7})
post("metric: no step", "runs/log-metric", {"run_id": "$first", "key": "stepless", "value": 1, "timestamp": T})
post("metric: NaN", "runs/log-metric", {**metric, "key": "nan", "value": NAN})
post("metric: infinite", "runs/log-metric", {**metric, "run_id": "$odds", "key": "inf", "value": INF})
get("metric: infinite, read", "metrics/get-history", {"run_id": "$odds", "metric_key": "inf"})
post("metric: zero time", "runs/log-metric", {**metric, "key": "zero", "timestamp": 0})
post("metric: greatest step", "runs/log-metric", {**metric, "key": "edge", "step": 2**63 - 1})
post("metric: smallest step", "runs/log-metric", {**metric, "key": "edge", "step": -(2**63)})
post("metric: by its old name", "runs/log-metric", {"run_uuid": "$first", "key": "old", "value": 1, "timestamp": T})
for value in (0.1, 1e300, 5e-324, -0.0, 1e16, 123456789012345680):
    post(f"metric: value {value!r}", "runs/log-metric", {**metric, "key": "values", "value": value, "step": 5})
for what, key in BAD_KEYS.items():
    post(f"metric: key {what}", "runs/log-metric", with_key({k: v for k, v in metric.items() if k != "key"}, key))
for what, key in GOOD_KEYS.items():
    post(f"metric: good key {what}", "runs/log-metric", {**metric, "key": key})
for what, change in {
    "no value": {"value": None}, "empty value": {"value": ""}, "value is a word": {"value": "low"}, "value is a list": {"value": [1]},
    "value is true": {"value": True, "run_id": "$odds"}, "small nan": {"value": "nan", "run_id": "$odds"}, "no time": {"timestamp": None}, "empty time": {"timestamp": ""},
    "negative time": {"timestamp": -1}, "time is a word": {"timestamp": "now"}, "time is a fraction": {"timestamp": 1.5, "run_id": "$odds"},
    "step is a word": {"step": "one"}, "step is a fraction": {"step": 1.5, "run_id": "$odds"}, "step is huge": {"step": 2**63, "run_id": "$odds"}, "no run": {"run_id": None},
    "unknown run": {"run_id": UNKNOWN_RUN}, "run is a number": {"run_id": 7}, "run is a word": {"run_id": "abc"},
}.items():
    post(f"metric: {what}", "runs/log-metric", {**metric, **change})
get("metric: all latest", "runs/get", {"run_id": "$first"})

param = {"run_id": "$first", "key": "lr", "value": "0.1"}
post("param: logged", "runs/log-parameter", param)
post("param: the same again", "runs/log-parameter", param)
post("param: another value", "runs/log-parameter", {**param, "value": "0.2"})
post("param: no value", "runs/log-parameter", {"run_id": "$first", "key": "none"})
post("param: empty value", "runs/log-parameter", {**param, "key": "empty", "value": ""})
post("param: cut", "runs/log-parameter", {**param, "key": "cut", "value": "\u00e9" * 6001})
post("param: cut to the same", "runs/log-parameter", {**param, "key": "cut", "value": "\u00e9" * 7000})
post("param: value is a number", "runs/log-parameter", {**param, "key": "n", "value": 7})
for what, key in BAD_KEYS.items():
    post(f"param: key {what}", "runs/log-parameter", with_key({"run_id": "$first", "value": "v"}, key))
for what, key in GOOD_KEYS.items():
    post(f"param: good key {what}", "runs/log-parameter", {**param, "key": key})
for what, run in {"unknown": UNKNOWN_RUN, "none": None, "empty": "", "word": "abc"}.items():
    post(f"param: run {what}", "runs/log-parameter", {**param, "run_id": run})

tag = {"run_id": "$first", "key": "stage", "value": "warm-up"}
post("tag: set", "runs/set-tag", tag)
post("tag: set again", "runs/set-tag", {**tag, "value": "training"})
post("tag: cut", "runs/set-tag", {**tag, "key": "cut", "value": "v" * 8001})
post("tag: no value", "runs/set-tag", {"run_id": "$first", "key": "none"})
for what, key in BAD_KEYS.items():
    post(f"tag: key {what}", "runs/set-tag", with_key({"run_id": "$first", "value": "v"}, key))
for what, key in GOOD_KEYS.items():
    post(f"tag: good key {what}", "runs/set-tag", {**tag, "key": key})
post("tag: of nobody", "runs/set-tag", {**tag, "run_id": UNKNOWN_RUN})
post("tag: of an ended run", "runs/set-tag", {**tag, "run_id": "$fourth"})
post("tag: deleted", "runs/delete-tag", {"run_id": "$first", "key": "stage"})
post("tag: deleted again", "runs/delete-tag", {"run_id": "$first", "key": "stage"})
post("tag: deleted of an ended run", "runs/delete-tag", {"run_id": "$fourth", "key": "stage"})
post("tag: deleted, no key", "runs/delete-tag", {"run_id": "$first"})
post("tag: deleted of nobody", "runs/delete-tag", {"run_id": UNKNOWN_RUN, "key": "a"})
get("tag: all read", "runs/get", {"run_id": "$first"})

post("batch: all kinds", "runs/log-batch", {
    "run_id": "$third",
    "metrics": [{"key": "a", "value": 1, "timestamp": T, "step": 1}, {"key": "b", "value": NAN, "timestamp": T, "step": 1},
                {"key": "a", "value": 2, "timestamp": T + 1, "step": 2}, {"key": "a", "value": 1, "timestamp": T, "step": 1},
                {"key": "a", "value": 3, "timestamp": T, "step": 1}],
    "params": [{"key": "p", "value": "1"}, {"key": "q", "value": "x" * 6001}],
    "tags": [{"key": "t", "value": "1"}, {"key": "t", "value": "2"}, {"key": "long", "value": "v" * 8001}],
})
get("batch: read", "runs/get", {"run_id": "$third"})
get("batch: history", "metrics/get-history", {"run_id": "$third", "metric_key": "a"})
post("batch: renames", "runs/log-batch", {"run_id": "$third", "tags": [{"key": "mlflow.runName", "value": "by batch"}]})
get("batch: renamed", "runs/get", {"run_id": "$third"})
post("batch: empty", "runs/log-batch", {"run_id": "$third"})
point = {"key": "m", "value": 1, "timestamp": T, "step": 0}
for what, body in {
    "unknown run": {"run_id": UNKNOWN_RUN, "metrics": [point]}, "no run": {"metrics": [point]}, "odd run": {"run_id": "a b", "metrics": [point]},
    "param conflict": {"metrics": [{**point, "key": "unwritten"}], "params": [{"key": "p", "value": "2"}], "tags": [{"key": "unwritten", "value": "1"}]},
    "two conflicts": {"params": [{"key": "p", "value": "it's"}, {"key": "fresh", "value": "1"}, {"key": "q", "value": "y"}]},
    "param twice": {"params": [{"key": "r", "value": "1"}, {"key": "r", "value": "1"}]},
    "bad metric": {"metrics": [point, {**point, "key": "a//b"}], "params": [{"key": "unwritten", "value": "1"}]},
    "bad param": {"metrics": [point], "params": [{"key": "a@b", "value": "1"}]},
    "bad tag": {"metrics": [point], "tags": [{"key": "../x", "value": "1"}]},
    "long metric": {"metrics": [{**point, "key": LONG_KEY}]}, "long param": {"params": [{"key": LONG_KEY, "value": "1"}]},
    "long tag": {"tags": [{"key": LONG_KEY, "value": "1"}]},
    "negative time": {"metrics": [{**point, "timestamp": -1}]},
    "metric without key": {"metrics": [{"value": 1, "timestamp": T}]}, "metric without value": {"metrics": [{"key": "m", "timestamp": T}]},
    "metric without time": {"metrics": [point, {"key": "m", "value": 1}]}, "param without key": {"params": [{"value": "1"}]},
    "tag without key": {"tags": [{"value": "1"}]}, "metrics no list": {"metrics": "a"}, "params no list": {"params": {"a": "b"}},
    "1001 metrics": {"metrics": [{**point, "step": n} for n in range(1001)]}, "101 params": {"params": [{"key": f"p{n}", "value": "1"} for n in range(101)]},
    "101 tags": {"tags": [{"key": f"t{n}", "value": "1"} for n in range(101)]},
    "1001 together": {"metrics": [{**point, "step": n} for n in range(951)], "tags": [{"key": f"t{n}", "value": "1"} for n in range(50)]},
    "value is a word": {"run_id": "$odds", "metrics": [{**point, "value": "low"}]},
}.items():
    post(f"batch: {what}", "runs/log-batch", {"run_id": "$third", **body} if what != "no run" else body)
post("batch: 1000 metrics", "runs/log-batch", {"run_id": "$third", "metrics": [{"key": "many", "value": n / 7, "timestamp": T + n, "step": n} for n in range(1000)]})
get("batch: nothing of the bad ones", "runs/get", {"run_id": "$third"})

# Histories -----------------------------------------------------------------------------------------------------------------

for key in ("loss", "nan", "edge", "values", "stepless"):
    get(f"history: {key}", "metrics/get-history", {"run_id": "$first", "metric_key": key})
get("history: by its old name", "metrics/get-history", {"run_uuid": "$first", "metric_key": "loss"})
get("history: of an ended run", "metrics/get-history", {"run_id": "$second", "metric_key": "late"})
get("history: first page", "metrics/get-history", {"run_id": "$third", "metric_key": "many", "max_results": 400}, keep={"page": "next_page_token"})
get("history: second page", "metrics/get-history", {"run_id": "$third", "metric_key": "many", "max_results": 400, "page_token": "$page"}, keep={"page": "next_page_token"})
get("history: last page", "metrics/get-history", {"run_id": "$third", "metric_key": "many", "max_results": 400, "page_token": "$page"})
get("history: exactly one page", "metrics/get-history", {"run_id": "$third", "metric_key": "many", "max_results": 1000})
get("history: whole", "metrics/get-history", {"run_id": "$third", "metric_key": "many"})
for what, query in {
    "no run": {"metric_key": "loss"}, "no key": {"run_id": "$first"}, "empty key": {"run_id": "$first", "metric_key": ""},
    "unknown run": {"run_id": UNKNOWN_RUN, "metric_key": "loss"}, "unknown key": {"run_id": "$first", "metric_key": "nobody"},
    "zero": {"run_id": "$first", "metric_key": "loss", "max_results": 0}, "negative": {"run_id": "$first", "metric_key": "loss", "max_results": -1},
    "word": {"run_id": "$first", "metric_key": "loss", "max_results": "all"}, "odd token": {"run_id": "$first", "metric_key": "loss", "page_token": "x"},
}.items():
    get(f"history: {what}", "metrics/get-history", query)
AJAX = "/ajax-api/2.0/mlflow/"
get("bulk: two runs", "metrics/get-history-bulk", {"run_id": ["$third"], "metric_key": "a"}, prefix=AJAX)
get("bulk: no key", "metrics/get-history-bulk", {"run_id": "$third"}, prefix=AJAX)
get("bulk: no run", "metrics/get-history-bulk", {"metric_key": "a"}, prefix=AJAX)
get("bulk: unknown", "metrics/get-history-bulk", {"run_id": UNKNOWN_RUN, "metric_key": "a"}, prefix=AJAX)
get("bulk: many runs", "metrics/get-history-bulk", {"run_id": [UNKNOWN_RUN] * 101, "metric_key": "a"}, prefix=AJAX)
get("bulk: limited", "metrics/get-history-bulk", {"run_id": "$third", "metric_key": "many", "max_results": 10}, prefix=AJAX)
get("interval: all", "metrics/get-history-bulk-interval", {"run_ids": ["$third", "$first"], "metric_key": "a"}, prefix=AJAX)
get("interval: part", "metrics/get-history-bulk-interval", {"run_ids": ["$third"], "metric_key": "many", "start_step": 10, "end_step": 20, "max_results": 320}, prefix=AJAX)
get("interval: one point", "metrics/get-history-bulk-interval", {"run_ids": ["$third"], "metric_key": "many", "max_results": 1}, prefix=AJAX)
get("interval: sampled", "metrics/get-history-bulk-interval", {"run_ids": ["$third"], "metric_key": "many", "max_results": 100}, prefix=AJAX)
for what, change in {
    "no runs": {"run_ids": []}, "no key": {"metric_key": ""}, "unknown": {"run_ids": [UNKNOWN_RUN]}, "start alone": {"start_step": 1}, "end alone": {"end_step": 1},
    "backwards": {"start_step": 2, "end_step": 1}, "zero": {"max_results": 0}, "too many": {"max_results": 2501}, "word": {"max_results": "all"},
    "many runs": {"run_ids": [UNKNOWN_RUN] * 101},
}.items():
    get(f"interval: {what}", "metrics/get-history-bulk-interval", {"run_ids": ["$third"], "metric_key": "a", **change}, prefix=AJAX)

# Searches ------------------------------------------------------------------------------------------------------------------

for what, filter_ in {
    "nothing": "", "metric": "metrics.loss < 0.5", "latest": "metrics.a = 2", "nan": "metrics.nan != 1", "param": "params.lr = '0.1'",
    "like": "params.lr LIKE '0.%'", "ilike": "attributes.run_name ILIKE 'BY%'", "tag": "tags.set = 'digits'", "name tag": "tags.mlflow.runName = 'first'",
    "status": "status = 'RUNNING'", "id list": "run_id IN ('${first}', '${child}')", "parent": "tags.`mlflow.parentRunId` = '${first}'",
    "times": "attributes.start_time > 1700000001000", "no tag": "tags.nobody IS NULL", "two": "metrics.a > 1 and params.p = '1'", "user": "user_id = 'ada'",
    "artifact uri": "artifact_uri LIKE '%${first}%'",
}.items():
    post(f"runs: filter, {what}", "runs/search", {"experiment_ids": ["$digits"], "filter": filter_, "order_by": ["start_time ASC"]})
for what, filter_ in {
    "or": "metrics.a = 1 OR metrics.a = 2", "quoted number": "metrics.a > '1'", "bare text": "params.lr = 0.1", "brackets": "(metrics.a > 1)",
    "unknown attribute": "attributes.colour = 'red'", "broken": "metrics.a >", "status list": "status IN ('FINISHED')", "space": "  ", "words": "hello world",
}.items():
    post(f"runs: bad filter, {what}", "runs/search", {"experiment_ids": ["$digits"], "filter": filter_})
for what, order in {
    "start": ["start_time"], "start desc": ["attributes.start_time DESC"], "metric": ["metrics.a ASC"], "metric desc": ["metrics.a DESC", "start_time"], "param": ["params.lr"],
    "name": ["run_name DESC"], "end": ["end_time"], "tag": ["tags.`mlflow.runName` DESC"],
}.items():
    post(f"runs: order, {what}", "runs/search", {"experiment_ids": ["$digits"], "order_by": order})
for what, order in {"unknown": ["colour"], "two in one": ["start_time, end_time"], "odd direction": ["start_time UP"], "number": [7], "no list": "start_time", "twice": ["start_time", "start_time"]}.items():
    post(f"runs: bad order, {what}", "runs/search", {"experiment_ids": ["$digits"], "order_by": order})
post("runs: first page", "runs/search", {"experiment_ids": ["$digits"], "max_results": 2}, keep={"page": "next_page_token"})
post("runs: second page", "runs/search", {"experiment_ids": ["$digits"], "max_results": 2, "page_token": "$page"}, keep={"page": "next_page_token"})
post("runs: third page", "runs/search", {"experiment_ids": ["$digits"], "max_results": 2, "page_token": "$page"})
post("runs: two experiments", "runs/search", {"experiment_ids": ["$digits", "$located"], "order_by": ["run_name"], "filter": "run_name != 'odds'"})
for what, change in {
    "no experiments": {"experiment_ids": []}, "word": {"experiment_ids": ["abc"]}, "unknown": {"experiment_ids": ["987654321"]}, "zero": {"max_results": 0}, "negative": {"max_results": -1},
    "too many": {"max_results": 50001}, "results are a word": {"max_results": "all"}, "odd token": {"page_token": "x"}, "odd view": {"run_view_type": "BOGUS"}, "view by number": {"run_view_type": 3},
    "ids no list": {"experiment_ids": "0"}, "filter is a number": {"filter": 7}, "huge": {"max_results": 2**31},
}.items():
    post(f"runs: {what}", "runs/search", {"experiment_ids": ["$digits"], **change})

for what, body in {
    "all": {"max_results": 100}, "by name": {"max_results": 100, "order_by": ["name ASC"]}, "named": {"max_results": 10, "filter": "name = 'digits'"},
    "like": {"max_results": 10, "filter": "name LIKE 'dig%'"}, "tag": {"max_results": 10, "filter": "tags.a = '1'"}, "no tag": {"max_results": 100, "filter": "tags.a IS NULL", "order_by": ["name"]},
    "nothing said": {}, "zero": {"max_results": 0}, "too many": {"max_results": 50001}, "bad filter": {"max_results": 1, "filter": "colour = 'red'"},
    "bad order": {"max_results": 1, "order_by": ["colour"]}, "odd token": {"max_results": 1, "page_token": "x"}, "view all": {"max_results": 100, "view_type": "ALL", "order_by": ["name"]},
    "negative": {"max_results": -5}, "number filter": {"max_results": 10, "filter": "creation_time > 0", "order_by": ["name"]},
}.items():
    post(f"experiments: {what}", "experiments/search", body)
get("experiments: as a query", "experiments/search", {"max_results": 100, "order_by": "name"})
post("experiments: first page", "experiments/search", {"max_results": 2, "order_by": ["name"]}, keep={"page": "next_page_token"})
post("experiments: second page", "experiments/search", {"max_results": 2, "order_by": ["name"], "page_token": "$page"})

# Deleted and restored ------------------------------------------------------------------------------------------------------

post("deleted: a run", "runs/delete", {"run_id": "$child"})
post("deleted: again", "runs/delete", {"run_id": "$child"})
get("deleted: read", "runs/get", {"run_id": "$child"})
for what, (path, body) in {
    "metric": ("runs/log-metric", {**metric, "run_id": "$child"}), "param": ("runs/log-parameter", {**param, "run_id": "$child"}), "tag": ("runs/set-tag", {**tag, "run_id": "$child"}),
    "tag deleted": ("runs/delete-tag", {"run_id": "$child", "key": "mlflow.runName"}), "batch": ("runs/log-batch", {"run_id": "$child", "metrics": [point]}),
    "update": ("runs/update", {"run_id": "$child", "status": "FINISHED"}), "empty batch": ("runs/log-batch", {"run_id": "$child"}),
}.items():
    post(f"deleted: {what}", path, body)
for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
    post(f"deleted: searched {view}", "runs/search", {"experiment_ids": ["$digits"], "run_view_type": view, "order_by": ["start_time"]})
post("restored: a run", "runs/restore", {"run_id": "$child"})
post("restored: again", "runs/restore", {"run_id": "$child"})
get("restored: read", "runs/get", {"run_id": "$child"})
post("deleted: nobody", "runs/delete", {"run_id": UNKNOWN_RUN})
post("deleted: no id", "runs/delete", {})
post("restored: nobody", "runs/restore", {"run_id": UNKNOWN_RUN})
post("deleted: one of an experiment", "runs/delete", {"run_id": "$second"})
post("deleted: an experiment", "experiments/delete", {"experiment_id": "$digits"})
post("deleted: an experiment again", "experiments/delete", {"experiment_id": "$digits"})
get("deleted: an experiment, read", "experiments/get", {"experiment_id": "$digits"})
get("deleted: an experiment, by name", "experiments/get-by-name", {"experiment_name": "digits"})
get("deleted: a run of it", "runs/get", {"run_id": "$first"})
post("deleted: its name is taken", "experiments/create", {"name": "digits"})
post("deleted: a new run in it", "runs/create", {"experiment_id": "$digits", "start_time": T})
post("deleted: a metric in it", "runs/log-metric", metric)
post("deleted: a tag in it", "runs/set-tag", tag)
post("deleted: a tag of it", "experiments/set-experiment-tag", {"experiment_id": "$digits", "key": "k", "value": "v"})
post("deleted: a tag of it deleted", "experiments/delete-experiment-tag", {"experiment_id": "$digits", "key": "k"})
post("deleted: its name changed", "experiments/update", {"experiment_id": "$digits", "new_name": "x"})
for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
    post(f"deleted: runs of it {view}", "runs/search", {"experiment_ids": ["$digits", "$located"], "run_view_type": view, "order_by": ["start_time", "run_name"], "filter": "run_name != 'odds'"})
    post(f"deleted: experiments {view}", "experiments/search", {"max_results": 100, "view_type": view, "order_by": ["name"]})
post("restored: an experiment", "experiments/restore", {"experiment_id": "$digits"})
post("restored: an experiment again", "experiments/restore", {"experiment_id": "$digits"})
get("restored: a run that was deleted alone", "runs/get", {"run_id": "$second"})
post("restored: runs of it", "runs/search", {"experiment_ids": ["$digits"], "order_by": ["start_time"]})
post("restored: a metric in it", "runs/log-metric", {**metric, "step": 99})
post("deleted: nobody's experiment", "experiments/delete", {"experiment_id": "987654321"})
post("restored: nobody's experiment", "experiments/restore", {"experiment_id": "987654321"})

get("server: its kind", "server-info", prefix="/api/3.0/mlflow/")
add("server: no such endpoint", "GET", "nothing/at-all")
add("server: another method", "GET", "experiments/create")
