//! A run of one form, as a child is told to make it.

/// Of the batches, the share that comes before those that count.
pub(super) const WARM_UP: u32 = 4;
/// The time-out of each read, where there is one, s.
pub(super) const IDLE: u32 = 30;

/// A run of one form.
pub(super) struct Run<'a> {
    pub(super) form: &'a str,
    pub(super) connections: u32,
    pub(super) rounds: u32,
    pub(super) batches: u32,
    pub(super) timed: bool,
    /// Each batch comes when the child sleeps. It says nothing then: a word would be another call
    /// in one form than in the next.
    pub(super) asleep: bool,
}
