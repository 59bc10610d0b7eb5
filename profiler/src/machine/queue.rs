//! Queues of the kernel for requests on files: `io_uring` and Linux AIO.

/// An interface of the kernel that tells of requests on files when they are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// `io_uring`.
    #[default]
    Ring,
    /// Linux AIO: `io_submit` and `io_getevents`.
    Aio,
}

impl Queue {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "io_uring",
            Self::Aio => "Linux AIO",
        }
    }
}
