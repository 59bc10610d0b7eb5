//! Where prices come from, in words.

use super::in_words::InWords;
use crate::{
    machine::{Beside, Origin, Runtime, Source, Taken},
    text::numbers::{age, whole_percent},
};

/// If others used more than this share of the CPUs, the words about the prices say so.
const CROWDED: f64 = 0.25;

/// Where prices come from, and who else used the machine while they were measured.
pub fn origin(Origin { taken, others }: Origin) -> String {
    let taken = match taken {
        Taken::Earlier { seconds } => format!("from `calibrate` of this machine and kernel, {} old", age(seconds)),
        Taken::Here { seconds } => {
            format!("measured beside an earlier target, {} ago; `calibrate` measures them better", age(seconds))
        }
        Taken::OnTheSpot => "measured right after the target; `calibrate` measures them better".into(),
    };
    if others < CROWDED {
        return taken;
    }
    format!("{taken}; {} of the CPUs were in use by others while it was taken", whole_percent(others))
}

/// Name and version of a runtime.
pub fn runtime(runtime: &Runtime) -> String {
    let numbers: Vec<String> = runtime.version.iter().map(u32::to_string).collect();
    format!("{} {}", runtime.language.name(), numbers.join(".")).trim_end().to_owned()
}

/// Where the prices of a runtime come from that nobody has measured here.
pub const MODELLED_RUNTIME: &str = "modelled: multiples of this machine's own prices, as another machine had them; \
                                    `should-i-async calibrate --runtime PID` measures them";

impl InWords for Beside {
    fn in_words(&self) -> String {
        match self {
            Self::FileSystem => "those of requests past the page cache from `calibrate --file` of that file system",
        }
        .to_owned()
    }
}

/// Where measured prices of a runtime come from.
pub fn measured_runtime(measured: &Runtime, is_same_build: bool) -> String {
    let build = if is_same_build { "on this very build" } else { "on another build" };
    format!("measured by `calibrate --runtime` {build} of {}", runtime(measured))
}

/// Where these prices come from, and what their pace was.
pub fn prices(source: &Source) -> String {
    let parts = [source.words().to_owned()].into_iter().chain(source.beside().iter().map(InWords::in_words));
    let words = parts.collect::<Vec<_>>().join("; ");
    match source.slowed_by {
        by if by >= 0.005 => {
            format!(
                "{words}; the CPUs were {} slower meanwhile, so the prices were raised by as much",
                whole_percent(by)
            )
        }
        by if by <= -0.005 => {
            format!(
                "{words}; the CPUs were {} faster meanwhile, so the prices were lowered by as much",
                whole_percent(-by)
            )
        }
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_says_how_old_prices_are_and_who_else_was_there() {
        let hours = origin(Origin { taken: Taken::Earlier { seconds: 7_300 }, others: 0.1 });
        assert_eq!(hours, "from `calibrate` of this machine and kernel, 2 h old");
        let crowded = origin(Origin { taken: Taken::OnTheSpot, others: 0.92 });
        assert_eq!(
            crowded,
            "measured right after the target; `calibrate` measures them better; 92 % of the CPUs were in use by others while \
             it was taken"
        );
    }

    #[test]
    fn prices_from_elsewhere_are_named_behind_the_rest() {
        let mut source = Source::from("made up".to_owned());
        source.add(Beside::FileSystem);
        let said = "made up; those of requests past the page cache from `calibrate --file` of that file system";
        assert_eq!(prices(&source), said);
    }

    #[test]
    fn another_pace_is_said_from_half_a_per_cent_on() {
        let at = |slowed_by| {
            let mut source = Source::from("made up".to_owned());
            source.slowed_by = slowed_by;
            prices(&source)
        };
        assert_eq!(at(0.25), "made up; the CPUs were 25 % slower meanwhile, so the prices were raised by as much");
        assert_eq!(at(-0.02), "made up; the CPUs were 2 % faster meanwhile, so the prices were lowered by as much");
        assert_eq!(at(0.004), "made up");
    }
}
