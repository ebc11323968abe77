//! The test's viewer: asks for audio and video, and waits for a packet of each.

use super::{
    client::{Client, KINDS},
    media::is_ours,
    verdict::{Fault, Role},
};
use std::{net::SocketAddr, time::Duration};
use tokio::time::timeout;
use webrtc::{
    media_stream::track_remote::{TrackRemote, TrackRemoteEvent},
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit},
};
use webrtc_core::rtp_transceiver::rtp_sender::RtpCodecKind;

/// Who watches.
pub(super) struct Viewer {
    pub(super) client: Client,
}

impl Viewer {
    /// One who has something to ask for.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Fault> {
        let client = Client::open(Role::Viewer, address).await?;
        for kind in KINDS {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..RTCRtpTransceiverInit::default()
            };
            let added = client.connection().add_transceiver_from_kind(kind, Some(init)).await;
            added.map_err(|reason| client.fault(reason))?;
        }
        Ok(Self { client })
    }

    /// Waits for a packet of each kind that the test's publisher sent.
    pub(super) async fn receive(&mut self, patience: Duration) -> Result<(), Fault> {
        let mut missing = KINDS.to_vec();
        let receiving = async {
            while !missing.is_empty() {
                let Some(track) = self.client.track().await else { return };
                if has_ours(&*track).await {
                    let kind = track.kind().await;
                    missing.retain(|other| *other != kind);
                }
            }
        };
        // Whether it took too long shows by what is missing.
        let _ = timeout(patience, receiving).await;
        match missing.first() {
            None => Ok(()),
            Some(RtpCodecKind::Audio) => Err(Fault::Media { missing: "audio" }),
            Some(_) => Err(Fault::Media { missing: "video" }),
        }
    }
}

async fn has_ours(track: &dyn TrackRemote) -> bool {
    while let Some(event) = track.poll().await {
        if let TrackRemoteEvent::OnRtpPacket(packet) = event
            && is_ours(&packet.payload)
        {
            return true;
        }
    }
    false
}
