//! What is answered to a request.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    answer::Metrics,
    export::exposition::{Dialect, exposition},
    feed::Metered,
    words,
};

/// What there is to be had.
pub(super) struct Pages {
    metered: Arc<dyn Metered>,
    /// Whether a browser could be made to ask here, by a page that a stranger wrote.
    local: bool,
    /// The last text of each dialect: whoever asks shares it.
    made: Mutex<[Option<Made>; 2]>,
}

/// A text, and the figures that it was made of.
type Made = (Arc<Metrics>, Bytes);

type Answer = Response<Full<Bytes>>;

impl Pages {
    pub(super) fn new(metered: Arc<dyn Metered>, local: bool) -> Self {
        Self { metered, local, made: Mutex::default() }
    }

    /// The answer to one request.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        if self.local && !is_for_us(request.headers()) {
            return said(StatusCode::FORBIDDEN, words::OTHER_HOST);
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = said(StatusCode::METHOD_NOT_ALLOWED, words::ONLY_GET);
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/" => said(StatusCode::OK, words::PATHS),
            "/metrics" => self.metrics(dialect(request.headers())),
            _ => said(StatusCode::NOT_FOUND, words::NO_SUCH_PATH),
        }
    }

    fn metrics(&self, dialect: Dialect) -> Answer {
        let Some(metrics) = self.metered.latest() else {
            return said(StatusCode::SERVICE_UNAVAILABLE, words::NO_FIGURES_YET);
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

fn said(status: StatusCode, text: &'static str) -> Answer {
    answered(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn answered(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
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
fn dialect(headers: &HeaderMap) -> Dialect {
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
