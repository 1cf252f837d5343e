"""Decompresses one Zstandard frame (RFC 8878) in plain Python.

For the reader beside it, where Python has no zstd of its own. Complete for frames without a dictionary, and slow.
"""


class ZstdError(ValueError):
    """Bytes that are no Zstandard frame."""


def need(condition, problem):
    if not condition:
        raise ZstdError(problem)


class Backward:
    """Bits read from the end of `data`; the highest set bit of its last byte only marks where they begin."""

    def __init__(self, data):
        need(data and data[-1], "a bit stream without its end mark")
        self.data = data
        self.left = len(data) * 8 - 9 + data[-1].bit_length()

    def peek(self, count):
        """The next bits; those before the first byte read as zeros."""
        low = self.left - count
        start = max(low, 0)
        word = int.from_bytes(self.data[start >> 3:(start >> 3) + 9], "little") >> (start & 7)
        word &= (1 << max(self.left - start, 0)) - 1
        return word << (start - low)

    def take(self, count):
        value = self.peek(count)
        self.left -= count
        return value


def read_probabilities(data, at, max_log):
    """The head of an FSE table: probabilities, accuracy, and where the bytes after it begin."""
    bits = int.from_bytes(data[at:at + 512], "little")
    used = 0

    def take(count):
        nonlocal used
        value = bits >> used & (1 << count) - 1
        used += count
        return value

    log = take(4) + 5
    need(log <= max_log, "an FSE table is too accurate")
    left, norm = 1 << log, []
    while left > 0:
        need(len(norm) < 256, "an FSE table has too many symbols")
        width = (left + 1).bit_length()
        value = take(width)
        half = (1 << width - 1) - 1
        threshold = (1 << width) - 1 - (left + 1)
        if value & half < threshold:
            used -= 1
            value &= half
        elif value > half:
            value -= threshold
        norm.append(value - 1)
        left -= abs(value - 1)
        if value == 1:
            more = 3
            while more == 3:
                more = take(2)
                norm.extend([0] * more)
    need(left == 0, "the probabilities of an FSE table do not add up")
    end = at + (used + 7) // 8
    need(end <= len(data), "an FSE table is cut")
    return norm, log, end


def fse_table(norm, log):
    """For each state: symbol, number of bits to read, and what they are added to."""
    size, high = 1 << log, 1 << log
    symbols, following = [0] * size, {}
    for symbol, share in enumerate(norm):
        if share == -1:
            high -= 1
            symbols[high] = symbol
            following[symbol] = 1
    at, step = 0, (size >> 1) + (size >> 3) + 3
    for symbol, share in enumerate(norm):
        if share <= 0:
            continue
        following[symbol] = share
        for _ in range(share):
            symbols[at] = symbol
            at = at + step & size - 1
            while at >= high:
                at = at + step & size - 1
    need(at == 0, "the probabilities of an FSE table do not add up")
    table = []
    for symbol in symbols:
        value = following[symbol]
        following[symbol] += 1
        width = log + 1 - value.bit_length()
        table.append((symbol, width, (value << width) - size))
    return table


def huffman_weights(data, at):
    head = data[at]
    at += 1
    if head >= 128:
        count = head - 127
        end = at + (count + 1) // 2
        nibbles = [n for byte in data[at:end] for n in (byte >> 4, byte & 15)]
        return nibbles[:count], end
    end = at + head
    norm, log, start = read_probabilities(data[:end], at, 6)
    table, bits, weights = fse_table(norm, log), Backward(data[start:end]), []
    states = [bits.take(log), bits.take(log)]
    while True:
        symbol, width, base = table[states[0]]
        weights.append(symbol)
        need(len(weights) < 256, "too many Huffman weights")
        states[0] = base + bits.take(width)
        if bits.left < 0:
            weights.append(table[states[1]][0])
            return weights, end
        states.reverse()


def huffman_table(weights):
    """For each value of `depth` bits: symbol and length of its code."""
    total = sum(1 << weight - 1 for weight in weights if weight)
    need(total, "a Huffman table without symbols")
    depth = total.bit_length()
    rest = (1 << depth) - total
    need(depth <= 11 and rest & rest - 1 == 0, "the Huffman weights do not add up")
    weights = weights + [rest.bit_length()]
    table = []
    for weight in range(1, depth + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                table.extend([(symbol, depth + 1 - weight)] * (1 << weight - 1))
    return table, depth


def huffman_stream(data, size, huffman):
    table, depth = huffman
    bits, out = Backward(data), bytearray()
    while bits.left > 0 and len(out) < size:
        symbol, length = table[bits.peek(depth)]
        bits.left -= length
        out.append(symbol)
    need(bits.left == 0 and len(out) == size, "a Huffman stream has another length")
    return out


def literals(block, state):
    """The literals of a block, and where its sequences begin."""
    kind, form = block[0] & 3, block[0] >> 2 & 3
    if kind < 2:
        width, shift = {0: (1, 3), 2: (1, 3), 1: (2, 4), 3: (3, 4)}[form]
        size = int.from_bytes(block[:width], "little") >> shift
        if kind == 1:
            return bytes([block[width]]) * size, width + 1
        need(width + size <= len(block), "literals are cut")
        return block[width:width + size], width + size
    at, width = {0: (3, 10), 1: (3, 10), 2: (4, 14), 3: (5, 18)}[form]
    head = int.from_bytes(block[:at], "little") >> 4
    size, packed = head & (1 << width) - 1, head >> width & (1 << width) - 1
    end = at + packed
    need(end <= len(block), "literals are cut")
    if kind == 2:
        weights, at = huffman_weights(block, at)
        state["huffman"] = huffman_table(weights)
    need("huffman" in state, "literals without a Huffman table")
    if form == 0:
        return huffman_stream(block[at:end], size, state["huffman"]), end
    sizes = [int.from_bytes(block[at + i:at + i + 2], "little") for i in (0, 2, 4)]
    at, part, out = at + 6, (size + 3) // 4, bytearray()
    for stored in sizes:
        out += huffman_stream(block[at:at + stored], part, state["huffman"])
        at += stored
    out += huffman_stream(block[at:end], size - 3 * part, state["huffman"])
    return out, end


def extra(first, widths):
    """(smallest value, number of extra bits) of each code."""
    table = []
    for width in widths:
        table.append((first, width))
        first += 1 << width
    return table


LENGTHS = extra(0, [0] * 16 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
MATCHES = extra(3, [0] * 32 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
# For each kind of code: name, accuracy at most, and the predefined table.
KINDS = (
    ("length", 9, fse_table([4, 3] + [2] * 6 + [2] * 5 + [1] * 3 + [2] * 9 + [3, 2] + [1] * 5 + [-1] * 4, 6)),
    ("offset", 8, fse_table([1] * 6 + [2] * 3 + [1] * 15 + [-1] * 5, 5)),
    ("match", 9, fse_table([1, 4, 3] + [2] * 6 + [1] * 37 + [-1] * 7, 6)),
)


def code_tables(block, at, modes, state):
    tables = []
    for number, (name, max_log, predefined) in enumerate(KINDS):
        mode = modes >> 6 - 2 * number & 3
        if mode == 0:
            state[name] = predefined
        elif mode == 1:
            state[name] = [(block[at], 0, 0)]
            at += 1
        elif mode == 2:
            norm, log, at = read_probabilities(block, at, max_log)
            state[name] = fse_table(norm, log)
        need(name in state, "sequences without their table")
        tables.append(state[name])
    return tables, at


def resolve(value, length, history):
    """Turns a stored offset into a distance, and notes it."""
    if value > 3:
        history[:] = [value - 3] + history[:2]
        return history[0]
    place = value - 1 + (length == 0)
    distance = history[0] - 1 if place == 3 else history[place]
    if place:
        history.insert(0, distance)
        del history[min(place, 2) + 1]
    return distance


def compressed_block(block, out, state):
    text, at = literals(block, state)
    count = block[at]
    at += 1
    if count == 255:
        count, at = block[at] + (block[at + 1] << 8) + 0x7F00, at + 2
    elif count >= 128:
        count, at = (count - 128 << 8) + block[at], at + 1
    if count == 0:
        need(at == len(block), "bytes after the literals")
        out += text
        return
    tables, at = code_tables(block, at + 1, block[at], state)
    bits, used = Backward(block[at:]), 0
    lengths, offsets, matches = tables
    width_of = [len(table).bit_length() - 1 for table in tables]
    length_at, offset_at, match_at = (bits.take(width) for width in width_of)
    for left in reversed(range(count)):
        offset_code = offsets[offset_at][0]
        value = (1 << offset_code) + bits.take(offset_code)
        base, width = MATCHES[matches[match_at][0]]
        match = base + bits.take(width)
        base, width = LENGTHS[lengths[length_at][0]]
        length = base + bits.take(width)
        if left:
            length_at = lengths[length_at][2] + bits.take(lengths[length_at][1])
            match_at = matches[match_at][2] + bits.take(matches[match_at][1])
            offset_at = offsets[offset_at][2] + bits.take(offsets[offset_at][1])
        out += text[used:used + length]
        used += length
        distance = resolve(value, length, state["history"])
        need(used <= len(text) and 0 < distance <= len(out), "a sequence reaches outside")
        for _ in range(match):
            out.append(out[-distance])
    need(bits.left == 0, "bits after the sequences")
    out += text[used:]


def decompress(frame):
    """The content of `frame`, which is exactly one frame."""
    try:
        need(frame[:4] == b"\x28\xb5\x2f\xfd", "no Zstandard frame")
        flags = frame[4]
        single, size_flag = flags >> 5 & 1, flags >> 6
        need(flags & 0x1B == 0, "a dictionary or an unknown flag")
        at = 5 + (not single)
        width = {0: single, 1: 2, 2: 4, 3: 8}[size_flag]
        size = int.from_bytes(frame[at:at + width], "little") + (256 if width == 2 else 0)
        at += width
        out, state, last = bytearray(), {"history": [1, 4, 8]}, 0
        while not last:
            head = int.from_bytes(frame[at:at + 3], "little")
            last, kind, length, at = head & 1, head >> 1 & 3, head >> 3, at + 3
            stored = 1 if kind == 1 else length
            need(kind < 3 and at + stored <= len(frame), "a block is cut")
            block = frame[at:at + stored]
            at += stored
            if kind == 2:
                compressed_block(block, out, state)
            else:
                out += block * length if kind == 1 else block
        need(at + (4 if flags & 4 else 0) == len(frame), "the frame does not end where it should")
        need(not width or size == len(out), "the frame declares another length")
        return bytes(out)
    except (IndexError, KeyError) as error:
        raise ZstdError("the frame is cut or damaged") from error
