//! Reads a Rust file as tokens and keeps what the rules ask for.
//!
//! Tokens rather than a syntax tree: a path counts in a `use`, in an expression, in an attribute
//! (`#[derive(serde::…)]`) and inside a macro's arguments, and only the tokens show all four alike.

use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

/// What the rules look at in one file.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) paths: Vec<Mention>,
    /// Macro calls: name and line.
    pub(super) macros: Vec<(String, usize)>,
    /// Texts and numbers as they are written, each with its line, without those of tests.
    pub(super) literals: Vec<(String, usize)>,
    /// Lines of `unsafe {` and `unsafe impl`.
    pub(super) unsafe_lines: Vec<usize>,
    /// Lines of items that are compiled for tests only.
    pub(super) test_lines: Vec<RangeInclusive<usize>>,
}

/// A path of at least one `::`, or a name that a `use` brings in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    /// Whether it is compiled for tests only.
    pub(super) test: bool,
    /// The inline modules around it.
    pub(super) inside: Vec<String>,
}

impl Source {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let tokens = TokenStream::from_str(text).map_err(|error| anyhow!("not Rust: {error}"))?;
        let mut source = Self::default();
        source.walk(tokens, &Context { test: false, inside: Vec::new() });
        Ok(source)
    }

    fn walk(&mut self, tokens: TokenStream, context: &Context) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        // The first line of the item that a `#[cfg(test)]` stands before, until that item ends.
        let mut test_item: Option<usize> = None;
        let mut module: Option<String> = None;
        let mut in_use = false;
        while at < tokens.len() {
            let here = Context { test: context.test || test_item.is_some(), inside: context.inside.clone() };
            match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if is_test_attribute(tokens.get(at + 1)) {
                        test_item.get_or_insert(punct.span().start().line);
                    }
                    at += 1;
                }
                TokenTree::Punct(punct) => {
                    if punct.as_char() == ';' {
                        self.end_item(&mut test_item, punct.span().end().line);
                        in_use = false;
                        module = None;
                    }
                    at += 1;
                }
                TokenTree::Group(group) => {
                    let mut inner = here;
                    inner.inside.extend(module.take());
                    if in_use {
                        self.use_tree(group.stream(), &[], &inner);
                    } else {
                        self.walk(group.stream(), &inner);
                    }
                    if group.delimiter() == Delimiter::Brace && !in_use {
                        self.end_item(&mut test_item, group.span_close().end().line);
                    }
                    at += 1;
                }
                TokenTree::Ident(ident) => match ident.to_string().as_str() {
                    "use" => {
                        in_use = true;
                        at += 1;
                    }
                    "mod" => {
                        module = tokens.get(at + 1).map(ToString::to_string);
                        at += 2;
                    }
                    "unsafe" => {
                        let is_code = is_unsafe_code(tokens.get(at + 1));
                        self.unsafe_lines.extend(is_code.then(|| ident.span().start().line));
                        at += 1;
                    }
                    _ => at = self.path(&tokens, at, &here, in_use),
                },
                TokenTree::Literal(literal) => {
                    self.literal(literal, &here);
                    at += 1;
                }
            }
        }
    }

    fn literal(&mut self, literal: &Literal, context: &Context) {
        if !context.test {
            self.literals.push((literal.to_string(), literal.span().start().line));
        }
    }

    /// Reads the path that begins at `at` and returns where it ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, context: &Context, in_use: bool) -> usize {
        let line = tokens[at].span().start().line;
        let mut segments = Vec::new();
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(ident)) => segments.push(ident.to_string().trim_start_matches("r#").to_owned()),
                Some(TokenTree::Group(group)) if in_use && group.delimiter() == Delimiter::Brace => {
                    self.use_tree(group.stream(), &segments, context);
                    return at + 1;
                }
                // A glob, or the `<` of a turbofish: the path so far is what counts.
                _ => break,
            }
            at += 1;
            if !is_double_colon(tokens, at) {
                break;
            }
            at += 2;
        }
        if let (Some(TokenTree::Punct(punct)), [name]) = (tokens.get(at), &segments[..])
            && punct.as_char() == '!'
            && !matches!(tokens.get(at + 1), Some(TokenTree::Punct(next)) if next.as_char() == '=')
        {
            self.macros.push((name.clone(), line));
        }
        if segments.len() > 1 || in_use {
            self.paths.push(Mention { segments, line, test: context.test, inside: context.inside.clone() });
        }
        // `as Name` brings in no further path.
        if in_use && matches!(tokens.get(at), Some(TokenTree::Ident(word)) if *word == "as") {
            at += 2;
        }
        at
    }

    /// The branches of `use prefix::{…}`.
    fn use_tree(&mut self, tokens: TokenStream, prefix: &[String], context: &Context) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let before = self.paths.len();
            if matches!(tokens[at], TokenTree::Ident(_)) {
                at = self.path(&tokens, at, context, true);
            } else {
                at += 1;
            }
            for mention in &mut self.paths[before..] {
                mention.segments.splice(0..0, prefix.iter().cloned());
            }
        }
    }

    fn end_item(&mut self, test_item: &mut Option<usize>, line: usize) {
        if let Some(first) = test_item.take() {
            self.test_lines.push(first..=line);
        }
    }
}

/// Where in the file a token stands.
struct Context {
    test: bool,
    inside: Vec<String>,
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// Whether what follows `unsafe` is a block or an impl.
fn is_unsafe_code(next: Option<&TokenTree>) -> bool {
    match next {
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
        Some(TokenTree::Ident(next)) => *next == "impl",
        _ => false,
    }
}

/// Whether what follows a `#` is `[test]` or a `[cfg(…)]` that holds in tests only.
fn is_test_attribute(attribute: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(attribute)) = attribute else { return false };
    let words: String = attribute.stream().to_string().split_whitespace().collect();
    words == "test" || words == "cfg(test)" || words.starts_with("cfg(all(test,")
}
