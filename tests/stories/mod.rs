//! One file per part of what a user sees.

mod comments;
mod connection;
mod delivery;
mod heartbeat;
mod identity;
mod image;
mod input;
mod layers;
mod live;
mod malformed;
mod nodes;
mod nodes_live;
mod operations;
mod outage;
mod over_http;
mod overload;
mod postgres;
mod posts;
mod privacy;
mod reactions;
mod recovery;
mod rows;
mod starting;
mod websocket;
mod whep;
mod whip;
