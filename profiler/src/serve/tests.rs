//! Which requests are answered, in which dialect.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, atomic::AtomicBool},
};

use hyper::{
    Method, Request,
    header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, HeaderValue},
};

use super::{
    access::{Access, Token},
    pages::{Pages, dialect},
};
use crate::{
    answer::Metrics,
    export::exposition::Dialect,
    feed::{Metered, NoProfile, ProfileOrder, Profiler},
};

struct Nothing;

impl Metered for Nothing {
    fn latest(&self) -> Option<Arc<Metrics>> {
        None
    }

    fn is_over(&self) -> bool {
        false
    }
}

impl Profiler for Nothing {
    fn profile(&self, order: &ProfileOrder, _stop: &Arc<AtomicBool>) -> Result<Vec<u8>, NoProfile> {
        match order.pid {
            None => Err(NoProfile::WhichProcess),
            Some(1) => Err(NoProfile::NoTarget),
            Some(_) => Ok(b"profile".to_vec()),
        }
    }
}

fn answered(request: Request<()>, access: Access) -> u16 {
    let pages = Pages::new(Arc::new(Nothing), Arc::new(Nothing), access);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(pages.answer(request)).status().as_u16()
}

fn status(method: Method, path: &str, hosts: &[&str], local: bool) -> u16 {
    let mut request = Request::builder().method(method).uri(path);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    answered(request.body(()).unwrap(), Access { local, token: None })
}

#[test]
fn stacks_are_for_those_who_know_the_token_or_may_open_the_socket() {
    let folder = std::env::temp_dir().join(format!("sia-token-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let file = |text: &str, mode: u32| {
        let path = folder.join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Token::read(&path).map_err(|error| error.to_string())
    };
    let token = file("0123456789abcdef\n", 0o600).ok();
    assert!(token.is_some());
    for (text, mode, why) in [
        ("0123456789abcdef", 0o644, "other users"),
        ("0123456789abcde", 0o600, "no token"),
        ("", 0o400, "no token"),
        ("0123456789 abcdef", 0o600, "no token"),
    ] {
        assert!(file(text, mode).err().unwrap().contains(why), "{text}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let asked = |said: Option<&str>, local: bool, token: &Option<Token>, query: &str| {
        let mut request = Request::builder().uri(format!("/debug/pprof/blocking?{query}")).header(HOST, "localhost");
        if let Some(said) = said {
            request = request.header(AUTHORIZATION, said);
        }
        answered(request.body(()).unwrap(), Access { local, token: token.clone() })
    };
    let right = Some("Bearer 0123456789abcdef");
    assert_eq!(asked(right, true, &token, "pid=7"), 200);
    assert_eq!(asked(right, true, &None, "pid=7"), 403);
    assert_eq!(asked(None, false, &None, "pid=7"), 200);
    for wrong in
        [None, Some("Bearer 0123456789abcdeg"), Some("Bearer 0123456789abcde"), Some("0123456789abcdef"), Some("")]
    {
        for local in [true, false] {
            assert_eq!(asked(wrong, local, &token, "pid=7"), 401, "{wrong:?}");
        }
    }
    // As a browser says it, with any name.
    for (said, expected) in [
        ("Basic bWU6MDEyMzQ1Njc4OWFiY2RlZg==", 200),
        ("Basic OjAxMjM0NTY3ODlhYmNkZWY=", 200),
        ("Basic bWU6MDEyMzQ1Njc4OWFiY2RlZw==", 401),
        ("Basic MDEyMzQ1Njc4OWFiY2RlZg==", 401),
        ("Basic ?", 401),
    ] {
        assert_eq!(asked(Some(said), true, &token, "pid=7"), expected, "{said}");
    }
    for (query, expected) in [("", 400), ("pid=1", 404), ("pid=7&seconds=61", 400), ("pid=x", 400)] {
        assert_eq!(asked(right, true, &token, query), expected, "{query}");
    }
}

#[test]
fn a_browser_at_the_door_gets_the_page_and_one_that_was_led_there_nothing() {
    let token = || Some(Token::made_up("0123456789abcdef"));
    let asked = |path: &str, headers: &[(&str, &str)], token: Option<Token>| {
        let mut request = Request::builder().uri(path).header(HOST, "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answered(request.body(()).unwrap(), Access { local: true, token })
    };
    let browser = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let right = ("authorization", "Bearer 0123456789abcdef");
    assert_eq!(asked("/?pid=7", &[browser], token()), 401);
    assert_eq!(asked("/?pid=7", &[browser, right], token()), 200);
    assert_eq!(asked("/live?pid=7&hold", &[right], token()), 200);
    assert_eq!(asked("/live?seconds=61", &[right], token()), 400);
    // What there is, for all others.
    assert_eq!(asked("/?pid=7", &[], token()), 200);
    assert_eq!(asked("/", &[browser], None), 200);
    assert_eq!(asked("/live", &[browser], None), 403);
    for (site, expected) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
        assert_eq!(asked("/live?pid=7", &[right, ("sec-fetch-site", site)], token()), expected, "{site}");
        assert_eq!(asked("/", &[("sec-fetch-site", site)], None), expected, "{site}");
    }
}

#[test]
fn only_the_loopback_is_a_host() {
    for host in ["localhost", "LOCALHOST:9470", "127.0.0.1", "127.0.0.1:9470", "127.8.8.8:1", "[::1]", "[::1]:9470"] {
        assert_eq!(status(Method::GET, "/", &[host], true), 200, "{host}");
    }
    for host in
        ["", "stranger.example", "localhost.example", "127.0.0.1.example:9470", "192.0.2.1", "localhost:", "[::1"]
    {
        assert_eq!(status(Method::GET, "/", &[host], true), 403, "{host}");
    }
    assert_eq!(status(Method::GET, "/", &[], true), 403);
    assert_eq!(status(Method::GET, "/", &["localhost", "localhost"], true), 403);
    // No browser can be led to a Unix socket.
    assert_eq!(status(Method::GET, "/", &["any"], false), 200);
}

#[test]
fn other_paths_and_methods_are_told_so() {
    for (method, path, expected) in [
        (Method::GET, "/metrics", 503),
        (Method::HEAD, "/metrics?x=1", 503),
        (Method::GET, "/metrics/", 404),
        (Method::GET, "/etc/passwd", 404),
        (Method::POST, "/metrics", 405),
        (Method::DELETE, "/", 405),
    ] {
        assert_eq!(status(method.clone(), path, &["localhost"], true), expected, "{method} {path}");
    }
}

#[test]
fn the_dialect_is_the_one_that_is_liked_better() {
    let of = |accepted: &[&str]| {
        let mut headers = HeaderMap::new();
        for range in accepted {
            headers.append(ACCEPT, HeaderValue::from_str(range).unwrap());
        }
        dialect(&headers)
    };
    // What Prometheus 2.42 and 3.5 send.
    let old = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
               text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let new = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
               text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1";
    for accepted in
        [&[old][..], &[new], &["application/openmetrics-text"], &["text/html", "Application/OpenMetrics-Text"]]
    {
        assert_eq!(of(accepted), Dialect::OpenMetrics, "{accepted:?}");
    }
    for accepted in [
        &[][..],
        &["*/*"],
        &["text/html"],
        &["application/openmetrics-text;q=0.1, text/plain"],
        &["application/openmetrics-text;q=0"],
        &["application/openmetrics-text;q=much"],
    ] {
        assert_eq!(of(accepted), Dialect::Text, "{accepted:?}");
    }
}
