//! Reads a Rust file as a syntax tree: the modules in it with the names they define and mention,
//! its functions, its macro calls. What is compiled for tests only is left out.

use std::collections::HashSet;

use anyhow::{Result, anyhow};
use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Stmt, TraitItem, UseTree, Visibility};

use super::items::{attributes, is_for_tests, plain};
use super::surface::{self, Exposed};

/// What the rules ask of one file.
pub(super) struct Syntax {
    /// The file's own module, then the inline modules in it.
    pub(super) modules: Vec<Module>,
    /// Modules that are declared for tests only, from the file's own module.
    pub(super) test_modules: Vec<Vec<String>>,
    pub(super) functions: Vec<Function>,
    /// Macro calls: name and line.
    pub(super) macros: Vec<(String, usize)>,
    /// First and last line of each `impl … Display for …`.
    pub(super) displays: Vec<(usize, usize)>,
    /// The types that public items show.
    pub(super) surface: Vec<Exposed>,
}

/// A module of a file.
#[derive(Default)]
pub(super) struct Module {
    /// Its path from the file's own module.
    pub(super) inside: Vec<String>,
    pub(super) names: Vec<(String, Name)>,
    /// The paths of its `use …::*`.
    pub(super) globs: Vec<Vec<String>>,
    pub(super) mentions: Vec<Mention>,
}

/// What a name in a module stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A function, a type, a constant.
    Item,
    Macro,
    Module,
    /// A `use` of this path.
    Import(Vec<String>),
}

/// A path that is written in a module.
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// Where a path is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    /// The name of a macro, before its `!`.
    Macro,
    Use,
    /// A `use` that others can import from.
    Reexport,
}

/// A function with a body.
pub(super) struct Function {
    /// With the type or trait that it belongs to: `Type::name`.
    pub(super) name: String,
    pub(super) line: usize,
    /// From `fn` to the closing brace.
    pub(super) lines: usize,
}

impl Syntax {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let file = syn::parse_file(text).map_err(|error| anyhow!("not Rust: {error}"))?;
        let mut reader = Reader {
            syntax: Self {
                modules: vec![Module::default()],
                test_modules: Vec::new(),
                functions: Vec::new(),
                macros: Vec::new(),
                displays: Vec::new(),
                surface: surface::of_file(&file),
            },
            at: 0,
            depth: 0,
            owner: None,
            bound: HashSet::new(),
        };
        reader.visit_file(&file);
        Ok(reader.syntax)
    }
}

struct Reader {
    syntax: Syntax,
    /// The module that is read.
    at: usize,
    /// How many functions stand around what is read.
    depth: usize,
    /// The type or trait whose functions are read.
    owner: Option<String>,
    /// The variables of the function that is read: their names are no items.
    bound: HashSet<String>,
}

impl Reader {
    fn module(&mut self) -> &mut Module {
        &mut self.syntax.modules[self.at]
    }

    /// Takes note of a name that the module defines. Names that a function defines inside do not
    /// count.
    fn define(&mut self, ident: &syn::Ident, name: Name) {
        if self.depth == 0 {
            self.module().names.push((plain(ident), name));
        }
    }

    fn mention(&mut self, path: Vec<String>, line: usize, kind: Kind) {
        let is_variable = kind == Kind::Code && matches!(&path[..], [one] if self.bound.contains(one));
        if !is_variable {
            self.module().mentions.push(Mention { path, line, kind });
        }
    }

    fn inline_module(&mut self, item: &syn::ItemMod, items: &[Item]) {
        let outer = self.at;
        let mut inside = self.module().inside.clone();
        inside.push(plain(&item.ident));
        self.at = self.syntax.modules.len();
        self.syntax.modules.push(Module { inside, ..Module::default() });
        for item in items {
            self.visit_item(item);
        }
        self.at = outer;
    }

    fn import(&mut self, prefix: &[String], tree: &UseTree, public: bool) {
        let kind = if public { Kind::Reexport } else { Kind::Use };
        let take = |reader: &mut Self, last: &syn::Ident, name: &syn::Ident| {
            let mut path = prefix.to_vec();
            if last != "self" {
                path.push(plain(last));
            }
            let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { plain(name) };
            reader.module().names.push((name, Name::Import(path.clone())));
            reader.mention(path, last.span().start().line, kind);
        };
        match tree {
            UseTree::Path(path) => {
                let mut prefix = prefix.to_vec();
                prefix.push(plain(&path.ident));
                self.import(&prefix, &path.tree, public);
            }
            UseTree::Name(name) => take(self, &name.ident, &name.ident),
            UseTree::Rename(rename) => take(self, &rename.ident, &rename.rename),
            UseTree::Glob(glob) => {
                self.module().globs.push(prefix.to_vec());
                if public {
                    self.mention(prefix.to_vec(), glob.star_token.spans[0].start().line, kind);
                }
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(prefix, tree, public)),
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        let name = match &self.owner {
            Some(owner) => format!("{owner}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        self.syntax.functions.push(Function { name, line: first, lines: last - first + 1 });
    }

    /// Reads what stands in a function.
    fn body(&mut self, signature: &syn::Signature, block: &syn::Block, read: impl FnOnce(&mut Self)) {
        self.function(signature, block);
        if self.depth == 0 {
            let mut variables = Variables(HashSet::new());
            variables.visit_signature(signature);
            variables.visit_block(block);
            self.bound = variables.0;
        }
        self.depth += 1;
        read(self);
        self.depth -= 1;
        if self.depth == 0 {
            self.bound.clear();
        }
    }

    /// The paths among a macro's or an attribute's tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) if !is_no_path(&tokens, at) => {
                    let line = ident.span().start().line;
                    let path = path_at(&tokens, &mut at);
                    let is_macro = is_punct(&tokens, at + 1, '!') && !is_punct(&tokens, at + 2, '=');
                    if is_macro {
                        self.syntax.macros.push((path[path.len() - 1].clone(), line));
                    }
                    self.mention(path, line, if is_macro { Kind::Macro } else { Kind::Code });
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            if let Item::Mod(module) = item {
                let mut inside = self.module().inside.clone();
                inside.push(plain(&module.ident));
                self.syntax.test_modules.push(inside);
            }
            return;
        }
        match item {
            Item::Const(item) => self.define(&item.ident, Name::Item),
            Item::Enum(item) => self.define(&item.ident, Name::Item),
            Item::Fn(item) => self.define(&item.sig.ident, Name::Item),
            Item::Mod(item) => self.define(&item.ident, Name::Module),
            Item::Static(item) => self.define(&item.ident, Name::Item),
            Item::Struct(item) => self.define(&item.ident, Name::Item),
            Item::Trait(item) => self.define(&item.ident, Name::Item),
            Item::TraitAlias(item) => self.define(&item.ident, Name::Item),
            Item::Type(item) => self.define(&item.ident, Name::Item),
            Item::Union(item) => self.define(&item.ident, Name::Item),
            Item::Macro(item) => {
                if let Some(ident) = &item.ident {
                    self.module().names.push((plain(ident), Name::Macro));
                    self.tokens(item.mac.tokens.clone());
                    return;
                }
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if let Some((_, items)) = &item.content {
            self.inline_module(item, items);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // A path that begins with `::` leads to another crate, and no name in here changes that.
        if item.leading_colon.is_none() {
            self.import(&[], &item.tree, !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let owner = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| plain(&segment.ident)),
            _ => None,
        };
        let what = item.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        if what.is_some_and(|segment| segment.ident == "Display") {
            let last = item.brace_token.span.close().end().line;
            self.syntax.displays.push((item.impl_token.span.start().line, last));
        }
        let outer = std::mem::replace(&mut self.owner, owner);
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let outer = self.owner.replace(plain(&item.ident));
        visit::visit_item_trait(self, item);
        self.owner = outer;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let outer = self.owner.take();
        self.body(&item.sig, &item.block, |reader| visit::visit_item_fn(reader, item));
        self.owner = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs[..],
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        match item {
            TraitItem::Fn(function) if function.default.is_some() => {
                let Some(block) = &function.default else { return };
                self.body(&function.sig, block, |reader| visit::visit_trait_item(reader, item));
            }
            _ => visit::visit_trait_item(self, item),
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let is_for_tests = matches!(statement, Stmt::Local(local) if is_for_tests(&local.attrs));
        if !is_for_tests {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments: Vec<String> = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
            let line = path.segments[0].ident.span().start().line;
            self.mention(segments, line, Kind::Code);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let path: Vec<String> = call.path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        let line = call.path.segments[0].ident.span().start().line;
        self.syntax.macros.push((path[path.len() - 1].clone(), line));
        self.mention(path, line, Kind::Macro);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    /// `pub(in path)` is no use of what is there.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Collects the names that patterns bind.
struct Variables(HashSet<String>);

impl<'ast> Visit<'ast> for Variables {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = plain(&pattern.ident);
        // A pattern of one upper-case word is a constant or a variant.
        if !name.starts_with(char::is_uppercase) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// Reads the path that begins at `at`, and leaves `at` on its last token.
fn path_at(tokens: &[TokenTree], at: &mut usize) -> Vec<String> {
    let mut path = Vec::new();
    while let Some(TokenTree::Ident(ident)) = tokens.get(*at) {
        path.push(plain(ident));
        let goes_on = is_punct(tokens, *at + 1, ':')
            && is_punct(tokens, *at + 2, ':')
            && matches!(tokens.get(*at + 3), Some(TokenTree::Ident(_)));
        if !goes_on {
            break;
        }
        *at += 3;
    }
    path
}

/// Whether the identifier is a field, a method, a lifetime or a macro's variable.
fn is_no_path(tokens: &[TokenTree], at: usize) -> bool {
    let Some(TokenTree::Punct(before)) = at.checked_sub(1).and_then(|before| tokens.get(before)) else { return false };
    let is_range =
        at > 1 && matches!(&tokens[at - 2], TokenTree::Punct(p) if p.as_char() == '.' && p.spacing() == Spacing::Joint);
    let is_crate = matches!(&tokens[at], TokenTree::Ident(ident) if ident == "crate");
    match before.as_char() {
        '.' => !is_range,
        '\'' => true,
        '$' => !is_crate,
        _ => false,
    }
}

fn is_punct(tokens: &[TokenTree], at: usize, character: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}
