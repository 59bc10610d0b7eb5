//! What markup is made of beside `maud`, which escapes whatever is no literal: names from the
//! target, numbers, data for scripts, and tables that sort.

use maud::{Markup, PreEscaped, Render, html};
use serde::Serialize;

use crate::text::clean;

/// A name that the target chose, on one line.
pub(super) fn name(name: &str) -> String {
    clean::line(name)
}

/// A number for machines: an attribute's value, a length in CSS. What is not finite is neither.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl Render for Number {
    fn render_to(&self, out: &mut String) {
        let value = if self.0.is_finite() { self.0 } else { 0.0 };
        value.to_string().render_to(out);
    }
}

/// Data for the page's scripts.
pub(super) fn data<T: Serialize>(id: &str, data: &T) -> Markup {
    let json = serde_json::to_string(data).unwrap_or_default();
    // In JSON these stand inside of strings only; unescaped, `</script>` or `<!--` in a name would
    // end the element.
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    html! { script type="application/json" id=(id) { (PreEscaped(json)) } "\n" }
}

/// A cell of a table.
#[derive(Default)]
pub(super) struct Cell {
    text: String,
    /// What it is sorted by, where that is a number.
    value: Option<f64>,
    /// Why there is no figure, or more of a name than there is room for.
    title: Option<String>,
    numeric: bool,
}

impl Cell {
    /// A cell that holds a word, to the left.
    pub(super) fn word(text: impl AsRef<str>) -> Self {
        Self { text: name(text.as_ref()), ..Self::default() }
    }

    /// A figure: `value` is what it is sorted by.
    pub(super) fn figure(text: String, value: f64) -> Self {
        Self { text, value: Some(value), numeric: true, ..Self::default() }
    }

    /// No figure; sorted behind all others.
    pub(super) fn none(text: &str, why: &str) -> Self {
        let title = Some(name(why)).filter(|title| !title.is_empty());
        Self { text: text.to_owned(), title, numeric: true, ..Self::default() }
    }

    fn class(&self) -> Option<&'static str> {
        self.numeric.then_some("n")
    }
}

/// A table whose columns sort where they are clicked. A row has a cell for each.
pub(super) struct Table<const N: usize> {
    /// Name and explanation of each column.
    columns: [(&'static str, &'static str); N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) const fn new(columns: [(&'static str, &'static str); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    pub(super) fn render(&self, caption: &str) -> Markup {
        let class = |column: usize| self.rows.first().and_then(|row| row.get(column)).and_then(Cell::class);
        html! {
            div class="scroll" tabindex="0" {
                table class="sortable" {
                    caption { (caption) }
                    thead {
                        tr {
                            @for (i, (name, explanation)) in self.columns.iter().enumerate() {
                                th scope="col" class=[class(i)] {
                                    button type="button" title=(explanation) { (name) }
                                }
                            }
                        }
                    }
                    tbody {
                        "\n"
                        @for row in &self.rows {
                            tr {
                                @for cell in row {
                                    td class=[cell.class()] data-v=[cell.value.map(Number)] title=[&cell.title] {
                                        (cell.text)
                                    }
                                }
                            }
                            "\n"
                        }
                    }
                }
            }
            "\n"
        }
    }
}
