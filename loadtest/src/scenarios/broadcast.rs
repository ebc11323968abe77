//! Readers stay and read, publications go to their channels at a pace: what `fanout` and `channels` share.

use super::{
    Target, account,
    stage::{Cast, Played, Programme, Stage, test_channels},
};
use crate::{
    crowd::{Manner, Names, Wish},
    publish::Published,
    report::Report,
};
use anyhow::Result;
use std::{net::SocketAddr, sync::Arc};

/// Who reads how many of how many channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Audience {
    pub(super) readers: usize,
    pub(super) channels: usize,
    /// Of each reader.
    pub(super) each: usize,
}

impl Audience {
    /// The readers, spread over the nodes, each with the next channels in turn.
    pub(super) fn wishes(self, nodes: &[SocketAddr]) -> Vec<Wish> {
        let channels = |number: usize| {
            (0..self.each).map(|place| ((number * self.each + place) % self.channels) as u32).collect()
        };
        let wish = |number: usize| Wish {
            server: nodes[number % nodes.len()],
            channels: channels(number),
            token: None,
            manner: Manner::Steady,
            voice: number % nodes.len(),
        };
        (0..self.readers).map(wish).collect()
    }

    /// All of them, before anything is published.
    ///
    /// # Errors
    /// Where an address of the target is none.
    pub(super) fn cast(self, target: &Target) -> Result<Cast> {
        let names: Arc<Names> = test_channels(self.channels);
        let readers = self.wishes(&target.nodes()?);
        Ok(Cast { names, readers, voices: target.voices(), is_bare: false })
    }
}

/// Plays it to the end.
///
/// # Errors
/// Where the server cannot be reached, or refuses readers.
pub(super) async fn play(
    target: &Target,
    audience: Audience,
    programme: Programme,
) -> Result<(Published, Played)> {
    let mut stage = Stage::open(target, audience.cast(target)?).await?;
    let published = stage.publish(programme).await?;
    let mut played = stage.finish(Vec::new()).await?;
    account::undisturbed(&mut played);
    Ok((published, played))
}

/// What both tell.
pub(super) fn tell(report: &mut Report, published: Published, played: Played) {
    account::publications(report, published);
    account::delivery(report, played);
}
