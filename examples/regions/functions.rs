//! What the members do for one another, and what a member is made of.

use std::{
    fmt,
    path::Path,
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fly_rpc::{NodeBuilder, region_rpc};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::sleep};

use crate::PRIMARY;

/// What all members share: where the primary is, the states that the functions take, and a version
/// that none of them has yet.
pub(crate) fn member(settings: NodeBuilder, db: Db) -> NodeBuilder {
    settings
        .primary_region(PRIMARY)
        .state(db)
        .state(Exports::default())
        .hide_function("read_post", 2)
}

/// The database. One file that all processes of this machine open takes the place of replication.
pub(crate) struct Db(Mutex<Connection>);

impl Db {
    /// Opens the file, and makes it if it is not there; `:memory:` is a database without a file.
    pub(crate) fn open(path: impl AsRef<Path>) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute(SCHEMA, ())?;
        Ok(Self(Mutex::new(connection)))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row, and the processes that wrote and read it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) id: i64,
    pub(crate) body: String,
    pub(crate) writer: u32,
    pub(crate) reader: u32,
}

impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "post {} {:?}, ", self.id, self.body)?;
        write!(
            f,
            "written by process {}, read by {}",
            self.writer, self.reader
        )
    }
}

/// What SQLite says. Its own error type does not travel.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("database: {0}")]
pub(crate) struct DbError(String);

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

/// Writes belong where the primary is.
#[region_rpc(@primary, blocking)]
pub(crate) fn create_post(#[state] db: &Db, body: &str) -> Result<Post, DbError> {
    let (db, process) = (db.connection(), process::id());
    db.execute(
        "INSERT INTO posts (body, writer) VALUES (?1, ?2)",
        (body, process),
    )?;
    let (id, body) = (db.last_insert_rowid(), body.to_owned());
    Ok(Post {
        id,
        body,
        writer: process,
        reader: process,
    })
}

/// Reads are for every region.
#[region_rpc(blocking)]
pub(crate) fn read_post(#[state] db: &Db, id: i64) -> Result<Option<Post>, DbError> {
    let select = "SELECT body, writer FROM posts WHERE id = ?1";
    let found = db.connection().query_row(select, [id], |row| {
        let (body, writer) = row.try_into()?;
        Ok(Post {
            id,
            body,
            writer,
            reader: process::id(),
        })
    });
    Ok(found.optional()?)
}

/// What the next build will have, and therefore no member has yet: all hide it.
#[region_rpc(name = "read_post", version = 2, blocking)]
pub(crate) fn read_posts(#[state] db: &Db, ids: Vec<i64>) -> Result<Vec<Post>, DbError> {
    ids.into_iter()
        .filter_map(|id| read_post(db, id).transpose())
        .collect()
}

/// Tells that an export has begun.
#[derive(Default)]
pub(crate) struct Exports {
    begun: Notify,
}

/// Work that takes a while, so that something is in flight when its node stops.
#[region_rpc]
pub(crate) async fn export(#[state] exports: &Exports) -> String {
    exports.begun.notify_one();
    sleep(Duration::from_millis(300)).await;
    format!("exported by process {}", process::id())
}

/// Answers as soon as an export has begun.
#[region_rpc]
pub(crate) async fn export_begun(#[state] exports: &Exports) {
    exports.begun.notified().await;
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS posts
    (id INTEGER PRIMARY KEY, body TEXT NOT NULL, writer INTEGER NOT NULL)";
