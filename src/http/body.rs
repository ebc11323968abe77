//! Reading a request body within its bounds.

use super::Problem;
use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use communiconnect_protocol::{Code, ErrorBody};
use http_body_util::BodyExt;
use std::time::Duration;

/// What a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BodyBounds {
    /// Bytes.
    pub(super) bytes: usize,
    /// Time until it is complete.
    pub(super) time: Duration,
}

/// Reads the whole body. One that declares too much is refused before any of it is read.
pub(super) async fn read(headers: &HeaderMap, body: Body, bounds: BodyBounds) -> Result<Bytes, Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bounds.bytes as u64) {
        return Err(too_large(bounds.bytes));
    }
    match tokio::time::timeout(bounds.time, collect(body, bounds.bytes)).await {
        Ok(collected) => collected,
        Err(_) => {
            let message = "the request body did not arrive in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, Code::BadRequest, message))
        }
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| ErrorBody::new(Code::BadRequest, "the request body is broken off or malformed"))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - collected.len() {
            return Err(too_large(limit));
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}

fn too_large(limit: usize) -> Problem {
    ErrorBody::new(Code::TooLarge, format!("the request body is over {limit} bytes")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: BodyBounds = BodyBounds { bytes: 8, time: Duration::from_secs(1) };

    async fn status(headers: HeaderMap, body: Body) -> u16 {
        read(&headers, body, BOUNDS).await.err().map_or(200, |problem| problem.status.as_u16())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_its_size_and_its_time() {
        assert_eq!(status(HeaderMap::new(), Body::from("12345678")).await, 200);
        assert_eq!(status(HeaderMap::new(), Body::from("123456789")).await, 413);
        let declared = HeaderMap::from_iter([(header::CONTENT_LENGTH, "9".parse().expect("a value"))]);
        let never = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(status(declared, never()).await, 413, "refused without reading");
        assert_eq!(status(HeaderMap::new(), never()).await, 408);
    }
}
