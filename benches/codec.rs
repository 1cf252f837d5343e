//! The codecs alone: bytes a value, and million values a second to encode and to decode, of columns such as runs have,
//! with the effort of sealing, of compaction and of compaction for archives. Beside them the floor: copying plain
//! columns.
//!
//! Not a criterion benchmark: what counts is a table. The columns are cut into chunks as segments are; each rate is the
//! median of some rounds over all chunks of a kind. `TRACKWAY_CURVES` may name a folder of recorded curves (`bin/` in
//! it, as `crates/trackway-cli/demo-data/README.md` says): then their values are a kind too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "support/values.rs"]
mod values;

use serde_json::Value;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use trackway::testing::column::{Codec, Effort, decode_floats, decode_ints, encode_floats, encode_ints};
use values::{loss, noise, time};

/// Rows of a chunk, unless a store is told otherwise.
const CHUNK: usize = 4096;
const CHUNKS: usize = 64;
const ROUNDS: usize = 7;

/// A column by its name and the value in each row.
type Kind<T> = (&'static str, fn(i64) -> T);

fn main() {
    // `cargo bench -- --test` wants to know that it runs.
    let test = std::env::args().any(|word| word == "--test");
    let (n, rounds) = if test { (2 * CHUNK as i64, 1) } else { ((CHUNK * CHUNKS) as i64, ROUNDS) };
    println!("million values a second, medians of {rounds}; chunks of {CHUNK}");
    println!("{:<24} {:<8} {:>8} {:>9} {:>9}  codecs", "column", "effort", "bytes", "encode", "decode");
    let floats: [Kind<f64>; 6] = [
        ("float32 loss, noise", loss),
        ("float64 noise", |k| noise(k) as f64 / u64::MAX as f64),
        ("decimals, 0.1 * k", |k| 0.1 * (noise(k) % 1000) as f64),
        ("counts", |k| (k * 32 + (noise(k) % 32) as i64) as f64),
        ("constant", |_| 0.001),
        ("loss, a third NaN", |k| if noise(-k).is_multiple_of(3) { f64::NAN } else { loss(k) }),
    ];
    for (name, value) in floats {
        let column: Vec<f64> = (0..n).map(value).collect();
        measure(name, &column.chunks(CHUNK).collect::<Vec<_>>(), &FLOATS, rounds);
    }
    let ints: [Kind<i64>; 4] = [
        ("steps", |k| k),
        ("steps, now and then", |k| k * 10 + (noise(k) % 10) as i64),
        ("timestamps, jitter", time),
        // Half an hour every 3,000 steps.
        ("timestamps, paused run", |k| time(k) + k / 3000 * 1_800_000),
    ];
    for (name, number) in ints {
        let column: Vec<i64> = (0..n).map(number).collect();
        measure(name, &column.chunks(CHUNK).collect::<Vec<_>>(), &INTS, rounds);
    }
    if let Some(dir) = std::env::var_os("TRACKWAY_CURVES") {
        let series = curves(&Path::new(&dir).join("bin"));
        let chunks: Vec<&[f64]> = series.iter().flat_map(|values| values.chunks(CHUNK)).collect();
        measure("values of real curves", &chunks, &FLOATS, rounds.min(3));
    }
}

/// The codecs of a type.
struct Door<T> {
    encode: fn(&[T], Effort, &mut Vec<u8>) -> Codec,
    decode: fn(Codec, &[u8], usize, &mut Vec<T>),
    bits: fn(T) -> u64,
}

const FLOATS: Door<f64> = Door { encode: encode_floats, decode: decode_floats, bits: f64::to_bits };
const INTS: Door<i64> = Door { encode: encode_ints, decode: decode_ints, bits: i64::cast_unsigned };

/// Prints the lines of a kind of column.
fn measure<T: Copy>(name: &str, chunks: &[&[T]], door: &Door<T>, rounds: usize) {
    let values: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    // The floor copies into memory that the cache holds, as encoding and decoding do.
    let mut room: Vec<T> = Vec::with_capacity(CHUNK);
    let copy = rate(values, rounds, || {
        for chunk in chunks {
            room.clear();
            room.extend_from_slice(black_box(chunk));
            black_box(&room);
        }
    });
    println!("{name:<24} {:<8} {:>8.3} {copy:>9.1} {copy:>9.1}", "floor", 8.0);
    for (word, effort) in [("seal", Effort::Seal), ("compact", Effort::Compact), ("archive", Effort::Archive)] {
        let mut columns: Vec<(Codec, Vec<u8>)> = Vec::new();
        let mut codecs: BTreeMap<&str, usize> = BTreeMap::new();
        for chunk in chunks {
            let mut bytes = Vec::new();
            let codec = (door.encode)(chunk, effort, &mut bytes);
            *codecs.entry(codec.name()).or_default() += chunk.len();
            room.clear();
            (door.decode)(codec, &bytes, chunk.len(), &mut room);
            assert!(room.iter().zip(*chunk).all(|(found, value)| (door.bits)(*found) == (door.bits)(*value)));
            columns.push((codec, bytes));
        }
        let mut bytes = Vec::new();
        let encode = rate(values, rounds, || {
            for chunk in chunks {
                bytes.clear();
                (door.encode)(black_box(chunk), effort, &mut bytes);
                black_box(&bytes);
            }
        });
        let decode = rate(values, rounds, || {
            for ((codec, bytes), chunk) in columns.iter().zip(chunks) {
                room.clear();
                (door.decode)(*codec, black_box(bytes), chunk.len(), &mut room);
                black_box(&room);
            }
        });
        let len: usize = columns.iter().map(|(_, bytes)| bytes.len()).sum();
        let codecs: Vec<String> =
            codecs.iter().map(|(codec, n)| format!("{codec} {:.0} %", 100.0 * *n as f64 / values as f64)).collect();
        let (size, codecs) = (len as f64 / values as f64, codecs.join(", "));
        println!("{:<24} {word:<8} {size:>8.3} {encode:>9.1} {decode:>9.1}  {codecs}", "");
    }
}

/// Million values a second of the median round.
fn rate(values: usize, rounds: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    values as f64 / 1e6 / times[times.len() / 2]
}

/// The values of all series of recorded curves.
fn curves(dir: &Path) -> Vec<Vec<f64>> {
    let index: Value = serde_json::from_slice(&std::fs::read(dir.join("index.json")).unwrap()).unwrap();
    let whole = |value: &Value| value.as_u64().unwrap() as usize;
    let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut all = Vec::new();
    for run in index.as_array().unwrap() {
        let name = run["file"].as_str().unwrap();
        let file = files.entry(name).or_insert_with(|| std::fs::read(dir.join(name)).unwrap());
        for series in run["series"].as_array().unwrap() {
            let n = whole(&run["axes"][whole(&series["axis"])]["n"]);
            let bytes = &file[whole(&series["values"])..];
            all.push(if series["type"] == "f32" {
                let singles = bytes.as_chunks().0.iter().take(n);
                singles.map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
            } else {
                bytes.as_chunks().0.iter().take(n).map(|bytes| f64::from_le_bytes(*bytes)).collect()
            });
        }
    }
    all
}
