"""Statistics, each compared with the points that it is about."""
from struct import pack, unpack

from columns import forms, need, widen, wrap


def facts_of(numbers):
    """First, last, smallest and largest of steps or timestamps."""
    return numbers[0], numbers[-1], min(numbers), max(numbers)


def read_facts(cursor):
    """Those of the steps and those of the timestamps of a group."""
    first = [cursor.zigzag(), cursor.zigzag()]
    last = [wrap(number + cursor.zigzag()) for number in first]
    ends = zip(first, last)
    return [(a, b, wrap(a - cursor.varint()), wrap(a + cursor.varint())) for a, b in ends]


def check_stats(cursor, facts, chunks):
    """Reads statistics that lean on `facts`. The points are (steps, timestamps, bits of values), chunk by chunk."""
    flags = cursor.below(16)
    forms.add("statistics with flags %d" % flags)
    nan_count = cursor.varint() if flags & 4 else 0
    told = [nan_count, flags & 1, flags >> 2 & 1]
    value = lambda: widen(cursor.number("I")) if flags & 8 else cursor.number("Q")
    point = lambda: (wrap(facts[0][0] + cursor.zigzag()), wrap(facts[1][0] + cursor.zigzag()), value())
    told += [(facts[0][end], facts[1][end], value()) for end in (0, 1)]
    told.append(told[-1] if flags & 2 else point())
    if flags & 1:
        told += [point(), point()] + cursor.numbers("d", 2)
    if not any("?" in numbers for chunk in chunks for numbers in chunk):
        found = statistics(chunks)
        # As text, since NaN differs from itself; the order in which sums were added is the writer's.
        near = all(repr(a) == repr(b) or abs(a - b) <= 1e-12 * len(chunks[0][0]) * abs(b) for a, b in zip(told[8:], found[8:]))
        need(near and len(told) == len(found), "sums: %r, not %r" % (told, found))
        need(repr(told[:8]) == repr(found[:8]), "statistics: %r, not %r" % (told, found))


def read_only(cursor):
    """The value of which statistics of a bare group consist."""
    flags = cursor.below(16)
    need(not flags & 7, "an unknown flag of a bare group")
    forms.add("only value with flags %d" % flags)
    return widen(cursor.number("I")) if flags else cursor.number("Q")


def read_summary(cursor, base):
    """Of a metric in the catalog; step and timestamp of the latest point count from `base`. As summary_of."""
    count, flags = cursor.varint(), cursor.below(16)
    need(not flags & 2, "an unknown flag of a summary")
    forms.add("summary with flags %d" % flags)
    nan_count = cursor.varint() if flags & 4 else 0
    value = lambda: widen(cursor.number("I")) if flags & 8 else cursor.number("Q")
    latest = wrap(base[0] + cursor.zigzag()), wrap(base[1] + cursor.zigzag()), value()
    return [count, nan_count, flags & 1, flags >> 2 & 1, latest] + [value() for _ in range(2 * (flags & 1))]


def summary_of(points):
    """Count, NaN count, whether there are numbers and NaN, latest point, smallest and largest value."""
    known = statistics([list(zip(*points))])
    return [len(points), *known[:3], known[5], *(point[2] for point in known[6:8])]


def statistics(chunks):
    """What check_stats reads, from the points."""
    points, sums, squares = [], 0.0, 0.0
    for chunk in chunks:
        # Added number by number: the function `sum` of some versions of Python rounds less.
        chunk_sum, chunk_squares = 0.0, 0.0
        for step, when, bits in zip(*chunk):
            number = unpack("<d", pack("<Q", bits))[0]
            points.append((number, (step, when, bits)))
            chunk_sum += number if number == number else 0.0
            chunk_squares += number * number if number == number else 0.0
        sums, squares = sums + chunk_sum, squares + chunk_squares
    numbers = [(number, point) for number, point in points if number == number]

    def rank(found):
        number, (step, when, bits) = found
        is_nan = number != number
        return step, when, 0.0 if is_nan else number, 1 if is_nan else 0 if bits == 1 << 63 else 2

    found = [len(points) - len(numbers), int(bool(numbers)), int(len(numbers) < len(points))]
    found += [points[0][1], points[-1][1], max(points, key=rank)[1]]
    if numbers:
        value = lambda found: found[0]
        found += [min(numbers, key=value)[1], max(numbers, key=value)[1], sums, squares]
    return found
