//! What travels between the regions: an entry, what a visitor wants to write, and why it is not written.
//!
//! These types are the contract of the functions in `functions.rs`. Whoever changes one gives the function that
//! takes or returns it the next version.

use serde::{Deserialize, Serialize};

/// An entry as it stands in the book. It is never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Later entries have greater ones.
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) message: String,
    /// By the primary's clock, in UTC: `2026-11-21 21:47:03`.
    pub(crate) written_at: String,
    /// The region whose page was filled in.
    pub(crate) signed_in: String,
    /// The region that had the database then.
    pub(crate) written_in: String,
}

/// What a visitor wants to write.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Draft {
    /// Made with the form and sent with it, so that a form that is sent twice is written once.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) message: String,
}

impl Draft {
    /// The longest name, in characters.
    pub(crate) const MAX_NAME: usize = 60;
    /// The longest message, in characters.
    pub(crate) const MAX_MESSAGE: usize = 600;
    /// How long a key is, in hexadecimal digits: 128 random bits do not meet by chance.
    const KEY: usize = 32;

    /// An empty one with a key of its own.
    pub(crate) fn new() -> Self {
        Self {
            key: format!("{:032x}", rand::random::<u128>()),
            ..Self::default()
        }
    }

    /// The same words with nothing around them.
    pub(crate) fn trimmed(self) -> Self {
        Self {
            key: self.key,
            name: self.name.trim().to_owned(),
            message: self.message.replace("\r\n", "\n").trim().to_owned(),
        }
    }

    /// Says what is wrong with it. The browser checks the same first, but nobody has to use a browser.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.key.len() != Self::KEY || !self.key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Err(Fault::Key)
        } else if self.name.is_empty() {
            Err(Fault::NoName)
        } else if self.message.is_empty() {
            Err(Fault::NoMessage)
        } else if self.name.chars().count() > Self::MAX_NAME {
            Err(Fault::LongName)
        } else if self.message.chars().count() > Self::MAX_MESSAGE {
            Err(Fault::LongMessage)
        } else {
            Ok(())
        }
    }
}

/// What is wrong with a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum Fault {
    #[error("this form was not made here; here is a new one")]
    Key,
    #[error("please say who you are")]
    NoName,
    #[error("please write a message")]
    NoMessage,
    #[error("the name is longer than {} characters", Draft::MAX_NAME)]
    LongName,
    #[error("the message is longer than {} characters", Draft::MAX_MESSAGE)]
    LongMessage,
}

/// Why a draft is not written.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum SignError {
    /// Nothing was written.
    #[error("{0}")]
    Invalid(Fault),
    /// The form was sent before, with other words, and those are written. These are not.
    #[error("this form has been used already, for entry {entry}")]
    OtherWords { entry: i64 },
    /// What SQLite says. Of a commit that fails it does not say what is on the disk.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What is wrong with the database. SQLite's own error type does not travel.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum DatabaseError {
    /// It was not there to be asked.
    #[error("the database cannot be opened: {0}")]
    Closed(String),
    #[error("the database says: {0}")]
    Refused(String),
}

/// What a region has not read yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct News {
    /// The newest ones, the newest first, and no more than a page shows.
    pub(crate) entries: Vec<Entry>,
    /// How many entries the book has.
    pub(crate) total: i64,
    /// The id of the newest entry, 0 if there is none.
    pub(crate) latest: i64,
}

impl News {
    /// How many entries a page shows.
    pub(crate) const MOST: u32 = 30;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str, message: &str) -> Draft {
        Draft {
            name: name.to_owned(),
            message: message.to_owned(),
            ..Draft::new()
        }
    }

    #[test]
    fn a_draft_needs_words_and_not_too_many() {
        assert_eq!(draft("Ada", "hello").check(), Ok(()));
        assert_eq!(draft("", "hello").check(), Err(Fault::NoName));
        assert_eq!(draft(" ", "hello").trimmed().check(), Err(Fault::NoName));
        assert_eq!(draft("Ada", "").check(), Err(Fault::NoMessage));
        let longest = "é".repeat(Draft::MAX_MESSAGE);
        assert_eq!(draft("Ada", &longest).check(), Ok(()));
        let longer = longest + "é";
        assert_eq!(draft("Ada", &longer).check(), Err(Fault::LongMessage));
        assert_eq!(draft(&longer, "hello").check(), Err(Fault::LongName));
    }

    #[test]
    fn a_key_that_was_not_made_here_is_refused() {
        for key in ["", "1", "../../../../../../../../../../../"] {
            let forged = Draft {
                key: key.to_owned(),
                ..draft("Ada", "hello")
            };
            assert_eq!(forged.check(), Err(Fault::Key), "{key:?}");
        }
    }

    #[test]
    fn no_two_forms_have_one_key() {
        assert_ne!(Draft::new().key, Draft::new().key);
    }
}
