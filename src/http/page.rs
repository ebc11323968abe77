//! The page: files of `src/web`, embedded in the binary.

use super::Problem;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use communiconnect_protocol::{Code, ErrorBody};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "src/web"]
#[exclude = "tests/*"]
#[exclude = "pictures/*"]
#[exclude = "package.json"]
#[exclude = "*.md"]
struct Files;

/// Nothing but our own files, no script in the page itself, no frame around it.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers with a file of the page, or that there is no such thing. Whatever no route takes comes here.
pub(super) async fn page(request: Request) -> Response {
    let path = request.uri().path();
    let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
    let Some(file) = Files::get(name) else {
        return Problem::from(ErrorBody::new(Code::NotFound, "nothing is here; the page is at /"))
            .into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "files of the page are only read";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, message);
        return problem.header(header::ALLOW, "GET, HEAD").into_response();
    }
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let asked = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = asked.is_some_and(|tags| {
        tags == "*" || tags.split(',').any(|asked| asked.trim().trim_start_matches("W/") == tag)
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(file.data));
        response.headers_mut().insert(header::CONTENT_TYPE, content_type(name));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::try_from(tag).expect("hex is a header value"));
    // Always asked for anew, answered 304 while it is the same: an update shows at the next load.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(path: &str, tag: Option<&str>) -> Response {
        let mut request = axum::http::Request::get(path);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        page(request.body(Body::empty()).expect("a request")).await
    }

    #[tokio::test]
    async fn the_page_has_its_type_and_its_policy_and_is_revalidated() {
        let first = get("/", None).await;
        assert_eq!(first.status(), 200);
        assert_eq!(first.headers()["content-type"], "text/html; charset=utf-8");
        assert!(
            first.headers()["content-security-policy"].to_str().expect("text").contains("script-src 'self'")
        );
        let tag = first.headers()["etag"].to_str().expect("text").to_owned();
        assert_eq!(get("/", Some(&tag)).await.status(), 304);
        assert_eq!(get("/", Some("\"other\"")).await.status(), 200);
        assert_eq!(get("/client.js", None).await.headers()["content-type"], "text/javascript; charset=utf-8");
    }

    #[tokio::test]
    async fn nothing_beyond_the_page_is_served() {
        for path in [
            "/nope",
            "/../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/package.json",
            "/tests/model.test.js",
            "//etc/passwd",
        ] {
            assert_eq!(get(path, None).await.status(), 404, "{path}");
        }
    }
}
