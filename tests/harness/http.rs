//! HTTP against the server: whole requests through reqwest, malformed ones over bare TCP.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Encoding, PATIENCE, within};

/// Requests to one listener.
#[derive(Clone)]
pub struct Http {
    address: SocketAddr,
    client: reqwest::Client,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The `Content-Type`, empty where there is none.
    pub content_type: String,
    /// All headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Http {
    /// Requests to `address`.
    pub fn new(address: SocketAddr) -> Self {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(Policy::none())
            .build()
            .expect("an HTTP client");
        Self { address, client }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> HttpReply {
        self.request(Method::GET, path, &[], Vec::new()).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> HttpReply {
        self.request(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body.to_string().into_bytes(),
        )
        .await
    }

    /// `POST /v1/commands/{kind}` in one encoding, as the person of `token` or as a guest.
    pub async fn command(
        &self,
        encoding: Encoding,
        kind: &str,
        token: Option<&str>,
        body: &Value,
    ) -> HttpReply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", encoding.media_type()), ("accept", encoding.media_type())];
        if let Some(bearer) = &bearer {
            headers.push(("authorization", bearer));
        }
        self.request(Method::POST, &format!("/v1/commands/{kind}"), &headers, encoding.bytes(body)).await
    }

    /// Any request.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> HttpReply {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        HttpReply {
            status: response.status().as_u16(),
            content_type: find(&headers, "content-type").unwrap_or_default().to_string(),
            headers,
            bytes: response.bytes().await.expect("the whole body").to_vec(),
        }
    }

    /// `GET` of an answer that is read while it comes, without a bound on its time.
    pub async fn stream(&self, path: &str) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let sent = client.get(format!("http://{}{path}", self.address)).send().await;
        sent.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// Registers an embedded account and returns `{user, access_token, refresh_token, expires_at}`.
    pub async fn register(&self, username: &str) -> Value {
        let body = json!({
            "username": username,
            "email": format!("{username}@example.org"),
            "password": password_of(username),
            "name": format!("{username} of the tests"),
        });
        self.post("/v1/auth/register", &body).await.json_with(StatusCode::CREATED)
    }
}

impl HttpReply {
    /// One header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<String> {
        let found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON, after a check of the status.
    pub fn json_with(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status.as_u16(), "{}", self.text());
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as JSON after a check that all is well.
    pub fn ok(&self) -> Value {
        self.json_with(StatusCode::OK)
    }

    /// Checks the form of a refusal: the status, `application/problem+json` and its code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(
            self.content_type.starts_with("application/problem+json"),
            "a refusal is problem+json, not {:?}: {}",
            self.content_type,
            self.text()
        );
        let body: Value = serde_json::from_slice(&self.bytes).expect("problem+json is JSON");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        for key in ["type", "title", "message"] {
            assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key} is there: {body}");
        }
        body
    }
}

/// The password that [`Http::register`] gives.
pub fn password_of(username: &str) -> String {
    format!("correct horse {username}")
}

/// Sends `request` over bare TCP and reads what comes until the server closes, or until a whole answer with a
/// `Content-Length` is there.
pub async fn raw_http(server: SocketAddr, request: &[u8]) -> HttpReply {
    let mut tcp = TcpStream::connect(server).await.expect("the server listens");
    // The server may answer and close before it has read everything: that is what some stories are about.
    let _ = tcp.write_all(request).await;
    let mut bytes = Vec::new();
    within("an answer to a raw request", async {
        let mut chunk = [0; 4096];
        while whole(&bytes).is_none() {
            match tcp.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            }
        }
    })
    .await;
    whole(&bytes).unwrap_or_else(|| panic!("no whole answer: {:?}", String::from_utf8_lossy(&bytes)))
}

fn whole(bytes: &[u8]) -> Option<HttpReply> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    let length: usize = find(&headers, "content-length").unwrap_or("0").parse().ok()?;
    let body = bytes.get(head_end + 4..head_end + 4 + length)?;
    Some(HttpReply {
        status,
        content_type: find(&headers, "content-type").unwrap_or_default().to_string(),
        headers,
        bytes: body.to_vec(),
    })
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
