//! Folded stacks: what flame graph tools read. One line per distinct stack, `frame;frame;… ns`.

use super::paths::{Parts, Paths};
use crate::text::clean;
use crate::{
    answer::{Profile, Weight},
    symbol::{Frame, Origin},
};

/// How frames are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The name, and nothing with it.
    Plain,
    /// With what flame graph palettes colour by: `_[k]` kernel, `_[i]` inlined, `_[j]` made by a
    /// JIT compiler.
    Annotated,
}

impl Names {
    fn written(self, frame: &Frame) -> String {
        let mut name = safe(&frame.name);
        if self == Self::Annotated {
            name.push_str(match frame.origin {
                Origin::Kernel => "_[k]",
                Origin::Mark => "",
                _ if frame.inlined => "_[i]",
                Origin::Jit => "_[j]",
                Origin::User => "",
            });
        }
        name
    }
}

/// Lines in the order of their frames; stacks without any of this weight are left out. The waker's
/// frames follow after `--`, the innermost first. The sum of all lines is [`Profile::total`], ns.
pub fn write(profile: &Profile, weight: Weight, names: Names) -> String {
    let mut out = String::new();
    for (stack, ns) in lines(profile, weight, names) {
        out.push_str(&stack);
        out.push(' ');
        out.push_str(&ns.to_string());
        out.push('\n');
    }
    out
}

/// Stacks and their weights.
pub(super) fn lines(profile: &Profile, weight: Weight, names: Names) -> Vec<(String, u64)> {
    let paths = Paths::new(profile, |frame| names.written(frame));
    let place = Weight::ALL.iter().position(|&w| w == weight).unwrap_or(0);
    let part = |parts: &Parts| parts.get(place).copied().unwrap_or(0);
    let text = |path: &[u32]| {
        let frames: Vec<&str> = path.iter().filter_map(|&i| paths.keys.get(i as usize)).map(String::as_str).collect();
        frames.join(";")
    };
    paths.stacks.iter().filter(|(_, parts)| part(parts) > 0).map(|(path, parts)| (text(path), part(parts))).collect()
}

/// A name for a folded stack. Its line is `frame;frame count`, or with two counts for a difference,
/// and `# ` begins a comment: no name may look like a separator, a count or a comment.
fn safe(name: &str) -> String {
    let mut name = clean::line(name).replace(';', ":");
    if name.is_empty() {
        return "[unnamed]".to_owned();
    }
    if let Some(at) = name.rfind(' ')
        && is_like_a_count(&name[at + 1..])
    {
        name.replace_range(at..=at, "_");
    }
    if name.starts_with("# ") {
        name.replace_range(1..2, "_");
    } else if name == "#" {
        // Alone on its line, the count's space follows.
        name.push('_');
    }
    name
}

/// Whether a reader may take a word for a number: -6 and 1e5 are some as well.
fn is_like_a_count(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit() || c == '.') || word.parse::<f64>().is_ok()
}
