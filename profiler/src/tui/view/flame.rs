//! The flame graph, hanging from its root: a row per depth, the selected frame in words below it.

use crate::text::{
    clean::clean,
    fit::{cut, cut_middle, fit, wrap},
    numbers::{NA, count, percent},
};
use crate::{
    feed::Snapshot,
    quantity::Nanos,
    tui::{
        app::App,
        flame::{Flame, Label, Layout, Spot},
        pen::Pen,
        text::bracketed,
        theme::Ink,
    },
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let flame = &app.flame;
    flame.width.set(pen.width());
    let layout = flame.layout(pen.width());
    title(pen, flame, &layout);
    if let Some(why) = snapshot.profile.no_stacks(flame.weight) {
        return say(pen, &format!("{NA}: {}", clean(&why)));
    }
    let rows = pen.height().saturating_sub(3);
    let depth = flame.tree.node(flame.selected).map_or(0, |n| n.depth);
    let (page, all) = (usize::from(rows), layout.rows.len());
    let lowest = (depth + 1).saturating_sub(page);
    let highest = depth.min(all.saturating_sub(page));
    let offset = flame.offset.get().clamp(lowest.min(highest.max(lowest)), highest.max(lowest));
    flame.offset.set(offset);
    for (row, spots) in layout.rows.iter().skip(offset).take(page).enumerate() {
        for &spot in spots {
            frame(pen, flame, row as u16 + 1, spot);
        }
    }
    selected(pen, flame);
}

fn say(pen: &mut Pen<'_>, text: &str) {
    for (row, line) in wrap(text, pen.width().into()).iter().enumerate() {
        pen.text(row as u16 + 1, 0, line, Ink::Plain);
    }
}

/// The weight, what is zoomed into, what is found, what is too narrow to show.
fn title(pen: &mut Pen<'_>, flame: &Flame, layout: &Layout) {
    let column = pen.text(0, 0, flame.weight.title(), Ink::Bold);
    let mut text = format!("  {}", Nanos::from_nanos(flame.tree.total()));
    if let Some(matched) = flame.matched {
        text.push_str(&format!(" · matched {}", percent(matched)));
    }
    if flame.zoom != 0 {
        text.push_str(" · zoomed");
    }
    let page = usize::from(pen.height().saturating_sub(3));
    if layout.rows.len() > page {
        text.push_str(&format!(" · {} frames deep", layout.rows.len() - 1));
    }
    if layout.elided > 0 {
        text.push_str(&format!(" · {} too narrow", layout.elided));
    }
    let room = usize::from(pen.width().saturating_sub(column));
    pen.text(0, column, &cut(&text, room), Ink::Dim);
}

/// Neighbours get different shades, and one name always gets the same shade.
fn shade(label: &Label) -> u8 {
    label.name.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

fn frame(pen: &mut Pen<'_>, flame: &Flame, row: u16, spot: Spot) {
    let Some((node, label)) = flame.tree.node(spot.node).zip(flame.tree.label(spot.node)) else { return };
    let ink = Ink::Frame(label.whose, shade(label));
    let room = usize::from(spot.width).saturating_sub(1);
    // The edge tells neighbours apart where there is no colour.
    let text = format!("▏{}", fit(&label.short(), room, false));
    pen.text(row, spot.x, &text, ink);
    if flame.matching.get(node.label) == Some(&true) {
        pen.ink(row, spot.x, spot.width, Ink::Match);
    }
    if spot.node == flame.selected {
        pen.ink(row, spot.x, spot.width, Ink::Selected);
    }
}

/// Name, module, share of everything and of what is zoomed into.
fn selected(pen: &mut Pen<'_>, flame: &Flame) {
    let Some((node, label)) = flame.tree.node(flame.selected).zip(flame.tree.label(flame.selected)) else { return };
    let width = usize::from(pen.width());
    let row = pen.height().saturating_sub(2);
    let name = label.short() + &bracketed(&label.module);
    pen.text(row, 0, &cut_middle(&name, width), Ink::Bold);
    let share_of = |whole: u64| percent(node.value as f64 / whole.max(1) as f64);
    let mut text = format!(
        "{} ({} ns)  {} of all",
        Nanos::from_nanos(node.value),
        count(node.value),
        share_of(flame.tree.total())
    );
    if let Some(zoom) = flame.tree.node(flame.zoom).filter(|_| flame.zoom != 0) {
        text.push_str(&format!(", {} of the zoom", share_of(zoom.value)));
    }
    pen.text(row + 1, 0, &cut(&text, width), Ink::Plain);
}
