//! For tests outside of this room: every view of what a feed brings, as text, and a measurement
//! with hardware counters.

use std::time::Duration;

use super::*;
use crate::feed::{Command, Feed};

/// Columns and rows of the screen.
const SIZE: (u16, u16) = (110, 34);

/// Names and texts of the screens at the feed's end: each view, a site's detail, and the foot of
/// what another number of loops and queues would give. The last one is the overview of the interval
/// before.
pub(crate) fn screens_of(feed: &mut dyn Feed, title: &Title) -> Vec<(&'static str, String)> {
    let mut app = App::new(title, Theme::new(true));
    take(&mut app, feed);
    let shown = |app: &App| screen(app, SIZE.0, SIZE.1) + "\n";
    let mut screens = Vec::new();
    for view in View::ALL {
        show(&mut app, view);
        screens.push((view.name(), shown(&app)));
    }
    show(&mut app, View::Sites);
    press(&mut app, KeyCode::Enter);
    screens.push(("site", shown(&app)));
    press(&mut app, KeyCode::Esc);
    show(&mut app, View::WhatIf);
    let mut orders = press(&mut app, KeyCode::Right);
    orders.extend(type_in(&mut app, "o"));
    obey(&mut app, feed, orders);
    type_in(&mut app, "G");
    screens.push(("what-if-otherwise", shown(&app)));
    show(&mut app, View::Overview);
    let orders = type_in(&mut app, "[t");
    obey(&mut app, feed, orders);
    screens.push(("interval-before", shown(&app)));
    screens
}

fn take(app: &mut App, feed: &mut dyn Feed) {
    while let Some(update) = feed.next(Duration::ZERO) {
        app.apply(update);
    }
}

/// Hands orders over and takes what comes of them; every question is answered before it returns.
fn obey(app: &mut App, feed: &mut dyn Feed, orders: Vec<Command>) {
    let mut answered = 0;
    let send = |orders: Vec<Command>, feed: &mut dyn Feed| {
        let inquiries = orders.iter().filter(|order| matches!(order, Command::Ask(_))).count();
        orders.into_iter().for_each(|order| feed.send(order));
        inquiries
    };
    let mut asked = send(orders, feed);
    for _ in 0..1_000 {
        match feed.next(Duration::from_millis(10)) {
            Some(update) => {
                answered += usize::from(matches!(update, Update::Reply(_)));
                app.apply(update);
                asked += send(app.orders(), feed);
            }
            None if answered == asked => return,
            None => {}
        }
    }
    panic!("{answered} of {asked} questions were answered");
}

/// A made-up server whose hardware counters were read.
pub(crate) fn counted() -> (Window, Inputs) {
    let case = made::counted();
    (case.window, case.inputs)
}
