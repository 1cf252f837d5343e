"""Sends the same requests to a real MLflow server and to Trackway's, and compares the answers field by field.

    python replay.py --trackway target/debug/trackway [--mlflow mlflow] [--only REGEX] [--verbose]

The requests are lists in the files cases_*.py beside this one, in order of their names; each list begins with stores that
have what the lists before have made. What a server names itself (ids, random names, times) is captured into variables, so
that the next requests can use it, and compared by variable. A difference that explained.py does not explain makes the exit
code 1; so does an explanation that nothing needs.
"""

import argparse
import importlib
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import explained  # noqa: E402

# Fields whose values are the server's own.
MASKED = {
    "creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms",
    "last_updated_timestamp_ms",
}
# Fields of errors that no client reads.
IGNORED = {"sqlstate", "error_class", "stack_trace"}
# Fields in which a short id may be a part of a text, and where it stands in messages.
WITH_IDS = {"experiment_id", "artifact_location", "artifact_uri", "root_uri"}
ID_IN_MESSAGE = (
    r"(?<=id=){0}(?![\w.])|(?<=id ){0}(?![\w.])|(?<=experiment ){0}(?![\w.])|(?<=ID '){0}(?=')"
    r"|(?<=mlflow-artifacts:/){0}(?=/)|(?<='){0}(?=/)"
)
# Lists without an order of their own, and what tells their items apart.
UNORDERED = {"metrics": ("key", "run_id", "step", "timestamp"), "params": ("key",), "tags": ("key",)}
# ... but where a list of metrics is a history.
ORDERED_PATHS = ("get-history",)


class Server:
    """A server, and what its answers have said."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log", delete=False)
        command = [part.format(port=self.port) for part in command]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        self.variables = {}
        self.url = f"http://127.0.0.1:{self.port}"

    def wait(self, patience=90):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.log.seek(0)
        raise SystemExit(f"{self.name} did not start:\n{self.log.read()}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def fill(self, value):
        """Puts the values of variables in their places."""
        if isinstance(value, str):
            whole = re.fullmatch(r"\$(\w+)", value)
            if whole:
                return self.variables.get(whole[1], f"unknown-{whole[1]}")
            return re.sub(r"\$\{(\w+)\}", lambda m: str(self.variables.get(m[1], f"unknown-{m[1]}")), value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        return value

    def send(self, case):
        path = self.fill(case["path"])
        query = self.fill(case.get("query") or {})
        url = self.url + case.get("prefix", "/api/2.0/mlflow/") + path
        if query:
            url += "?" + urllib.parse.urlencode(query, doseq=True)
        headers = dict(case.get("headers") or {})
        data = None
        if "raw" in case:
            data = self.fill(case["raw"]).encode() if isinstance(case["raw"], str) else case["raw"]
            headers.setdefault("Content-Type", "application/json")
        elif "body" in case:
            data = json.dumps(self.fill(case["body"])).encode()
            headers.setdefault("Content-Type", "application/json")
        headers = {name: value for name, value in headers.items() if value is not None}
        request = urllib.request.Request(url, data=data, method=case["method"], headers=headers)
        if "Content-Type" not in headers and data is not None:
            request.add_header("Content-Type", "")
            request.headers.pop("Content-type", None)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, "<bytes>" if case.get("any_text", True) else text.decode("utf-8", "replace")

    def capture(self, case, answer):
        for name, path in (case.get("keep") or {}).items():
            value = answer
            for part in path.split("."):
                try:
                    value = value[int(part) if isinstance(value, list) else part]
                except (KeyError, IndexError, TypeError, ValueError):
                    value = None
                    break
            if value is not None:
                self.variables[name] = value

    def mask(self, value, key=None):
        """An answer without what is this server's own."""
        if isinstance(value, dict):
            return {name: self.mask(item, name) for name, item in sorted(value.items()) if name not in IGNORED}
        if isinstance(value, list):
            return [self.mask(item, key) for item in value]
        if key in MASKED:
            return f"<{key}>"
        if key == "next_page_token":
            return "<token>"
        if isinstance(value, str):
            # The longest first: some ids are part of others.
            known = sorted(self.variables.items(), key=lambda pair: -len(str(pair[1])))
            for name, own in known:
                if not isinstance(own, str) or not own:
                    continue
                if len(own) > 5:
                    value = value.replace(own, f"<{name}>")
                elif key in WITH_IDS:
                    value = re.sub(rf"(?<![\w<-]){re.escape(own)}(?![\w>-])", f"<{name}>", value)
                elif key in ("message", "source"):
                    value = re.sub(ID_IN_MESSAGE.format(re.escape(own)), f"<{name}>", value)
        return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sort_lists(value, case):
    if isinstance(value, dict):
        ordered = {name: sort_lists(item, case) for name, item in value.items()}
        for name, keys in UNORDERED.items():
            items = ordered.get(name)
            if isinstance(items, list) and not any(part in case["path"] for part in ORDERED_PATHS):
                ordered[name] = sorted(items, key=lambda item: [str(item.get(key)) for key in keys])
        return ordered
    if isinstance(value, list):
        return [sort_lists(item, case) for item in value]
    return value


def differences(ours, theirs, path=""):
    """Where two answers differ: (path, theirs, ours)."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            here = f"{path}.{name}" if path else name
            if name not in ours or name not in theirs:
                yield here, theirs.get(name, "<absent>"), ours.get(name, "<absent>")
            else:
                yield from differences(ours[name], theirs[name], here)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f"{path}[{index}]")
    elif ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
        yield path or "<answer>", theirs, ours


def compare(case, ours, theirs):
    found = []
    if ours[0] != theirs[0]:
        found.append(("status", theirs[0], ours[0]))
    found.extend(differences(sort_lists(ours[1], case), sort_lists(theirs[1], case)))
    return found


def load(only):
    cases = []
    for path in sorted(HERE.glob("cases_*.py")):
        cases.extend(importlib.import_module(path.stem).CASES)
    names = [case["name"] for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"names that several cases have: {twice}"
    # What makes things that others need always runs.
    return [case for case in cases if not only or re.search(only, case["name"]) or case.get("keep")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trackway", default="trackway", help="the program")
    parser.add_argument("--mlflow", default="mlflow", help="the program")
    parser.add_argument("--only", help="cases whose names match this regular expression, and those that others need")
    parser.add_argument("--verbose", action="store_true", help="show explained differences too")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="replay-"))
    mlflow = Server("mlflow", [
        args.mlflow, "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"),
    ])
    trackway = Server("trackway", [args.trackway, "--store", str(folder / "store"), "server", "--port", "{port}"])
    try:
        mlflow.wait()
        trackway.wait(10)
        return replay(load(args.only), trackway, mlflow, args.verbose, complete=not args.only)
    finally:
        mlflow.stop()
        trackway.stop()
        shutil.rmtree(folder, ignore_errors=True)


def replay(cases, trackway, mlflow, verbose, complete):
    unexplained, explained_count, used = 0, 0, set()
    for case in cases:
        answers = []
        for server in (trackway, mlflow):
            status, answer = server.send(case)
            server.capture(case, answer)
            answers.append((status, server.mask(answer)))
        for path, theirs, ours in compare(case, *answers):
            rule = explained.find(case["name"], path, theirs, ours)
            if rule is None:
                unexplained += 1
                print(f"DIFFERENT {case['name']}: {path}\n    mlflow:   {short(theirs)}\n    trackway: {short(ours)}")
            else:
                explained_count += 1
                used.add(rule)
                if verbose:
                    print(f"explained {case['name']}: {path}: {explained.RULES[rule][2]}")
    idle = [rule for index, rule in enumerate(explained.RULES) if index not in used] if complete else []
    for rule in idle:
        print(f"explains nothing: {rule}")
    print(f"{len(cases)} requests, {explained_count} differences explained, {unexplained} not")
    return 1 if unexplained or idle else 0


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 600 else text[:600] + " ..."


if __name__ == "__main__":
    sys.exit(main())
