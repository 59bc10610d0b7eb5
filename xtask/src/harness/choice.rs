//! Which rows are chosen on the command line.

/// Whether `text` is what `pattern` describes, where `*` stands for anything.
pub(crate) fn is_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    // Another star follows this part, so its leftmost place is always right.
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::is_match;

    #[test]
    fn stars_stand_for_anything() {
        assert!(is_match("*", "abc") && is_match("a*c", "abc") && is_match("a*", "a") && is_match("abc", "abc"));
        assert!(is_match("*c64*epoll", "echo-closed-c64-w10us-epoll"));
        assert!(!is_match("a", "abc") && !is_match("*b", "abc") && !is_match("ab*bc", "abc"));
    }
}
