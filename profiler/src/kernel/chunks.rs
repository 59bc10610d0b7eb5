//! A list that gives its memory back while it is consumed: ten thousand thread records are 17 MB,
//! and what they become must not stand beside all of them.

/// Elements a chunk. Far above the size from which the allocator asks the kernel, so that a dropped
/// chunk is given back.
const CHUNK: usize = 256;

/// A list in chunks.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    pub fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(value),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(value);
                self.0.push(chunk);
            }
        }
    }

    /// Number of values held.
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

impl<T> IntoIterator for Chunks<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

impl<T> FromIterator<T> for Chunks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let mut chunks = Self::default();
        iter.into_iter().for_each(|value| chunks.push(value));
        chunks
    }
}

impl<T> Extend<T> for Chunks<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        iter.into_iter().for_each(|value| self.push(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let chunks: Chunks<usize> = (0..3 * CHUNK + 7).collect();
        assert_eq!(chunks.len(), 3 * CHUNK + 7);
        assert!(chunks.iter().copied().eq(0..3 * CHUNK + 7));
        assert!(chunks.into_iter().eq(0..3 * CHUNK + 7));
    }
}
