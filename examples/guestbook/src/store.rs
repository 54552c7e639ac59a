//! The book itself: one SQLite file, which only processes of the primary region open.
//!
//! Every process has a `Store`, because each offers the functions that take one; the file is opened when it is first
//! needed. So a process in another region never touches it, and one that becomes the primary does.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, Row, params};

use crate::entries::{DatabaseError, Draft, Entry, News, SignError};

/// The book. All clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    path: PathBuf,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Store {
    /// A book in this file, which is not opened yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            connection: Arc::default(),
        }
    }

    /// Opens the file now, so that one which cannot be opened is noticed before anybody writes.
    pub(crate) fn open(&self) -> Result<(), DatabaseError> {
        self.with(|_| Ok(()))
    }

    /// Writes a draft, or finds that it is written already. The key decides which: it is unique in the file, so a
    /// form that is sent twice, by the visitor, the browser or a retry of the call, is written once.
    pub(crate) fn write(
        &self,
        draft: &Draft,
        signed_in: &str,
        written_in: &str,
    ) -> Result<Entry, SignError> {
        draft.check().map_err(SignError::Invalid)?;
        let entry = self.with(|connection| {
            connection.execute(
                "INSERT INTO entries (key, name, message, signed_in, written_in)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING",
                params![draft.key, draft.name, draft.message, signed_in, written_in],
            )?;
            let select = format!("SELECT {COLUMNS} FROM entries WHERE key = ?1");
            connection.query_row(&select, [&draft.key], entry)
        })?;
        if (&entry.name, &entry.message) == (&draft.name, &draft.message) {
            Ok(entry)
        } else {
            Err(SignError::OtherWords { entry: entry.id })
        }
    }

    /// The newest entries that are later than `after`, at most `limit` of them.
    pub(crate) fn since(&self, after: i64, limit: u32) -> Result<News, DatabaseError> {
        self.with(|connection| {
            // One transaction, so that what is counted is what is read.
            let connection = connection.unchecked_transaction()?;
            let (total, latest) = connection.query_row(
                "SELECT count(*), coalesce(max(id), 0) FROM entries",
                (),
                |row| row.try_into(),
            )?;
            let mut select = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM entries WHERE id > ?1 ORDER BY id DESC LIMIT ?2"
            ))?;
            let entries = select.query_map(params![after, limit], entry)?;
            Ok(News {
                entries: entries.collect::<rusqlite::Result<_>>()?,
                total,
                latest,
            })
        })
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        let mut guard = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let connection = match guard.take() {
            Some(open) => open,
            None => self.connect().map_err(|error| {
                DatabaseError::Closed(format!("{error} ({})", self.path.display()))
            })?,
        };
        work(guard.insert(connection)).map_err(|error| DatabaseError::Refused(error.to_string()))
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        // While a process is replaced, another may have the file open. They wait for each other.
        connection.busy_timeout(BUSY)?;
        // Readers do not wait for writers, and what was acknowledged survives a crash of the machine.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute(SCHEMA, ())?;
        Ok(connection)
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        name: row.get(1)?,
        message: row.get(2)?,
        written_at: row.get(3)?,
        signed_in: row.get(4)?,
        written_in: row.get(5)?,
    })
}

/// How long one process waits for another to finish a transaction. Each takes milliseconds, and this is well under the
/// deadline of a call.
const BUSY: Duration = Duration::from_secs(2);

const COLUMNS: &str = "id, name, message, written_at, signed_in, written_in";

/// `AUTOINCREMENT`: an id is never used again, so whoever has read up to one knows that all later entries are greater.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    written_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%S', 'now')),
    signed_in TEXT NOT NULL,
    written_in TEXT NOT NULL
) STRICT";

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn draft(message: &str) -> Draft {
        Draft {
            name: "Ada".to_owned(),
            message: message.to_owned(),
            ..Draft::new()
        }
    }

    fn write(store: &Store, draft: &Draft) -> Entry {
        store.write(draft, "lax", "syd").expect("written")
    }

    #[test]
    fn a_form_that_is_sent_twice_is_written_once() {
        let store = Store::new(":memory:");
        let draft = draft("hello");
        assert_eq!(write(&store, &draft), write(&store, &draft));
        assert_eq!(store.since(0, 10).expect("read").total, 1);
    }

    #[test]
    fn a_form_that_was_used_for_other_words_is_refused() {
        let store = Store::new(":memory:");
        let first = draft("hello");
        let written = write(&store, &first);
        let second = Draft {
            message: "good-bye".to_owned(),
            ..first
        };
        let refused = store.write(&second, "lax", "syd").expect_err("other words");
        assert!(matches!(refused, SignError::OtherWords { entry } if entry == written.id));
        assert_eq!(store.since(0, 10).expect("read").entries, [written]);
    }

    #[test]
    fn news_are_the_newest_and_come_first() {
        let store = Store::new(":memory:");
        let written: Vec<Entry> = (0..5)
            .map(|number| write(&store, &draft(&number.to_string())))
            .collect();
        let news = store.since(written[1].id, 2).expect("read");
        assert_eq!(news.entries, [written[4].clone(), written[3].clone()]);
        assert_eq!((news.total, news.latest), (5, written[4].id));
        assert!(
            store
                .since(news.latest, 2)
                .expect("read")
                .entries
                .is_empty()
        );
    }

    #[test]
    fn two_processes_on_one_file_wait_for_each_other() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("book.db");
        // Each has a connection of its own, as two processes have.
        let writers: Vec<_> = ["old", "new"]
            .map(|writer| {
                let store = Store::new(&path);
                thread::spawn(move || {
                    (0..50).for_each(|number| {
                        write(&store, &draft(&format!("{writer} {number}")));
                    });
                })
            })
            .into();
        for writer in writers {
            writer.join().expect("all were written");
        }
        assert_eq!(Store::new(&path).since(0, 1).expect("read").total, 100);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let error = Store::new("/nowhere/book.db")
            .open()
            .expect_err("no folder");
        assert!(error.to_string().contains("/nowhere/book.db"), "{error}");
    }
}
