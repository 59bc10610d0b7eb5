//! Hardware counters against a workload whose instructions are known one by one. Figures are exact
//! where the machine has counters that sample, as an aarch64 guest under emulation has
//! (`cargo xtask vm`). Elsewhere the reason that there are none is checked. Runs with
//! `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use common::{can_measure, check, figures, measuring};
use should_i_async::{
    event::{IpcRecord, Pairs, SiteIpc, ipc_layout::before},
    kernel::{Form, Grade, Pmu, preflight},
    pipeline::Request,
};

/// Instructions in each round of a spin.
const A_ROUND: u64 = 2;

fn numbers(value: &serde_json::Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

fn measured(form: Option<Form>) -> Option<(check::Outcome, IpcRecord)> {
    if !can_measure() {
        return None;
    }
    let outcome = check::run_as(&["ipc"], |pid| vec![Request { form, ..measuring::request(pid) }]).remove(0);
    let grade = Pmu::open().grade();
    figures!("counters: {grade:?}, {}", preflight::pmu_words());
    let record = outcome.measurement.window.ipc.clone();
    assert_eq!(record.is_some(), grade != Grade::None);
    match record {
        Some(record) if grade == Grade::Sampling => Some((outcome, record)),
        Some(record) => {
            assert_eq!(record.instructions, grade == Grade::CyclesAndInstructions);
            assert!(record.counts.windows > 0 && record.curves.is_empty() && record.period == 0);
            None
        }
        None => {
            let why = preflight::pmu_words();
            assert!(why.contains("no hardware counters"), "{why}");
            None
        }
    }
}

/// Sites of a call, the one with the fewest instructions a window first.
fn sites<'a>(record: &'a IpcRecord, syscall: &str) -> Vec<&'a SiteIpc> {
    let mut sites: Vec<_> =
        record.sites.iter().filter(|s| s.place.as_ref().is_some_and(|p| p.syscall == syscall)).collect();
    sites.sort_by_key(|s| {
        let (count, instructions) =
            s.windows.kinds.iter().fold((0, 0), |(c, i), k| (c + k.user.count, i + k.user.instructions));
        instructions / count.max(1)
    });
    sites
}

/// Instructions of a window, where each has the same.
fn each(pairs: &Pairs) -> u64 {
    assert!(pairs.count > 0, "none was whole");
    let each = pairs.instructions / pairs.count;
    let all = (each * pairs.count, (each * each * pairs.count) as f64);
    assert_eq!((pairs.instructions, pairs.instructions_squared as f64), all);
    each
}

/// Cycles per instruction on a machine that is emulated with `-icount shift=2`: exactly so many in
/// running code, and more in a window that contains idle time.
const EMULATED: u64 = 4;

fn holds(form: Option<Form>) {
    let Some((outcome, record)) = measured(form) else { return };
    let truth = &outcome.line.value;
    let (rounds, calls) = (numbers(&truth["rounds"]), numbers(&truth["calls"]));
    let c = record.counts;
    figures!("{c:?}, every {}, period {}, lost {}", record.every, record.period, record.samples_lost);
    assert_eq!(record.every, 1);
    assert_eq!((c.multiplexed, c.failed, c.too_long), (0, 0, 0));
    // A window that is open at the end is neither. There is one for each thread at most.
    let accounted = c.windows + c.switched;
    assert!((c.returns - 2..=c.returns).contains(&accounted), "{accounted} of {}", c.returns);
    assert_eq!(record.sites.iter().flat_map(|s| &s.windows.kinds).map(|k| k.user.count).sum::<u64>(), c.windows);

    let direct = sites(&record, "getppid");
    assert_eq!(direct.len(), rounds.len());
    let (mut overhead, mut preempted) = (None, 0);
    let first = direct[0].windows.kinds[before::DIRECT as usize].user;
    let emulated = first.cycles == EMULATED * first.instructions;
    figures!("emulated: {emulated}");
    for ((site, &rounds), &calls) in direct.iter().zip(&rounds).zip(&calls) {
        let kinds = &site.windows.kinds;
        let pairs = &kinds[before::DIRECT as usize].user;
        figures!("after getppid, {rounds} rounds: {pairs:?}, {:?}", kinds[before::DIRECT as usize]);
        // What an involuntary switch hit is missing.
        assert!(pairs.count <= calls && pairs.count + c.switched >= calls, "{} of {calls}", pairs.count);
        assert_eq!(kinds[before::BLOCKED as usize].user.count, 0);
        assert!(!emulated || pairs.cycles == EMULATED * pairs.instructions);
        let overhead = *overhead.get_or_insert_with(|| each(pairs) - A_ROUND * rounds);
        assert!(overhead < 10, "{overhead}");
        assert_eq!(each(pairs), A_ROUND * rounds + overhead);
        // A spin that lost the CPU is not whole: what is left of it after the last time is a window
        // of its own kind. If that was on the way out of the call, all of the spin is left.
        let rest = &kinds[before::PREEMPTED as usize].user;
        assert_eq!(pairs.count + rest.count, calls, "{rest:?}");
        assert!(rest.instructions <= (A_ROUND * rounds + overhead) * rest.count, "{rest:?}");
        assert!(!emulated || rest.cycles == EMULATED * rest.instructions);
        preempted += rest.count;
    }
    let involuntary: u64 = outcome.measurement.window.threads.iter().map(|t| t.sums.involuntary).sum();
    figures!("{preempted} windows after preemptions, {involuntary} involuntary switches");
    assert!(preempted <= involuntary);
    assert!(preempted > 0, "no spin of {:?} rounds lost the CPU to the driver", rounds.last());
    let reads = sites(&record, "read");
    let of_reads = |kind: u32| reads.iter().map(move |s| s.windows.kinds[kind as usize]);
    let blocked = of_reads(before::BLOCKED).max_by_key(|k| k.user.count).unwrap();
    figures!("after read: {blocked:?}");
    let rounds_blocked = truth["rounds_blocked"].as_u64().unwrap();
    assert!(!emulated || blocked.user.cycles == EMULATED * blocked.user.instructions);
    // It contains the kernel's way out and in again and the program's own code, but not the wait.
    assert!(blocked.all_cycles > blocked.user.cycles && blocked.all_instructions > blocked.user.instructions);
    assert!(!emulated || blocked.all_cycles < blocked.user.cycles * 21 / 20);
    assert!(blocked.user.count <= calls[0] && blocked.user.count + c.switched >= calls[0]);
    assert_eq!(each(&blocked.user), A_ROUND * rounds_blocked + overhead.unwrap());

    curves(&record, A_ROUND * rounds[rounds.len() - 1] + overhead.unwrap(), emulated);
}

/// Overflows lie within the windows: none beyond the longest spin, as many as instructions were
/// executed, and their IPC is that of the windows.
fn curves(record: &IpcRecord, longest: u64, emulated: bool) {
    let c = record.counts;
    let sampled: u64 = record.curves.iter().flatten().map(|p| p.count).sum();
    assert_eq!(sampled, c.samples);
    for (kind, curve) in record.curves.iter().enumerate() {
        for (bin, pairs) in curve.iter().enumerate().filter(|(_, p)| p.count > 0) {
            figures!(
                "kind {kind}, bin {bin}: {} samples, {} instructions, {} cycles",
                pairs.count,
                pairs.instructions,
                pairs.cycles
            );
            assert!(pairs.instructions / pairs.count <= longest, "bin {bin}");
            // A window is a spin and less than ten instructions more, so every sample that lies
            // within the bin's instructions was taken in the spin.
            assert!(!emulated || pairs.cycles == EMULATED * pairs.instructions, "bin {bin}: {pairs:?}");
        }
    }
    assert!(c.samples > 0 && c.samples + c.samples_outside + c.samples_failed <= c.overflows, "{c:?}");
    assert_eq!(c.samples_failed, 0);
    // Under emulation most samples may not come, and are counted as lost (docs/kernels.md). On a
    // processor they should come.
    assert!(emulated || record.samples_lost * 5 <= c.overflows, "{} lost of {}", record.samples_lost, c.overflows);
}

#[test]
fn windows_and_samples_to_the_instruction() {
    holds(None);
}

#[test]
fn as_raw_tracepoints() {
    holds(Some(Form::Raw));
}
