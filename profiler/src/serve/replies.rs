//! Replies: a status, a text, and the headers that all of them have.

use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn said(status: StatusCode, text: &'static str) -> Answer {
    answered(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

/// The same of a text that is made for the occasion.
pub(super) fn said_of(status: StatusCode, text: String) -> Answer {
    answered(status, "text/plain; charset=utf-8", Bytes::from(text))
}

pub(super) fn answered(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
