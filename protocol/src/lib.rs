//! The wire of CommuniConnect: what a client and a server say to each other, in MessagePack or JSON, from one set of types.
//!
//! This crate owns names, shapes, limits of decoding and codes; `SPEC.md` beside it says the same in prose. It knows no
//! clock, no socket and no rule of the product: whether a command is *allowed* is decided elsewhere.

mod channel;
mod code;
mod command;
mod data;
mod decode;
mod envelope;
pub mod event;
mod explain;
mod guard;
mod id;
pub mod kind;
mod live;
mod model;
mod push;
mod reply;
#[cfg(feature = "schema")]
pub mod schema;
mod strict;
mod words;

pub use channel::{Channel, ChannelError};
pub use code::{Carrier, CloseCode, Code, ErrorBody};
pub use command::*;
pub use data::Data;
pub use envelope::{
    DecodeError, Format, UnknownFormat, decode_body, decode_command, decode_message, encode_body,
    encode_command, encode_error, encode_ok, encode_push,
};
pub use guard::{GuardError, MAX_DEPTH};
pub use id::{
    ChatMessageId, CommentId, CommunityId, LiveId, MediaId, NotificationId, PeerId, PostId, SessionId,
    ShareId, UserId,
};
pub use live::*;
pub use model::*;
pub use push::*;
pub use reply::*;
pub use strict::MAX_LIST;
