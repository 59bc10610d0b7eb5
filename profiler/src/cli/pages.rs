//! `pages`: shell completions and man pages, from the flags themselves. Packages are made with it.

use std::{fs, path::Path};

use anyhow::Result;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{
    exit::Exit,
    flags::{Flags, PagesFlags},
};
use crate::pipeline::outputs::OutputError;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// The command, and the manual as a whole, as the head of each page has it.
const NAME: &str = "should-i-async";

/// Writes a completion for each shell, and a man page for the command and each subcommand.
pub(super) fn run(flags: &PagesFlags) -> Result<()> {
    write(&flags.folder).map_err(|source| OutputError::Io { path: flags.folder.clone(), source }.into())
}

fn write(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, page) in pages(&visible()) {
        fs::write(folder.join(name), page)?;
    }
    Ok(())
}

/// The command without what is hidden: shells would offer it.
fn visible() -> Command {
    let all = Flags::command();
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .disable_help_subcommand(true)
        .about(all.get_about().cloned().unwrap_or_default())
        .subcommand_required(true)
        .args(all.get_arguments().cloned())
        .subcommands(all.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned())
}

/// File names and contents.
fn pages(command: &Command) -> Vec<(String, Vec<u8>)> {
    use clap_complete::Generator as _;
    let name = command.get_name();
    let mut files = Vec::new();
    for shell in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), name, &mut text);
        files.push((shell.file_name(name), text));
    }
    // Completions take the command as it is. Pages need what clap adds: its flags, and the full
    // names of subcommands.
    let mut built = command.clone();
    built.build();
    files.push(page(&built, main_page));
    files.extend(built.get_subcommands().map(|sub| page(sub, |man, out| man.render(out))));
    files
}

fn page(command: &Command, render: impl Fn(&Man, &mut Vec<u8>) -> std::io::Result<()>) -> (String, Vec<u8>) {
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual(NAME);
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = render(&man, &mut text);
    (man.get_filename(), text)
}

/// The command's own page: what clap knows, and what only we know.
fn main_page(man: &Man, out: &mut Vec<u8>) -> std::io::Result<()> {
    man.render(out)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in Exit::MEANINGS {
        more.control("TP", []);
        more.text([bold((exit as u8).to_string())]);
        more.text([roman(meaning)]);
    }
    more.control("SH", ["RIGHTS"]);
    more.text([roman(
        "Measuring takes root, or the capabilities CAP_BPF and CAP_PERFMON, and for other users' processes \
         CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. What is missing is told by",
    )]);
    more.text([bold("should-i-async doctor"), roman(".")]);
    more.to_writer(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(String, String)> {
        pages(&visible()).into_iter().map(|(name, text)| (name, String::from_utf8(text).unwrap())).collect()
    }

    fn named(name: &str) -> String {
        all().into_iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// As people type them, and as clap has them: a command that is new is here too.
    fn commands(hidden: bool) -> Vec<String> {
        let flags = Flags::command();
        flags.get_subcommands().filter(|s| s.is_hide_set() == hidden).map(|s| s.get_name().to_owned()).collect()
    }

    /// A roff text as it is read.
    fn read(page: &str) -> String {
        page.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
    }

    #[test]
    fn there_is_a_page_for_the_command_and_each_subcommand() {
        let shown = commands(false);
        assert!(shown.contains(&"check".to_owned()) && shown.contains(&"doctor".to_owned()), "{shown:?}");
        let main = read(&named("should-i-async.1"));
        for sub in &shown {
            assert!(main.contains(&format!("should-i-async-{sub}(1)")), "{sub} in {main}");
            let own = read(&named(&format!("should-i-async-{sub}.1")));
            assert!(own.contains(&format!("should-i-async {sub}")), "{sub}: {own}");
        }
        assert_eq!(all().iter().filter(|(name, _)| name.ends_with(".1")).count(), shown.len() + 1);
    }

    #[test]
    fn completions_know_each_subcommand_and_its_flags() {
        for file in ["should-i-async.bash", "_should-i-async", "should-i-async.fish"] {
            let text = named(file);
            for sub in Flags::command().get_subcommands().filter(|sub| !sub.is_hide_set()) {
                assert!(text.contains(sub.get_name()), "{} in {file}", sub.get_name());
                for flag in sub.get_arguments().filter_map(|argument| argument.get_long()) {
                    assert!(text.contains(flag), "--{flag} of {} in {file}", sub.get_name());
                }
            }
        }
    }

    /// The generator names each command's case twice; one version gave it two different names.
    #[test]
    fn bash_has_a_case_for_each_subcommand_it_recognises() {
        let text = named("should-i-async.bash");
        let chosen: Vec<&str> = text
            .lines()
            .filter_map(|l| l.trim().strip_prefix("cmd=\"")?.strip_suffix('"'))
            .filter(|c| !c.is_empty())
            .collect();
        assert_eq!(chosen.len(), commands(false).len() + 1, "{chosen:?}");
        for case in chosen {
            assert!(text.lines().any(|line| line.trim() == format!("{case})")), "{case} in {text}");
        }
    }

    #[test]
    fn what_is_hidden_is_nowhere() {
        let hidden = commands(true);
        assert!(hidden.contains(&"demo-server".to_owned()), "{hidden:?}");
        for (name, text) in all() {
            let text = read(&text);
            for sub in ["empty-hooks", "demo-server", "demo-client"] {
                assert!(!text.contains(sub), "{sub} in {name}");
            }
            assert!(!hidden.iter().any(|sub| name.contains(&format!("-{sub}."))), "{name}");
        }
    }

    #[test]
    fn every_exit_code_is_explained() {
        let main = read(&named("should-i-async.1"));
        let (_, status) = main.split_once(".SH \"EXIT STATUS\"").unwrap();
        for (exit, meaning) in Exit::MEANINGS {
            assert!(status.contains(&format!("{}\n{meaning}", exit as u8)), "{exit:?} in {status}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let error = run(&PagesFlags { folder: "/dev/null/pages".into() }).unwrap_err();
        assert_eq!(crate::cli::exit::code(&error), Exit::Output);
    }
}
