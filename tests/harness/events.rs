//! A reader of server-sent events that reads when it is asked to, over bare TCP, so that a story can be a slow one.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::within;

/// A stream of `GET /v1/sse`.
pub struct Events {
    reader: BufReader<TcpStream>,
    /// The last `id:` that came, as a browser would send it.
    pub last_id: String,
    /// Comments so far.
    pub heartbeats: usize,
    /// The last `retry:` that came.
    pub retry: Option<u64>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub kind: String,
    /// Its data, which is JSON.
    pub data: Value,
    /// Whether it came with an id of its own.
    pub has_id: bool,
}

impl Events {
    /// Opens a stream, which must be granted. `query` without its question mark.
    pub async fn open(server: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Self {
        let tcp = TcpStream::connect(server).await.expect("the server listens");
        Self::over(tcp, query, headers).await
    }

    /// The same over a connection that the story made.
    pub async fn over(tcp: TcpStream, query: &str, headers: &[(&str, &str)]) -> Self {
        // HTTP/1.0 has no chunks: what comes behind the head is the stream.
        let mut request = format!("GET /v1/sse?{query} HTTP/1.0\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut reader = BufReader::with_capacity(1_024, tcp);
        reader.get_mut().write_all(request.as_bytes()).await.expect("sent");
        let mut events = Self { reader, last_id: String::new(), heartbeats: 0, retry: None };
        let mut head = Vec::new();
        loop {
            match events.line().await {
                Some(line) if line.is_empty() => break,
                Some(line) => head.push(line.to_lowercase()),
                None => panic!("the head broke off: {head:?}"),
            }
        }
        let is_granted =
            head[0].contains(" 200 ") && head.contains(&"content-type: text/event-stream".into());
        if !is_granted {
            let mut body = String::new();
            let _ = events.reader.read_to_string(&mut body).await;
            panic!("{head:?} {body}");
        }
        assert!(head.contains(&"cache-control: no-store".into()), "{head:?}");
        events
    }

    /// The next event; none once the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        let (mut kind, mut data, mut has_id) = (String::new(), String::new(), false);
        loop {
            let line = self.line().await?;
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.starts_with(':') => self.heartbeats += 1,
                "" if data.is_empty() => {}
                "" => {
                    let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
                    return Some(Event { kind, data, has_id });
                }
                "event" => kind = value.to_owned(),
                "data" => data = value.to_owned(),
                "id" => {
                    has_id = true;
                    self.last_id = value.to_owned();
                }
                "retry" => self.retry = Some(value.parse().expect("milliseconds")),
                other => panic!("no field of an event: {other}"),
            }
        }
    }

    /// The next event, which must come.
    pub async fn event(&mut self) -> Event {
        within("an event", self.next()).await.expect("the stream goes on")
    }

    /// The data of the next event of this name, past others.
    pub async fn find(&mut self, kind: &str) -> Value {
        loop {
            let event = within(kind, self.next()).await;
            let event = event.unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if event.kind == kind {
                return event.data;
            }
        }
    }

    /// The end of the stream: the data of the event `close`, with nothing behind it.
    pub async fn closed(&mut self) -> Value {
        let closed = self.find("close").await;
        assert!(within("the end of the stream", self.next()).await.is_none());
        closed
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = within("a line", self.reader.read_line(&mut line)).await.unwrap_or(0);
        (count > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
