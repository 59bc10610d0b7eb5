//! kernel/preflight/render: findings as plain text, one line each and the mend under it.

use std::fmt::Write as _;

use super::finding::{Finding, Status};

const COLUMNS: usize = 100;
/// Where the detail starts: after `degraded  locked memory   `.
const DETAIL: usize = 26;
/// Where the mend starts.
const MEND: usize = 10;

/// One line for each finding, wrapped at 100 columns, and indented under it what mends it. A mend
/// that has stood there before is referred to. A command that must be broken is broken with a
/// backslash, so that a shell takes it as it is.
pub fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for (at, finding) in findings.iter().enumerate() {
        let status = match finding.status {
            Status::Ok => "ok",
            Status::Degraded => "degraded",
            Status::Missing => "missing",
        };
        wrap(&mut text, &format!("{status:<MEND$}{:<16}", finding.name), &finding.detail, DETAIL);
        let Some(mend) = &finding.mend else { continue };
        match findings[..at].iter().find(|earlier| earlier.mend.as_ref() == Some(mend)) {
            // Writing to a string cannot fail.
            Some(earlier) => _ = writeln!(text, "{:MEND$}→ as for {}", "", earlier.name),
            None => wrap(&mut text, &format!("{:MEND$}→ ", ""), mend, MEND + 2),
        }
    }
    text
}

/// Words after `head`, on lines of at most [`COLUMNS`]; a word longer than a line stands alone.
fn wrap(text: &mut String, head: &str, words: &str, indent: usize) {
    text.push_str(head);
    let mut column = indent;
    let mut in_command = false;
    for (at, word) in words.split(' ').enumerate() {
        let width = word.chars().count();
        let toggles = word.matches('`').count() % 2 == 1;
        // Room for a backslash, unless the command ends here.
        let spare = if in_command && !toggles { 2 } else { 0 };
        if at > 0 && column + 1 + width + spare > COLUMNS {
            text.push_str(if in_command { " \\\n" } else { "\n" });
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if at > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
        in_command ^= toggles;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_the_screen_and_commands_stay_whole() {
        let setcap = "run it with sudo, or once: `sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,\
                      cap_dac_read_search+ep /usr/local/bin/should-i-async`";
        let findings = [
            Finding::ok("kernel", "6.18.44, x86_64"),
            Finding::missing("capabilities", "neither cap_bpf and cap_perfmon nor cap_sys_admin", setcap),
            Finding::degraded("proc access", "words ".repeat(20).trim(), setcap),
        ];
        let want = "\
ok        kernel          6.18.44, x86_64
missing   capabilities    neither cap_bpf and cap_perfmon nor cap_sys_admin
          → run it with sudo, or once: `sudo setcap \\
            cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep /usr/local/bin/should-i-async`
degraded  proc access     words words words words words words words words words words words words
                          words words words words words words words words
          → as for capabilities
";
        assert_eq!(render(&findings), want);
        assert!(render(&findings).lines().all(|line| line.chars().count() <= COLUMNS));
    }
}
