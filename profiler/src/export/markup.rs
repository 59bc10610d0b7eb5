//! Markup that cannot be broken by what stands in it: what is not a literal of this program is
//! escaped.

use std::fmt::Write;

use serde::Serialize;

use crate::text::clean;

/// A page under way.
#[derive(Default)]
pub(in crate::export) struct Markup {
    out: String,
}

impl Markup {
    /// Markup itself: literals only.
    pub(in crate::export) fn raw(&mut self, html: &'static str) -> &mut Self {
        self.out.push_str(html);
        self
    }

    /// Text, also inside of quoted attributes.
    pub(in crate::export) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                c => self.out.push(c),
            }
        }
        self
    }

    /// A name that the target chose.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.text(&clean::line(name))
    }

    /// A number for machines: an attribute's value, a length in CSS.
    pub(in crate::export) fn number(&mut self, value: f64) -> &mut Self {
        // Writing into a string does not fail. What is not finite would not be CSS.
        let _ = write!(self.out, "{}", if value.is_finite() { value } else { 0.0 });
        self
    }

    /// Data for the page's scripts.
    pub(super) fn data<T: Serialize>(&mut self, id: &'static str, data: &T) -> &mut Self {
        self.raw("<script type=\"application/json\" id=\"").raw(id).raw("\">");
        let json = serde_json::to_string(data).unwrap_or_default();
        // In JSON these stand inside of strings only; unescaped, `</script>` or `<!--` in a name
        // would end the element.
        for c in json.chars() {
            match c {
                '<' => self.out.push_str("\\u003c"),
                '>' => self.out.push_str("\\u003e"),
                '&' => self.out.push_str("\\u0026"),
                c => self.out.push(c),
            }
        }
        self.raw("</script>\n")
    }

    pub(in crate::export) fn finish(self) -> String {
        self.out
    }
}

/// A cell of a table.
#[derive(Default)]
pub(super) struct Cell {
    text: String,
    /// What it is sorted by, where that is a number.
    value: Option<f64>,
    /// Why there is no figure, or more of a name than there is room for.
    title: String,
    numeric: bool,
}

impl Cell {
    /// A word.
    pub(super) fn word(text: impl AsRef<str>) -> Self {
        Self { text: clean::line(text.as_ref()), ..Self::default() }
    }

    /// A figure: `value` is what it is sorted by.
    pub(super) fn figure(text: String, value: f64) -> Self {
        Self { text, value: Some(value), numeric: true, ..Self::default() }
    }

    /// No figure; sorted behind all others.
    pub(super) fn none(text: &str, why: &str) -> Self {
        Self { text: text.to_owned(), title: clean::line(why), numeric: true, ..Self::default() }
    }
}

/// A table whose columns sort where they are clicked.
pub(super) struct Table {
    /// Name and explanation of each column.
    columns: Vec<(&'static str, &'static str)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, &'static str)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub(super) fn render(&self, page: &mut Markup, caption: &str) {
        page.raw("<div class=\"scroll\" tabindex=\"0\"><table class=\"sortable\"><caption>").text(caption);
        page.raw("</caption><thead><tr>");
        let numeric = |column: usize| self.rows.first().and_then(|r| r.get(column)).is_some_and(|c| c.numeric);
        for (i, (name, explanation)) in self.columns.iter().enumerate() {
            page.raw(if numeric(i) { "<th scope=\"col\" class=\"n\"" } else { "<th scope=\"col\"" });
            page.raw("><button type=\"button\" title=\"").text(explanation).raw("\">").raw(name);
            page.raw("</button></th>");
        }
        page.raw("</tr></thead><tbody>\n");
        for row in &self.rows {
            page.raw("<tr>");
            for cell in row {
                page.raw(if cell.numeric { "<td class=\"n\"" } else { "<td" });
                if let Some(value) = cell.value {
                    page.raw(" data-v=\"").number(value).raw("\"");
                }
                if !cell.title.is_empty() {
                    page.raw(" title=\"").text(&cell.title).raw("\"");
                }
                page.raw(">").text(&cell.text).raw("</td>");
            }
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
    }
}
