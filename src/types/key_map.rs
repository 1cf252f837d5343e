//! What a run has by name: few values, read far more often than they change, whose names many runs have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Zip;
use std::ops::Index;
use std::slice::{Iter, IterMut};
use std::sync::{Arc, LazyLock};

/// Values by key, ascending by the bytes of the keys. The runs of a page share one list of keys where they have the same, so
/// that a page costs neither copies of them nor a tree a run.
///
/// ```
/// use trackway::KeyMap;
///
/// let mut params: KeyMap<String> = [("lr", "0.1".to_owned()), ("depth", "3".to_owned())].into_iter().collect();
/// params.insert("opt", "adam".to_owned());
/// assert_eq!((params["lr"].as_str(), params.get("seed")), ("0.1", None));
/// let keys: Vec<&str> = params.keys().map(|key| &**key).collect();
/// assert_eq!(keys, ["depth", "lr", "opt"]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyMap<V> {
    /// Ascending, none twice; as many as there are values.
    keys: Arc<[Arc<str>]>,
    values: Vec<V>,
}

impl<V> KeyMap<V> {
    /// `keys` ascend, none is there twice, and they are as many as `values`.
    pub(crate) fn from_parts(keys: Arc<[Arc<str>]>, values: Vec<V>) -> Self {
        Self { keys, values }
    }

    /// How many there are.
    ///
    /// ```
    /// assert_eq!(trackway::KeyMap::<u8>::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// assert!(trackway::KeyMap::<u8>::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn place(&self, key: &str) -> std::result::Result<usize, usize> {
        self.keys.binary_search_by(|known| (**known).cmp(key))
    }

    /// The value of a key. Cost: logarithmic.
    ///
    /// ```
    /// let map: trackway::KeyMap<u8> = [("a", 1)].into_iter().collect();
    /// assert_eq!((map.get("a"), map.get("b")), (Some(&1), None));
    /// ```
    pub fn get(&self, key: &str) -> Option<&V> {
        self.values.get(self.place(key).ok()?)
    }

    /// Whether a key has a value. Cost: logarithmic.
    ///
    /// ```
    /// let map: trackway::KeyMap<u8> = [("a", 1)].into_iter().collect();
    /// assert!(map.contains_key("a") && !map.contains_key("b"));
    /// ```
    pub fn contains_key(&self, key: &str) -> bool {
        self.place(key).is_ok()
    }

    /// Gives a key a value, and returns the one that it had. Cost: that of a copy of all keys, if this one is new.
    ///
    /// ```
    /// let mut map = trackway::KeyMap::default();
    /// assert_eq!((map.insert("a", 1), map.insert("a", 2), map["a"]), (None, Some(1), 2));
    /// ```
    pub fn insert(&mut self, key: &str, value: V) -> Option<V> {
        match self.place(key) {
            Ok(place) => self.values.get_mut(place).map(|old| std::mem::replace(old, value)),
            Err(place) => {
                let mut keys = self.keys.to_vec();
                keys.insert(place, key.into());
                self.keys = keys.into();
                self.values.insert(place, value);
                None
            }
        }
    }

    /// The keys, ascending.
    ///
    /// ```
    /// let map: trackway::KeyMap<u8> = [("b", 1), ("a", 2)].into_iter().collect();
    /// assert_eq!(map.keys().map(|key| &**key).collect::<Vec<_>>(), ["a", "b"]);
    /// ```
    pub fn keys(&self) -> Iter<'_, Arc<str>> {
        self.keys.iter()
    }

    /// The values, in the order of their keys.
    ///
    /// ```
    /// let map: trackway::KeyMap<u8> = [("b", 1), ("a", 2)].into_iter().collect();
    /// assert_eq!(map.values().collect::<Vec<_>>(), [&2, &1]);
    /// ```
    pub fn values(&self) -> Iter<'_, V> {
        self.values.iter()
    }

    /// The values, in the order of their keys, to be changed.
    ///
    /// ```
    /// let mut map: trackway::KeyMap<u8> = [("b", 1), ("a", 2)].into_iter().collect();
    /// map.values_mut().for_each(|value| *value += 1);
    /// assert_eq!(map["b"], 2);
    /// ```
    pub fn values_mut(&mut self) -> IterMut<'_, V> {
        self.values.iter_mut()
    }

    /// Keys and values, ascending by key.
    ///
    /// ```
    /// let map: trackway::KeyMap<u8> = [("b", 1), ("a", 2)].into_iter().collect();
    /// assert_eq!(map.iter().map(|(key, value)| format!("{key}{value}")).collect::<String>(), "a2b1");
    /// ```
    pub fn iter(&self) -> Zip<Iter<'_, Arc<str>>, Iter<'_, V>> {
        self.keys.iter().zip(&self.values)
    }
}

/// The list of those that have no key.
static NO_KEYS: LazyLock<Arc<[Arc<str>]>> = LazyLock::new(|| Arc::from([]));

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self { keys: Arc::clone(&NO_KEYS), values: Vec::new() }
    }
}

impl<V: fmt::Debug> fmt::Debug for KeyMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// # Panics
/// When the key has no value.
impl<V> Index<&str> for KeyMap<V> {
    type Output = V;

    #[allow(clippy::panic, reason = "as of the maps of the standard library")]
    fn index(&self, key: &str) -> &V {
        self.get(key).unwrap_or_else(|| panic!("there is nothing of the key {key:?}"))
    }
}

/// Of a key that comes several times the last value counts.
impl<K: Into<Arc<str>>, V> FromIterator<(K, V)> for KeyMap<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let sorted: BTreeMap<Arc<str>, V> = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let (keys, values): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        Self { keys: keys.into(), values }
    }
}

impl<'a, V> IntoIterator for &'a KeyMap<V> {
    type Item = (&'a Arc<str>, &'a V);
    type IntoIter = Zip<Iter<'a, Arc<str>>, Iter<'a, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<V> IntoIterator for KeyMap<V> {
    type Item = (Arc<str>, V);
    type IntoIter = Zip<std::vec::IntoIter<Arc<str>>, std::vec::IntoIter<V>>;

    fn into_iter(self) -> Self::IntoIter {
        Vec::from(&*self.keys).into_iter().zip(self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(pairs in prop::collection::vec(("[a-e]{0,2}", any::<u8>()), 0..40), more in "[a-f]{0,2}", value: u8) {
            let mut expected: BTreeMap<Arc<str>, u8> =
                pairs.iter().map(|(key, value)| (key.as_str().into(), *value)).collect();
            let mut map: KeyMap<u8> = pairs.iter().map(|(key, value)| (key.as_str(), *value)).collect();
            for _ in 0..2 {
                prop_assert!(map.iter().eq(&expected) && map.keys().eq(expected.keys()) && map.values().eq(expected.values()));
                prop_assert!(map.clone().into_iter().eq(expected.clone()));
                map.values_mut().zip(expected.values_mut()).for_each(|(a, b)| (*a, *b) = (*a / 2, *b / 2));
                prop_assert_eq!((map.len(), map.is_empty()), (expected.len(), expected.is_empty()));
                prop_assert_eq!(format!("{map:?}"), format!("{expected:?}"));
                prop_assert_eq!((map.get(&more), map.contains_key(&more)), (expected.get(&*more), expected.contains_key(&*more)));
                let before = map.clone();
                prop_assert_eq!(map.insert(&more, value), expected.insert(more.as_str().into(), value));
                prop_assert_eq!(map == before, before.get(&more) == Some(&value));
            }
        }
    }

    #[test]
    #[should_panic(expected = "there is nothing of the key \"b\"")]
    fn a_key_that_must_be_there_and_is_not_is_named() {
        let map: KeyMap<u8> = [("a", 1)].into_iter().collect();
        let _ = map["b"];
    }
}
