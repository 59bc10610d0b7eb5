//! The modules of one crate, and what a path in one of them leads to.

use std::collections::HashMap;

use super::place::{Place, SourceFile};
use super::rules::Crate;
use super::syntax::{Kind, Mention, Module, Name};

/// How many imports a name is followed through. More of them are a circle of imports.
const MOST_IMPORTS: usize = 16;

/// The files of one crate.
pub(super) struct Tree<'a> {
    pub(super) krate: &'a Crate,
    /// The files that are not for tests only.
    pub(super) files: Vec<Member<'a>>,
    /// Each module's file, and its number among that file's modules.
    modules: HashMap<Vec<String>, (usize, usize)>,
    /// The files that define a macro of this name.
    macros: HashMap<&'a str, Vec<usize>>,
}

/// One file of the crate.
pub(super) struct Member<'a> {
    pub(super) source: &'a SourceFile,
    /// The path of its module from the crate's root.
    pub(super) module: Vec<String>,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Something that this file defines.
    File(usize),
    Module(Vec<String>),
    /// Something in this crate.
    Outside(String),
}

impl<'a> Tree<'a> {
    /// Puts together the files below the crate's folder.
    pub(super) fn new(krate: &'a Crate, sources: &'a [SourceFile]) -> Self {
        let mut files: Vec<Member<'a>> = sources.iter().filter_map(|source| Member::new(krate, source)).collect();
        let for_tests: Vec<Vec<String>> = files
            .iter()
            .flat_map(|file| file.source.syntax.test_modules.iter().map(|inside| joined(&file.module, inside)))
            .collect();
        files.retain(|file| !for_tests.iter().any(|module| file.module.starts_with(module)));
        let mut modules = HashMap::new();
        let mut macros: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, file) in files.iter().enumerate() {
            for (at, module) in file.source.syntax.modules.iter().enumerate() {
                modules.insert(joined(&file.module, &module.inside), (number, at));
                for (name, _) in module.names.iter().filter(|(_, name)| *name == Name::Macro) {
                    macros.entry(name).or_default().push(number);
                }
            }
        }
        Self { krate, files, modules, macros }
    }

    /// The room of a file: the module below the root, or the whole crate.
    pub(super) fn room(&self, file: usize) -> &str {
        self.room_of(&self.files[file].module)
    }

    /// The room of a module.
    pub(super) fn room_of<'b>(&'b self, module: &'b [String]) -> &'b str {
        match module.first() {
            Some(room) if self.krate.has_rooms => room,
            Some(_) => self.krate.folder,
            None if self.krate.has_rooms => "",
            None => self.krate.folder,
        }
    }

    /// What a path that is written in `file`, in its module `inside`, leads to.
    pub(super) fn mentioned(&self, file: usize, inside: &[String], mention: &Mention) -> Option<Found> {
        if mention.kind == Kind::Macro
            && let Some(homes) = self.macros.get(mention.path[mention.path.len() - 1].as_str())
        {
            let home = if homes.contains(&file) { file } else { homes[0] };
            return Some(Found::File(home));
        }
        let module = joined(&self.files[file].module, inside);
        match mention.kind {
            Kind::Use | Kind::Reexport => self.imported(&module, &mention.path, 0),
            Kind::Code | Kind::Macro => self.resolve(&module, &mention.path),
        }
    }

    /// What a path leads to from the module `from`.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Option<Found> {
        self.follow(from, path, 0)
    }

    /// What a `use` of this path leads to. One word that no module defines is a crate.
    fn imported(&self, from: &[String], path: &[String], imports: usize) -> Option<Found> {
        let krate = || matches!(path, [_]).then(|| Found::Outside(path[0].clone()));
        self.follow(from, path, imports + 1).or_else(krate)
    }

    fn follow(&self, from: &[String], path: &[String], imports: usize) -> Option<Found> {
        let (first, mut rest) = path.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::Module(Vec::new()),
            "self" => Found::Module(from.to_vec()),
            "super" => Found::Module(from.split_last()?.1.to_vec()),
            name => match self.named(from, name, rest.is_empty(), imports) {
                Some(found) => found,
                // A variable, a generic type or a name of the prelude, if it is no crate.
                None if rest.is_empty() || name.starts_with(char::is_uppercase) => return None,
                None => Found::Outside(name.to_owned()),
            },
        };
        while let (Found::Module(module), Some((next, tail))) = (&found, rest.split_first()) {
            rest = tail;
            found = match next.as_str() {
                "self" => continue,
                "super" => Found::Module(module.split_last()?.1.to_vec()),
                name => match self.named(module, name, rest.is_empty(), imports) {
                    Some(found) => found,
                    // What no item defines is made by a macro that is called there.
                    None => Found::File(self.modules.get(module)?.0),
                },
            };
        }
        Some(found)
    }

    /// What a name stands for in a module. A path that goes on means the module of that name, one
    /// that ends the item.
    fn named(&self, module: &[String], name: &str, is_last: bool, imports: usize) -> Option<Found> {
        let (file, scope) = self.module(module)?;
        if imports > MOST_IMPORTS {
            return None;
        }
        let named = |kind: fn(&Name) -> bool| scope.names.iter().find(|(known, what)| known == name && kind(what));
        let item = || named(|what| matches!(what, Name::Item | Name::Macro)).map(|_| Found::File(file));
        let child = || {
            let inner = joined(module, &[name.to_owned()]);
            named(|what| *what == Name::Module)
                .filter(|_| self.modules.contains_key(&inner))
                .map(|_| Found::Module(inner))
        };
        let import = || {
            let mut paths = scope.names.iter().filter_map(|(known, what)| match what {
                Name::Import(path) if known == name => Some(path),
                _ => None,
            });
            // `use name::…` in the module of `name` means the crate, unless the module defines it.
            paths.find_map(|path| {
                let is_crate = path[0] == name && child().is_none();
                if is_crate { Some(Found::Outside(name.to_owned())) } else { self.imported(module, path, imports) }
            })
        };
        let found = if is_last { item().or_else(import).or_else(child) } else { child().or_else(import).or_else(item) };
        found.or_else(|| self.in_globs(module, scope, name, is_last, imports))
    }

    fn in_globs(&self, from: &[String], scope: &Module, name: &str, is_last: bool, imports: usize) -> Option<Found> {
        scope.globs.iter().find_map(|path| match self.follow(from, path, imports + 1) {
            Some(Found::Module(module)) if module != from => self.named(&module, name, is_last, imports + 1),
            _ => None,
        })
    }

    fn module(&self, path: &[String]) -> Option<(usize, &Module)> {
        let (file, at) = *self.modules.get(path)?;
        Some((file, &self.files[file].source.syntax.modules[at]))
    }
}

impl<'a> Member<'a> {
    fn new(krate: &Crate, source: &'a SourceFile) -> Option<Self> {
        let below = source.path.strip_prefix(krate.folder).ok()?;
        if Place::new(&source.path).is_test {
            return None;
        }
        let mut module: Vec<String> =
            below.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if below.as_os_str() == krate.root || module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        Some(Self { source, module })
    }
}

fn joined(module: &[String], inside: &[String]) -> Vec<String> {
    [module, inside].concat()
}
