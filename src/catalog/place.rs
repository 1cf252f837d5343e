//! A place in an order of runs, as a page leaves it for the next one: what its last run was sorted by. So pages go on
//! where they stopped, whatever was added, changed or removed meanwhile.
//!
//! ```text
//! hex digits of: 0x01, crc u32 of the order, start i64, run id 16 bytes, then for each field of the order
//!                0x00, f64 | 0x01, text | 0x02 for NaN | 0x03 for no value
//! ```

use crate::error::{Error, Result};
use crate::format::Decoded;
use crate::format::wire::{self, Reader, put_text};
use crate::search::{Key, Term};
use crate::types::RunId;
use std::borrow::Cow;

const WHAT: &str = "page";
const VERSION: u8 = 1;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// What it is sorted by in each field.
    pub(super) keys: Vec<Key<'static>>,
    pub(super) start: i64,
    pub(super) id: RunId,
}

impl Place {
    pub(super) fn to_token(&self, terms: &[Term]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&fingerprint(terms).to_le_bytes());
        bytes.extend_from_slice(&self.start.to_le_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        self.keys.iter().for_each(|key| put_key(&mut bytes, key));
        to_hex(&bytes)
    }

    /// The place that a token of this order says.
    pub(super) fn parse(token: &str, terms: &[Term]) -> Result<Self> {
        let place = from_hex(token).and_then(|bytes| decode(&bytes, fingerprint(terms)).ok());
        let place = place.filter(|place| place.keys.len() == terms.len());
        place.ok_or_else(|| Error::invalid("page", format!("{token:?} is not what an earlier page of this order gave")))
    }
}

pub(crate) fn put_key(bytes: &mut Vec<u8>, key: &Key<'_>) {
    match key {
        Key::Number(value) => {
            bytes.push(0);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Key::Text(text) => {
            bytes.push(1);
            put_text(bytes, text);
        }
        Key::Nan => bytes.push(2),
        Key::Missing => bytes.push(3),
    }
}

pub(crate) fn take_key(reader: &mut Reader<'_>) -> Decoded<Key<'static>> {
    Ok(match reader.u8(WHAT)? {
        0 => Key::of_number(Some(reader.f64(WHAT)?)),
        1 => Key::Text(Cow::Owned(reader.text(usize::MAX, WHAT)?.to_owned())),
        2 => Key::Nan,
        3 => Key::Missing,
        _ => return Err(reader.error(WHAT, "its form is unknown")),
    })
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut token, byte| {
        token.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
        token
    })
}

pub(crate) fn from_hex(token: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = token.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Tells orders apart.
pub(crate) fn fingerprint<F: std::fmt::Debug>(terms: &[Term<F>]) -> u32 {
    wire::crc(0, format!("{terms:?}").as_bytes())
}

fn decode(bytes: &[u8], order: u32) -> Decoded<Place> {
    let mut reader = Reader::new(bytes);
    if reader.u8(WHAT)? != VERSION {
        return Err(reader.error(WHAT, "its form is unknown"));
    }
    if reader.u32(WHAT)? != order {
        return Err(reader.error(WHAT, "it is of another order"));
    }
    let (start, id) = (reader.u64(WHAT)? as i64, RunId::from_bytes(reader.array(WHAT)?));
    let mut keys = Vec::new();
    while !reader.is_empty() {
        keys.push(take_key(&mut reader)?);
    }
    Ok(Place { keys, start, id })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::search::Field;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Key<'static>> {
        prop_oneof![
            any::<f64>().prop_map(|value| Key::of_number(Some(value))),
            any::<String>().prop_map(|text| Key::Text(Cow::Owned(text))),
            Just(Key::Nan),
            Just(Key::Missing),
        ]
    }

    proptest! {
        #[test]
        fn places_come_back_and_other_texts_are_refused(
            keys in prop::collection::vec(key(), 0..4), start: i64, id: [u8; 16], other in "[0-9a-f]{0,80}|\\PC{0,9}",
        ) {
            let place = Place { keys, start, id: RunId::from_bytes(id) };
            let field = |number: usize| Field::Param(number.to_string());
            let terms: Vec<Term> = (0..place.keys.len()).map(|at| Term { field: field(at), descending: at == 1 }).collect();
            let mut others = terms.clone();
            others.push(Term { field: field(9), descending: false });
            let token = place.to_token(&terms);
            prop_assert!(Place::parse(&token, &others).is_err());
            others.rotate_right(1);
            others.truncate(terms.len());
            prop_assert_eq!(Place::parse(&token, &others).is_err(), !terms.is_empty());
            prop_assert_eq!(Place::parse(&token, &terms).unwrap(), place);
            let _ = Place::parse(&other, &terms);
        }
    }
}
