//! Media through a shard: from a publisher's datagram to the runs that viewers are sent.

use super::{
    Audience, COLLECT, COLLECT_FROM, Order, Shard,
    count::Drop,
    event::{Layer, LayerCause, MediaEvent, PeerEnd, PeerWarning},
    peer::{Got, Media, Protection, Publisher, Viewer},
    relay::RelayId,
};
use crate::{
    live::{
        forward::{
            egress::{Cause, Egress, EgressEvent, LayerInfo, Permission, UNCONFIRMED_RATE, ViewerIdentity},
            ingress::{Ingress, IngressLimits},
            report::ServerClock,
        },
        rtc::{
            ice::Tuple,
            mux::Packet,
            sdp::NegotiatedMedia,
            srtp::{SEAL_ROOM, SrtpKeys},
        },
    },
    metrics,
};
use rand::Rng;
use std::time::{Duration, SystemTime};

/// How often a publisher is looked at for wishes that viewers on other shards have for key frames.
const WISHES: Duration = Duration::from_millis(20);

/// Bytes of the longest compound RTCP packet that goes out, with room to seal it.
const RTCP: usize = 1500;

impl Shard {
    /// The peer's keys are agreed: media can flow.
    pub(super) fn on_keys(&mut self, place: usize, keys: &SrtpKeys) {
        let (now, shard) = (self.now, self.place);
        let peer = &mut self.peers[place];
        if peer.ending.is_some() {
            return;
        }
        // Its last flight answered ours, so what is sent there arrives.
        if let Some(from) = peer.handshake.from {
            peer.ice.confirm(from);
        }
        peer.heard = now;
        peer.protection = Some(Protection::new(keys));
        let nothing = Media::Agreed(NegotiatedMedia::Received { media: Vec::new(), max_bitrate: 0 });
        peer.media = match std::mem::replace(&mut peer.media, nothing) {
            Media::Agreed(NegotiatedMedia::Received { media, max_bitrate }) => {
                let limits = IngressLimits {
                    most_bitrate: max_bitrate,
                    sound_alone: self.common.settings.sound_alone,
                    ..IngressLimits::default()
                };
                let slot = peer.relay.source().clone();
                let ssrc = rand::rng().random_range(1..=u32::MAX);
                Media::Publisher(Box::new(Publisher {
                    ingress: Ingress::new(media, limits, slot, ssrc, now),
                    has_started: false,
                    is_stalled: false,
                    since: now,
                    meter: Default::default(),
                    told_of_b_frames: false,
                }))
            }
            Media::Agreed(NegotiatedMedia::Sent { media, cname }) => {
                let clock = ServerClock::new(now, SystemTime::now());
                let identity = ViewerIdentity { cname, seed: rand::rng().random(), clock };
                let egress = Egress::new(media, identity, peer.relay.source().clone(), now);
                peer.relay.add_viewer(shard);
                let audience = self.audiences.entry(peer.relay.id()).or_insert_with(|| Audience {
                    relay: peer.relay.clone(),
                    viewers: Vec::new(),
                    held_until: None,
                });
                audience.viewers.push(place);
                Media::Viewer(Box::new(Viewer { egress, is_present: true, got: Got::default() }))
            }
            running => running,
        };
        let id = peer.id;
        self.common.peers.on_connected(id);
        metrics::LIVE_CONNECTED.add(1);
        self.outbox.tell(MediaEvent::Connected { peer: id, at: now });
        self.on_address(place);
        self.mark_due(place);
    }

    /// The peer's address changed, or was confirmed: what may be sent there.
    pub(super) fn on_address(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        let is_confirmed = peer.ice.is_confirmed();
        if let Media::Viewer(viewer) = &mut peer.media {
            viewer.egress.set_rate_cap((!is_confirmed).then_some(UNCONFIRMED_RATE), self.now);
            viewer.egress.permit_replays(if is_confirmed { Permission::OnAsking } else { Permission::Never });
            self.challenge(place);
            self.mark_due(place);
        }
    }

    /// DTLS, SRTP or SRTCP of a peer here.
    pub(super) fn on_packet(
        &mut self,
        place: usize,
        tuple: Tuple,
        packet: Packet,
        datagram: &mut [u8],
    ) -> Result<(), Drop> {
        let now = self.now;
        let peer = &mut self.peers[place];
        match packet {
            Packet::Stun => Err(Drop::Unexpected),
            Packet::Dtls => {
                peer.handshake.from = Some(tuple);
                if self.common.handshakes.datagram(peer.id, datagram) { Ok(()) } else { Err(Drop::Busy) }
            }
            Packet::Rtp => {
                let protection = peer.protection.as_mut().ok_or(Drop::Unexpected)?;
                let Media::Publisher(publisher) = &mut peer.media else { return Err(Drop::Unexpected) };
                let plain = protection.opener.open_rtp(datagram)?;
                peer.heard = now;
                let ends_frame = plain[1] & 0x80 != 0;
                let accepted = publisher.ingress.on_rtp(now, plain).map_err(|_| Drop::Malformed)?;
                if accepted.is_new() {
                    let relay = peer.relay.id();
                    self.on_published(place, relay, ends_frame);
                }
                Ok(())
            }
            Packet::Rtcp => {
                let protection = peer.protection.as_mut().ok_or(Drop::Unexpected)?;
                let plain = protection.opener.open_rtcp(datagram)?;
                peer.heard = now;
                match &mut peer.media {
                    Media::Publisher(publisher) => {
                        publisher.ingress.on_rtcp(now, plain).map_err(|_| Drop::Malformed)?;
                    }
                    Media::Viewer(viewer) => {
                        viewer.egress.on_rtcp(now, plain);
                        if !peer.ice.is_confirmed() && peer.confirmation.is_in(plain) {
                            peer.ice.confirm(tuple);
                            self.on_address(place);
                        }
                    }
                    Media::Agreed(_) => return Err(Drop::Unexpected),
                }
                self.mark_due(place);
                Ok(())
            }
        }
    }

    /// A publisher here has put a packet into a ring.
    fn on_published(&mut self, place: usize, relay: RelayId, ends_frame: bool) {
        self.mark_due(place);
        let Some(audience) = self.audiences.get_mut(&relay) else {
            return self.tell_shards(place);
        };
        if ends_frame || audience.viewers.len() < COLLECT_FROM {
            self.on_moved(relay);
            self.tell_shards(place);
        } else {
            audience.held_until.get_or_insert(self.now + COLLECT);
        }
    }

    /// Tells the other shards on which somebody watches a publisher here.
    fn tell_shards(&self, place: usize) {
        let relay = &self.peers[place].relay;
        for shard in relay.to_tell(self.place) {
            self.shards[shard].order(Order::Moved(relay.clone()));
        }
    }

    /// The rings of a relay have grown: everybody here who watches it is due.
    pub(super) fn on_moved(&mut self, relay: RelayId) {
        let Some(audience) = self.audiences.get_mut(&relay) else { return };
        audience.held_until = None;
        for &place in &audience.viewers {
            let peer = &mut self.peers[place];
            if !peer.is_due {
                peer.is_due = true;
                self.due.push(place);
            }
        }
    }

    /// Lets viewers have what was held back long enough.
    pub(super) fn release_held(&mut self) {
        let now = self.now;
        let over = |audience: &Audience| audience.held_until.is_some_and(|until| until <= now);
        let released: Vec<_> =
            self.audiences.values().filter(|audience| over(audience)).map(|a| a.relay.clone()).collect();
        for relay in released {
            self.on_moved(relay.id());
            for shard in relay.to_tell(self.place) {
                self.shards[shard].order(Order::Moved(relay.clone()));
            }
        }
    }

    /// Serves every peer that is due, once.
    pub(super) fn serve_due(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        for place in due.drain(..) {
            let Some(peer) = self.peers.get_mut(place) else { continue };
            peer.is_due = false;
            if !peer.is_open() {
                continue;
            }
            match &peer.media {
                Media::Viewer(_) => self.serve_viewer(place),
                Media::Publisher(_) => self.serve_publisher(place),
                Media::Agreed(_) => {}
            }
        }
        // What became due meanwhile waits for the next round; the memory is kept.
        due.append(&mut self.due);
        self.due = due;
    }

    fn serve_viewer(&mut self, place: usize) {
        let now = self.now;
        let peer = &mut self.peers[place];
        let (Media::Viewer(viewer), Some(protection)) = (&mut peer.media, &mut peer.protection) else {
            return;
        };
        self.out.reset(protection.profile.rtp_overhead());
        viewer.egress.poll(now, &mut self.out);
        if let Some(bytes) = viewer.egress.wanted_replay() {
            let may_begin = self.replays.admits(peer.id, now);
            viewer.egress.permit_replays(if may_begin { Permission::Granted } else { Permission::Deferred });
            viewer.egress.poll(now, &mut self.out);
            match may_begin {
                true if viewer.egress.has_begun(now) => self.replays.begun(peer.id, bytes),
                // It cannot be replayed after all: that costs nobody anything.
                true => self.replays.leave(peer.id),
                false => {}
            }
        } else {
            self.replays.leave(peer.id);
        }
        let tuple = peer.ice.send_to(now);
        if let Some(tuple) = tuple
            && !self.out.is_empty()
        {
            let room = self.out.tag_room();
            for at in 0..self.out.len() {
                let packet = self.out.packets()[at];
                let bytes = &mut self.out.bytes_mut()[packet.start..packet.start + packet.len + room];
                if let Err(error) = protection.sealer.seal_rtp(bytes, packet.len) {
                    tracing::error!(peer = %peer.id, %error, "a packet could not be sealed");
                    return self.say_goodbye(place, PeerEnd::Error);
                }
            }
            for run in runs(self.out.packets().iter().map(|packet| (packet.start, packet.len + room))) {
                let sent = self.sockets.send_run(tuple, &self.out.bytes()[run.start..run.end], run.size);
                self.counts.sent(sent);
            }
        }
        self.rtcp.clear();
        while viewer.egress.poll_rtcp(now, &mut self.rtcp) {
            peer.confirmation.on_sent(&self.rtcp);
            let sealed = seal_rtcp(protection, &mut self.rtcp);
            if let (Some(tuple), true) = (tuple, sealed) {
                let sent = self.sockets.send(tuple, &self.rtcp);
                self.counts.sent(sent);
            }
            self.rtcp.clear();
        }
        if let Some(due) = viewer.egress.poll_timeout() {
            self.timers.arm(place, &mut peer.alarm, due);
        }
        let id = peer.id;
        if tuple.is_some() && viewer.got == Got::Nothing && !self.out.is_empty() {
            viewer.got = Got::Packet;
            self.outbox.tell(MediaEvent::FirstPacket { peer: id, at: now });
        }
        if viewer.got == Got::Packet && viewer.egress.has_sent_picture() {
            viewer.got = Got::Picture;
            self.outbox.tell(MediaEvent::FirstPicture { peer: id, at: now });
        }
        while let Some(event) = viewer.egress.poll_event() {
            match event {
                EgressEvent::Layers { layers, current, cause } => self.outbox.tell(MediaEvent::Layers {
                    peer: id,
                    layers: layers.into_iter().map(layer).collect(),
                    current,
                    cause: match cause {
                        Cause::Wish => LayerCause::Wish,
                        Cause::Bandwidth => LayerCause::Bandwidth,
                        Cause::Source => LayerCause::Source,
                    },
                }),
                EgressEvent::WaitingForKeyFrame => {
                    self.outbox
                        .tell(MediaEvent::Warning { peer: id, warning: PeerWarning::WaitingForKeyFrame });
                }
                EgressEvent::Renegotiate => return self.say_goodbye(place, PeerEnd::Renegotiate),
            }
        }
    }

    /// Tells a viewer that its streams end (RFC 3550, section 6.6).
    pub(super) fn send_bye(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        let (Media::Viewer(viewer), Some(protection)) = (&peer.media, &mut peer.protection) else { return };
        self.rtcp.clear();
        viewer.egress.goodbye(self.now, &mut self.rtcp);
        if let Some(tuple) = peer.ice.send_to(self.now)
            && !self.rtcp.is_empty()
            && seal_rtcp(protection, &mut self.rtcp)
        {
            let sent = self.sockets.send(tuple, &self.rtcp);
            self.counts.sent(sent);
        }
    }

    fn serve_publisher(&mut self, place: usize) {
        let now = self.now;
        let peer = &mut self.peers[place];
        let (Media::Publisher(publisher), Some(protection)) = (&mut peer.media, &mut peer.protection) else {
            return;
        };
        self.rtcp.clear();
        while publisher.ingress.poll_rtcp(now, &mut self.rtcp) {
            if let (true, Some(tuple)) = (seal_rtcp(protection, &mut self.rtcp), peer.ice.send_to(now)) {
                let sent = self.sockets.send(tuple, &self.rtcp);
                self.counts.sent(sent);
            }
            self.rtcp.clear();
        }
        let id = peer.id;
        if !publisher.has_started && publisher.ingress.has_started() {
            publisher.has_started = true;
            self.outbox.tell(MediaEvent::MediaStarted { peer: id });
        }
        let last = publisher.ingress.last_rtp().unwrap_or(publisher.since);
        let stalls = last + self.common.settings.stalled_after;
        match (publisher.is_stalled, stalls <= now) {
            (false, true) => {
                publisher.is_stalled = true;
                self.outbox.tell(MediaEvent::Stalled { peer: id });
            }
            (true, false) => {
                publisher.is_stalled = false;
                self.outbox.tell(MediaEvent::Resumed { peer: id });
            }
            _ => {}
        }
        let wishes = (peer.relay.viewers() > 0).then_some(now + WISHES);
        let stalls = (!publisher.is_stalled).then_some(stalls);
        let due = [publisher.ingress.poll_timeout(now), wishes, stalls].into_iter().flatten().min();
        if let Some(due) = due {
            self.timers.arm(place, &mut peer.alarm, due);
        }
    }
}

/// Seals the compound packet that fills the buffer.
fn seal_rtcp(protection: &mut Protection, buffer: &mut Vec<u8>) -> bool {
    let len = buffer.len();
    debug_assert!(len <= RTCP);
    buffer.resize(len + SEAL_ROOM, 0);
    match protection.sealer.seal_rtcp(buffer, len) {
        Ok(sealed) => {
            buffer.truncate(sealed);
            true
        }
        Err(error) => {
            tracing::error!(%error, "a report could not be sealed");
            false
        }
    }
}

/// Packets that can leave as one: they lie one behind the other and are of one size, but for a shorter last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: usize,
    end: usize,
    size: usize,
}

/// The fewest runs that packets, each with its start and size, can leave as without changing their order.
fn runs(packets: impl Iterator<Item = (usize, usize)>) -> impl Iterator<Item = Run> {
    let mut packets = packets.peekable();
    std::iter::from_fn(move || {
        let (start, size) = packets.next()?;
        let mut run = Run { start, end: start + size, size };
        while let Some(&(start, next)) = packets.peek() {
            if start != run.end || next > size {
                break;
            }
            packets.next();
            run.end += next;
            if next < size {
                break;
            }
        }
        Some(run)
    })
}

pub(super) fn layer(info: LayerInfo) -> Layer {
    Layer {
        rid: info.rid,
        width: info.width,
        height: info.height,
        fps: info.fps.round() as u32,
        bitrate: info.bitrate.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_packets_leave_as_one_run_that_a_shorter_one_ends() {
        let sizes = [100, 100, 100, 60, 60, 100, 40, 50];
        let packets = sizes.iter().scan(0, |end, &size| {
            *end += size;
            Some((*end - size, size))
        });
        let runs: Vec<_> = runs(packets).map(|run| (run.start, run.end, run.size)).collect();
        assert_eq!(runs, [(0, 360, 100), (360, 420, 60), (420, 560, 100), (560, 610, 50)]);
    }

    #[test]
    fn packets_with_a_gap_between_them_leave_apart() {
        assert_eq!(runs([(0, 10), (12, 10)].into_iter()).count(), 2);
    }
}
