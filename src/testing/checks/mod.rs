//! One function for each fuzz target: total on any bytes, or the engine is wrong.
//!
//! Some take the bytes as they are; others take a small valid file, made at first use, and the bytes as edits of it
//! ([`edited`]): what is then read is what was written or an error, never something else. Others put the edited parts
//! together again under right checksums (`forged`): what is behind those is reached, and must hold up by itself.
//! A decoder may hold a multiple of what it is given, and no more ([`super::meter`]).

mod bytes;
mod catalogs;
mod files;
mod forged;
mod names;
mod packs;

pub use bytes::{catalog_entry, codec, experiment, footer, frame, header, logged_model, model, record};
pub use catalogs::{catalog, catalog_forged, filter};
pub use files::{log, segment, store_files};
pub use forged::{log_forged, segment_forged};
pub use names::names;
pub use packs::pack;

use super::{Op, Setup, run_ops};

/// A check of any bytes; it panics when the engine is wrong.
pub type Check = fn(&[u8]);

/// Every check by the name of its fuzz target.
pub const ALL: [(&str, Check); 20] = [
    ("catalog", catalog),
    ("catalog_entry", catalog_entry),
    ("catalog_forged", catalog_forged),
    ("codec", codec),
    ("experiment", experiment),
    ("filter", filter),
    ("footer", footer),
    ("frame", frame),
    ("header", header),
    ("log", log),
    ("log_forged", log_forged),
    ("logged_model", logged_model),
    ("model", model),
    ("names", names),
    ("pack", pack),
    ("record", record),
    ("segment", segment),
    ("segment_forged", segment_forged),
    ("store_files", store_files),
    ("store_ops", store_ops),
];

/// A sequence of operations: [`run_ops`].
pub fn store_ops(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let setup = Setup { seed: u64::from(first >> 2), mapped: first & 1 == 0, medium: first & 2 == 2 };
    if let Err(error) = run_ops(&setup, &Op::decode(rest)) {
        panic!("{error}");
    }
}

/// The original with edits of four bytes each: position (two bytes, modulo the length), kind, operand.
fn edited(original: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for edit in edits.chunks_exact(4).take(16) {
        let [low, high, kind, operand] = [edit[0], edit[1], edit[2], edit[3]];
        if bytes.is_empty() {
            break;
        }
        // Positions beyond two bytes are reached in steps of the kind's upper bits.
        let at = usize::from(u16::from_le_bytes([low, high])) + (usize::from(kind >> 3) << 16);
        let at = at % bytes.len();
        let end = bytes.len().min(at + 1 + usize::from(operand) * 16);
        match kind & 7 {
            0 | 1 => bytes[at] ^= operand,
            2 => bytes[at] = operand,
            3 => bytes.truncate(at),
            4 => bytes[at..end].fill(0),
            5 => bytes.extend(std::iter::repeat_n(operand, 1 + at % 300)),
            6 => drop(bytes.splice(at..at, [operand])),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = usize::from(operand) % bytes.len();
                let to_end = bytes.len().min(to + piece.len());
                bytes[to..to_end].copy_from_slice(&piece[..to_end - to]);
            }
        }
    }
    bytes
}
