//! Runs other programs. An error always shows the whole command line, ready to be pasted.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs `command` with our own stdout and stderr.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if status.success() { Ok(()) } else { bail!("`{}` failed: {status}", line(command)) }
}

/// Runs `command` and returns what it printed on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed bytes that are not UTF-8", line(command)))
}

/// As [`output`], but `None` where the program is not installed.
pub(crate) fn output_if_present(command: &mut Command) -> Result<Option<String>> {
    match output(command) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The command as a shell would take it: folder, the variables set for it, program, arguments.
pub(crate) fn line(command: &Command) -> String {
    let mut text = String::new();
    if let Some(dir) = command.get_current_dir() {
        // Writing to a String cannot fail.
        let _ = write!(text, "cd {} && ", quoted(dir.as_os_str()));
    }
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            let _ = write!(text, "{}={} ", key.display(), quoted(value));
        }
    }
    text.push_str(&quoted(command.get_program()));
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&quoted(argument));
    }
    text
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    // Cargo separates encoded flags by a control character, which `$'…'` can hold.
    let escaped = word.replace('\\', "\\\\").replace('\'', "\\'").replace('\u{1f}', "\\x1f").replace('\n', "\\n");
    if word.contains(['\u{1f}', '\n', '\'']) { format!("$'{escaped}'") } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_whole_command() {
        let error =
            run(Command::new("false").arg("a b").env("KEY", "x\u{1f}y").current_dir("/")).expect_err("false fails");
        assert!(error.to_string().starts_with("`cd / && KEY=$'x\\x1fy' false 'a b'` failed:"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_none() {
        assert!(matches!(output_if_present(&mut Command::new("no-such-program-here")), Ok(None)));
        assert!(matches!(output_if_present(Command::new("echo").arg("yes")), Ok(Some(text)) if text == "yes\n"));
    }
}
