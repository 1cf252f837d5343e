//! One fact of many runs, side by side: the columns of the catalog's index (catalog_index.rs says where they lie).
//!
//! A column holds values for those runs of its group that have one, in the order of the group's rows. All numbers are of
//! one width, so that any row is found without reading those before it.
//!
//! ```text
//! present: 0x00                                  all rows
//!          0x01, bitmap of ceil(rows / 8) bytes  bit r of byte r / 8: row r
//!          0x02, count u16, rows u16 each        ascending
//! numbers: base i64, width u8 (0, 1, 2, 4 or 8), width bytes each    the value is base plus these, modulo 2^64
//! floats:  0x00, f64        every value
//!          0x01, f32 each   bits of values that are f32, as in a segment
//!          0x02, f64 each
//!          0x03             as another column of the same group
//! texts:   count u16, end of each u32, bytes, width u8 (0, 1 or 2), number of a text each
//!          the distinct texts ascending by their bytes
//! ```

use super::wire::{Decoded, Reader};
use crate::codec::{is_single, single_bits, widen_single};

/// Most runs in a group.
pub(crate) const MAX_ROWS: usize = 4096;
const WORDS: usize = MAX_ROWS / 64;

/// Some rows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowSet([u64; WORDS]);

impl RowSet {
    pub(crate) const fn none() -> Self {
        Self([0; WORDS])
    }

    /// The rows below `count`.
    pub(crate) fn first(count: usize) -> Self {
        let mut set = Self::none();
        for (at, word) in set.0.iter_mut().enumerate() {
            let left = count.saturating_sub(at * 64);
            *word = if left >= 64 { u64::MAX } else { (1 << left) - 1 };
        }
        set
    }

    pub(crate) fn insert(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    pub(crate) fn contains(&self, row: usize) -> bool {
        self.0.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many rows before this one are in the set.
    pub(crate) fn rank(&self, row: usize) -> usize {
        let (whole, rest) = (row / 64, row % 64);
        let before: u32 = self.0.iter().take(whole).map(|word| word.count_ones()).sum();
        let within = self.0.get(whole).map_or(0, |word| (word & ((1 << rest) - 1)).count_ones());
        (before + within) as usize
    }

    fn combine(mut self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = with(*word, other));
        self
    }

    pub(crate) fn and(self, other: &Self) -> Self {
        self.combine(other, |a, b| a & b)
    }

    pub(crate) fn or(self, other: &Self) -> Self {
        self.combine(other, |a, b| a | b)
    }

    pub(crate) fn without(self, other: &Self) -> Self {
        self.combine(other, |a, b| a & !b)
    }

    /// Sixty-four rows at a time.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

/// Which rows of a group have a value.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    /// `None` when every row has one: the number of a row is that of its value then.
    some: Option<Box<RowSet>>,
    pub(crate) count: usize,
}

impl Present {
    /// The number of a row's value.
    pub(crate) fn place(&self, row: usize) -> Option<usize> {
        match &self.some {
            None => (row < self.count).then_some(row),
            Some(rows) => rows.contains(row).then(|| rows.rank(row)),
        }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.some.is_none()
    }

    pub(crate) fn has(&self, row: usize) -> bool {
        self.some.as_ref().map_or(row < self.count, |rows| rows.contains(row))
    }

    pub(crate) fn rows(&self) -> RowSet {
        self.some.as_ref().map_or_else(|| RowSet::first(self.count), |rows| (**rows).clone())
    }
}

pub(crate) fn put_present(out: &mut Vec<u8>, present: &RowSet, rows: usize) {
    let count = present.count();
    if count == rows {
        out.push(0);
    } else if count * 2 + 2 < rows.div_ceil(8) {
        out.push(2);
        out.extend_from_slice(&(count as u16).to_le_bytes());
        present.iter().for_each(|row| out.extend_from_slice(&(row as u16).to_le_bytes()));
    } else {
        out.push(1);
        let bytes = present.0.iter().flat_map(|word| word.to_le_bytes());
        out.extend(bytes.take(rows.div_ceil(8)));
    }
}

pub(crate) fn take_present(reader: &mut Reader<'_>, rows: usize) -> Decoded<Present> {
    const WHAT: &str = "rows of a column";
    let form = reader.u8(WHAT)?;
    if form == 0 {
        return Ok(Present { some: None, count: rows });
    }
    let mut set = RowSet::none();
    match form {
        1 => {
            for (at, byte) in reader.take(rows.div_ceil(8), WHAT)?.iter().enumerate() {
                if let Some(word) = set.0.get_mut(at / 8) {
                    *word |= u64::from(*byte) << (at % 8 * 8);
                }
            }
        }
        2 => {
            let count = usize::from(reader.u16(WHAT)?);
            let mut next = 0;
            for _ in 0..count {
                let row = usize::from(reader.u16(WHAT)?);
                if row < next {
                    return Err(reader.error(WHAT, "they do not ascend"));
                }
                next = row + 1;
                set.insert(row);
            }
        }
        _ => return Err(reader.error(WHAT, "their form is unknown")),
    }
    let count = set.count();
    if !set.clone().without(&RowSet::first(rows)).is_empty() {
        return Err(reader.error(WHAT, "there are more than the group has"));
    }
    Ok(Present { some: (count < rows).then(|| Box::new(set)), count })
}

/// Integers of one width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'a> {
    base: i64,
    width: usize,
    data: &'a [u8],
    len: usize,
}

impl Numbers<'_> {
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<i64> {
        let offset = match self.width {
            0 if at < self.len => 0,
            1 => u64::from(*self.data.get(at)?),
            2 => u64::from(u16::from_le_bytes(*self.data.as_chunks().0.get(at)?)),
            4 => u64::from(u32::from_le_bytes(*self.data.as_chunks().0.get(at)?)),
            8 => u64::from_le_bytes(*self.data.as_chunks().0.get(at)?),
            _ => return None,
        };
        Some(self.base.wrapping_add(offset as i64))
    }
}

pub(crate) fn put_numbers(out: &mut Vec<u8>, values: &[i64]) {
    let (low, high) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
    let width = match high.wrapping_sub(low) as u64 {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    out.extend_from_slice(&low.to_le_bytes());
    out.push(width as u8);
    values.iter().for_each(|value| out.extend(value.wrapping_sub(low).to_le_bytes().into_iter().take(width)));
}

pub(crate) fn take_numbers<'a>(reader: &mut Reader<'a>, len: usize) -> Decoded<Numbers<'a>> {
    const WHAT: &str = "numbers of a column";
    let base = reader.u64(WHAT)? as i64;
    let width = usize::from(reader.u8(WHAT)?);
    if !matches!(width, 0 | 1 | 2 | 4 | 8) {
        return Err(reader.error(WHAT, "their width is none"));
    }
    Ok(Numbers { base, width, data: reader.take(width * len, WHAT)?, len })
}

/// Floating-point numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floats<'a> {
    Constant { value: f64, len: usize },
    Singles(&'a [[u8; 4]]),
    Doubles(&'a [[u8; 8]]),
}

impl Floats<'_> {
    pub(crate) fn get(&self, at: usize) -> Option<f64> {
        match self {
            Self::Constant { value, len } => (at < *len).then_some(*value),
            Self::Singles(values) => values.get(at).map(|bytes| widen_single(u32::from_le_bytes(*bytes))),
            Self::Doubles(values) => values.get(at).map(|bytes| f64::from_le_bytes(*bytes)),
        }
    }
}

/// `like`: a column of the same rows that may hold the same values.
pub(crate) fn put_floats(out: &mut Vec<u8>, values: &[f64], like: Option<&[f64]>) {
    let same = |a: &[f64]| a.iter().map(|value| value.to_bits()).eq(values.iter().map(|value| value.to_bits()));
    let first = values.first().copied().unwrap_or(0.0);
    if like.is_some_and(same) {
        out.push(3);
    } else if values.iter().all(|value| value.to_bits() == first.to_bits()) {
        out.push(0);
        out.extend_from_slice(&first.to_le_bytes());
    } else if values.iter().copied().all(is_single) {
        out.push(1);
        values.iter().for_each(|value| out.extend_from_slice(&single_bits(*value).to_le_bytes()));
    } else {
        out.push(2);
        values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    }
}

pub(crate) fn take_floats<'a>(reader: &mut Reader<'a>, len: usize, like: Option<Floats<'a>>) -> Decoded<Floats<'a>> {
    const WHAT: &str = "values of a column";
    Ok(match (reader.u8(WHAT)?, like) {
        (0, _) => Floats::Constant { value: reader.f64(WHAT)?, len },
        (1, _) => Floats::Singles(reader.take(4 * len, WHAT)?.as_chunks().0),
        (2, _) => Floats::Doubles(reader.take(8 * len, WHAT)?.as_chunks().0),
        (3, Some(like)) => like,
        _ => return Err(reader.error(WHAT, "their form is unknown")),
    })
}

/// Texts by their number in a dictionary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    ends: &'a [[u8; 4]],
    bytes: &'a [u8],
    width: usize,
    codes: &'a [u8],
    len: usize,
}

impl<'a> Texts<'a> {
    /// How many different ones there are.
    pub(crate) fn distinct(&self) -> usize {
        self.ends.len()
    }

    /// The number of the text of this value.
    #[inline]
    pub(crate) fn code(&self, at: usize) -> Option<usize> {
        match self.width {
            0 if at < self.len => Some(0),
            1 => self.codes.get(at).map(|code| usize::from(*code)),
            2 => self.codes.as_chunks().0.get(at).map(|code| usize::from(u16::from_le_bytes(*code))),
            _ => None,
        }
    }

    /// A text by its number.
    pub(crate) fn bytes(&self, code: usize) -> Option<&'a [u8]> {
        let end = |code: usize| self.ends.get(code).map(|end| u32::from_le_bytes(*end) as usize);
        let start = code.checked_sub(1).map_or(Some(0), end)?;
        self.bytes.get(start..end(code)?)
    }

    /// The same; `None` also when it is no text.
    pub(crate) fn text(&self, code: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(code)?).ok()
    }

    /// The text of a value.
    pub(crate) fn get(&self, at: usize) -> Option<&'a str> {
        self.text(self.code(at)?)
    }

    /// The number of this text. Cost: logarithmic.
    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.distinct());
        while low < high {
            let middle = low.midpoint(high);
            match self.bytes(middle)?.cmp(text.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Texts one after the other with their ends.
fn put_dictionary(out: &mut Vec<u8>, texts: &[&[u8]]) {
    let mut end = 0;
    for text in texts {
        end += text.len() as u32;
        out.extend_from_slice(&end.to_le_bytes());
    }
    texts.iter().for_each(|text| out.extend_from_slice(text));
}

pub(crate) fn put_texts(out: &mut Vec<u8>, values: &[&[u8]]) {
    let mut distinct = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    out.extend_from_slice(&(distinct.len() as u16).to_le_bytes());
    put_dictionary(out, &distinct);
    let width = match distinct.len() {
        0 | 1 => 0,
        2..=256 => 1,
        _ => 2,
    };
    out.push(width as u8);
    for value in values {
        let code = distinct.binary_search(value).unwrap_or(0);
        out.extend(code.to_le_bytes().into_iter().take(width));
    }
}

pub(crate) fn take_texts<'a>(reader: &mut Reader<'a>, len: usize) -> Decoded<Texts<'a>> {
    const WHAT: &str = "texts of a column";
    let count = usize::from(reader.u16(WHAT)?);
    let ends = reader.take(4 * count, WHAT)?.as_chunks().0;
    let end = ends.last().map_or(0, |end| u32::from_le_bytes(*end) as usize);
    let bytes = reader.take(end, WHAT)?;
    let width = usize::from(reader.u8(WHAT)?);
    if width > 2 {
        return Err(reader.error(WHAT, "their width is none"));
    }
    Ok(Texts { ends, bytes, width, codes: reader.take(width * len, WHAT)?, len })
}

/// The texts of a table that many columns point into, ascending.
pub(crate) fn put_table(out: &mut Vec<u8>, texts: &[&[u8]]) {
    out.extend_from_slice(&(texts.len() as u32).to_le_bytes());
    put_dictionary(out, texts);
}

pub(crate) fn take_table<'a>(reader: &mut Reader<'a>) -> Decoded<Texts<'a>> {
    const WHAT: &str = "table of texts";
    let count = reader.u32(WHAT)? as usize;
    let ends = reader.take(count.saturating_mul(4), WHAT)?.as_chunks().0;
    let end = ends.last().map_or(0, |end| u32::from_le_bytes(*end) as usize);
    Ok(Texts { ends, bytes: reader.take(end, WHAT)?, width: 0, codes: &[], len: 0 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back<'a, T>(bytes: &'a [u8], take: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> T {
        let mut reader = Reader::new(bytes);
        let value = take(&mut reader).unwrap();
        reader.finish("column").unwrap();
        value
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -3i64..300, 70_000i64..80_000, Just(i64::MIN), Just(i64::MAX)]
    }

    fn float() -> impl Strategy<Value = f64> {
        let bits = any::<u64>().prop_map(f64::from_bits);
        prop_oneof![bits, any::<f32>().prop_map(f64::from), Just(0.5), Just(-0.0), Just(f64::NAN)]
    }

    #[test]
    fn numbers_take_the_narrowest_form() {
        for (span, width) in [
            (0, 0),
            (1, 1),
            (0xff, 1),
            (0x100, 2),
            (0xffff, 2),
            (0x1_0000, 4),
            (0xffff_ffff, 4),
            (0x1_0000_0000, 8),
            (i64::MAX, 8),
        ] {
            let mut out = Vec::new();
            put_numbers(&mut out, &[-7, span.wrapping_sub(7)]);
            assert_eq!((out.len(), usize::from(out[8])), (9 + 2 * width, width), "{span:#x}");
        }
        for width in [3, 5, 9] {
            assert!(take_numbers(&mut Reader::new(&[[0; 8].as_slice(), &[width; 100]].concat()), 2).is_err());
        }
    }

    #[test]
    fn floats_take_the_narrowest_form() {
        let form = |values: &[f64], like| {
            let mut out = Vec::new();
            put_floats(&mut out, values, like);
            (out[0], out.len())
        };
        assert_eq!(form(&[0.1, 0.1], None), (0, 9));
        assert_eq!(form(&[0.0, -0.0], None), (1, 9));
        assert_eq!(form(&[0.5, 0.25], None), (1, 9));
        assert_eq!(form(&[0.5, 0.1], None), (2, 17));
        assert_eq!(form(&[0.5, 0.1], Some(&[0.5, 0.1])), (3, 1));
        assert_eq!(form(&[0.5, 0.1], Some(&[0.5, 0.2])), (2, 17));
        assert!(take_floats(&mut Reader::new(&[3; 20]), 2, None).is_err(), "like nothing");
        assert!(take_floats(&mut Reader::new(&[4; 20]), 2, Some(Floats::Singles(&[]))).is_err());
    }

    #[test]
    fn texts_take_the_narrowest_form() {
        for (distinct, width) in [(0, 0), (1, 0), (2, 1), (256, 1), (257, 2), (4096, 2)] {
            let texts: Vec<String> = (0..distinct).map(|number| format!("{number:04}")).collect();
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            let mut out = Vec::new();
            put_texts(&mut out, &texts);
            assert_eq!(out.len(), 2 + 8 * distinct + 1 + width * distinct, "{distinct}");
            let read = back(&out, |reader| take_texts(reader, distinct));
            assert_eq!((read.distinct(), read.width, read.get(distinct)), (distinct, width, None));
            for (at, text) in texts.iter().enumerate() {
                assert_eq!((read.code(at), read.get(at).map(str::as_bytes)), (Some(at), Some(*text)));
            }
            out[2 + 8 * distinct] = 3;
            assert!(take_texts(&mut Reader::new(&[out.as_slice(), &[0; 9000]].concat()), distinct).is_err());
        }
    }

    #[test]
    fn rows_take_the_shortest_form() {
        for (count, form, bytes) in
            [(0, 2, 3), (1, 2, 5), (254, 2, 511), (255, 1, 513), (2000, 1, 513), (4095, 1, 513), (4096, 0, 1)]
        {
            let mut out = Vec::new();
            put_present(&mut out, &RowSet::first(count), 4096);
            assert_eq!((out[0], out.len()), (form, bytes), "{count}");
        }
        // All of them, in the form of some.
        let read = back(&[1, 0xff], |reader| take_present(reader, 8));
        assert!(read.is_all() && read.count == 8 && read.has(7) && !read.has(8) && read.place(8).is_none());
        assert!(take_present(&mut Reader::new(&[1, 0xff]), 7).is_err(), "more than there are");
        assert!(take_present(&mut Reader::new(&[2, 2, 0, 5, 0, 5, 0]), 8).is_err(), "twice the same");
        assert!(take_present(&mut Reader::new(&[3, 0]), 8).is_err());
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let set = |rows: &[usize]| {
            let mut set = RowSet::none();
            rows.iter().for_each(|row| set.insert(*row));
            set
        };
        let (a, b) = (set(&[1, 2, 64, 4095]), set(&[2, 3, 4095]));
        assert_eq!(a.clone().or(&b), set(&[1, 2, 3, 64, 4095]));
        assert_eq!(a.clone().and(&b), set(&[2, 4095]));
        assert_eq!(a.without(&b), set(&[1, 64]));
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(number(), 0..300)) {
            let mut out = Vec::new();
            put_numbers(&mut out, &values);
            let read = back(&out, |reader| take_numbers(reader, values.len()));
            let found: Vec<i64> = (0..values.len()).map(|at| read.get(at).unwrap()).collect();
            prop_assert_eq!((found, read.get(values.len())), (values, None));
        }

        #[test]
        fn floats_come_back_to_the_bit(
            values in prop_oneof![prop::collection::vec(float(), 0..300), (float(), 0..9usize).prop_map(|(v, n)| vec![v; n])],
            others in prop::collection::vec(float(), 0..3),
        ) {
            let mut out = Vec::new();
            put_floats(&mut out, &values, None);
            let first = out.len();
            let mut second = values.clone();
            second.iter_mut().zip(others).for_each(|(value, other)| *value = other);
            put_floats(&mut out, &second, Some(&values));
            prop_assert!(second.iter().map(|v| v.to_bits()).ne(values.iter().map(|v| v.to_bits())) || out.len() == first + 1);
            let (one, two) = back(&out, |reader| {
                let one = take_floats(reader, values.len(), None)?;
                Ok((one, take_floats(reader, values.len(), Some(one))?))
            });
            for (read, values) in [(one, &values), (two, &second)] {
                let found: Vec<u64> = (0..values.len()).map(|at| read.get(at).unwrap().to_bits()).collect();
                prop_assert_eq!(found, values.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
                prop_assert_eq!(read.get(values.len()), None);
            }
        }

        #[test]
        fn texts_come_back_and_are_found(values in prop::collection::vec("[a-c]{0,3}|\u{3b1}", 0..700), other in "[a-d]{1,3}") {
            let bytes: Vec<&[u8]> = values.iter().map(|text| text.as_bytes()).collect();
            let mut out = Vec::new();
            put_texts(&mut out, &bytes);
            let read = back(&out, |reader| take_texts(reader, values.len()));
            let found: Vec<&str> = (0..values.len()).map(|at| read.get(at).unwrap()).collect();
            prop_assert_eq!(&found, &values);
            for text in values.iter().chain([&other]) {
                let code = read.find(text);
                prop_assert_eq!(code.is_some(), values.contains(text));
                prop_assert_eq!(code.and_then(|code| read.text(code)), code.map(|_| text.as_str()));
            }
        }

        #[test]
        fn sets_of_rows_are_sets(rows in 1usize..=MAX_ROWS, picks in prop::collection::vec(any::<prop::sample::Index>(), 0..600), all: bool) {
            let mut set = if all { RowSet::first(rows) } else { RowSet::none() };
            let mut expected: std::collections::BTreeSet<usize> = if all { (0..rows).collect() } else { [].into() };
            for pick in picks {
                set.insert(pick.index(rows));
                expected.insert(pick.index(rows));
            }
            let mut out = Vec::new();
            put_present(&mut out, &set, rows);
            let read = back(&out, |reader| take_present(reader, rows));
            prop_assert_eq!(&read.rows(), &set);
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!((read.count, read.is_all()), (expected.len(), expected.len() == rows));
            for (place, row) in expected.iter().enumerate() {
                prop_assert_eq!((read.place(*row), read.has(*row)), (Some(place), true));
            }
            prop_assert_eq!(read.place(rows), None);
        }

        #[test]
        fn any_bytes_give_a_column_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), len in 0usize..50) {
            let reader = || Reader::new(&bytes);
            let _ = take_present(&mut reader(), len);
            if let Ok(read) = take_numbers(&mut reader(), len) {
                prop_assert!((0..len).all(|at| read.get(at).is_some()));
            }
            if let Ok(read) = take_floats(&mut reader(), len, None) {
                prop_assert!((0..len).all(|at| read.get(at).is_some()));
            }
            for read in [take_texts(&mut reader(), len), take_table(&mut reader())].into_iter().flatten() {
                let _ = (0..len).map(|at| read.get(at)).collect::<Vec<_>>();
                let _ = read.find("x");
            }
        }
    }
}
