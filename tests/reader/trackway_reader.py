"""A second reader of trackway stores, written from docs/format.md alone. Plain Python, no packages.

`read_store(folder)` gives experiments and runs from everything but the catalog (catalog.py), which is derived, and
`read_models(folder)` the registered models; both check every checksum on the way. For stores that nobody writes to at the time: every log is read as a dead one. Numbers
that only Pcodec could decode are "?". dump.py prints the result.
"""
import os, sys, time
from struct import pack, unpack
from zlib import crc32

from columns import Cursor, decode, forms, need, stride, wrap
from facts import check_stats, facts_of, read_facts, read_only

try:
    from compression.zstd import decompress  # Python 3.14
except ImportError:
    from zstd_plain import decompress

MAGIC = {"store": b"TWSTORE\x8a", "experiment": b"TWEXPER\x8a", "log": b"TWLOG\0\0\x8a", "segment": b"TWSEGM\0\x8a",
         "catalog": b"TWCATAL\x8a", "pack": b"TWPACK\0\x8a", "model": b"TWMODEL\x8a"}
KNOWN = {"store": 1, "segment": 1}  # Features that a reader must know.
class File:
    """The bytes of a file whose header was checked."""
    def __init__(self, path, kind, owner=bytes(16), piece=None):
        with open(path, "rb") as file:
            self.data = file.read()[slice(*piece or (None,))]
        head = self.data[:64]
        need(head[:8] == MAGIC[kind] and pack("<I", crc32(head[:60])) == head[60:], "header of the file")
        self.features, = unpack("<I", head[20:24])
        need(head[8:10] == b"\1\0" and not self.features & ~KNOWN.get(kind, 0), "an unknown version, or a feature to be known")
        self.id = head[24:40]
        need(owner is None or head[40:56] == owner, "the file of another run")
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
    def change(self, kind, cursor, before=0):
        """Takes a record about the run, as (time, what, key, value); one of a newer version is skipped."""
        at, what, key, value = (before + cursor.varint()) % 2**64, None, "", None
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
        return at
    def change_all(self, data):
        """Takes the records of a segment, whose times are differences."""
        cursor, at = Cursor(data), 0
        while cursor.more():
            at = self.change(cursor.number("B"), Cursor(cursor.bytes(cursor.varint())), at)
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

def read_pack(path):
    """The runs of which there are segments in a pack, and where each lies, in order."""
    file = File(path, "pack", None)
    at, count, crc, own_crc = unpack("<QQII", file.data[-28:-4])
    need(file.data[-4:] == b"TWPE" and own_crc == file.crc(0, file.data[-28:-8]), "checksum of the pack's trailer")
    need(at + 24 * count == len(file.data) - 28 and crc == file.crc(at, file.data[at:-28]), "the directory of a pack")
    start, last, found = 64, b"", []
    for place in range(at, at + 24 * count, 24):
        run, (end,) = file.data[place:place + 16], unpack("<Q", file.data[place + 16:place + 24])
        need(last <= run and start <= end, "the order of a pack")
        found.append((run.hex(), (path, (start, end))))
        start, last = end, run
    need(start == at, "the segments of a pack do not end at its directory")
    return found

def read_segment(path, owner, piece=None):
    file, source = File(path, "segment", owner, piece), Source()
    footer_at, footer_length, _zero, crc = unpack("<QIII", file.data[-24:-4])
    need(file.data[-4:] == b"TWSE" and crc == file.crc(0, file.data[-24:-8]), "checksum of the trailer")
    need(footer_at + footer_length == len(file.data) - 24, "place of the footer")
    footer, groups, facts, at = file.section(footer_at, footer_length), [], [], 64
    source.effort = footer.number("B")
    source.logs = [(footer.varint(), footer.number("Q")) for _ in range(footer.varint())]
    need(source.logs and source.logs[0] == min(source.logs) and len(set(source.logs)) == len(source.logs), "log ids")
    source.change_all(footer.bytes(footer.varint()))
    for _ in range(footer.varint()):
        columns, index, rows = footer.varint(), footer.varint(), sum(footer.varint() for _ in source.logs)
        if not index:
            need(file.features and not columns and rows == 1, "a group without an index that is not bare")
            facts.append([facts_of([footer.zigzag()]) for _ in range(2)])
            groups.append(BareGroup(facts[-1]))
            continue
        groups.append(read_group(file, at, file.section(at + columns, index), groups))
        facts.append(read_facts(footer))
        for which, told in enumerate(facts[-1]):
            numbers = [number for chunk in groups[-1].axes for number in chunk[which]]
            need(len(numbers) == rows > 0, "rows of a group")
            need("?" in numbers or told == facts_of(numbers), "facts of a group")
        at += columns + index
    need(at == footer_at, "the groups do not end at the footer")
    for _ in range(footer.varint()):
        metric, number, position = footer.text(), footer.varint(), footer.varint()
        is_bare = isinstance(groups[number], BareGroup)
        chunks = groups[number].take(position, read_only(footer)) if is_bare else groups[number].points(position)
        is_bare or check_stats(footer, facts[number], chunks)
        need(not source.points or metric.encode() > max(source.points).encode(), "the metrics are not sorted")
        for steps, times, bits in chunks:
            source.add(metric, steps, times, bits)
    need(not footer.more(), "bytes after the footer")
    bare = [group for group in groups if isinstance(group, BareGroup)]
    need(bool(bare) == bool(file.features), "what the header says of bare groups")
    need(all(group.taken and group.taken == set(range(len(group.taken))) for group in bare), "metrics of a bare group")
    return source

class Group:
    """Steps and timestamps of each chunk, and of each series the values of each chunk."""
    def __init__(self):
        self.axes, self.series = [], []
    def points(self, position):
        return [(*axis, values) for axis, values in zip(self.axes, self.series[position])]

class BareGroup:
    """A row of which the footer says all."""
    def __init__(self, facts):
        self.axes, self.taken = [tuple([numbers[0]] for numbers in facts)], set()
    def take(self, position, bits):
        need(position not in self.taken, "two metrics in one place")
        self.taken.add(position)
        return [(*self.axes[0], [bits])]

def read_group(file, at, index, groups):
    def column(n, form):
        nonlocal at
        codec, length, crc = index.number("B"), index.varint(), index.number("I")
        data, at = file.data[at:at + length], at + length
        need(crc == file.crc(at - length, data), "checksum of the column at %d" % (at - length))
        return decode(codec, Cursor(data), n, form)
    group, facts, chunk_count, series_count, back = Group(), [], index.varint(), index.varint(), index.varint()
    need(chunk_count and series_count and back <= len(groups), "counts of a group")
    beside = groups[-back].axes if back else [None] * chunk_count
    need(len(beside) == chunk_count, "a sister with other chunks")
    for sister in beside:
        rows, axis = index.varint(), []
        facts.append([])
        need(rows > 0 and (not sister or len(sister[0]) == rows), "rows of a chunk")
        for which in range(2):
            flags = index.below(4)
            need(sister or not flags & 2, "a group without a sister lacks a column")
            beside_what = "beside a sister" if sister else "alone"
            forms.add("%s %s with flags %d" % (("timestamps" if which else "steps"), beside_what, flags))
            numbers = column(rows, "q") if not flags & 2 else [0] * rows
            if sister:
                numbers = ["?" if "?" in pair else wrap(sum(pair)) for pair in zip(sister[which], numbers)]
            least, span = index.zigzag(), index.varint()
            ends = (0, span) if flags & 1 else (index.varint(), index.varint())
            facts[-1].append(tuple(wrap(least + more) for more in (*ends, 0, span)))
            if "?" not in numbers:
                told = facts[-1][which], flags & 1
                need(told == (facts_of(numbers), numbers == sorted(numbers)), "what is told of steps or timestamps")
            axis.append(numbers)
        group.axes.append(axis)
    for _ in range(series_count):
        group.series.append([])
        for told, axis in zip(facts, group.axes):
            group.series[-1].append(column(len(axis[0]), "Q"))
            if chunk_count > 1:
                check_stats(index, told, [(*axis, group.series[-1][-1])])
    need(not index.more(), "bytes after an index")
    return group

def read_run(folder, run, packed):
    """What the files of a run, and its segments in packs, add up to; None for a folder that is no run."""
    names = sorted(os.listdir(folder) if os.path.isdir(folder) else [])
    owner, sources, taken = bytes.fromhex(run), [], set()
    segments = [read_segment(path, owner, piece) for path, piece in packed]
    segments += [read_segment(os.path.join(folder, name), owner) for name in names if name.endswith(".seg")]
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

def hash_of_name(name):
    """FNV-1a in 128 bits, as the name of a model's file has it."""
    hashed = 0x6C62272E07BB014262B821756295C58D
    for byte in name.encode():
        hashed = (hashed ^ byte) * (2**88 + 0x13B) % 2**128
    return "%032x" % hashed

def read_tags(cursor):
    return {cursor.text(): cursor.text() for _ in range(cursor.varint())}

def read_version(cursor):
    told = {"source": cursor.text(), "run": (cursor.below(2), cursor.bytes(16).hex())}
    told.update(link=cursor.text(), user=cursor.text(), status=cursor.below(4), stage=cursor.below(4))
    need(told["status"] > 0, "status of a version")
    told.update(description=cursor.text(), created=cursor.zigzag(), changed=cursor.zigzag(), tags=read_tags(cursor))
    return told

def read_models(root):
    """Registered models by name."""
    folder, models = os.path.join(root, "models"), {}
    for file in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        stem, dot, ending = file.partition(".")
        if len(stem) != 32 or stem.strip("0123456789abcdef") or dot + ending != ".tw":
            continue
        body = File(os.path.join(folder, file), "model").body()
        names = [body.text() for _ in range(body.varint())]
        name = [name for name in names if hash_of_name(name) == stem]
        need(1 <= len(names) <= 2 and name, "the file of another model")
        told = {"created": body.zigzag(), "changed": body.zigzag(), "description": body.text(), "tags": read_tags(body)}
        told["last"], told["versions"] = body.varint(), {}
        for _ in range(body.varint()):
            number = body.varint()
            need(max(told["versions"], default=0) < number <= told["last"] < 2**32, "number of a version")
            told["versions"][number] = read_version(Cursor(body.bytes(body.varint())))
        told["aliases"] = {body.text(): body.varint() for _ in range(body.varint())}
        need(set(told["aliases"].values()) <= set(told["versions"]), "an alias of no version")
        models[name[0]] = told
    return models

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
        names = lambda below: os.listdir(os.path.join(folder, below)) if os.path.isdir(os.path.join(folder, below)) else []
        packed = {run: [] for run in names("runs")}
        for name in sorted(name for name in names("packs") if name.endswith(".pack")):
            for run, place in read_pack(os.path.join(folder, "packs", name)):
                packed.setdefault(run, []).append(place)
        for run in sorted(packed):
            runs[number, run] = read_run(os.path.join(folder, "runs", run), run, packed[run])
    return experiments, {key: run for key, run in runs.items() if run}
