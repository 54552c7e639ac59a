//! Headless Chromium, driven by the DevTools protocol through a pair of pipes.
//!
//! Chromium reads commands from its file descriptor 3 and writes answers and events to 4, each a JSON text that ends
//! with a zero byte; a shell puts our pipes there. So nothing listens on a port, nothing but JSON is needed, and Chromium
//! ends when this process does, because the pipe does.

use std::{collections::VecDeque, env, fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A browser with one tab. It is killed when this is dropped.
pub(crate) struct Browser {
    _process: Child,
    commands: ChildStdin,
    messages: BufReader<ChildStdout>,
    /// Of the tab, once it is open.
    session: Option<String>,
    events: VecDeque<Value>,
    sent: u64,
}

impl Browser {
    /// Starts the Chromium of this machine; `None` if it has none.
    pub(crate) async fn start(profile: &Path) -> anyhow::Result<Option<Self>> {
        let Some(program) = program() else {
            return Ok(None);
        };
        let mut process = Command::new("sh")
            .args(["-c", PIPES])
            .arg(&program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} cannot be run"))?;
        let mut browser = Self {
            commands: process.stdin.take().context("a standard input")?,
            messages: BufReader::new(process.stdout.take().context("a standard output")?),
            _process: process,
            session: None,
            events: VecDeque::new(),
            sent: 0,
        };
        let tab = browser
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await?;
        let attach = json!({ "targetId": tab["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser.call("Page.enable", json!({})).await?;
        // Of the pages. What the test evaluates still runs.
        browser
            .call(
                "Emulation.setScriptExecutionDisabled",
                json!({ "value": true }),
            )
            .await?;
        Ok(Some(browser))
    }

    /// Opens an address and waits until its page, or one that says why there is none, is loaded.
    pub(crate) async fn open(&mut self, address: &str) -> anyhow::Result<()> {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": address }))
            .await?;
        self.loaded().await
    }

    /// Loads the page again. If it is the answer to a form, the form is sent again.
    pub(crate) async fn reload(&mut self) -> anyhow::Result<()> {
        self.events.clear();
        self.call("Page.reload", json!({})).await?;
        self.loaded().await
    }

    /// Replaces what stands in a field.
    pub(crate) async fn fill_in(&mut self, selector: &str, text: &str) -> anyhow::Result<()> {
        self.evaluate(&format!("document.querySelector('{selector}').select()"))
            .await?;
        self.call("Input.insertText", json!({ "text": text }))
            .await?;
        Ok(())
    }

    /// Presses the mouse on what the selector finds, and waits until the next page is loaded.
    pub(crate) async fn press(&mut self, selector: &str) -> anyhow::Result<()> {
        let place = self
            .evaluate(&format!(
                "(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                 const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
            ))
            .await?;
        self.events.clear();
        for kind in ["mousePressed", "mouseReleased"] {
            let at = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", at).await?;
        }
        self.loaded().await
    }

    /// The value of an expression.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let evaluate = json!({ "expression": expression, "returnByValue": true });
        let mut outcome = self.call("Runtime.evaluate", evaluate).await?;
        ensure!(
            outcome["exceptionDetails"].is_null(),
            "{expression}: {outcome}"
        );
        Ok(outcome["result"]["value"].take())
    }

    /// Writes what a window of this size shows to a PNG file.
    pub(crate) async fn photograph(
        &mut self,
        width: u32,
        height: u32,
        file: &Path,
    ) -> anyhow::Result<()> {
        let window = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", window)
            .await?;
        self.evaluate("window.scrollTo(0, 0)").await?;
        let picture = self
            .call("Page.captureScreenshot", json!({ "format": "png" }))
            .await?;
        self.call("Emulation.clearDeviceMetricsOverride", json!({}))
            .await?;
        let picture = picture["data"].as_str().context("a picture")?;
        Ok(fs::write(file, STANDARD.decode(picture)?)?)
    }

    /// Waits for the next page.
    async fn loaded(&mut self) -> anyhow::Result<()> {
        let is_load = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(is_load) {
            let event = self.message().await.context("no page was loaded")?;
            self.events.push_back(event);
        }
        Ok(())
    }

    async fn call(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.sent += 1;
        let mut command = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands
            .write_all(format!("{command}\0").as_bytes())
            .await?;
        loop {
            let mut message = self.message().await.with_context(|| method.to_owned())?;
            if message["id"] != self.sent {
                self.events.push_back(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                bail!("{method}: {}", message["error"]);
            }
        }
    }

    async fn message(&mut self) -> anyhow::Result<Value> {
        let mut text = Vec::new();
        let read = timeout(PATIENCE, self.messages.read_until(0, &mut text)).await;
        ensure!(
            read.context("Chromium says nothing")?? > 0,
            "Chromium ended"
        );
        text.pop();
        Ok(serde_json::from_slice(&text)?)
    }
}

/// The variable `CHROMIUM`, else the first that is installed.
fn program() -> Option<String> {
    if let Some(named) = env::var("CHROMIUM").ok().filter(|name| !name.is_empty()) {
        return Some(named);
    }
    let path = env::var_os("PATH")?;
    let places: Vec<_> = env::split_paths(&path).collect();
    let found = NAMES
        .iter()
        .find(|name| places.iter().any(|place| place.join(name).is_file()));
    found.map(ToString::to_string)
}

const NAMES: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];
/// The program is `$0`, and `$@` its arguments.
const PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// It may run as root, as it does in a container, and talks to nobody but the guestbook.
const FLAGS: [&str; 11] = [
    "--remote-debugging-pipe",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];
/// A page takes no longer than its process has to be replaced; a browser on a busy machine takes its time to start.
const PATIENCE: Duration = Duration::from_secs(40);
