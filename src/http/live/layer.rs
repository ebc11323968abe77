//! WHEP's extension for choosing a layer: a player says what it wants at most, and nothing for the server's choice.

use super::call::{Call, refusal};
use super::session::commanded;
use crate::{
    http::{Problem, state::HttpState},
    live::registry::{PeerEntry, PeerRole},
    social::policy,
};
use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
};
use communiconnect_protocol::{Code, ErrorBody, Layer, MaxHeight};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Names the extension.
pub(super) const URN: &str = "urn:ietf:params:whep:ext:core:layer";

/// Milliseconds after which the layers of a session that has just begun are known.
const KNOWN_MS: u64 = 1_000;

/// What is wished; a member that is missing or null wishes nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wish {
    /// Index of the `m=` section, as text or as a number.
    media_id: Option<Index>,
    /// The restriction id of an encoding.
    #[serde(alias = "encodingId")]
    rid: Option<String>,
    max_width: Option<u32>,
    max_height: Option<u32>,
    spatial_layer_id: Option<u32>,
    temporal_layer_id: Option<u32>,
    max_spatial_layer_id: Option<u32>,
    max_temporal_layer_id: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Index {
    Number(usize),
    Text(String),
}

/// `POST`: what is sent follows at the next key frame of what was chosen.
pub(super) async fn choose(
    State(state): State<Arc<HttpState>>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let call = Call::new(&state, request);
    let peer = watching(commanded(&state, &secret, &call).await?)?;
    let text = call.text_if_any("application/json")?;
    let wish = read(text)?;
    let video = peer.resource().and_then(|made| made.video);
    let max_height = wish.judge(video, &peer.layers().0).map_err(refusal)?;
    state.live.wish(&peer, max_height);
    Ok(StatusCode::OK)
}

/// The extensions are for those who watch.
pub(super) fn watching(peer: Arc<PeerEntry>) -> Result<Arc<PeerEntry>, ErrorBody> {
    match peer.role {
        PeerRole::Viewer => Ok(peer),
        PeerRole::Publisher => Err(policy::not_found("session")),
    }
}

fn read(text: &str) -> Result<Wish, ErrorBody> {
    if text.trim().is_empty() {
        return Ok(Wish::default());
    }
    // By way of a map: a struct would be read from a list as well.
    let members: Result<Map<String, Value>, _> = serde_json::from_str(text);
    let wish = members.and_then(|members| Wish::deserialize(Value::Object(members)));
    wish.map_err(|error| ErrorBody::new(Code::BadRequest, format!("the body is no layer selection: {error}")))
}

impl Wish {
    /// The height that allows what is wished and nothing more.
    fn judge(&self, video: Option<usize>, layers: &[Layer]) -> Result<MaxHeight, ErrorBody> {
        self.is_for(video)?;
        let scalable = [
            ("spatialLayerId", self.spatial_layer_id),
            ("temporalLayerId", self.temporal_layer_id),
            ("maxSpatialLayerId", self.max_spatial_layer_id),
            ("maxTemporalLayerId", self.max_temporal_layer_id),
        ];
        if let Some((field, _)) = scalable.into_iter().find(|(_, wished)| wished.is_some()) {
            let message = "layers within an encoding cannot be chosen: choose by rid, maxWidth or maxHeight";
            return Err(ErrorBody::invalid(field, message));
        }
        if self.max_width == Some(0) || self.max_height == Some(0) {
            let field = if self.max_width == Some(0) { "maxWidth" } else { "maxHeight" };
            return Err(ErrorBody::invalid(field, "there is no picture without pixels"));
        }
        if layers.is_empty() && (self.rid.is_some() || self.max_width.is_some()) {
            let message = "the layers of this session are not known yet: ask again";
            return Err(ErrorBody::new(Code::Conflict, message).retry_after(KNOWN_MS));
        }
        let by_rid = self.rid.as_deref().map(|rid| height_of(rid, layers)).transpose()?;
        let by_width = self.max_width.map(|width| height_within(width, layers));
        let least = [by_rid, by_width, self.max_height].into_iter().flatten().min();
        Ok(least.map_or(MaxHeight::Auto, MaxHeight::Lines))
    }

    fn is_for(&self, video: Option<usize>) -> Result<(), ErrorBody> {
        let index = match &self.media_id {
            None => return Ok(()),
            Some(Index::Number(index)) => Some(*index),
            Some(Index::Text(text)) => text.parse().ok(),
        };
        if index.is_some() && index == video {
            return Ok(());
        }
        Err(ErrorBody::invalid("mediaId", "it must be the index of the video section in the answer"))
    }
}

fn height_of(rid: &str, layers: &[Layer]) -> Result<u32, ErrorBody> {
    let found = layers.iter().find(|layer| layer.rid == rid);
    found.map(|layer| layer.height).ok_or_else(|| {
        let rids: Vec<_> = layers.iter().map(|layer| layer.rid.as_str()).collect();
        ErrorBody::invalid("rid", format!("no encoding has this rid; there are: {}", rids.join(", ")))
    })
}

/// Of the widest layer that fits, else of the smallest there is.
fn height_within(width: u32, layers: &[Layer]) -> u32 {
    let fitting = layers.iter().filter(|layer| layer.width <= width).map(|layer| layer.height).max();
    fitting.or_else(|| layers.iter().map(|layer| layer.height).min()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Vec<Layer> {
        [("l", 320, 180), ("m", 640, 360), ("h", 1_280, 720)]
            .map(|(rid, width, height)| Layer { rid: rid.into(), width, height, fps: 30, bitrate: 1 })
            .into()
    }

    fn judged(text: &str) -> Result<MaxHeight, (Code, Option<String>)> {
        let wish = read(text).map_err(|error| (error.code, error.field))?;
        wish.judge(Some(1), &layers()).map_err(|error| (error.code, error.field))
    }

    #[test]
    fn nothing_wished_is_the_servers_choice() {
        for text in ["", "{}", r#"{"mediaId":"1"}"#, r#"{"mediaId":1,"rid":null}"#, r#"{"unknown":[]}"#] {
            assert_eq!(judged(text), Ok(MaxHeight::Auto), "{text}");
        }
    }

    #[test]
    fn a_wish_is_the_height_that_serves_it() {
        for (text, lines) in [
            (r#"{"rid":"m"}"#, 360),
            (r#"{"encodingId":"h"}"#, 720),
            (r#"{"maxHeight":500}"#, 500),
            (r#"{"maxWidth":640}"#, 360),
            (r#"{"maxWidth":1279}"#, 360),
            (r#"{"maxWidth":100}"#, 180),
            (r#"{"rid":"h","maxHeight":200}"#, 200),
        ] {
            assert_eq!(judged(text), Ok(MaxHeight::Lines(lines)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_by_its_name() {
        for (text, field) in [
            (r#"{"rid":"x"}"#, "rid"),
            (r#"{"mediaId":"0"}"#, "mediaId"),
            (r#"{"mediaId":"video"}"#, "mediaId"),
            (r#"{"maxTemporalLayerId":1}"#, "maxTemporalLayerId"),
            (r#"{"maxWidth":0}"#, "maxWidth"),
        ] {
            assert_eq!(judged(text), Err((Code::Invalid, Some(field.into()))), "{text}");
        }
        for text in ["[", "[]", "1", r#"{"rid":1}"#, r#"{"maxWidth":-1}"#] {
            assert_eq!(judged(text), Err((Code::BadRequest, None)), "{text}");
        }
    }

    #[test]
    fn before_the_layers_are_known_a_height_can_be_wished() {
        let judged = |text| read(text).expect("JSON").judge(None, &[]).map_err(|error| error.code);
        assert_eq!(judged(r#"{"maxHeight":360}"#), Ok(MaxHeight::Lines(360)));
        assert_eq!(judged(r#"{"rid":"h"}"#), Err(Code::Conflict));
    }
}
