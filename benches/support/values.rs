//! Points such as a training loop logs.

/// splitmix64: a plain multiple of the step is so regular that compression finds it out.
pub(crate) fn noise(step: i64) -> u64 {
    let z = (step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A float32 loss that falls, with a tenth of noise.
pub(crate) fn loss(step: i64) -> f64 {
    let noise = (noise(step) >> 40) as f32 / (1u64 << 24) as f32;
    f64::from((0.1 + 1.0 / (1.0 + step as f32 / 1e5)) * (1.0 + noise / 10.0))
}

/// Milliseconds of a step that takes 31 to 47 of them.
pub(crate) fn time(step: i64) -> i64 {
    1_700_000_000_000 + step * 31 + (noise(step) % 17) as i64
}
