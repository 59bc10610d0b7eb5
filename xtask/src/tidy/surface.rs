//! The types that a file's public items show: fields, parameters, results.

use syn::visit::{self, Visit};
use syn::{FnArg, ImplItem, Item, Pat, ReturnType, Signature, TraitItem, Type, Visibility};

use super::items::{attributes, is_for_tests, plain};

/// One place where a public item shows a type.
#[derive(Clone, Debug)]
pub(super) struct Exposed {
    /// The type, the trait or the function: `Type`, `Type::function`.
    pub(super) item: String,
    /// The field or parameter; a function's name for its result.
    pub(super) name: String,
    pub(super) line: usize,
    /// The inline modules around it.
    pub(super) inside: Vec<String>,
    /// The paths in its type.
    pub(super) paths: Vec<Vec<String>>,
    /// Whether it owns text: a `String`, or a `str` in a box of any kind.
    pub(super) owns_text: bool,
}

/// Reads all public items of a file.
pub(super) fn of_file(file: &syn::File) -> Vec<Exposed> {
    let mut surface = Surface { inside: Vec::new(), found: Vec::new() };
    surface.items(&file.items);
    surface.found
}

struct Surface {
    inside: Vec<String>,
    found: Vec<Exposed>,
}

impl Surface {
    fn items(&mut self, items: &[Item]) {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            self.item(item);
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Const(item) if is_public(&item.vis) => self.show("", &item.ident, &item.ty),
            Item::Static(item) if is_public(&item.vis) => self.show("", &item.ident, &item.ty),
            Item::Type(item) if is_public(&item.vis) => self.show("", &item.ident, &item.ty),
            Item::Fn(item) if is_public(&item.vis) => self.signature("", &item.sig),
            Item::Struct(item) if is_public(&item.vis) => self.fields(&plain(&item.ident), &item.fields, is_public),
            Item::Enum(item) if is_public(&item.vis) => {
                for variant in &item.variants {
                    let name = format!("{}::{}", plain(&item.ident), plain(&variant.ident));
                    self.fields(&name, &variant.fields, |_| true);
                }
            }
            Item::Trait(item) if is_public(&item.vis) => {
                for function in &item.items {
                    if let TraitItem::Fn(function) = function {
                        self.signature(&plain(&item.ident), &function.sig);
                    }
                }
            }
            // Methods of a trait are the trait's own choice: `From` is how a conversion is written.
            Item::Impl(item) if item.trait_.is_none() => self.methods(item),
            Item::Mod(item) => {
                if let Some((_, items)) = &item.content {
                    self.inside.push(plain(&item.ident));
                    self.items(items);
                    self.inside.pop();
                }
            }
            _ => {}
        }
    }

    fn methods(&mut self, item: &syn::ItemImpl) {
        let Type::Path(owner) = &*item.self_ty else { return };
        let Some(owner) = owner.path.segments.last().map(|segment| plain(&segment.ident)) else { return };
        for item in &item.items {
            match item {
                ImplItem::Fn(item) if is_public(&item.vis) && !is_for_tests(&item.attrs) => {
                    self.signature(&owner, &item.sig);
                }
                ImplItem::Const(item) if is_public(&item.vis) => self.show(&owner, &item.ident, &item.ty),
                _ => {}
            }
        }
    }

    fn fields(&mut self, item: &str, fields: &syn::Fields, counts: impl Fn(&Visibility) -> bool) {
        for (index, field) in fields.iter().enumerate().filter(|(_, field)| counts(&field.vis)) {
            let name = field.ident.as_ref().map_or_else(|| index.to_string(), plain);
            self.add(item.to_owned(), name, None, &field.ty);
        }
    }

    fn signature(&mut self, owner: &str, signature: &Signature) {
        let name = plain(&signature.ident);
        let item = if owner.is_empty() { name.clone() } else { format!("{owner}::{name}") };
        let line = Some(signature.fn_token.span.start().line);
        for input in &signature.inputs {
            if let FnArg::Typed(input) = input {
                let parameter = match &*input.pat {
                    Pat::Ident(pattern) => plain(&pattern.ident),
                    _ => "_".to_owned(),
                };
                self.add(item.clone(), parameter, line, &input.ty);
            }
        }
        if let ReturnType::Type(_, result) = &signature.output {
            self.add(item, name, line, result);
        }
    }

    fn show(&mut self, owner: &str, ident: &syn::Ident, shown: &Type) {
        let item = if owner.is_empty() { plain(ident) } else { owner.to_owned() };
        self.add(item, plain(ident), Some(ident.span().start().line), shown);
    }

    fn add(&mut self, item: String, name: String, line: Option<usize>, shown: &Type) {
        let mut types = Types::default();
        types.visit_type(shown);
        let line = line.unwrap_or(types.line);
        let inside = self.inside.clone();
        self.found.push(Exposed { item, name, line, inside, paths: types.paths, owns_text: types.owns_text });
    }
}

/// Whether more than the module and its parent may see it.
fn is_public(visibility: &Visibility) -> bool {
    match visibility {
        Visibility::Public(_) => true,
        Visibility::Restricted(restricted) => restricted.path.is_ident("crate"),
        _ => false,
    }
}

/// Collects the paths in a type.
#[derive(Default)]
struct Types {
    paths: Vec<Vec<String>>,
    line: usize,
    owns_text: bool,
}

impl<'ast> Visit<'ast> for Types {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        // `&str` owns nothing.
        let is_str = matches!(&*reference.elem, Type::Path(inner) if inner.path.is_ident("str"));
        if !is_str {
            visit::visit_type_reference(self, reference);
        }
    }

    /// How long an array is belongs to no type.
    fn visit_type_array(&mut self, array: &'ast syn::TypeArray) {
        self.visit_type(&array.elem);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        self.owns_text |= matches!(segments.last().map(String::as_str), Some("String" | "str"));
        if self.line == 0 {
            self.line = path.segments[0].ident.span().start().line;
        }
        self.paths.push(segments);
        visit::visit_path(self, path);
    }
}
