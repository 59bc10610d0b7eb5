//! What is varied: protocol, requests under way, bytes, work, utilisation, and the peer's latency.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// What a client and a server say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocol {
    /// Echo of a fixed size.
    Tcp,
    /// HTTP/1.1 GET on connections that are kept.
    Http,
    /// Echo of datagrams.
    Udp,
}

impl Protocol {
    /// Its word on a command line, and in ids.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Udp => "udp",
        }
    }
}

/// One value of each variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub(super) protocol: Protocol,
    /// Connections, each with one request under way.
    pub(super) connections: u32,
    /// Bytes of a request and of its reply; over HTTP of the body.
    pub(super) bytes: u32,
    /// CPU work for a request, µs.
    pub(super) work_us: u32,
    /// Target CPU utilisation in percent of what the blocking form can serve; `None` in a closed
    /// loop.
    pub(super) percent: Option<u32>,
    /// How long the peer of what is studied thinks, µs.
    pub(super) think_us: u32,
}

impl Setting {
    /// Its part of an id.
    pub(super) fn name(&self) -> String {
        let Self { protocol, connections, bytes, work_us, percent, think_us } = self;
        let mut name = format!("{}-c{connections}-b{bytes}-w{work_us}us", protocol.word());
        if let Some(percent) = percent {
            name += &format!("-p{percent}");
        }
        if *think_us > 0 {
            name += &format!("-t{think_us}us");
        }
        name
    }
}

/// Values of the variables: every combination is run.
#[derive(Args)]
pub(super) struct Axes {
    #[arg(long, value_enum, value_delimiter = ',', default_value = "tcp")]
    protocol: Vec<Protocol>,
    /// Requests under way at once, as 1,2,8,64,512,2048.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "64",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: Vec<u32>,
    /// Payload, as 64,4096,65536.
    #[arg(long, value_name = "BYTES,…", value_delimiter = ',', default_value = "64",
          value_parser = clap::value_parser!(u32).range(8..=65_536))]
    bytes: Vec<u32>,
    /// CPU work for a request, µs.
    #[arg(long, value_name = "US,…", value_delimiter = ',', default_value = "10")]
    work_us: Vec<u32>,
    /// Target CPU utilisation: arrivals at a share of what the blocking form can serve. Only of
    /// servers over TCP; without it the loop is closed.
    #[arg(long, value_name = "PERCENT,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=95))]
    percent: Vec<u32>,
    /// How long the peer thinks, as 0,200,2000,20000 µs.
    #[arg(long, value_name = "US,…", value_delimiter = ',', default_value = "0")]
    think_us: Vec<u32>,
}

impl Axes {
    /// Every combination.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let percents: Vec<Option<u32>> =
            if self.percent.is_empty() { vec![None] } else { self.percent.iter().copied().map(Some).collect() };
        let mut all = Vec::new();
        for &protocol in &self.protocol {
            for &connections in &self.connections {
                for &bytes in &self.bytes {
                    for &work_us in &self.work_us {
                        for &percent in &percents {
                            for &think_us in &self.think_us {
                                all.push(Setting { protocol, connections, bytes, work_us, percent, think_us });
                            }
                        }
                    }
                }
            }
        }
        all
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const SETTING: Setting =
        Setting { protocol: Protocol::Tcp, connections: 64, bytes: 64, work_us: 10, percent: None, think_us: 0 };

    #[test]
    fn every_variable_has_its_part_in_the_name() {
        assert_eq!(SETTING.name(), "tcp-c64-b64-w10us");
        let other = Setting { percent: Some(50), think_us: 200, protocol: Protocol::Http, ..SETTING };
        assert_eq!(other.name(), "http-c64-b64-w10us-p50-t200us");
    }

    #[test]
    fn every_combination_is_run() {
        let axes = Axes {
            protocol: vec![Protocol::Tcp, Protocol::Http],
            connections: vec![1, 8, 64],
            bytes: vec![64],
            work_us: vec![10],
            percent: vec![10, 50],
            think_us: vec![0],
        };
        assert_eq!(axes.settings().len(), 12);
        assert_eq!(Axes { percent: Vec::new(), ..axes }.settings().len(), 6);
    }
}
