//! The test's publisher: one track of audio, one of video, and packets until it is dropped.

use super::{
    client::{Client, KINDS, codec},
    media::{INTERVAL_MS, Stream},
    verdict::{Fault, Role},
};
use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};
use webrtc::media_stream::track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP};
use webrtc_core::{
    media_stream::MediaStreamTrack,
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};

/// Who sends.
pub(super) struct Publisher {
    pub(super) client: Client,
    stream: Stream,
    audio: Arc<TrackLocalStaticRTP>,
    video: Arc<TrackLocalStaticRTP>,
}

impl Publisher {
    /// One who has something to offer.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Fault> {
        let client = Client::open(Role::Publisher, address).await?;
        let stream = Stream::new();
        let ([audio_kind, video_kind], [audio_ssrc, video_ssrc]) = (KINDS, stream.ssrcs());
        let (audio, video) = (track(audio_kind, audio_ssrc), track(video_kind, video_ssrc));
        for track in [&audio, &video] {
            let added = client.connection().add_track(Arc::clone(track) as Arc<dyn TrackLocal>).await;
            added.map_err(|reason| client.fault(reason))?;
        }
        Ok(Self { client, stream, audio, video })
    }

    /// Sends for as long as it is asked to. What cannot be sent is missed by the viewer.
    pub(super) async fn send<T>(&mut self) -> T {
        let mut ticks = interval(Duration::from_millis(INTERVAL_MS.into()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (audio, video) = self.stream.next();
            if let Err(error) = self.audio.write_rtp(audio).await.and(self.video.write_rtp(video).await) {
                tracing::debug!(%error, "the publisher of the self-test cannot send");
                return pending().await;
            }
        }
    }
}

fn track(kind: RtpCodecKind, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec: codec(kind).rtp_codec,
        ..RTCRtpEncodingParameters::default()
    };
    let id = format!("selftest-{kind}");
    let track = MediaStreamTrack::new("selftest".to_owned(), id.clone(), id, kind, vec![coding]);
    Arc::new(TrackLocalStaticRTP::new(track))
}
