//! A collector: OTLP over HTTP as the specification has it, and the spans that came.

use std::{
    collections::HashMap,
    fmt::Write,
    io::Read,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What has arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collector {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    news: Arc<Notify>,
}

/// A span, and the region of the process that sent it.
#[derive(Clone, Debug)]
struct Arrived {
    region: String,
    span: Span,
}

impl Collector {
    /// Listens on this port of this machine, until the process ends.
    pub(crate) async fn start(port: u16) -> anyhow::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let collector = Self::default();
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    if let Err(error) = serving.serve(stream).await {
                        eprintln!("the collector: {error:#}");
                    }
                });
            }
        });
        Ok((collector, address))
    }

    /// Requests on one connection, one after the other.
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some((path, body)) = request(&mut stream).await? {
            ensure!(path == "/v1/traces", "{path} is not served");
            let request = ExportTraceServiceRequest::decode(&*body)?;
            self.take(request);
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }

    fn take(&self, request: ExportTraceServiceRequest) {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        for of_process in request.resource_spans {
            let resource = of_process.resource.unwrap_or_default();
            let region = text(&resource.attributes, "cloud.region");
            let spans = of_process
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            arrived.extend(spans.map(|span| Arrived {
                region: region.clone(),
                span,
            }));
        }
        self.news.notify_waiters();
    }

    /// Waits until this is a part of the tree. Ends with the caller's patience.
    pub(crate) async fn wait_for(&self, part: &str) {
        loop {
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if self.tree().contains(part) {
                return;
            }
            news.await;
        }
    }

    fn all(&self) -> Vec<Arrived> {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let mut arrived = arrived.clone();
        arrived.sort_by_key(|arrived| arrived.span.start_time_unix_nano);
        arrived
    }

    /// What has arrived: a line for each span, indented below its parent. Spans of another trace, or
    /// whose parent is missing, begin at the left.
    pub(crate) fn tree(&self) -> String {
        let all = self.all();
        let by_id: HashMap<(&[u8], &[u8]), &Arrived> = all
            .iter()
            .map(|arrived| ((&*arrived.span.trace_id, &*arrived.span.span_id), arrived))
            .collect();
        let mut tree = String::new();
        for root in &all {
            let parent = (&*root.span.trace_id, &*root.span.parent_span_id);
            if !by_id.contains_key(&parent) {
                root.draw(0, &all, &mut tree);
            }
        }
        tree
    }
}

impl Arrived {
    fn draw(&self, depth: usize, all: &[Self], tree: &mut String) {
        let indent = "  ".repeat(depth);
        // Writing to a string does not fail.
        let _ = writeln!(tree, "{} {indent}{}", self.region, self.span.name);
        let of_this = |other: &&Self| {
            other.span.trace_id == self.span.trace_id
                && other.span.parent_span_id == self.span.span_id
        };
        for child in all.iter().filter(of_this) {
            child.draw(depth + 1, all, tree);
        }
    }
}

/// The path and the body of the next request; `None` if the connection ends before it.
async fn request(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).context("a request line")?.to_owned();
    let (mut length, mut is_packed) = (None, false);
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse::<usize>()?),
            "content-encoding" if value.trim() == "gzip" => is_packed = true,
            "content-encoding" | "transfer-encoding" => bail!("{} is not understood", line.trim()),
            _ => {}
        }
    }
    let length = length.context("a length")?;
    ensure!(length <= LARGEST, "{length} bytes are too many");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if is_packed {
        let packed = std::mem::take(&mut body);
        let most = LARGEST as u64 + 1;
        GzDecoder::new(&*packed).take(most).read_to_end(&mut body)?;
        ensure!(body.len() <= LARGEST, "unpacked it is too large");
    }
    Ok(Some((path, body)))
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let attribute = attributes.iter().find(|attribute| attribute.key == key);
    let value = attribute.and_then(|attribute| attribute.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

/// Bytes of a request.
const LARGEST: usize = 4 << 20;
