//! Whether the order of 2007 holds: how often each way is ahead of Linux AIO.

use super::{
    cell::{Access, BLOCK, Way},
    compare::{Against, Tally},
    results::Results,
    tables::{CHALLENGERS, against_aio},
};
use crate::host::markdown::table;

/// A way is ahead if it is in so many of three settings.
const MOST: (usize, usize) = (2, 3);

/// How a way stands against Linux AIO for one kind of access: reads a second, and CPU.
fn tally(results: &Results, way: Way, access: Access) -> [Tally; 2] {
    let all: Vec<Against> = against_aio(results, way)
        .into_iter()
        .filter(|((_, found, block, _), _)| (*found, *block) == (access, BLOCK))
        .map(|(_, against)| against)
        .collect();
    [Tally::new(all.iter().map(|against| against.rate)), Tally::new(all.iter().map(|against| against.cpu))]
}

fn verdict(more: usize, less: usize, all: usize) -> &'static str {
    let most = |n: usize| all > 0 && n * MOST.1 >= all * MOST.0;
    match (most(more), most(less)) {
        (true, _) => "yes",
        (_, true) => "no",
        _ => "mixed",
    }
}

/// A line for each way and kind of access.
pub(super) fn tallies(results: &Results) -> String {
    let line = |(way, access): (Way, Access)| {
        let [rate, cpu] = tally(results, way, access);
        vec![
            way.title().to_owned(),
            access.title().to_owned(),
            rate.all().to_string(),
            rate.more.to_string(),
            rate.less.to_string(),
            verdict(rate.more, rate.less, rate.all()).to_owned(),
            cpu.less.to_string(),
            cpu.more.to_string(),
            verdict(cpu.less, cpu.more, cpu.all()).to_owned(),
        ]
    };
    let pairs = CHALLENGERS.into_iter().flat_map(|way| Access::ALL.map(|access| (way, access)));
    let head = [
        "Against Linux AIO",
        "Access",
        "Settings",
        "Ahead",
        "Behind",
        "Reads more?",
        "Cheaper",
        "Dearer",
        "Takes less CPU?",
    ];
    table(&head, pairs.map(line).collect())
}

/// The answer in words, for threads and for workers.
pub(super) fn answer(results: &Results) -> String {
    let said = |way: Way| {
        let each = Access::ALL.map(|access| {
            let [rate, cpu] = tally(results, way, access);
            let (reads, less) = (verdict(rate.more, rate.less, rate.all()), verdict(cpu.less, cpu.more, cpu.all()));
            format!("{}: {reads} by reads a second, {less} by CPU", access.title())
        });
        format!("- {} ahead of Linux AIO? {}.", way.title(), each.join("; "))
    };
    format!(
        "\"Yes\" and \"no\" are two thirds of the settings or more.\n\n{}\n\n\
         Threads use both CPUs of this machine where one thread with a queue has one, which is why reads a second and CPU do \
         not say the same. Linux AIO is what lost ground: where it cannot be async, through the page cache, it waits in the \
         call.\n",
        [Way::Threads, Way::RingAsync].map(said).join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_decide() {
        assert_eq!(
            [verdict(2, 1, 3), verdict(0, 4, 6), verdict(1, 1, 3), verdict(0, 0, 0)],
            ["yes", "no", "mixed", "mixed"]
        );
    }
}
