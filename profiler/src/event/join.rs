//! event/join: records of one key made one.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

/// Joins items of equal keys, in the order in which the keys first came.
pub(super) fn joined<K: Hash + Eq, T>(
    items: impl IntoIterator<Item = T>,
    key: fn(&T) -> K,
    merge: fn(&mut T, &T),
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    let mut known: HashMap<K, usize> = HashMap::new();
    for item in items {
        match known.entry(key(&item)) {
            Entry::Occupied(at) => merge(&mut all[*at.get()], &item),
            Entry::Vacant(free) => {
                free.insert(all.len());
                all.push(item);
            }
        }
    }
    all
}
