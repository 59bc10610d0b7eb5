//! Stacks: how many were taken, and how good they are. What they show is drawn elsewhere.

use super::{
    options::TextOptions,
    page::{Ink, Page},
};
use crate::answer::Profile;
use crate::text::{
    clean::clean,
    numbers::{NA, count},
};
use crate::words;

/// The section that follows the report of a recording.
pub fn stacks(profile: &Profile, options: &TextOptions) -> String {
    let mut page = Page::new(options.width.max(TextOptions::MIN_WIDTH), options.color);
    page.title("STACKS", words::STACKS);
    if let Some(why) = &profile.unavailable {
        page.line(Ink::Plain, &format!("  {NA}: {}", clean(why)));
        return page.finish();
    }
    let q = profile.quality;
    page.wrapped_at(Ink::Plain, "  ", 4, &format!("{}; {}", q.taken(), q.names()));
    page.wrapped_at(Ink::Plain, "  ", 4, &format!("{}; {} lost", q.ends(), count(q.lost)));
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::StackQuality;

    #[test]
    fn the_share_of_truncated_stacks_is_printed_and_nothing_is_divided_by_nothing() {
        let quality =
            StackQuality { samples: 200, clock_samples: 300, lost: 7, truncated: 5, named: 199, with_waker: 150 };
        let text = stacks(&Profile { quality, ..Profile::default() }, &TextOptions::default());
        assert!(text.contains("5 truncated (1.0 % of 500)") && text.contains("7 lost"), "{text}");
        assert!(text.contains("99.5 % have a named") && text.contains("75.0 % their waker's"), "{text}");
        let old = StackQuality { samples: 4, truncated: 6, ..StackQuality::default() };
        let text = stacks(&Profile { quality: old, ..Profile::default() }, &TextOptions::default());
        assert!(text.contains("4 truncated (100.0 % of 4)"), "wakers' stacks were counted too: {text}");
        let none = stacks(&Profile::default(), &TextOptions::default());
        assert!(none.contains("n/a") && !none.contains("NaN"), "{none}");
        let refused = Profile { unavailable: Some("no samples".into()), ..Profile::default() };
        assert!(stacks(&refused, &TextOptions::default()).contains("n/a: no samples"));
    }
}
