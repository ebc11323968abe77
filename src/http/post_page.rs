//! `GET /p/{post_id}`: where links that were shared elsewhere lead.
//!
//! Programs that draw previews read the Open Graph tags (<https://ogp.me>) and run no script; people are led on to the post in the
//! page. It tells what a guest may read and nothing else: of a post that is not there, or not for everybody, the answer is the
//! same, byte for byte but for the id that was asked for. Nobody is named.

use super::{Peer, Problem, pace::Source, page::POLICY, state::HttpState};
use crate::{auth::network_of, clock::now_ms, hub::Caller};
use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, Command, ErrorBody, Format, Post, PostGet, PostId, Reply};
use std::{borrow::Cow, sync::Arc};

/// Characters of a title: more is cut by those who show it.
const TITLE: usize = 70;

/// Characters of a description, likewise.
const DESCRIPTION: usize = 200;

/// The page behind a link to a post.
pub(super) async fn shown(
    State(state): State<Arc<HttpState>>,
    id: Result<Path<PostId>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    // It asks the store like a command without a socket, and no more often.
    let peer = request.extensions().get::<Peer>().expect("the listener names every peer");
    state.pace.take(Source::Guests(network_of(peer.client)))?;
    let id = id.map_or(PostId::NOTHING, |Path(id)| id);
    let post = public_post(&state, id).await?;
    let status = if post.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let address = state.settings.public_address.as_ref();
    let mut response = (status, document(id, post.as_ref(), address)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// The post as a guest sees it; none also where guests see nothing. What cannot be answered now is a refusal: whoever draws
/// previews keeps what they got.
async fn public_post(state: &HttpState, post_id: PostId) -> Result<Option<Post>, ErrorBody> {
    let Ok(identity) = state.door.auth.authenticate(None, now_ms()).await else { return Ok(None) };
    let caller = Caller { identity, session: None, format: Format::Json };
    match state.door.dispatch.run(&caller, Command::PostGet(PostGet { post_id })).await {
        Ok(Reply::Post(found)) => Ok(Some(found.post)),
        Err(refusal) if matches!(refusal.code, Code::Unavailable | Code::RateLimited | Code::Internal) => {
            Err(refusal)
        }
        _ => Ok(None),
    }
}

fn document(id: PostId, post: Option<&Post>, address: &str) -> String {
    const SITE: &str = "CommuniConnect";
    let (title, description) = match post {
        None => (Cow::Borrowed(SITE), Cow::Borrowed("Communities that talk in real time.")),
        Some(post) => {
            let content = one_line(&post.content, DESCRIPTION);
            match &post.title {
                Some(title) => (Cow::Owned(one_line(title, TITLE)), Cow::Owned(content)),
                None => (Cow::Owned(one_line(&post.content, TITLE)), Cow::Owned(content)),
            }
        }
    };
    let (title, description) = (escaped(&title), escaped(&description));
    let base = escaped(address);
    format!(
        r##"<!doctype html>
<html>
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <link rel="icon" href="../favicon.svg" type="image/svg+xml" />
    <title>{title}</title>
    <meta name="description" content="{description}" />
    <meta property="og:site_name" content="{SITE}" />
    <meta property="og:type" content="article" />
    <meta property="og:title" content="{title}" />
    <meta property="og:description" content="{description}" />
    <meta property="og:url" content="{base}/p/{id}" />
    <meta property="og:image" content="{base}/preview.png" />
    <meta name="twitter:card" content="summary" />
    <meta http-equiv="refresh" content="0; url=../#/p/{id}" />
  </head>
  <body>
    <p><a href="../#/p/{id}" dir="auto">{title}</a></p>
  </body>
</html>
"##
    )
}

/// The beginning of a text, with every run of blanks and line breaks as one space.
fn one_line(text: &str, max: usize) -> String {
    let line = text.split_whitespace().fold(String::new(), |line, word| match line.chars().count() {
        long if long > max => line,
        0 => word.to_owned(),
        _ => format!("{line} {word}"),
    });
    match line.char_indices().nth(max) {
        None => line,
        Some((end, _)) => format!("{}\u{2026}", &line[..end]),
    }
}

/// Text as it may stand in HTML, between quotes as well.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            other => written.push(other),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_written_becomes_markup() {
        assert_eq!(escaped("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    }

    #[test]
    fn a_line_is_short_and_has_no_breaks() {
        assert_eq!(one_line(" a\n\tb  c ", 70), "a b c");
        assert_eq!(one_line("abc", 3), "abc");
        assert_eq!(one_line("\u{e9}\u{e9}\u{e9}\u{e9}", 3), "\u{e9}\u{e9}\u{e9}\u{2026}");
    }

    #[test]
    fn what_is_not_for_everybody_looks_like_what_is_not_there() {
        let page = document(PostId::NOTHING, None, "https://example.org");
        assert!(page.contains("<title>CommuniConnect</title>"), "{page}");
        assert!(page.contains("https://example.org/p/00000000-0000-0000-0000-000000000000"), "{page}");
    }
}
