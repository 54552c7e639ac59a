//! Somebody with a browser: Chromium, or where there is none a stand-in that reads and sends the same pages.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    browser::Browser,
    http::{self, Attempt},
};

/// Somebody who reads and signs.
pub(crate) enum Visitor {
    Chromium(Box<Browser>),
    Plain(Box<Plain>),
}

impl Visitor {
    pub(crate) async fn arrive(profile: &Path) -> anyhow::Result<Self> {
        let browser = Browser::start(profile).await?;
        if browser.is_none() {
            println!(
                "there is no Chromium here (apt-get install chromium-headless-shell): pages are read by plain HTTP"
            );
        }
        Ok(browser.map_or_else(
            || Self::Plain(Box::default()),
            |browser| Self::Chromium(Box::new(browser)),
        ))
    }

    /// Opens the guestbook of the process behind this port.
    pub(crate) async fn open(&mut self, port: u16) -> anyhow::Result<Page> {
        match self {
            Self::Chromium(browser) => {
                browser.open(&format!("http://127.0.0.1:{port}/")).await?;
                Page::of(browser).await
            }
            Self::Plain(plain) => {
                plain
                    .ask(Request {
                        port,
                        path: "/".to_owned(),
                        form: None,
                    })
                    .await
            }
        }
    }

    /// Fills in the form of the page that is open, and sends it.
    pub(crate) async fn sign(&mut self, name: &str, message: &str) -> anyhow::Result<Page> {
        match self {
            Self::Chromium(browser) => {
                browser.fill_in("#name", name).await?;
                browser.fill_in("#message", message).await?;
            }
            Self::Plain(plain) => plain.words = (name.to_owned(), message.to_owned()),
        }
        self.send().await
    }

    /// Sends the form as it stands there.
    pub(crate) async fn send(&mut self) -> anyhow::Result<Page> {
        match self {
            Self::Chromium(browser) => {
                browser.press("button").await?;
                Page::of(browser).await
            }
            Self::Plain(plain) => plain.send().await,
        }
    }

    /// Does the same again: reloads the page, which sends the form again if the page should be the answer to one.
    pub(crate) async fn again(&mut self) -> anyhow::Result<Page> {
        match self {
            Self::Chromium(browser) => {
                browser.reload().await?;
                Page::of(browser).await
            }
            Self::Plain(plain) => {
                let last = plain.last.clone().context("there was no request")?;
                plain.ask(last).await
            }
        }
    }

    /// Keeps a picture of what is seen, at the widths of a desk and of a phone, in the folder that the variable
    /// `GUESTBOOK_SCREENSHOTS` names.
    pub(crate) async fn photograph(&mut self, name: &str) -> anyhow::Result<()> {
        if let (Self::Chromium(browser), Some(folder)) =
            (self, env::var_os("GUESTBOOK_SCREENSHOTS"))
        {
            let folder = PathBuf::from(folder);
            browser
                .photograph(960, 1040, &folder.join(format!("{name}.png")))
                .await?;
            browser
                .photograph(390, 844, &folder.join(format!("{name}-phone.png")))
                .await?;
        }
        Ok(())
    }
}

/// What a visitor sees.
pub(crate) struct Page {
    html: String,
}

impl Page {
    async fn of(browser: &mut Browser) -> anyhow::Result<Self> {
        let html = browser
            .evaluate("document.documentElement.outerHTML")
            .await?;
        Ok(Self {
            html: html.as_str().context("a page")?.to_owned(),
        })
    }

    /// True if the guestbook made it; otherwise the browser says that nobody answers.
    pub(crate) fn is_answered(&self) -> bool {
        self.html.contains("Guestbook, served in ")
    }

    /// The region that served it.
    pub(crate) fn served_in(&self) -> &str {
        self.between("id=\"served\">", "<")
    }

    /// The region that entries are written in.
    pub(crate) fn primary(&self) -> &str {
        self.between("id=\"primary\">", "<")
    }

    /// How old it says that it may be.
    pub(crate) fn age(&self) -> &str {
        self.between("id=\"age\">", "<")
    }

    /// True if it says that the form is written.
    pub(crate) fn thanks(&self) -> bool {
        self.html.contains("Thank you.")
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// How often an entry with this message stands on it.
    pub(crate) fn times(&self, message: &str) -> usize {
        self.html
            .matches(&format!("<p class=\"message\">{message}</p>"))
            .count()
    }

    fn between(&self, before: &str, after: &str) -> &str {
        let rest = self.html.split(before).nth(1).unwrap_or_default();
        rest.split(after).next().unwrap_or_default()
    }
}

/// What stands in for a browser.
#[derive(Default)]
pub(crate) struct Plain {
    words: (String, String),
    key: String,
    last: Option<Request>,
}

#[derive(Clone)]
struct Request {
    port: u16,
    path: String,
    form: Option<[(&'static str, String); 3]>,
}

impl Plain {
    async fn send(&mut self) -> anyhow::Result<Page> {
        let port = self.last.as_ref().context("no page is open")?.port;
        let (name, message) = self.words.clone();
        let form = Some([
            ("key", self.key.clone()),
            ("name", name),
            ("message", message),
        ]);
        self.ask(Request {
            port,
            path: "/entries".to_owned(),
            form,
        })
        .await
    }

    async fn ask(&mut self, mut request: Request) -> anyhow::Result<Page> {
        let mut attempt = request.make().await;
        self.last = Some(request.clone());
        if let Attempt::Answered(answer) = &attempt
            && answer.status == 303
        {
            let path = answer.header("location").context("where it is")?;
            let path = path.split('#').next().unwrap_or_default();
            request = Request {
                path: path.to_owned(),
                form: None,
                ..request
            };
            attempt = request.make().await;
            self.last = Some(request);
        }
        let html = match attempt {
            Attempt::Answered(answer) => answer.body,
            Attempt::NotSent | Attempt::Broken => String::new(),
        };
        let page = Page { html };
        self.key = page.between("name=\"key\" value=\"", "\"").to_owned();
        Ok(page)
    }
}

impl Request {
    async fn make(&self) -> Attempt {
        match &self.form {
            None => http::get(self.port, &self.path).await,
            Some(form) => {
                let fields = form.each_ref().map(|(name, value)| (*name, value.as_str()));
                http::post(self.port, &self.path, &fields).await
            }
        }
    }
}
