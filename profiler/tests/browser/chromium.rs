//! A real browser without a screen, by the protocol of its developer tools over two pipes:
//! messages of JSON, each ended by a zero byte (chromium, `content/browser/devtools`).

#![allow(dead_code, reason = "each test program uses its own part")]

use std::{
    cell::RefCell,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

/// Where the browser reads and writes its messages.
const READS: i32 = 3;
const WRITES: i32 = 4;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. Ended when dropped.
pub(crate) struct Browser {
    child: Child,
    profile: PathBuf,
    to: RefCell<File>,
    from: RefCell<BufReader<File>>,
    next: RefCell<u64>,
    session: RefCell<Option<String>>,
    /// What the page complained of.
    complaints: RefCell<Vec<String>>,
    loaded: RefCell<u64>,
}

impl Browser {
    /// `None` where there is no browser; in CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let (theirs_in, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (from, theirs_out) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("should-i-async-browser-{}-{number}", std::process::id());
        let profile = std::env::temp_dir().join(name);
        let mut command = Command::new("chromium");
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Above the numbers that they are copied to: one copy must not close the other's source.
        let high = |fd: &std::os::fd::OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 10).unwrap();
        let (reads, writes) = (high(&theirs_in), high(&theirs_out));
        let (reads, writes) = (reads.as_raw_fd(), writes.as_raw_fd());
        // SAFETY: between fork and exec only system calls are made, on descriptors that are open.
        unsafe {
            command.pre_exec(move || {
                let both = libc::dup2(reads, READS) == READS && libc::dup2(writes, WRITES) == WRITES;
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if both { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "chromium: {error}; CI must run it");
                let _ = writeln!(std::io::stdout(), "SKIPPED (no chromium)");
                return None;
            }
        };
        let browser = Self {
            child,
            profile,
            to: File::from(to).into(),
            from: BufReader::new(File::from(from)).into(),
            next: 1.into(),
            session: None.into(),
            complaints: Vec::new().into(),
            loaded: 0.into(),
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached =
            browser.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        *browser.session.borrow_mut() = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Calls a method, and takes note of what happens meanwhile.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Value {
        let id = {
            let mut next = self.next.borrow_mut();
            *next += 1;
            *next
        };
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &*self.session.borrow() {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.borrow_mut().write_all(&bytes).unwrap();
        let begun = Instant::now();
        loop {
            let said = self.read();
            if said["id"] == id {
                assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                return said["result"].clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{method} was not answered");
        }
    }

    fn read(&self) -> Value {
        let mut bytes = Vec::new();
        let mut from = self.from.borrow_mut();
        while bytes.last() != Some(&0) {
            if from.buffer().is_empty() {
                let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
                let ready = poll(&mut [PollFd::new(from.get_ref(), PollFlags::IN)], Some(&patience)).unwrap();
                assert!(ready > 0, "the browser says nothing");
            }
            let there = from.fill_buf().unwrap();
            assert!(!there.is_empty(), "the browser has gone");
            let end = there.iter().position(|&byte| byte == 0).map_or(there.len(), |at| at + 1);
            bytes.extend_from_slice(&there[..end]);
            from.consume(end);
        }
        bytes.pop();
        drop(from);
        let said: Value = serde_json::from_slice(&bytes).unwrap();
        let params = &said["params"];
        match said["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complain(&params["exceptionDetails"]),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => self.complain(&params["args"]),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => self.complain(&params["entry"]),
            Some("Page.loadEventFired") => *self.loaded.borrow_mut() += 1,
            _ => {}
        }
        said
    }

    fn complain(&self, what: &Value) {
        self.complaints.borrow_mut().push(what.to_string());
    }

    /// What the page complained of so far: nothing, if all is well.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.borrow().clone()
    }

    /// What it complained of was expected.
    pub(crate) fn forget_complaints(&self) {
        self.complaints.borrow_mut().clear();
    }

    /// Pages that were loaded so far.
    pub(crate) fn loaded(&self) -> u64 {
        *self.loaded.borrow()
    }

    /// Opens a page in a window of this width, and waits until it is there.
    pub(crate) fn open(&self, url: &str, width: u32, dark: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
        let before = self.loaded();
        self.call("Page.navigate", &json!({ "url": url }));
        self.await_load(before);
    }

    /// Waits for a page after the `before` ones.
    pub(crate) fn await_load(&self, before: u64) {
        let begun = Instant::now();
        while self.loaded() == before {
            assert!(begun.elapsed() < PATIENCE, "no page came");
            self.read();
        }
    }

    /// What an expression comes to in the page.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", &asked);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Clicks in the middle of what a selector finds first, as a mouse does.
    pub(crate) fn click(&self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const found = document.querySelector({selector:?}); found.scrollIntoView({{ block: 'center' }}); \
             const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Types into what has the focus.
    pub(crate) fn type_in(&self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Presses a key that prints nothing.
    pub(crate) fn press(&self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// A picture of the window, as PNG in base 64.
    pub(crate) fn picture(&self) -> String {
        self.call("Page.captureScreenshot", &json!({}))["data"].as_str().unwrap().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its children go a moment after it, and may still write.
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.profile).is_ok() || !self.profile.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
