//! kernel/preflight/finding: what was found of one prerequisite.

/// How one prerequisite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It is there as needed.
    Ok,
    /// Measuring works, and some figures will be missing or dearer.
    Degraded,
    /// Measuring does not work.
    Missing,
}

/// One prerequisite, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One or two words; several findings may share them (`tracepoint`).
    pub name: &'static str,
    /// How the prerequisite stands.
    pub status: Status,
    /// What was found, and what depends on it.
    pub detail: String,
    /// What to do about it, commands in backticks. An `Ok` finding may have one too, as a hint.
    pub mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), mend: None }
    }

    pub(super) fn degraded(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, status: Status::Degraded, detail: detail.into(), mend: Some(mend.into()) }
    }

    pub(super) fn missing(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, status: Status::Missing, detail: detail.into(), mend: Some(mend.into()) }
    }
}

/// An error without its number, which says nothing to people: `Operation not permitted`.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
