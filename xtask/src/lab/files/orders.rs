//! Whether the order of 2007 holds: how often each way is ahead of Linux AIO.

use super::{
    cell::{Access, BLOCK, Way},
    compare::{Against, Tally},
    results::Results,
    tables::{CHALLENGERS, against_aio},
};
use crate::host::markdown::table;

/// Of the settings that differ, so many of three decide.
const MOST: (usize, usize) = (2, 3);
/// Fewer settings that differ than one in so many are no difference.
const FEW: usize = 3;

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
    let differ = more + less;
    let most = |n: usize| n * MOST.1 >= differ * MOST.0;
    match (most(more), most(less)) {
        _ if differ == 0 || differ * FEW < all => "none",
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
    let in_words = |(more, less, all)| match verdict(more, less, all) {
        "none" => "no difference",
        verdict => verdict,
    };
    let said = |way: Way| {
        let each = Access::ALL.map(|access| {
            let [rate, cpu] = tally(results, way, access);
            let [reads, less] = [(rate.more, rate.less, rate.all()), (cpu.less, cpu.more, cpu.all())].map(in_words);
            format!("{}: {reads} by reads a second, {less} by CPU", access.title())
        });
        format!("- {} ahead of Linux AIO? {}.", way.title(), each.join("; "))
    };
    format!(
        "\"Yes\" and \"no\" are what two thirds of the settings that differ say, where at least a third of all settings differ; \
         \"none\" is no difference in most.\n\n{}\n\n\
         Through the page cache Linux AIO is not async: it waits in the call, and copies in it. Where the cache has nothing, \
         the order of 2007 holds, for threads and for workers. Where the cache has everything, it holds for plain threads, \
         which only make the call; a worker costs a hand-over for a read that would not have waited. Past the cache Linux \
         AIO needs no threads, and those who have them pay with CPU. Threads use both CPUs of this machine where one thread \
         with a queue has one: reads a second and CPU need not say the same.\n",
        [Way::Threads, Way::RingAsync].map(said).join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_decide() {
        assert_eq!(
            [verdict(2, 1, 3), verdict(0, 4, 6), verdict(1, 1, 3), verdict(0, 0, 0), verdict(1, 0, 4)],
            ["yes", "no", "mixed", "none", "none"]
        );
    }
}
