#!/usr/bin/env python3
"""Prints everything in a store as text: `dump.py STORE`, or which forms of numbers it has: `dump.py --forms STORE`.

Lines, in this order: each experiment by id, followed by its tags by key; then each run by experiment and id, followed
by its params and tags by key, its metrics by name with their points as written (step, timestamp, bits of the value in
hex), and its artifacts by path with length and CRC-32; then each registered model by name, followed by
its tags by key, its versions by number with their tags, and its aliases. Texts are percent-encoded but for `A-Z a-z 0-9 _ . - ~ /`. What
is not set is `-`, and a number that only Pcodec could decode is `?`.
"""
import os
import sys
from urllib.parse import quote
from zlib import crc32

from catalog import check_catalog
from columns import forms
from trackway_reader import read_models, read_store

STATUS = ["", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
CAUSE = ["reported", "dropped", "vanished"]
VERSION_STATUS = ["", "PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY"]
STAGE = ["None", "Staging", "Production", "Archived"]


def optional(pair):
    return pair[1] if pair[0] else "-"


def lines(root):
    experiments, runs = read_store(root)
    check_catalog(root, runs)
    for number, told in experiments.items():
        stage = "deleted" if told["deleted"] else "active"
        head = "experiment %d stage=%s created=%d changed=%d name=%s"
        yield head % (number, stage, told["created"], told["changed"], quote(told["name"]))
        for key, value in sorted(told["tags"].items()):
            yield "experiment-tag %s=%s" % (quote(key), quote(value))
    for (experiment, run), told in runs.items():
        yield "run %s experiment=%d status=%s cause=%s start=%d end=%s deleted=%s parent=%s user=%s name=%s" % (
            run, experiment, STATUS[told["status"]], CAUSE[told["cause"]], told["start"], optional(told["end"]),
            optional(told["deleted"]), optional(told["parent"]), quote(told["user"]), quote(told["name"]))
        for what in ("param", "tag"):
            for key, value in sorted(told[what + "s"].items()):
                yield "%s %s=%s" % (what, quote(key), quote(value))
        for metric, points in sorted(told["points"].items()):
            for step, when, bits in points:
                bits = bits if bits == "?" else "%016x" % bits
                yield "point %s %s %s %s" % (quote(metric), step, when, bits)
        yield from artifacts(os.path.join(root, "experiments", str(experiment), "runs", run, "artifacts"))
    yield from models(root)


def models(root):
    for name, told in sorted(read_models(root).items()):
        head = "model %s created=%d changed=%d last=%d description=%s"
        yield head % (quote(name), told["created"], told["changed"], told["last"], quote(told["description"]))
        for key, value in sorted(told["tags"].items()):
            yield "model-tag %s=%s" % (quote(key), quote(value))
        for number, version in told["versions"].items():
            yield "version %d status=%s stage=%s created=%d changed=%d run=%s source=%s link=%s user=%s description=%s" % (
                number, VERSION_STATUS[version["status"]], STAGE[version["stage"]], version["created"],
                version["changed"], optional(version["run"]), quote(version["source"]), quote(version["link"]),
                quote(version["user"]), quote(version["description"]))
            for key, value in sorted(version["tags"].items()):
                yield "version-tag %s=%s" % (quote(key), quote(value))
        for alias, number in sorted(told["aliases"].items()):
            yield "alias %s=%d" % (quote(alias), number)


def artifacts(folder):
    found = []
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                data = file.read()
            if not name.startswith(".new-"):
                found.append((os.path.relpath(path, folder).replace(os.sep, "/"), len(data), crc32(data)))
    for path, size, crc in sorted(found):
        yield "artifact %s %d %08x" % (quote(path), size, crc)


if __name__ == "__main__":
    options, stores = sys.argv[1:-1], sys.argv[-1:]
    if len(sys.argv) < 2 or options not in ([], ["--forms"]):
        sys.exit(__doc__)
    found = list(lines(stores[0]))
    print("\n".join(sorted(forms) if options else found))
