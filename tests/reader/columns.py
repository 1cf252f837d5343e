"""Numbers: how docs/format.md spells one, and the codecs of columns."""
from struct import calcsize, pack, unpack

forms = set()  # Which forms were met.
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
def widen(single):
    """The bits of the double that a single's bits are."""
    if single & 0x7F800000 == 0x7F800000 and single & 0x7FFFFF:
        return (single >> 31) << 63 | 0x7FF << 52 | (single & 0x7FFFFF) << 29
    return unpack("<Q", pack("<d", unpack("<f", pack("<I", single))[0]))[0]

def decode(codec, cursor, n, form):
    """The numbers of a column; `form` is `q` for integers, `Q` for the bits of floats. Those of Pcodec are `?`."""
    floats, out = form == "Q", None
    forms.add("codec %d of %s" % (codec, "floats" if floats else "integers"))
    if codec in (0, 1):
        out = cursor.numbers(form, n) if codec == 0 else cursor.numbers(form, 1) * n
    elif codec == 2 and not floats:
        out = stride(cursor.zigzag(), cursor.zigzag(), n)
    elif codec == 3 and not floats:
        out = [number for block in packed(cursor, n) for number in block]
    elif codec == 4 and floats:
        out = [widen(single) for single in cursor.numbers("I", n)]
    elif codec == 5 and floats:
        ints = decode(cursor.number("B"), cursor, n, "q")
        out = [v if v == "?" else unpack("<Q", pack("<d", float(v)))[0] for v in ints]
    elif codec == 6 or codec == 7 and floats:
        need(cursor.bytes(len(cursor.data) - cursor.at)[0] == 4, "an unknown version of Pcodec")
        out = ["?"] * n
    elif codec == 8 and floats:
        out = [bits for block in packed_f32(cursor, n) for bits in block]
    need(out is not None and not cursor.more(), "an unknown codec, or bytes after a column")
    return out

def packed(cursor, n):
    """The integers of each block."""
    base = 0
    for count in blocks(n):
        kind = cursor.number("B")
        need(kind & 127 <= 64, "too wide")
        base = wrap(base + cursor.zigzag())
        least = cursor.zigzag() if kind > 127 else None
        note_block("packed", kind, count)
        yield [wrap(number) for number in numbers_from(base, least, unpack_numbers(cursor, count, kind & 127))]

def packed_f32(cursor, n):
    """The bits of the doubles of each block."""
    for count in blocks(n):
        kind, base = cursor.number("B"), cursor.number("I")
        need(kind & 127 <= 32, "too wide")
        least = cursor.number("I") if kind > 127 else None
        places = cursor.numbers("H", 2) if kind <= 127 and count == 512 else None
        note_block("packed-f32", kind, count)
        ordinals = [number % 2**32 for number in numbers_from(base, least, unpack_numbers(cursor, count, kind & 127))]
        bits = [widen(ordinal ^ (0x80000000 if ordinal >> 31 else 0xFFFFFFFF)) for ordinal in ordinals]
        values = [value for value in unpack("<%dd" % count, pack("<%dQ" % count, *bits))]
        known = [value for value in values if value == value]
        first = [values.index(min(known)), values.index(max(known))] if known else [65535, 65535]
        need(places in (None, first), "places of the extremes of a block")
        yield bits

def note_block(codec, kind, count):
    where = "in a row" if count < 512 else "in lanes" if kind & 127 <= 32 else "of 512 in a row"
    forms.add("%s %s, %s" % (codec, "differences" if kind > 127 else "numbers", where))

def blocks(n):
    """How many numbers each block of n numbers has."""
    return [min(512, n - at) for at in range(0, n, 512)]

def numbers_from(base, least, numbers):
    """What a block says, not yet cut to its bits: numbers above `base`, or differences above `least`."""
    if least is None:
        return [base + number for number in numbers]
    out, value = [], base - least
    for number in numbers:
        value += least + number
        out.append(value)
    return out

def unpack_numbers(cursor, count, width):
    """Packed numbers, in lanes or in a row."""
    data, mask = cursor.bytes((count * width + 7) // 8), (1 << width) - 1
    if count == 512 and width <= 32:
        words = [data[at:at + 4] for at in range(0, len(data), 4)]
        lanes = [int.from_bytes(b"".join(words[lane::16]), "little") for lane in range(16)]
        return [lanes[k % 16] >> k // 16 * width & mask for k in range(512)]
    row = int.from_bytes(data, "little")
    need(row >> count * width == 0, "bits after the packed numbers")
    return [row >> k * width & mask for k in range(count)]
