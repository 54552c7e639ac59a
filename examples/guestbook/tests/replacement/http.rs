//! As much of an HTTP client as the test needs: one request for each connection, so that each is a new visitor, and
//! every way to fail is told apart.

use std::{collections::HashMap, io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// What became of a request.
pub(crate) enum Attempt {
    Answered(Answer),
    /// Nobody listened: nothing was sent.
    NotSent,
    /// It was sent, at least in part, and not answered to the end.
    Broken,
}

/// An answer, to its last byte.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (status, headers) = head.split_once("\r\n")?;
        let headers = headers.lines().filter_map(|line| line.split_once(": "));
        let headers: HashMap<String, String> = headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length")?.parse::<usize>().ok()?;
        (body.len() == length).then_some(Self {
            status: status.split(' ').nth(1)?.parse().ok()?,
            headers,
            body: body.to_owned(),
        })
    }
}

/// Gets a page.
pub(crate) async fn get(port: u16, path: &str) -> Attempt {
    request(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    )
    .await
}

/// Sends a form.
pub(crate) async fn post(port: u16, path: &str, fields: &[(&str, &str)]) -> Attempt {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let form = fields.join("&");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    request(port, &(head + &form)).await
}

async fn request(port: u16, text: &str) -> Attempt {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return Attempt::NotSent;
    };
    match timeout(PATIENCE, exchange(stream, text)).await {
        Ok(Ok(bytes)) => Answer::read(&bytes).map_or(Attempt::Broken, Attempt::Answered),
        Ok(Err(_)) | Err(_) => Attempt::Broken,
    }
}

async fn exchange(mut stream: TcpStream, text: &str) -> io::Result<Vec<u8>> {
    stream.write_all(text.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// Longer than the application takes for anything.
const PATIENCE: Duration = Duration::from_secs(30);
