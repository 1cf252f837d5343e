"""A second reader of trackway stores, written from docs/format.md alone. Plain Python, no packages.

`read_store(folder)` gives experiments and runs with everything but the catalog, which is derived, and checks every
checksum on the way. For stores that nobody writes to at the time: every log is read as a dead one. Numbers that only
Pcodec could decode are "?". dump.py prints the result.
"""
import os, sys, time
from struct import calcsize, pack, unpack
from zlib import crc32

try:
    from compression.zstd import decompress  # Python 3.14
except ImportError:
    from zstd_plain import decompress

MAGIC = {"store": b"TWSTORE\x8a", "experiment": b"TWEXPER\x8a", "log": b"TWLOG\0\0\x8a", "segment": b"TWSEGM\0\x8a"}
def need(condition, problem):
    if not condition:
        raise ValueError(problem)
def wrap(value):
    return (value + 2**63) % 2**64 - 2**63  # The signed 64-bit number.
def stride(first, difference, n):
    return [wrap(first + k * difference) for k in range(n)]
class Cursor:
    def __init__(self, data):
        self.data, self.at = bytes(data), 0
    def more(self):
        return self.at < len(self.data)
    def bytes(self, count):
        need(self.at + count <= len(self.data), "the bytes end too early")
        self.at += count
        return self.data[self.at - count:self.at]
    def numbers(self, form, count):
        return list(unpack("<%d%s" % (count, form), self.bytes(count * calcsize("<" + form))))
    def number(self, form):
        return self.numbers(form, 1)[0]
    def varint(self):
        value, shift, byte = 0, 0, 128
        while byte > 127:
            byte = self.number("B")
            value |= (byte & 127) << shift
            shift += 7
        need(value < 2**64 and shift <= 70 and (byte or shift == 7), "a bad varint")
        return value
    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)
    def text(self):
        return self.bytes(self.varint()).decode()
    def below(self, limit):
        value = self.number("B")
        need(value < limit, "an unknown flag or kind")
        return value
class File:
    """The bytes of a file whose header was checked."""
    def __init__(self, path, kind, owner=bytes(16)):
        with open(path, "rb") as file:
            self.data = file.read()
        head = self.data[:64]
        need(head[:8] == MAGIC[kind] and pack("<I", crc32(head[:60])) == head[60:], "header of the file")
        need(head[8:10] == b"\1\0" and head[20:24] == bytes(4), "an unknown version, or a feature to be known")
        self.id = head[24:40]
        need(head[40:56] == owner, "the file of another run")
    def crc(self, offset, data=b""):
        return crc32(data, crc32(self.id + pack("<Q", offset)))
    def body(self):
        length, crc = unpack("<II", self.data[64:72])
        need(72 + length == len(self.data) and crc == self.crc(72, self.data[72:]), "checksum of the body")
        return Cursor(self.data[72:])
    def section(self, offset, length):
        content, stored, crc = unpack("<III", self.data[offset:offset + 12])
        data = self.data[offset + 12:offset + length]
        fits = len(data) == stored and crc == self.crc(offset, self.data[offset:offset + 8] + data)
        need(fits, "checksum of the section at %d" % offset)
        data = data if content == stored else decompress(data)
        need(len(data) == content, "length of the section at %d" % offset)
        return Cursor(data)
class Source:
    """What a log or segment says: points by metric, changes of the run, the logs it stands for."""
    def __init__(self):
        self.points, self.changes, self.logs, self.effort = {}, [], [], 0
    def add(self, metric, steps, times, bits):
        self.points.setdefault(metric, []).extend(zip(steps, times, bits))
    def change(self, kind, cursor):
        """Takes a record about the run, as (time, what, key, value); one of a newer version is skipped."""
        at, what, key, value = cursor.varint(), None, "", None
        if kind == 0x20:
            what, _skipped = "created", (cursor.varint(), cursor.text())
            value = cursor.zigzag(), cursor.text(), (cursor.below(2), cursor.bytes(16).hex())
        elif kind == 0x21:
            what, value = "name", cursor.text()
        elif kind == 0x22:
            what, value = "status", (cursor.below(6), cursor.below(3), (cursor.below(2), cursor.zigzag()))
        elif kind in (0x23, 0x24, 0x25):
            what, key = "param" if kind == 0x23 else "tag", cursor.text()
            value = (0, "") if kind == 0x25 else (1, cursor.text())
        elif kind == 0x26:
            what, value = "lifecycle", (cursor.below(2), cursor.zigzag())
        self.changes += [(at, what, key, value)] if what else []
def frames(file, end, crc):
    """The payloads of a dead log. The published word is (end, crc)."""
    data, at, last = file.data, 4096, None
    while data[at:at + 8].strip(b"\0"):
        length, stored = unpack("<II", data[at:at + 8].ljust(8, b"\0"))
        size, is_pad = length & 0x7FFFFFFF, length >> 31
        payload = b"" if is_pad else data[at + 8:at + 8 + size]
        if len(payload) < size and not is_pad or crc32(data[at:at + 4], file.crc(at, payload)) != stored:
            break
        if not is_pad:
            last = at
            yield payload
        at += 8 + size + 7 & ~7
    file.end = at
    killed = end < at or end == at and crc != file.crc(at, b"")  # Between closing a frame and publishing its end.
    inside = killed and last is not None
    start = last if inside else at
    rest = data[start + 8:end]
    clean = end == start + len(rest) + 8 * bool(rest) and crc == file.crc(start, rest)
    if not clean or not inside and data[at:at + 8].strip(b"\0"):
        print("the end of a log is damaged, at %d" % at, file=sys.stderr)
    elif rest and not inside:
        yield rest
def read_axis(cursor, n):
    kind = cursor.below(3)
    first = 0 if kind == 1 else cursor.number("q")
    return stride(first, cursor.number("q"), n) if kind == 0 else [first + k for k in cursor.numbers(" qI"[kind], n)]
def read_log(path, owner):
    file, source, metrics, rows = File(path, "log", owner), Source(), {}, {}
    created, salt, *before, before_end, crc, end, word_crc = unpack("<QQ20xQQI4xIII", file.data[64:136])
    need(crc == file.crc(64, file.data[64:124]), "checksum of the log's header")
    source.logs, source.before, source.before_end = [(created, salt)], tuple(before), before_end
    for payload in frames(file, end, word_crc):
        cursor, step, when = Cursor(payload), 0, 0
        while cursor.more():
            kind, number = cursor.number("B"), cursor.varint()
            if kind in (1, 2):
                step, when = wrap(step + cursor.zigzag()), wrap(when + cursor.zigzag())
                for name in rows[number] if kind == 2 else [metrics[number]]:
                    source.add(name, [step], [when], cursor.numbers("Q", 1))
            elif kind == 3:
                n = cursor.varint()
                source.add(metrics[number], read_axis(cursor, n), read_axis(cursor, n), cursor.numbers("Q", n))
            elif kind == 0x10:
                metrics[number] = cursor.text()
            elif kind == 0x11:
                rows[number] = [metrics[cursor.varint()] for _ in range(cursor.varint())]
            else:
                need(kind >= 0x20, "an unknown record")
                source.change(kind, Cursor(cursor.bytes(number)))
    source.end = file.end
    return source

def widen(single):
    if single & 0x7F800000 == 0x7F800000 and single & 0x7FFFFF:
        return (single >> 31) << 63 | 0x7FF << 52 | (single & 0x7FFFFF) << 29
    return unpack("<Q", pack("<d", unpack("<f", pack("<I", single))[0]))[0]

def decode(codec, cursor, n, form):
    """The numbers of a column; `form` is `q` for integers, `Q` for the bits of floats. Those of Pcodec are `?`."""
    floats, out = form == "Q", None
    if codec in (0, 1):
        out = cursor.numbers(form, n) if codec == 0 else cursor.numbers(form, 1) * n
    elif codec == 2 and not floats:
        out = stride(cursor.zigzag(), cursor.zigzag(), n)
    elif codec == 3 and not floats:
        out, least, width = [cursor.zigzag()], cursor.zigzag(), cursor.below(65)
        packed = int.from_bytes(cursor.bytes(((n - 1) * width + 7) // 8), "little")
        for k in range(n - 1):
            out.append(wrap(out[-1] + least + (packed >> k * width & (1 << width) - 1)))
        need(packed >> (n - 1) * width == 0, "bits after the differences")
    elif codec == 4 and floats:
        out = [widen(single) for single in cursor.numbers("I", n)]
    elif codec == 5 and floats:
        ints = decode(cursor.number("B"), cursor, n, "q")
        out = [v if v == "?" else unpack("<Q", pack("<d", float(v)))[0] for v in ints]
    elif codec == 6 or codec == 7 and floats:
        need(cursor.bytes(len(cursor.data) - cursor.at)[0] == 4, "an unknown version of Pcodec")
        out = ["?"] * n
    need(out is not None and not cursor.more(), "an unknown codec, or bytes after a column")
    return out

def read_stats(cursor):
    """Count, first and last point, and the ranges of steps and timestamps."""
    count = cursor.varint()
    flags, _nan_count = cursor.below(4), cursor.varint()
    points = [(cursor.zigzag(), cursor.zigzag(), cursor.number("Q"))]
    for _ in range(1 + (not flags & 2) + 2 * (flags & 1)):
        points.append((wrap(points[0][0] + cursor.zigzag()), wrap(points[0][1] + cursor.zigzag()), cursor.number("Q")))
    ranges = [(wrap(first - cursor.varint()), wrap(first + cursor.varint())) for first in points[0][:2]]
    cursor.bytes(16 * (flags & 1))
    return count, points[0], points[1], ranges

def read_segment(path, owner):
    file, source = File(path, "segment", owner), Source()
    footer_at, footer_length, _zero, crc = unpack("<QIII", file.data[-24:-4])
    need(file.data[-4:] == b"TWSE" and crc == file.crc(0, file.data[-24:-8]), "checksum of the trailer")
    need(footer_at + footer_length == len(file.data) - 24, "place of the footer")
    footer, groups, at = file.section(footer_at, footer_length), [], 64
    source.effort = footer.number("B")
    source.logs = [(footer.varint(), footer.number("Q")) for _ in range(footer.varint())]
    need(source.logs and source.logs[0] == min(source.logs) and len(set(source.logs)) == len(source.logs), "log ids")
    changes = Cursor(footer.bytes(footer.varint()))
    while changes.more():
        source.change(changes.number("B"), Cursor(changes.bytes(changes.varint())))
    for _ in range(footer.varint()):
        columns, index, rows = footer.varint(), footer.varint(), sum(footer.varint() for _ in source.logs)
        groups.append(read_group(file, at, file.section(at + columns, index), rows))
        at += columns + index
    need(at == footer_at, "the groups do not end at the footer")
    for _ in range(footer.varint()):
        metric, (steps, times, series) = footer.text(), groups[footer.varint()]
        source.add(metric, steps, times, series[footer.varint()])
        found, (count, *ends, ranges) = source.points[metric], read_stats(footer)
        for point, told in zip((found[0], found[-1]), ends):
            need(count == len(found) and all(a in ("?", b) for a, b in zip(point, told)), "statistics of " + metric)
        for numbers, told in ((steps, ranges[0]), (times, ranges[1])):
            need("?" in numbers or (min(numbers), max(numbers)) == told, "ranges of " + metric)
    need(not footer.more(), "bytes after the footer")
    return source

def read_group(file, at, index, rows):
    def column(n, form):
        nonlocal at
        codec, length, crc = index.number("B"), index.varint(), index.number("I")
        data, at = file.data[at:at + length], at + length
        need(crc == file.crc(at - length, data), "checksum of the column at %d" % (at - length))
        return decode(codec, Cursor(data), n, form)
    chunk_count, series_count, chunks, axes = index.varint(), index.varint(), [], ([], [])
    for _ in range(chunk_count):
        chunks.append(index.varint())
        for axis in axes:
            axis += column(chunks[-1], "q")
            index.zigzag(), index.varint(), index.below(2)
    series = [[] for _ in range(series_count)]
    for values in series:
        for n in chunks:
            values += column(n, "Q")
            need(chunk_count == 1 or read_stats(index)[0] == n, "statistics of a chunk")
    need(sum(chunks) == rows and not index.more(), "rows of a group")
    return axes[0], axes[1], series

def read_run(folder, run):
    """What the files of a run add up to; None for a folder that is no run."""
    names, owner, sources, taken = sorted(os.listdir(folder)), bytes.fromhex(run), [], set()
    segments = [read_segment(os.path.join(folder, name), owner) for name in names if name.endswith(".seg")]
    for segment in sorted(segments, key=lambda found: (-len(found.logs), -found.effort)):
        known = [log for log in segment.logs if log in taken]
        need(not known or known == segment.logs, "two segments share some of their logs")
        sources += [] if known else [segment]
        taken.update(segment.logs)
    ends = {}
    for name in names:
        path, (created, dash, salt) = os.path.join(folder, name), name[:-4].partition("-")
        if name.endswith(".log") and dash and (int(created, 16), int(salt, 16)) not in taken:
            if not open(path, "rb").read(8).strip(b"\0"):
                continue  # Never synced, and lost with the power.
            log = read_log(path, owner)
            if not log.before_end or log.before in taken or ends.get(log.before) == log.before_end:
                ends[log.logs[0]] = log.end
                sources.append(log)
    sources.sort(key=lambda source: source.logs[0])
    return add_up(sources) if taken or any(source.changes or source.points for source in sources) else None

def add_up(sources):
    """The run that its sources, in order, describe."""
    points, known = {}, {}
    for source in sources:
        for metric, found in source.points.items():
            points[metric] = points.get(metric, []) + found
        for at, what, key, value in source.changes:
            old = known.get((what, key), (at, value))
            known[what, key] = min(old, (at, value)) if what in ("created", "param") else max(old, (at, value))
    of = lambda what, otherwise: known.get((what, ""), (0, otherwise))[1]
    status, cause, end = of("status", (1, 0, (0, 0)))
    if status == 1:
        now, latest = time.time_ns() // 10**6, max([0] + [change[0] for source in sources for change in source.changes])
        ends = [max(when for _, when, _ in found) for found in points.values()]
        status, cause, end = 5, 2, (1, max([latest // 1000] + [found for found in ends if found <= now]))
    texts = lambda what: {key: value[1] for (is_what, key), (_, value) in known.items() if is_what == what and value[0]}
    start, user, parent = of("created", (0, "", (0, "")))
    return {"status": status, "cause": cause, "end": end, "start": start, "user": user, "parent": parent,
            "name": of("name", ""), "deleted": of("lifecycle", (0, 0)), "params": texts("param"), "tags": texts("tag"),
            "points": points}

def read_store(root):
    """Experiments by id, and runs by experiment and id."""
    need(not File(os.path.join(root, "store.tw"), "store").body().more(), "the body of store.tw")
    experiments, runs = {}, {}
    for number in sorted(int(name) for name in os.listdir(os.path.join(root, "experiments")) if name.isdigit()):
        folder = os.path.join(root, "experiments", str(number))
        body = File(os.path.join(folder, "experiment.tw"), "experiment").body()
        need(body.varint() == number, "the file of another experiment")
        told = {"name": body.text(), "deleted": body.below(2), "created": body.zigzag(), "changed": body.zigzag()}
        experiments[number] = dict(told, tags={body.text(): body.text() for _ in range(body.varint())})
        runs_folder = os.path.join(folder, "runs")
        for run in sorted(os.listdir(runs_folder) if os.path.isdir(runs_folder) else []):
            runs[number, run] = read_run(os.path.join(runs_folder, run), run)
    return experiments, {key: run for key, run in runs.items() if run}
