"""The catalog of a store, compared with what its runs say. Nothing else reads it: it is derived."""
import os
from struct import unpack
from zlib import crc32

from columns import Cursor, forms, need
from facts import read_summary, summary_of
from trackway_reader import File, Source, add_up, decompress


def check_catalog(root, runs):
    """`runs` by experiment and id, as read_store gives them. What is settled must be the same."""
    path = os.path.join(root, "catalog", "catalog.tw")
    entries = dict(read_entries(File(path, "catalog"))) if os.path.exists(path) else {}
    for run, (experiment, state, source, summaries) in entries.items():
        if state == 1:
            told = dict(runs[experiment, run])
            points = told.pop("points")
            known = add_up([source])
            need(not known.pop("points") and known == told, "run %s, by the catalog: %r, not %r" % (run, known, told))
            need(list(summaries) == sorted(points, key=str.encode), "metrics of run %s, by the catalog" % run)
            for metric, summary in summaries.items():
                if not any("?" in point for point in points[metric]):
                    need(summary == summary_of(points[metric]), "summary of " + metric)


def read_entries(file):
    """Runs, each as (id, (experiment, state, changes, summaries by metric)); the last of a run counts."""
    at = 64
    while len(file.data) - at >= 12:
        length, head_crc, crc = unpack("<III", file.data[at:at + 12])
        need(head_crc == file.crc(at, file.data[at:at + 4]), "checksum of the length of an entry")
        body = Cursor(file.data[at + 12:at + 12 + length])
        if len(body.data) < length:
            break  # Not there yet.
        need(crc == crc32(body.data, head_crc), "checksum of an entry")
        kind = body.number("B")
        need(kind in (1, 2), "an unknown kind of entry")
        forms.add("entry of kind %d" % kind)
        if kind == 2:
            expanded = body.varint()
            body = Cursor(decompress(body.bytes(len(body.data) - body.at)))
            need(len(body.data) == expanded, "length of the runs in an entry")
        while body.more():
            yield read_entry(body)
            need(kind == 2 or not body.more(), "bytes after an entry")
        at += 12 + length


def read_entry(body):
    run, experiment, state = body.bytes(16).hex(), body.varint(), body.below(3)
    source, summaries, base = Source(), {}, (0, 0)
    if state == 1:
        body.below(2)
        source.change_all(body.bytes(body.varint()))
        for _ in range(body.varint()):
            metric = body.text()
            summaries[metric] = read_summary(body, base)
            base = summaries[metric][4][:2]
    return run, (experiment, state, source, summaries)
