//! What is answered to a request.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{ACCEPT, ALLOW, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};

use super::{
    access::Access,
    profiles::Desk,
    replies::{Answer, answered, said},
};
use crate::{
    answer::{Metrics, Weight},
    export::exposition::{Dialect, exposition},
    feed::{Form, Metered, Profiler},
    words,
};

/// What there is to be had.
pub(super) struct Pages {
    metered: Arc<dyn Metered>,
    desk: Desk,
    access: Access,
    /// The last text of each dialect: whoever asks shares it.
    made: Mutex<[Option<Made>; 2]>,
}

/// A text, and the figures that it was made of.
type Made = (Arc<Metrics>, Bytes);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Index,
    Metrics,
    Profile(Form),
}

impl Page {
    /// What a request asks for: a browser at the door wants the page.
    pub(super) fn asked<B>(request: &Request<B>, access: &Access) -> Option<Self> {
        match Self::at(request.uri().path()) {
            Some(Self::Index) if access.gives_profiles() && is_browser(request.headers()) => {
                Some(Self::Profile(Form::Page))
            }
            page => page,
        }
    }

    fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Index),
            "/metrics" => Some(Self::Metrics),
            "/live" => Some(Self::Profile(Form::Page)),
            "/debug/pprof/blocking" => Some(Self::Profile(Form::Pprof(Weight::Cost))),
            "/debug/pprof/offcpu" => Some(Self::Profile(Form::Pprof(Weight::Blocked))),
            _ => None,
        }
    }
}

impl Pages {
    pub(super) fn new(metered: Arc<dyn Metered>, profiler: Arc<dyn Profiler>, access: Access) -> Self {
        Self { metered, desk: Desk::new(profiler), access, made: Mutex::default() }
    }

    /// Whether the answer takes its time.
    pub(super) fn is_slow<B>(&self, request: &Request<B>) -> bool {
        matches!(Page::asked(request, &self.access), Some(Page::Profile(_)))
    }

    /// The answer to one request.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Answer {
        if self.access.local && !is_for_us(request.headers()) {
            return said(StatusCode::FORBIDDEN, words::serve::OTHER_HOST);
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = said(StatusCode::METHOD_NOT_ALLOWED, words::serve::ONLY_GET);
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        // A stranger's page may lead a browser here, which then says what it once was told.
        if is_from_elsewhere(request.headers()) {
            return said(StatusCode::FORBIDDEN, words::serve::OTHER_SITE);
        }
        match Page::asked(&request, &self.access) {
            Some(Page::Index) => said(StatusCode::OK, words::serve::PATHS),
            Some(Page::Metrics) => self.metrics(dialect(request.headers())),
            Some(Page::Profile(form)) => match self.access.refusal(request.headers()) {
                None if request.method() == Method::HEAD => said(StatusCode::OK, ""),
                None => self.desk.take(request.uri().query().unwrap_or_default(), form).await,
                Some(StatusCode::UNAUTHORIZED) => {
                    let mut answer = said(StatusCode::UNAUTHORIZED, words::serve::WRONG_TOKEN);
                    let asks = if form == Form::Page { BASIC } else { "Bearer" };
                    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(asks));
                    answer
                }
                Some(status) => said(status, words::serve::NO_TOKEN),
            },
            None => said(StatusCode::NOT_FOUND, words::serve::NO_SUCH_PATH),
        }
    }

    fn metrics(&self, dialect: Dialect) -> Answer {
        let Some(metrics) = self.metered.latest() else {
            return said(StatusCode::SERVICE_UNAVAILABLE, words::serve::NO_FIGURES_YET);
        };
        answered(StatusCode::OK, dialect.media_type(), self.text_of(metrics, dialect))
    }

    fn text_of(&self, metrics: Arc<Metrics>, dialect: Dialect) -> Bytes {
        let make = |metrics: &Metrics| Bytes::from(exposition(metrics, dialect));
        let Ok(mut made) = self.made.lock() else { return make(&metrics) };
        let slot = &mut made[usize::from(dialect == Dialect::OpenMetrics)];
        match slot {
            Some((of, text)) if Arc::ptr_eq(of, &metrics) => text.clone(),
            _ => {
                let text = make(&metrics);
                *slot = Some((metrics, text.clone()));
                text
            }
        }
    }
}

/// What makes a browser ask its user for the token, as a password.
const BASIC: &str = "Basic realm=\"should-i-async: any name, and the token\", charset=\"UTF-8\"";

/// Whether a browser asks for what it is to show.
fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|ranges| ranges.contains("text/html"))
}

/// Whether a browser was led here by a page of another site (W3C, Fetch Metadata).
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// Whether the request was meant for this machine's loopback: a page of a stranger, whose name
/// leads to 127.0.0.1 (DNS rebinding), says that name.
fn is_for_us(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else { return false };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The dialect that the client likes best; the older one where it likes both as much.
pub(super) fn dialect(headers: &HeaderMap) -> Dialect {
    let accepted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges = || accepted.iter().flat_map(|value| value.split(',')).map(str::trim);
    let liked = |wanted: &[&str]| ranges().filter_map(|range| liking(range, wanted)).fold(0.0, f64::max);
    let (open, text) = (liked(&["application/openmetrics-text"]), liked(&["text/plain", "text/*", "*/*"]));
    if open > text { Dialect::OpenMetrics } else { Dialect::Text }
}

/// How much a range of media types is liked, where it is one of those (RFC 9110, 12.4.2).
fn liking(range: &str, wanted: &[&str]) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?;
    if !wanted.iter().any(|wanted| kind.eq_ignore_ascii_case(wanted)) {
        return None;
    }
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
    weight.filter(|weight| (0.0..=1.0).contains(weight))
}
