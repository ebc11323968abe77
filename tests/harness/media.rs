//! Pictures made by code, and the form that uploads them.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::Method;
use serde_json::Value;

use super::{Http, HttpReply};

/// A picture, red on the left and blue on the right.
pub fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let colour = |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::from_fn(width, height, colour))
        .write_to(&mut file, format)
        .expect("encoded");
    file.into_inner()
}

/// `multipart/form-data`, written as a browser writes it.
#[derive(Clone, Debug, Default)]
pub struct Form {
    body: Vec<u8>,
}

const BOUNDARY: &str = "----a-boundary-of-the-tests";

impl Form {
    /// A form with one file and nothing else.
    pub fn of(file: &[u8]) -> Self {
        Self::default().file("picture.png", "image/png", file)
    }

    /// Adds the file.
    pub fn file(mut self, name: &str, media_type: &str, bytes: &[u8]) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a text.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        self.body.extend_from_slice(part.as_bytes());
        self
    }

    /// Its `Content-Type`, and the body.
    pub fn finish(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={BOUNDARY}"), self.body)
    }
}

impl Http {
    /// `POST /v1/media`.
    pub async fn upload(&self, token: Option<&str>, form: Form) -> HttpReply {
        let (content_type, body) = form.finish();
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", content_type.as_str())];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        self.request(Method::POST, "/v1/media", &headers, body).await
    }

    /// Uploads a picture that is taken; what is told of it.
    pub async fn uploads(&self, token: &str, file: &[u8]) -> Value {
        self.upload(Some(token), Form::of(file)).await.json_with(reqwest::StatusCode::CREATED)["media"]
            .clone()
    }

    /// A `GET` as the person of `token`, or as a guest.
    pub async fn get_as(&self, token: Option<&str>, path: &str) -> HttpReply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.as_deref().map(|bearer| ("authorization", bearer)).into_iter().collect();
        self.request(Method::GET, path, &headers, Vec::new()).await
    }
}
