//! The rows: which public programs are compared, in which forms, under which loads.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{
    controls, disks,
    needs::Place,
    pair::{Load, Pair},
    servers,
};
use crate::{
    harness::{
        choice::is_match,
        measure,
        row::{Deadline, Group, Scenario},
        run::LIMIT,
    },
    host::child,
    say,
};

/// The name of the suite in messages.
pub(super) const SUITE: &str = "pairs";
/// How long the blocking form is watched to find the rate that it can serve.
const CAPACITY: Duration = Duration::from_secs(3);

/// All pairs and controls.
fn pairs() -> impl Iterator<Item = &'static Pair> {
    servers::PAIRS.iter().chain(disks::PAIRS).chain(controls::PAIRS)
}

/// The pairs whose rows match, with their loads; `*` stands for anything.
pub(super) fn chosen(quick: bool, only: Option<&str>) -> Result<Vec<(&'static Pair, Load)>> {
    let with_loads =
        |pair: &'static Pair| pair.loads.iter().take(if quick { 1 } else { usize::MAX }).map(move |load| (pair, *load));
    let all: Vec<_> = pairs().flat_map(with_loads).collect();
    let Some(glob) = only else { return Ok(all) };
    let found: Vec<_> =
        all.iter().filter(|(pair, load)| pair.ids(load).iter().any(|id| is_match(glob, id))).copied().collect();
    if found.is_empty() {
        let ids: Vec<String> = all.iter().flat_map(|(pair, load)| pair.ids(load)).collect();
        bail!("no row matches; there are {}", ids.join(", "));
    }
    Ok(found)
}

/// Whether a group's program runs in the JVM that all of them share.
pub(super) fn runs_java(group: &Group) -> bool {
    group.rows.iter().any(|row| matches!(row.scenario, Scenario::Virtual | Scenario::Tasks))
}

/// The chosen rows as the harness compares them, with what they need on the machine. Without
/// `install` what is missing is not run.
pub(super) fn groups(
    place: &Place,
    chosen: &[(&'static Pair, Load)],
    only: Option<&str>,
    install: bool,
) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for (pair, load) in chosen {
        say::progress(SUITE, &format!("preparing {}", pair.id))?;
        let obstacle = pair.needs.iter().find_map(|need| place.meet(need, install).err());
        child::check_interrupt()?;
        let mut obstacle = obstacle.map(|error| format!("{error:#}"));
        let rate = match (load, &obstacle) {
            (Load::Open { connections, percent }, None) => {
                let closed = pair.group(place, &Load::Closed { connections: *connections }, None, None);
                let rate = measure::rate(&closed, CAPACITY, Deadline::after(LIMIT));
                child::check_interrupt()?;
                obstacle = rate.as_ref().err().map(|error| format!("the rate that it can serve: {error:#}"));
                rate.ok().map(|rate| rate * f64::from(*percent) / 100.0)
            }
            _ => None,
        };
        let mut group = pair.group(place, load, rate, obstacle);
        group.rows.retain(|row| only.is_none_or(|glob| is_match(glob, &row.id)));
        groups.push(group);
    }
    Ok(groups)
}

/// The pair of a row or group.
pub(super) fn pair_of(id: &str) -> Option<&'static Pair> {
    let named = |pair: &&Pair| pair.loads.iter().any(|load| pair.ids(load).iter().any(|known| known == id));
    pairs().find(named)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::{
        super::{needs::Need, pair::Speaks, program::Counted},
        *,
    };

    #[test]
    fn every_row_has_a_name_of_its_own_and_is_found_by_it() {
        let all: Vec<(&Pair, String)> = chosen(false, None)
            .unwrap()
            .into_iter()
            .flat_map(|(pair, load)| pair.ids(&load).into_iter().map(move |id| (pair, id)))
            .collect();
        assert_eq!(all.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|(pair, id)| pair_of(id).is_some_and(|found| found.id == pair.id)));
        assert!(chosen(false, Some("no-such*")).is_err());
        assert!(chosen(true, None).unwrap().len() == pairs().count());
    }

    #[test]
    fn a_control_says_what_is_right_and_a_pair_what_is_wrong() {
        for pair in pairs() {
            assert_eq!(pair.answers.is_empty(), !pair.async_forms.is_empty(), "{}", pair.id);
            assert_eq!(pair.id.starts_with("control-"), pair.async_forms.is_empty(), "{}", pair.id);
        }
    }

    #[test]
    fn somebody_counts_in_every_row() {
        for pair in pairs() {
            let load_counts = matches!(pair.speaks, Speaks::Http(_) | Speaks::Redis);
            assert_eq!(pair.counted == Counted::Load, load_counts, "{}", pair.id);
            assert!(pair.counted != Counted::Pages || pair.memory_mib.is_some(), "{}", pair.id);
            let is_limited = pair.needs.contains(&Need::Memory);
            assert_eq!(pair.memory_mib.is_some(), is_limited, "{}", pair.id);
        }
    }

    #[test]
    fn no_program_gives_more_than_a_fifth_of_the_rows() {
        for quick in [true, false] {
            let mut rows: HashMap<&str, usize> = HashMap::new();
            for (pair, load) in chosen(quick, None).unwrap() {
                let program = pair.id.split('-').next().unwrap();
                *rows.entry(program).or_default() += pair.ids(&load).len() * usize::from(program != "control");
            }
            let all: usize = rows.values().sum();
            let most = rows.iter().max_by_key(|(_, count)| **count).unwrap();
            assert!(*most.1 * 5 <= all, "{most:?} of {all}, quick: {quick}");
        }
    }

    #[test]
    fn four_rows_have_a_fixed_rate() {
        let all = chosen(false, None).unwrap();
        assert!(all.iter().filter(|(_, load)| matches!(load, Load::Open { .. })).count() >= 4);
    }
}
