//! Small pools of names and awkward numbers: few enough that operations meet, odd enough to hurt.

/// A point by its bits, so that equality is equality of bits.
pub(super) type Bits = (i64, i64, u64);

pub(super) const EXPERIMENTS: [&str; 4] = ["Default", "digits", "\u{3b1}/\u{3b2}", "a name with spaces"];
const METRICS: [&str; 6] = ["loss", "acc", "val/loss", "lr", "\u{3b5}", "grad norm (p99)"];
const KEYS: [&str; 4] = ["lr", "seed", "opt.name", "\u{3ba}"];
const TEXTS: [&str; 5] = ["0.1", "", "adam", "a longer value, with\nlines\tand \u{1f600}", "0.10"];
const NAMES: [&str; 4] = ["baseline", "ablation 7", "\u{3b6}", "x"];

const STEPS: [i64; 14] = [0, 1, 2, 3, 4, 7, -1, -5, 100, 1000, i64::MIN, i64::MAX, i64::MIN + 1, 1 << 40];
const TIMES: [i64; 8] =
    [1_700_000_000_000, 1_700_000_000_001, 1_700_000_100_000, 0, -1, i64::MIN, i64::MAX, 1_600_000_000_000];
const VALUES: [u64; 16] = [
    0x3ff0_0000_0000_0000, // 1
    0x0000_0000_0000_0000, // 0
    0x8000_0000_0000_0000, // -0
    0x3fb9_9999_9999_999a, // 0.1
    0x3fe0_0000_0000_0000, // 0.5
    0xc00a_0000_0000_0000, // -3.25
    0x7ff8_0000_0000_0000, // NaN
    0x7ff8_0000_dead_beef, // NaN with a payload
    0x7ff0_0000_0000_0001, // signalling NaN
    0xfff8_0000_0000_0000, // negative NaN
    0x7ff0_0000_0000_0000, // infinity
    0xfff0_0000_0000_0000, // negative infinity
    0x0000_0000_0000_0001, // smallest subnormal
    0x7fef_ffff_ffff_ffff, // largest
    0x4170_0000_1000_0000, // 16777217: no float32
    0xc340_0000_0000_0000, // -2^55
];

fn pick<T: Copy>(pool: &[T], at: u8) -> T {
    pool[at as usize % pool.len()]
}

pub(super) fn experiment(at: u8) -> &'static str {
    pick(&EXPERIMENTS, at)
}

pub(super) fn metric(at: u8) -> &'static str {
    pick(&METRICS, at)
}

/// `len` different metrics, at most all there are.
pub(super) fn metrics(first: u8, len: u8) -> Vec<&'static str> {
    let len = 1 + len as usize % METRICS.len();
    (0..len).map(|at| METRICS[(first as usize + at) % METRICS.len()]).collect()
}

pub(super) fn key(at: u8) -> &'static str {
    pick(&KEYS, at)
}

pub(super) fn text(at: u8) -> &'static str {
    pick(&TEXTS, at)
}

pub(super) fn name(at: u8) -> &'static str {
    pick(&NAMES, at)
}

pub(super) fn point(step: u8, time: u8, value: u8) -> Bits {
    (pick(&STEPS, step), pick(&TIMES, time), pick(&VALUES, value))
}

pub(super) fn value(at: u8) -> u64 {
    pick(&VALUES, at)
}

fn scramble(number: u64) -> u64 {
    let mixed = (number ^ (number >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Points that go on from the first one as `shape` says: each column by stride, constant, or scrambled.
pub(super) fn column(len: u32, shape: u8, first: Bits, value_at: u8) -> Vec<Bits> {
    let axis = |kind: u8, first: i64, at: u64| match kind % 4 {
        0 => first.wrapping_add(at as i64),
        1 => first,
        2 => first.wrapping_sub(3 * at as i64),
        _ => scramble(at) as i64 >> 40,
    };
    (0..u64::from(len))
        .map(|at| {
            let value = match (shape >> 4) % 4 {
                0 => (1.0 / (at + 1) as f64).to_bits(),
                1 => first.2,
                2 => value(value_at.wrapping_add(at as u8)),
                _ => scramble(at),
            };
            (axis(shape, first.0, at), axis(shape >> 2, first.1, at), value)
        })
        .collect()
}
