//! The method in short, with this measurement's estimators.

use super::{
    super::markup::Markup,
    words::{figure, provenance},
};
use crate::cost::Note;
use crate::text::numbers::span;
use crate::words::disagreement;
use crate::{answer::Report, quantity::Figure};

pub(super) fn render(page: &mut Markup, report: &Report) {
    page.raw(
        "<section id=\"method\"><h2>The method in short</h2>\n<ol>\n\
         <li><strong>Count.</strong> A block is a voluntary switch; a blocking-IO block is one inside a call that waits for one \
         descriptor. Counts are the kernel's own, thread by thread. Locks, timers, event waits are not blocking IO.</li>\n\
         <li><strong>Price.</strong> The direct cost of a block is the kernel CPU of a call that blocked less that of such a call \
         that did not, at the same site where there are enough of both, else pooled, calibrated, or against a reference. What \
         the measuring itself puts in is taken off. Three estimators stand side by side:</li>\n</ol>\n<table><tbody>\n",
    );
    let e = &report.estimators;
    estimator(page, "in place", &e.in_place);
    estimator(page, "sampled", &e.sampled);
    estimator(page, "calibrated", &e.calibrated);
    page.raw("</tbody></table>\n");
    if let Some(why) = disagreement(&e.disagreements) {
        page.raw("<p class=\"note\">They differ by more than a third: ").name(&why).raw("</p>\n");
    }
    page.raw(
        "<ol start=\"3\">\n<li><strong>Replay.</strong> Async removes no block if nothing else is ready: the recorded wake-ups and \
         bursts are replayed through event loops to count the sleeps that remain. Closed loop: arrivals follow replies; open \
         loop: they do not.</li>\n\
         <li><strong>Add up.</strong> Saving = direct cost of the blocks that go, wake-ups and preemptions among its own \
         threads, less the sleeps that remain, less what waiting in another way costs on this machine.</li>\n\
         <li><strong>Doubt.</strong> Intervals are 90 %. Every figure is measured, modelled, or n/a with its reason; n/a is never \
         0.</li>\n</ol>\n<p class=\"note\">In full, with what is assumed and how far it was off: <code>docs/method.md</code>.</p>\
         </section>\n",
    );
}

fn estimator(page: &mut Markup, name: &'static str, cost: &Figure<f64, Note>) {
    page.raw("<tr><th scope=\"row\">").raw(name).raw("</th><td class=\"n\">").text(&figure(cost, |&ns| span(ns)));
    page.raw("</td><td><small>").name(&provenance(cost)).raw("</small></td></tr>\n");
}
