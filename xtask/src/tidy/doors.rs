//! What a room shows to the others: no names of another room, and no types of the wire.

use super::finding::{Finding, Severity};
use super::rooms;
use super::rules::Rule;
use super::syntax::Kind;
use super::tree::{Found, Tree};

/// Refuses every `pub use` whose path leads out of its room.
pub(super) fn reexports(tree: &Tree<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, member) in tree.files.iter().enumerate().filter(|(_, member)| !member.module.is_empty()) {
        for module in &member.source.syntax.modules {
            for mention in module.mentions.iter().filter(|mention| mention.kind == Kind::Reexport) {
                let room = tree.room(file);
                let home = match tree.mentioned(file, &module.inside, mention) {
                    Some(Found::File(other)) => tree.room(other).to_owned(),
                    Some(Found::Module(path)) => tree.room_of(&path).to_owned(),
                    Some(Found::Outside(krate)) => krate,
                    None => continue,
                };
                if home != room {
                    let path = mention.path.join("::");
                    findings.push(Finding {
                        rule: Rule::Reexports,
                        severity: Severity::Error,
                        file: member.source.path.clone(),
                        line: mention.line,
                        message: format!("{room} re-exports `{path}` of {home}: a name has one home, import it there"),
                    });
                }
            }
        }
    }
    findings
}

/// Refuses types of the wire in what the room behind it shows. A conversion may name what it
/// converts.
pub(super) fn wire(tree: &Tree<'_>) -> Vec<Finding> {
    let wire = Found::Outside(rooms::WIRE_CRATE.to_owned());
    let mut findings = Vec::new();
    for (file, member) in tree.files.iter().enumerate().filter(|(file, _)| tree.room(*file) == rooms::WIRE_ENDS_IN) {
        for exposed in &member.source.syntax.surface {
            let from = [&member.module[..], &exposed.inside].concat();
            let is_conversion = exposed.item.rsplit("::").next().is_some_and(|name| name.starts_with("from_"));
            let shown = exposed.paths.iter().find(|path| tree.resolve(&from, path).as_ref() == Some(&wire));
            if let Some(shown) = shown.filter(|_| !is_conversion) {
                findings.push(Finding {
                    rule: Rule::Wire,
                    severity: Severity::Error,
                    file: member.source.path.clone(),
                    line: exposed.line,
                    message: format!(
                        "`{}` shows `{}` of {} in `{}`: {} gives out types of its own",
                        exposed.item,
                        shown.join("::"),
                        rooms::WIRE_CRATE,
                        exposed.name,
                        tree.room(file),
                    ),
                });
            }
        }
    }
    findings
}
