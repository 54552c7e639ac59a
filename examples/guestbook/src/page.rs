//! The page, as HTML that needs no script. What visitors wrote is escaped by `html!`, which escapes everything.

use std::time::Duration;

use fly_rpc::{Node, PeerInfo, PeerState};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    copy::Known,
    entries::{Draft, Entry},
};

/// What a page is made of.
pub(crate) struct View {
    pub(crate) known: Known,
    pub(crate) notice: Option<Notice>,
    /// What stands in the form.
    pub(crate) draft: Draft,
}

/// What became of a form.
pub(crate) enum Notice {
    Written {
        entry: i64,
        is_here: bool,
    },
    Refused {
        may_be_written: bool,
        reason: String,
    },
}

/// The whole page, as this node sees the world.
pub(crate) fn book(node: &Node, view: &View) -> Markup {
    let (here, primary) = (node.region().as_str(), node.primary_region().as_str());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Guestbook, served in " (here) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    h1 { "Guestbook" }
                    p { "Pages are served in every region. The book lies in one." }
                    (places(here, primary, &view.known))
                }
                main {
                    @if let Some(notice) = &view.notice { (told(notice)) }
                    (form(&view.draft))
                    (entries(&view.known))
                }
                footer { (neighbours(node)) }
            }
        }
    }
}

fn places(here: &str, primary: &str, known: &Known) -> Markup {
    html! {
        dl.places {
            div { dt { "Served in" } dd #served { (here) } }
            div { dt { "Written in" } dd #primary { (primary) } }
            div.late[!known.is_fresh()] { dt { "As of" } dd #age { (age(known.age())) } }
        }
    }
}

fn age(age: Option<Duration>) -> String {
    match age {
        None => "not read yet".to_owned(),
        Some(age) if age < Duration::from_secs(2) => "just now".to_owned(),
        Some(age) if age < Duration::from_secs(120) => format!("{} s ago", age.as_secs()),
        Some(age) => format!("{} min ago", age.as_secs() / 60),
    }
}

fn told(notice: &Notice) -> Markup {
    match notice {
        Notice::Written {
            entry,
            is_here: true,
        } => html! {
            p.notice role="status" { "Thank you. This is " a href={ "#entry-" (entry) } { "entry " (entry) } "." }
        },
        Notice::Written {
            entry,
            is_here: false,
        } => html! {
            p.notice role="status" {
                "Thank you. Entry " (entry) " is written, and this region has not read it yet. "
                a href={ "/?wrote=" (entry) } { "Look again." }
            }
        },
        Notice::Refused {
            may_be_written: false,
            reason,
        } => html! {
            div.notice.refused role="alert" {
                p { strong { "Nothing was written." } " You can send it again." }
                p.reason { (reason) }
            }
        },
        Notice::Refused {
            may_be_written: true,
            reason,
        } => html! {
            div.notice.refused role="alert" {
                p {
                    strong { "It may have been written, or not." }
                    " Send it again as it is: it will not be written twice."
                }
                p.reason { (reason) }
            }
        },
    }
}

fn form(draft: &Draft) -> Markup {
    html! {
        form method="post" action="/entries" {
            // Browsers that fill in a form anew would keep the old key.
            input type="hidden" name="key" value=(draft.key) autocomplete="off";
            label for="name" { "Name" }
            input #name name="name" value=(draft.name) maxlength=(Draft::MAX_NAME) required autocomplete="name";
            label for="message" { "Message" }
            textarea #message name="message" rows="2" maxlength=(Draft::MAX_MESSAGE) required { (draft.message) }
            button { "Sign the book" }
        }
    }
}

fn entries(known: &Known) -> Markup {
    html! {
        h2 {
            @match known.total {
                0 if known.age().is_none() => "The book cannot be read from here yet",
                0 => "Nobody has signed yet",
                1 => "One entry",
                total => { (total) " entries" }
            }
        }
        ol.entries { @for entry in &known.entries { (item(entry)) } }
        @if known.total > known.entries.len() as i64 && !known.entries.is_empty() {
            p.more { "The newest " (known.entries.len()) " are shown." }
        }
    }
}

fn item(entry: &Entry) -> Markup {
    html! {
        li id={ "entry-" (entry.id) } {
            p.message { (entry.message) }
            p.by {
                strong { (entry.name) }
                time datetime={ (entry.written_at.replace(' ', "T")) "Z" } { (entry.written_at) " UTC" }
                span.way title="signed in, written in" { (entry.signed_in) " → " (entry.written_in) }
            }
        }
    }
}

fn neighbours(node: &Node) -> Markup {
    let peers: Vec<PeerInfo> = node.peers();
    html! {
        p { "Node " code { (node.id()) } " in " (node.region()) " is connected with" }
        @if peers.is_empty() { p { "nobody." } }
        ul {
            @for peer in &peers {
                li {
                    b { (peer.region) } " " code { (peer.id) } " "
                    @if let Some(time) = peer.round_trip { (format!("{:.1} ms", time.as_secs_f64() * 1e3)) }
                    @if peer.state != PeerState::Connected { " (" (format!("{:?}", peer.state).to_lowercase()) ")" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_visitors_write_is_text_wherever_it_stands() {
        let evil = "<script>alert('x')</script>\"&";
        let draft = Draft {
            name: evil.to_owned(),
            message: evil.to_owned(),
            ..Draft::new()
        };
        let entry = Entry {
            id: 1,
            name: evil.to_owned(),
            message: evil.to_owned(),
            written_at: evil.to_owned(),
            signed_in: evil.to_owned(),
            written_in: evil.to_owned(),
        };
        let refused = Notice::Refused {
            may_be_written: true,
            reason: evil.to_owned(),
        };
        for markup in [
            form(&draft),
            item(&entry),
            told(&refused),
            places(evil, evil, &Known::default()),
        ] {
            let html = markup.into_string();
            assert!(html.contains("&lt;script&gt;"), "{html}");
            assert!(
                !html.contains("<script") && !html.contains("x')</"),
                "{html}"
            );
            assert!(!html.contains(">\"&<"), "{html}");
        }
    }

    #[test]
    fn a_refusal_says_whether_it_may_have_been_written() {
        let said = |may_be_written| {
            let reason = String::new();
            told(&Notice::Refused {
                may_be_written,
                reason,
            })
            .into_string()
        };
        assert!(said(false).contains("Nothing was written"));
        assert!(said(true).contains("It may have been written"));
    }
}
