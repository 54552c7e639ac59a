//! What visitors were told, and at the end what stands in the book.

use std::{collections::HashMap, path::Path};

use anyhow::ensure;
use rusqlite::Connection;

use crate::load::{Sent, Told};

/// Everything that anybody was told.
#[derive(Default)]
pub(crate) struct Records {
    visitor: Vec<String>,
    load: Vec<Sent>,
}

impl Records {
    /// The visitor saw that this message is written.
    pub(crate) fn visitor(&mut self, message: &str) {
        self.visitor.push(message.to_owned());
    }

    pub(crate) fn load(&mut self, sent: Vec<Sent>) {
        self.load.extend(sent);
    }

    /// Compares it with the file.
    pub(crate) fn compare(&self, file: &Path) -> anyhow::Result<()> {
        let book = read(file)?;
        let mut expected = 0;
        for message in &self.visitor {
            let times = book
                .values()
                .filter(|(_, written)| written == message)
                .count();
            ensure!(
                times == 1,
                "the visitor's entry stands there {times} times: {message}"
            );
            expected += 1;
        }
        for sent in &self.load {
            let entry = book.get(&sent.key);
            if let Some((_, written)) = entry {
                ensure!(
                    *written == sent.message,
                    "other words stand there: {sent:?}"
                );
                expected += 1;
            }
            let is_true = match sent.told {
                Told::Written(id) => entry.is_some_and(|(written, _)| *written == id),
                // What an earlier attempt did, of which nobody heard, it does not say.
                Told::NotWritten => sent.was_broken || entry.is_none(),
                Told::Unknown => true,
            };
            ensure!(
                is_true,
                "the book has {entry:?}, and its sender was told otherwise: {sent:?}"
            );
        }
        // A message stands there once for each key, and each key is somebody's.
        ensure!(
            book.len() == expected,
            "{} entries, of which {expected} are somebody's",
            book.len()
        );

        let count = |is: fn(&&Sent) -> bool| self.load.iter().filter(is).count();
        println!(
            "{} entries: {} of the browser, {} of {} forms of the load ({} sent twice); {} refused, {} of them perhaps written; the slowest form took {:.1?}",
            book.len(),
            self.visitor.len(),
            count(|sent| matches!(sent.told, Told::Written(_))),
            self.load.len(),
            count(|sent| sent.was_broken),
            count(|sent| !matches!(sent.told, Told::Written(_))),
            count(|sent| sent.told == Told::Unknown),
            self.load
                .iter()
                .map(|sent| sent.took)
                .max()
                .unwrap_or_default(),
        );
        Ok(())
    }
}

/// Key, id and message of every entry.
fn read(file: &Path) -> anyhow::Result<HashMap<String, (i64, String)>> {
    let book = Connection::open(file)?;
    let mut select = book.prepare("SELECT key, id, message FROM entries")?;
    let rows = select.query_map((), |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let all = rows.len();
    let book: HashMap<_, _> = rows.into_iter().collect();
    ensure!(book.len() == all, "two entries have one key");
    Ok(book)
}
