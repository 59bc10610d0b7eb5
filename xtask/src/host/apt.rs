//! The machine's apt: which mirror it uses, and what is installed.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;

/// Suites of Debian, as its mirrors name them.
pub(crate) const SUITES: [&str; 5] = ["bullseye", "bookworm", "bookworm-backports", "trixie", "sid"];

/// Addresses and suites that the machine's apt is set up with.
pub(crate) fn served() -> Result<Vec<(String, String)>> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"]);
    let text = exec::output(&mut targets).context("this machine has no apt")?;
    let pair = |line: &str| line.split_once(' ').map(|(uri, suite)| (uri.to_owned(), suite.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// The mirror of Debian among them.
pub(crate) fn mirror(served: &[(String, String)]) -> Result<&str> {
    let found = served.iter().find(|(_, suite)| SUITES.contains(&suite.as_str()));
    found.map(|(uri, _)| uri.as_str()).context("the machine's apt is set up with no Debian mirror")
}

/// Whether a package is installed.
pub(crate) fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let output = query.args(["-W", "-f", "${db:Status-Status}", package]).output();
    output.is_ok_and(|output| output.stdout == b"installed")
}
