//! `/v1/media` and `/media/…`: uploads by `multipart/form-data`, and the bytes of what was uploaded.
//!
//! Bytes are served so that nothing in them is ever run: with the type that their content has, `nosniff`, and a policy that
//! takes every right from a document. Where they are, is public; who may read them, is judged at each request.

mod range;

use super::{Problem, bearer, pace::Source, query, state::HttpState};
use crate::{
    auth::network_of,
    clock::now_ms,
    http::Peer,
    media::{Incoming, Stored},
    metrics,
    social::{Served, Upload},
    store::{Actor, Reader},
};
use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use communiconnect_protocol::{Changed, Code, ErrorBody, Media, MediaId, MediaPurpose};
use futures_util::stream;
use multer::{Field, Multipart};
use range::Wanted;
use serde::Serialize;
use std::{io::SeekFrom, sync::Arc, time::Instant};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes of a body beside its file: names of parts, and what is said of the file.
const BESIDE: u64 = 65_536;

/// Bytes of a text of a form: more than the longest one has.
const TEXT: usize = 65_536;

/// Parts of a form: more than it has.
const PARTS: usize = 8;

/// Bytes read from disk at once.
const CHUNK: usize = 65_536;

/// Nothing in these bytes is a document of ours: no script, no frame, no form, an origin of its own.
const POLICY: &str = "default-src 'none'; sandbox";

#[derive(Serialize)]
struct MediaReply {
    media: Media,
}

/// 201 with what is known of the upload.
pub(super) async fn upload(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let outcome = taken_in(&state, request).await;
    let told = outcome.as_ref().map_or_else(|problem| problem.error.code.as_str(), |_| "kept");
    metrics::MEDIA_UPLOADS.add(told, 1);
    metrics::MEDIA_SECONDS.record(begun.elapsed().as_secs_f64());
    let media = outcome?;
    let mut response = answer(StatusCode::CREATED, MediaReply { media });
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// 200 with what is known of it.
pub(super) async fn get(
    State(state): State<Arc<HttpState>>,
    Path(id): Path<MediaId>,
    request: Request,
) -> Result<Response, Problem> {
    let reader = reader(&state, &request.into_parts().0).await?;
    let media = state.media.get(reader, id).await?;
    Ok(answer(StatusCode::OK, MediaReply { media }))
}

/// 200 once it is gone.
pub(super) async fn delete(
    State(state): State<Arc<HttpState>>,
    Path(id): Path<MediaId>,
    request: Request,
) -> Result<Response, Problem> {
    let actor = actor(&state, &request.into_parts().0).await?;
    state.media.delete(actor, id).await?;
    Ok(answer(StatusCode::OK, Changed { changed: true }))
}

/// The bytes of a variant, or a part of them.
pub(super) async fn bytes(
    State(state): State<Arc<HttpState>>,
    Path((id, variant)): Path<(MediaId, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, _) = request.into_parts();
    let reader = reader(&state, &head).await?;
    let Served { stored, is_public } = state.media.open(reader, id, &variant).await?;
    let Stored { file, bytes, media_type } = stored;
    // An id never has other bytes, so it is all that tells a version.
    let tag = format!("\"{id}-{variant}\"");
    let (status, first, length) = match range::wanted(&head.headers, &tag, bytes) {
        Wanted::Nothing => (StatusCode::NOT_MODIFIED, 0, 0),
        Wanted::Whole => (StatusCode::OK, 0, bytes),
        Wanted::Part { first, length } => (StatusCode::PARTIAL_CONTENT, first, length),
        Wanted::Beyond => {
            let message = format!("there are {bytes} bytes: ask for some of these");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::BadRequest, message);
            return Err(problem.with(header::CONTENT_RANGE, text(format!("bytes */{bytes}"))));
        }
    };
    let is_read = length > 0 && head.method != axum::http::Method::HEAD;
    let body = if is_read { streamed(file, first, length).await? } else { Body::empty() };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    if status != StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let last = first + length - 1;
        headers.insert(header::CONTENT_RANGE, text(format!("bytes {first}-{last}/{bytes}")));
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text(tag));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CACHE_CONTROL,
        if is_public {
            text(format!("public, max-age={}, immutable", state.settings.media_cache_s))
        } else {
            // Kept by the reader's own browser alone, which asks each time whether it may still be shown.
            HeaderValue::from_static("private, no-cache")
        },
    );
    // The same address answers some and refuses others.
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    Ok(response)
}

async fn taken_in(state: &HttpState, request: Request) -> Result<Media, Problem> {
    let (head, body) = request.into_parts();
    let actor = actor(state, &head).await?;
    let most = state.media.library().settings().most_bytes();
    let declared =
        head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most + BESIDE) {
        return Err(ErrorBody::new(
            Code::TooLarge,
            format!("the file is over {most} bytes: make it smaller"),
        )
        .into());
    }
    let purpose = query::Query::of(&head.uri)?.text("purpose").map(purpose_of).transpose()?;
    let boundary = boundary(&head.headers)?;
    let incoming = state.media.begin(actor, now_ms()).await?;
    let form = Form { incoming: Some(incoming), file: None, purpose, alt: String::new(), state };
    let multipart = Multipart::new(body.into_data_stream(), boundary);
    let upload = match tokio::time::timeout(state.settings.upload_time, form.read(multipart)).await {
        Ok(read) => read?,
        Err(_) => return Err(too_slow()),
    };
    Ok(state.media.finish(actor, upload, now_ms()).await?)
}

/// What came of a form so far.
struct Form<'a> {
    /// Where the file goes; none once it is there.
    incoming: Option<Incoming>,
    file: Option<Incoming>,
    purpose: Option<MediaPurpose>,
    alt: String,
    state: &'a HttpState,
}

impl Form<'_> {
    async fn read(mut self, mut form: Multipart<'static>) -> Result<Upload, Problem> {
        for _ in 0..PARTS {
            let Some(field) = self.in_time(form.next_field()).await? else { break };
            match field.name() {
                Some("file") => self.file(field).await?,
                Some("purpose") => self.purpose = Some(purpose_of(&self.text(field).await?)?),
                Some("alt") => self.alt = self.text(field).await?,
                _ => drop(self.text(field).await?),
            }
        }
        let incoming = self.file.ok_or(crate::media::Flaw::Empty).map_err(ErrorBody::from)?;
        Ok(Upload { incoming, purpose: self.purpose.unwrap_or(MediaPurpose::Post), alt: self.alt })
    }

    async fn file(&mut self, mut field: Field<'static>) -> Result<(), Problem> {
        let mut incoming = self.incoming.take().ok_or_else(|| {
            ErrorBody::invalid("file", "one file at a time: send each in a request of its own")
        })?;
        while let Some(bytes) = self.in_time(field.chunk()).await? {
            metrics::MEDIA_RECEIVED.add(bytes.len() as u64);
            incoming.write(&bytes).await?;
        }
        self.file = Some(incoming);
        Ok(())
    }

    async fn text(&self, mut field: Field<'static>) -> Result<String, Problem> {
        let mut text = Vec::new();
        while let Some(bytes) = self.in_time(field.chunk()).await? {
            if text.len() + bytes.len() > TEXT {
                return Err(ErrorBody::new(Code::TooLarge, "a text of the form is too long").into());
            }
            text.extend_from_slice(&bytes);
        }
        String::from_utf8(text)
            .map_err(|_| ErrorBody::new(Code::BadRequest, "a text of the form is not UTF-8").into())
    }

    /// A client that sends nothing for the time of a body has gone.
    async fn in_time<T>(&self, read: impl Future<Output = multer::Result<T>>) -> Result<T, Problem> {
        match tokio::time::timeout(self.state.settings.body_time, read).await {
            Ok(read) => read.map_err(|_| {
                let message = "the form is broken off or malformed (multipart/form-data, RFC 7578)";
                ErrorBody::new(Code::BadRequest, message).into()
            }),
            Err(_) => Err(too_slow()),
        }
    }
}

fn too_slow() -> Problem {
    let message = "the upload did not arrive in time";
    Problem::new(StatusCode::REQUEST_TIMEOUT, Code::BadRequest, message)
}

fn boundary(headers: &HeaderMap) -> Result<String, ErrorBody> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    named.and_then(|named| multer::parse_boundary(named).ok()).ok_or_else(|| {
        let message = "send a form: multipart/form-data with the part `file`, and Content-Type must say so";
        ErrorBody::new(Code::UnsupportedType, message)
    })
}

fn purpose_of(word: &str) -> Result<MediaPurpose, ErrorBody> {
    MediaPurpose::from_word(word.trim())
        .ok_or_else(|| ErrorBody::invalid("purpose", "`purpose` is `post` or `profile`"))
}

async fn reader(state: &HttpState, head: &Parts) -> Result<Reader, Problem> {
    let token = bearer::token(&head.headers)?;
    let identity = state.door.auth.authenticate(token, now_ms()).await.map_err(|denied| denied.error)?;
    let peer = head.extensions.get::<Peer>().expect("the listener names every peer");
    let guests = Source::Guests(network_of(peer.client));
    state.media_pace.take(identity.user_id().map_or(guests, Source::Person))?;
    Ok(Reader { user: identity.user_id(), role: identity.role() })
}

async fn actor(state: &HttpState, head: &Parts) -> Result<Actor, Problem> {
    let Reader { user, role } = reader(state, head).await?;
    let user =
        user.ok_or_else(|| ErrorBody::new(Code::Unauthenticated, "only people upload: send a token"))?;
    Ok(Actor { user, role })
}

fn answer(status: StatusCode, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn streamed(mut file: tokio::fs::File, first: u64, length: u64) -> Result<Body, Problem> {
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await.map_err(|_| {
            ErrorBody::new(Code::Unavailable, "the file cannot be read at the moment").retry_after(1_000)
        })?;
    }
    let chunks = stream::try_unfold(file.take(length), |mut rest| async move {
        let mut chunk = Vec::with_capacity(CHUNK.min(usize::try_from(rest.limit()).unwrap_or(CHUNK)));
        let read = rest.read_buf(&mut chunk).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), rest)))
    });
    Ok(Body::from_stream(chunks))
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).expect("digits and ids are header values")
}
