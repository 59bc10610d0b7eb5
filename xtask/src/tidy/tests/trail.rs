//! What "Where a change goes" names, against a small tree.

use std::path::Path;

use super::super::trail::check;

fn read(path: &Path) -> Option<String> {
    let files =
        [("profiler/src/a/b.rs", "fn one() {}"), ("profiler/src/a/c.rs", "struct Two;"), ("docs/x.md", "words")];
    let file = files.into_iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| text.to_owned());
    file.or_else(|| (path == Path::new("docs/")).then(String::new))
}

fn said(row: &str) -> Vec<String> {
    let document = format!("# Top\n\n## Where a change goes\n\n| change | files |\n{row}\n\n## Next\n\n| `no.rs` |\n");
    check(&document, &read).into_iter().map(|finding| finding.message).collect()
}

#[test]
fn files_and_the_names_beside_them_are_found() {
    let row =
        "| a change | `a/b.rs`: `one` · `c.rs` (`Two`), then `cargo xtask x` · anything in `docs/`, `docs/x.md` |";
    assert_eq!(said(row), [""; 0]);
}

#[test]
fn what_is_gone_is_said() {
    assert_eq!(said("| a change | `a/d.rs` |"), ["CONTRIBUTING.md: no `a/d.rs`"]);
    let lost = ["CONTRIBUTING.md: no `Two` in the files of “`a/b.rs`: `Two`”"];
    assert_eq!(said("| a change | `a/b.rs`: `Two` · `c.rs` |"), lost);
    assert_eq!(check("# Top\n", &read).len(), 1);
}
