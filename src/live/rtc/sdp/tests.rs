//! What real clients are answered. The offers in `fixtures/` were recorded from them by `tests/peers/offers`;
//! each answer lies beside its offer, written anew by a run with `UPDATE_ANSWERS=1`, to be read before it is kept.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::live::media::{ExtensionIds, Feedback, PayloadCodec};

const PUBLISH: Terms<'_> = Terms::Publish { max_bitrate: 12_000_000 };

/// A viewer of a live with Opus and this picture.
fn watch(video: Codec) -> Terms<'static> {
    let source = SourceCodecs { audio: Some(Codec::Opus), video: Some(video) };
    Terms::Watch { source, cname: "live", ssrcs: [1001, 1002, 2001, 2002] }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(file!()).with_file_name("fixtures").join(name)
}

fn offer_text(client: &str) -> String {
    std::fs::read_to_string(fixture(&format!("{client}.offer.sdp"))).unwrap()
}

fn our_ice() -> IceCredentials {
    IceCredentials { ufrag: "ours".into(), pwd: "our-password-of-some-length".replace('-', "+") }
}

fn with_local<T>(then: impl FnOnce(&LocalSide<'_>) -> T) -> T {
    let candidates = ["203.0.113.9:8189", "[2001:db8::9]:8189"];
    then(&LocalSide {
        ice: &our_ice(),
        fingerprint: &Fingerprint::sha256(b"our certificate"),
        candidates: &candidates.map(|address| Candidate::host(address.parse().unwrap())),
        session_id: 4_611_686_018_427_387_904,
        session_version: 1,
    })
}

fn answer_text(offer: &str, terms: &Terms<'_>) -> Result<(Negotiated, String), OfferError> {
    let offer = Offer::parse(offer)?;
    with_local(|local| answer(&offer, terms, local))
}

/// Answers a recorded offer and compares with the answer that lies beside it.
fn answered(client: &str, terms: &Terms<'_>) -> (Negotiated, String) {
    let (negotiated, text) = answer_text(&offer_text(client), terms).unwrap();
    let kept = fixture(&format!("{client}.answer.sdp"));
    if std::env::var_os("UPDATE_ANSWERS").is_some() {
        std::fs::write(&kept, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&kept).unwrap(), "{client} is answered otherwise than before");
    (negotiated, text)
}

fn received(negotiated: &Negotiated) -> &[ReceivedMedia] {
    match &negotiated.media {
        NegotiatedMedia::Received { media, .. } => media,
        NegotiatedMedia::Sent { .. } => panic!("it watches"),
    }
}

fn sent(negotiated: &Negotiated) -> &[SentMedia] {
    match &negotiated.media {
        NegotiatedMedia::Sent { media, .. } => media,
        NegotiatedMedia::Received { .. } => panic!("it publishes"),
    }
}

fn codec(codec: Codec, payload_type: u8, rtx: Option<u8>) -> PayloadCodec {
    PayloadCodec { codec, payload_type, rtx }
}

const ALL_FEEDBACK: Feedback = Feedback { nack: true, pli: true, fir: true, transport_cc: true, remb: true };

mod publishers {
    use super::*;

    #[test]
    fn chromium_with_three_layers() {
        let (negotiated, text) = answered("chromium-publish-simulcast", &PUBLISH);
        assert_eq!(negotiated.dtls, DtlsRole::Server);
        assert_eq!(negotiated.ice.ufrag, "HeIo");
        assert_eq!(negotiated.candidates.len(), 2, "the TCP ones are dropped");
        let [audio, video] = received(&negotiated) else { panic!("two sections") };
        assert_eq!(audio.codec, codec(Codec::Opus, 111, None));
        assert_eq!(video.codec, codec(Codec::Vp8, 96, Some(97)));
        assert_eq!(video.rids, ["l", "m", "h"]);
        assert_eq!(video.feedback, ALL_FEEDBACK);
        assert_eq!(
            video.extensions,
            ExtensionIds {
                mid: Some(4),
                rid: Some(10),
                repaired_rid: Some(11),
                abs_send_time: Some(2),
                transport_cc: Some(3),
                video_orientation: Some(13),
                ..ExtensionIds::default()
            }
        );
        assert!(text.contains("a=simulcast:recv l;m;h\r\n"));
        assert!(text.contains("b=TIAS:12000000\r\n"));
        assert!(!text.contains("dependency-descriptor"));
        assert_eq!(text.matches("a=candidate:").count(), 2);
        assert_eq!(text.matches("a=end-of-candidates").count(), 1);
        assert_eq!(text.matches("a=rtcp-mux-only").count(), 2, "in every bundled section");
    }

    #[test]
    fn chromium_without_layers_announces_its_streams() {
        let (negotiated, _) = answered("chromium-publish", &PUBLISH);
        let [audio, video] = received(&negotiated) else { panic!("two sections") };
        assert!(matches!(audio.ssrcs[..], [(_, None)]));
        assert!(matches!(video.ssrcs[..], [(_, Some(_))]));
        assert!(video.rids.is_empty());
    }

    #[test]
    fn firefox_with_three_layers_and_everything_but_the_media_at_session_level() {
        let (negotiated, text) = answered("firefox-publish-simulcast", &PUBLISH);
        assert_eq!(negotiated.ice.ufrag, "4364fbac");
        assert_eq!(negotiated.candidates, [], "its addresses hide behind .local names");
        let [_, video] = received(&negotiated) else {
            panic!("the bundled section counts, though its port is 0")
        };
        assert_eq!(video.codec, codec(Codec::Vp8, 120, Some(124)));
        assert_eq!(video.rids, ["l", "m", "h"]);
        assert_eq!(video.ssrcs.len(), 3);
        assert!(video.ssrcs.iter().all(|(_, repair)| repair.is_some()));
        assert!(text.contains("a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"));
        assert!(text.contains("stereo=1"));
    }

    #[test]
    fn ffmpeg_wants_to_be_the_dtls_server_and_knows_no_pli() {
        let (negotiated, text) = answered("ffmpeg-publish", &PUBLISH);
        assert_eq!(negotiated.dtls, DtlsRole::Client);
        assert!(text.contains("a=setup:active\r\n"));
        let [audio, video] = received(&negotiated) else { panic!("two sections") };
        assert_eq!(audio.codec, codec(Codec::Opus, 111, None));
        assert_eq!(video.codec, codec(Codec::H264 { profile_level_id: 0x42_001e }, 106, Some(105)));
        assert_eq!(video.feedback, Feedback { nack: true, ..Feedback::default() });
        assert_eq!(video.ssrcs, [(3_253_412_686, Some(3_253_412_687))]);
        assert_eq!(video.extensions, ExtensionIds::default());
    }

    #[test]
    fn obs_s_library() {
        let (negotiated, text) = answered("libdatachannel-publish", &PUBLISH);
        let [audio, video] = received(&negotiated) else { panic!("two sections") };
        assert_eq!((audio.mid.as_str(), video.mid.as_str()), ("audio", "video"));
        assert_eq!(audio.ssrcs, [(1111, None)]);
        assert_eq!(video.codec, codec(Codec::H264 { profile_level_id: 0x42_e01f }, 96, None));
        assert!(text.contains("a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1\r\n"));
        assert!(text.contains("a=group:BUNDLE audio video\r\n"));
    }

    #[test]
    fn gstreamer_with_its_picture_first() {
        let (negotiated, _) = answered("gstreamer-publish", &PUBLISH);
        assert_eq!(negotiated.kinds(), [MediaKind::Video, MediaKind::Audio]);
        let [video, audio] = received(&negotiated) else { panic!("two sections") };
        assert_eq!(audio.codec, codec(Codec::Opus, 97, None));
        assert!(!video.feedback.transport_cc, "it offers the feedback without the extension that it needs");
        assert!(video.feedback.pli && video.feedback.fir && !video.feedback.nack);
    }

    #[test]
    fn aiortc_with_three_fingerprints() {
        let (negotiated, _) = answered("aiortc-publish", &PUBLISH);
        assert_eq!(negotiated.fingerprints.len(), 3);
        assert_eq!(received(&negotiated)[1].codec, codec(Codec::Vp8, 97, Some(98)));
    }

    #[test]
    fn a_stream_without_sound_or_without_a_picture() {
        let offer = offer_text("libdatachannel-publish");
        let video_at = offer.find("m=video").unwrap();
        let alone = offer[..video_at].replace("BUNDLE audio video", "BUNDLE audio");
        let (negotiated, text) = answer_text(&alone, &PUBLISH).unwrap();
        assert_eq!(negotiated.kinds(), [MediaKind::Audio]);
        assert!(!text.contains("b=TIAS"));
    }

    #[test]
    fn the_first_codec_in_their_order_counts() {
        let offer = offer_text("chromium-publish");
        let first_line = offer.lines().find(|line| line.starts_with("m=video")).unwrap();
        for (order, expected) in [
            ("104 102 96", codec(Codec::H264 { profile_level_id: 0x42_001f }, 102, None)),
            ("118 100 96 101", codec(Codec::Vp9 { profile: 2 }, 100, Some(101))),
            ("45 46", codec(Codec::Av1 { profile: 0 }, 45, Some(46))),
        ] {
            let other = offer.replace(first_line, &format!("m=video 9 UDP/TLS/RTP/SAVPF {order}"));
            let (negotiated, _) = answer_text(&other, &PUBLISH).unwrap();
            assert_eq!(received(&negotiated)[1].codec, expected, "{order}");
        }
    }
}

mod viewers {
    use super::*;

    #[test]
    fn chromium_is_answered_every_codec_the_source_s_first() {
        let (negotiated, text) =
            answered("chromium-watch", &watch(Codec::H264 { profile_level_id: 0x42_e034 }));
        let [audio, video] = sent(&negotiated) else { panic!("two sections") };
        assert_eq!(audio.codecs, [codec(Codec::Opus, 111, None)]);
        assert_eq!((audio.ssrc, audio.rtx_ssrc), (1001, None));
        assert!(
            audio.feedback.transport_cc,
            "it is never repeated, so it may carry a number of its own each time"
        );
        let order: Vec<u8> = video.codecs.iter().map(|codec| codec.payload_type).collect();
        assert_eq!(order, [108, 102, 116, 41, 96, 98, 100, 35, 37, 45, 47], "42e0 first, then any H264");
        assert_eq!((video.ssrc, video.rtx_ssrc), (2001, Some(2002)));
        assert_eq!(video.extensions.playout_delay, Some(5));
        assert_eq!(video.extensions.rid, None);
        assert!(text.contains("a=ssrc-group:FID 2001 2002\r\na=ssrc:2001 cname:live\r\n"));
        assert!(text.contains("a=msid:live audio\r\n") && text.contains("a=msid:live video\r\n"));
        assert!(!text.contains("b=TIAS"));
    }

    #[test]
    fn chromium_may_offer_to_send_and_a_data_channel_is_refused_alone() {
        let (negotiated, text) = answered("chromium-watch-data", &watch(Codec::Vp8));
        assert_eq!(negotiated.kinds(), [MediaKind::Audio, MediaKind::Video]);
        assert!(text.contains("a=group:BUNDLE 0 1\r\n"));
        assert!(text.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
        assert_eq!(text.matches("a=sendonly").count(), 2);
    }

    #[test]
    fn firefox() {
        let (negotiated, _) = answered("firefox-watch", &watch(Codec::Vp9 { profile: 0 }));
        let order: Vec<u8> = sent(&negotiated)[1].codecs.iter().map(|codec| codec.payload_type).collect();
        assert_eq!(order, [121, 120, 99]);
        answered("firefox-watch-data", &watch(Codec::Vp8));
    }

    #[test]
    fn without_rtx_nothing_is_negotiated_that_differs_in_a_repeat() {
        let (negotiated, _) = answered("libdatachannel-watch-data", &watch(Codec::Vp8));
        let video = &sent(&negotiated)[1];
        assert!(video.feedback.nack);
        assert_eq!(video.rtx_ssrc, None);
        let offer = offer_text("chromium-watch");
        let no_rtx = offer.replace(" rtx/90000", " other/90000");
        let (negotiated, text) = answer_text(&no_rtx, &watch(Codec::Vp8)).unwrap();
        let video = &sent(&negotiated)[1];
        assert_eq!((video.extensions.transport_cc, video.extensions.abs_send_time), (None, None));
        assert!(!video.feedback.transport_cc);
        assert_eq!(text.matches("transport-wide-cc").count(), 1, "for the sound alone");
    }

    #[test]
    fn gstreamer_and_aiortc() {
        let (negotiated, _) = answered("gstreamer-watch", &watch(Codec::Vp8));
        assert_eq!(sent(&negotiated)[1].codecs, [codec(Codec::Vp8, 96, None)]);
        let (negotiated, _) = answered("aiortc-watch", &watch(Codec::Vp8));
        assert_eq!(sent(&negotiated)[1].codecs.len(), 3);
    }

    #[test]
    fn a_kind_that_the_live_lacks_is_answered_and_stays_silent() {
        let source = SourceCodecs { audio: None, video: Some(Codec::Vp8) };
        let terms = Terms::Watch { source, cname: "live", ssrcs: [1, 2, 3, 4] };
        let (negotiated, text) = answer_text(&offer_text("chromium-watch"), &terms).unwrap();
        assert_eq!(negotiated.kinds(), [MediaKind::Audio, MediaKind::Video]);
        assert_eq!(text.matches("a=sendonly").count(), 2);
    }

    #[test]
    fn a_codec_that_the_viewer_lacks_refuses_the_whole_offer() {
        let refused = answer_text(&offer_text("gstreamer-watch"), &watch(Codec::Av1 { profile: 0 }));
        let reason = Unsupported::NoCodec { mid: "video1".into(), wanted: "AV1".into() };
        assert_eq!(refused.unwrap_err(), OfferError::Unsupported(reason));
        let other_profile = watch(Codec::Vp9 { profile: 2 });
        assert!(answer_text(&offer_text("firefox-watch"), &other_profile).is_err());
    }
}

mod refusals {
    use super::*;

    fn refusal(offer: &str, terms: &Terms<'_>) -> OfferError {
        answer_text(offer, terms).unwrap_err()
    }

    fn unsupported(offer: &str, terms: &Terms<'_>) -> Unsupported {
        match refusal(offer, terms) {
            OfferError::Unsupported(reason) => reason,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_direction_has_to_fit_the_purpose() {
        let offer = offer_text("libdatachannel-publish");
        for direction in ["sendonly", "sendrecv"] {
            let (_, text) =
                answer_text(&offer.replace("a=sendonly", &format!("a={direction}")), &PUBLISH).unwrap();
            assert_eq!(text.matches("a=recvonly").count(), 2);
        }
        for direction in ["recvonly", "inactive"] {
            let reason = unsupported(&offer.replacen("a=sendonly", &format!("a={direction}"), 1), &PUBLISH);
            assert!(
                matches!(reason, Unsupported::Direction { offered, wanted: "sendonly", .. } if offered == direction)
            );
        }
        let offer = offer_text("gstreamer-watch");
        for direction in ["sendonly", "inactive"] {
            let reason =
                unsupported(&offer.replacen("a=recvonly", &format!("a={direction}"), 1), &watch(Codec::Vp8));
            assert!(
                matches!(reason, Unsupported::Direction { offered, wanted: "recvonly", .. } if offered == direction)
            );
        }
    }

    #[test]
    fn one_of_each_kind_in_one_bundle_and_one_stream() {
        let offer = offer_text("libdatachannel-publish");
        let twice = offer.replace("m=audio", "m=video");
        assert_eq!(unsupported(&twice, &PUBLISH), Unsupported::SeveralOf("video"));
        let apart = offer.replace("BUNDLE audio video", "BUNDLE audio");
        assert_eq!(unsupported(&apart, &PUBLISH), Unsupported::NotBundled);
        let no_group = offer.replace("a=group:BUNDLE audio video\r\n", "");
        assert_eq!(unsupported(&no_group, &PUBLISH), Unsupported::NotBundled);
        let streams = offer.replace("a=msid:live audio", "a=msid:other audio");
        assert_eq!(unsupported(&streams, &PUBLISH), Unsupported::SeveralStreams);
        let streamless = offer.replace("a=msid:live audio", "a=msid:- audio");
        assert!(answer_text(&streamless, &PUBLISH).is_ok());
    }

    #[test]
    fn nothing_is_accepted_in_part() {
        let offer = offer_text("libdatachannel-publish");
        let no_codec = offer.replace("opus/48000/2", "PCMU/8000");
        assert!(
            matches!(unsupported(&no_codec, &PUBLISH), Unsupported::NoCodec { mid, .. } if mid == "audio")
        );
        let mode_0 = offer.replace("packetization-mode=1", "packetization-mode=0");
        assert!(matches!(unsupported(&mode_0, &PUBLISH), Unsupported::NoCodec { mid, .. } if mid == "video"));
    }

    #[test]
    fn what_the_transport_needs() {
        let offer = offer_text("libdatachannel-publish");
        assert!(matches!(
            unsupported(&offer.replace("a=rtcp-mux\r\n", ""), &PUBLISH),
            Unsupported::NoRtcpMux(_)
        ));
        let plain = offer.replace("UDP/TLS/RTP/SAVPF", "UDP/RTP/NOTHING");
        assert!(matches!(unsupported(&plain, &PUBLISH), Unsupported::NotSecured(_)));
        let weak = offer.replace("sha-256", "sha-1");
        assert_eq!(unsupported(&weak, &PUBLISH), Unsupported::NoFingerprint);
        let lite = offer.replace("a=ice-options:ice2,trickle\r\n", "a=ice-lite\r\n");
        assert_eq!(unsupported(&lite, &PUBLISH), Unsupported::IceLite);
        assert_eq!(unsupported(&offer.replace("actpass", "holdconn"), &PUBLISH), Unsupported::HoldConnection);
    }

    #[test]
    fn every_setup_gets_its_counterpart() {
        let offer = offer_text("libdatachannel-publish");
        let lines = "a=setup:actpass\r\n";
        for (setup, role) in [
            (lines, DtlsRole::Server),
            ("a=setup:active\r\n", DtlsRole::Server),
            ("", DtlsRole::Server),
            ("a=setup:passive\r\n", DtlsRole::Client),
        ] {
            let (negotiated, _) = answer_text(&offer.replace(lines, setup), &PUBLISH).unwrap();
            assert_eq!(negotiated.dtls, role, "{setup:?}");
        }
    }

    #[test]
    fn malformed_is_told_from_unsupported_and_from_too_large() {
        let offer = offer_text("libdatachannel-publish");
        for text in [
            String::new(),
            "hello".into(),
            "v=0\r\n".into(),
            "{\"sdp\": \"v=0\"}".into(),
            offer.replace("v=0\r\n", ""),
            offer.replace("a=ice-ufrag:CU70\r\n", ""),
            offer.replace("a=ice-pwd:g79nz3BDFxaRC5r+EPqi4i\r\n", ""),
            offer.replace("CU70", "CU7"),
            offer.replace("CU70", "CU 70"),
            offer.replace("setup:actpass", "setup:maybe"),
            offer.replace("a=mid:audio", "a=mid:video"),
            offer.replace("a=mid:audio", "a=mid:an audio"),
            offer.replace("m=audio 38584", "m=audio 99999"),
        ] {
            let error = refusal(&text, &PUBLISH);
            assert_eq!(error.code(), Code::BadRequest, "{error}: {text:.60}");
        }
        let large = format!("{offer}a=x:{}\r\n", "y".repeat(MAX_OFFER));
        assert_eq!(refusal(&large, &PUBLISH).code(), Code::TooLarge);
        let many = format!("{offer}{}", "m=application 9 UDP/DTLS/SCTP x\r\n".repeat(MAX_SECTIONS - 1));
        assert_eq!(unsupported(&many, &PUBLISH), Unsupported::TooManySections(MAX_SECTIONS + 1));
        assert_eq!(OfferError::from(Unsupported::NoMedia).code(), Code::Invalid);
        let nothing = offer[..offer.find("m=audio").unwrap()].to_owned()
            + "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n";
        assert_eq!(unsupported(&nothing, &PUBLISH), Unsupported::NoMedia);
    }

    #[test]
    fn a_reason_quotes_little_of_what_came_and_nothing_unprintable() {
        let hostile = format!("v=0\r\nx{}\u{7}=1\r\n", "y".repeat(5000));
        let reason = refusal(&hostile, &PUBLISH).to_string();
        assert!(reason.len() < 300 && !reason.contains(char::is_control), "{reason:?}");
    }

    #[test]
    fn stopped_sections_stay_stopped_and_do_not_count() {
        let offer = offer_text("libdatachannel-publish")
            .replace("m=audio", "m=video 0 UDP/TLS/RTP/SAVPF 120\r\na=mid:old\r\na=inactive\r\nm=audio");
        let (negotiated, text) = answer_text(&offer, &PUBLISH).unwrap();
        assert_eq!(negotiated.kinds(), [MediaKind::Audio, MediaKind::Video]);
        let sections: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(sections[0], "m=video 0 UDP/TLS/RTP/SAVPF 120");
        assert_eq!(sections.len(), 3, "as many as were offered, in the same order");
    }
}

mod restarts {
    use super::*;

    #[test]
    fn a_restart_by_offer_changes_ice_alone() {
        let text = offer_text("chromium-watch");
        let (mut negotiated, first) = answer_text(&text, &watch(Codec::Vp8)).unwrap();
        let before = negotiated.clone();
        let restarting =
            text.replace("iqFO", "new1").replace("ob5iklg7B2V8OJsnPCSBFXPN", "abcdefghijklmnopqrstuvwx");
        let offer = Offer::parse(&restarting).unwrap();
        let new = IceCredentials { ufrag: "next".into(), pwd: "another+password+of+ours".into() };
        let second = with_local(|local| {
            answer_restart(&offer, &mut negotiated, &LocalSide { ice: &new, session_version: 2, ..*local })
        })
        .unwrap();
        assert_eq!(negotiated.ice.ufrag, "new1");
        assert_eq!(negotiated.media, before.media);
        let expected = first
            .replace(&our_ice().ufrag, &new.ufrag)
            .replace(&our_ice().pwd, &new.pwd)
            .replace("387904 1 IN", "387904 2 IN");
        assert_eq!(second, expected);
    }

    #[test]
    fn a_restart_that_changes_more_is_refused_and_leaves_all_as_it_was() {
        let text = offer_text("chromium-watch");
        let (mut negotiated, _) = answer_text(&text, &watch(Codec::Vp8)).unwrap();
        let before = negotiated.clone();
        let mut refusal = |text: &str| {
            let offer = Offer::parse(text).unwrap();
            let error = with_local(|local| answer_restart(&offer, &mut negotiated, local)).unwrap_err();
            assert_eq!(negotiated, before);
            error
        };
        assert_eq!(refusal(&text), Unsupported::NoRestart.into());
        let restarting = text.replace("iqFO", "new1");
        for changed in [
            restarting.replace("C4:88", "C4:89"),
            restarting.replace("actpass", "passive"),
            restarting.replace("a=rtpmap:96 VP8", "a=rtpmap:96 AV1"),
            restarting.replace("apt=96", "apt=97"),
            restarting.replace("recvonly", "sendonly"),
            restarting.replace("mid:1", "mid:2").replace("BUNDLE 0 1", "BUNDLE 0 2"),
        ] {
            assert!(matches!(refusal(&changed), OfferError::Unsupported(Unsupported::RestartChanges(_))));
        }
    }

    #[test]
    fn a_restart_by_fragment_keeps_what_the_answer_said_of_ice() {
        let (negotiated, answer) = answer_text(&offer_text("chromium-watch"), &watch(Codec::Vp8)).unwrap();
        let text = with_local(|local| restart_fragment(&negotiated, local));
        for line in answer.lines().filter(|line| line.starts_with("a=ice-") || line.starts_with("a=group")) {
            assert!(text.contains(line), "{line}");
        }
        let fragment = Fragment::parse(&text).unwrap();
        assert_eq!(fragment.ice, Some(our_ice()));
        assert_eq!(fragment.candidates.len(), 2);
        assert!(fragment.end_of_candidates);
    }
}

mod fragments {
    use super::*;

    const TRICKLE: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=group:BUNDLE 0 1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
        a=candidate:1 1 udp 2122260223 5c957eb6-534b.local 61764 typ host\r\n\
        a=candidate:2 1 udp 2122260223 fe80::1%2 61764 typ host\r\n\
        a=candidate:3471623853 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n\
        a=candidate:4 1 udp 2122260223 192.0.2.1 99999 typ host\r\n\
        a=candidate:garbage\r\n\
        a=candidate:5 1 udp 1122260223 198.51.100.1 5000 typ srflx raddr 0.0.0.0 rport 0\r\n\
        a=end-of-candidates\r\n";

    #[test]
    fn what_cannot_be_used_is_dropped_and_the_rest_is_taken() {
        let fragment = Fragment::parse(TRICKLE).unwrap();
        let addresses: Vec<String> =
            fragment.candidates.iter().map(|each| each.address.to_string()).collect();
        assert_eq!(addresses, ["192.0.2.1:61764", "198.51.100.1:5000"]);
        assert!(fragment.end_of_candidates);
        let ice = fragment.ice.clone().unwrap();
        assert_eq!(fragment.restarts(&ice), None);
        assert_eq!(fragment.restarts(&our_ice()), Some(&ice));
    }

    #[test]
    fn line_ends_and_order_do_not_matter() {
        let unix = TRICKLE.replace("\r\n", "\n");
        assert_eq!(Fragment::parse(&unix), Fragment::parse(TRICKLE));
        assert!(Fragment::parse("a=end-of-candidates").unwrap().end_of_candidates);
    }

    #[test]
    fn what_is_no_fragment_is_refused() {
        for text in [
            "",
            "\r\n\r\n",
            "candidate:1 1 udp 1 192.0.2.1 1 typ host",
            "v=0\r\na=end-of-candidates\r\n",
            "a=ice-ufrag:EsAw\r\n",
            "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
            "a=ice-ufrag:Es\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
            "a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n",
            "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n",
        ] {
            assert_eq!(Fragment::parse(text).map_err(FragmentError::code), Err(Code::BadRequest), "{text:?}");
        }
        let large = "a=end-of-candidates\r\n".repeat(4000);
        assert_eq!(Fragment::parse(&large).map_err(FragmentError::code), Err(Code::TooLarge));
    }

    #[test]
    fn a_flood_of_candidates_is_cut() {
        let flood = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(1000);
        assert_eq!(Fragment::parse(&flood).unwrap().candidates.len(), candidate::MAX_CANDIDATES);
    }
}

/// Recorded offers with lines dropped, doubled, swapped and letters changed: near enough to SDP to get deep.
fn damaged_offer() -> impl Strategy<Value = String> {
    let names = vec![
        "chromium-publish-simulcast",
        "firefox-watch-data",
        "libdatachannel-watch-data",
        "aiortc-publish",
    ];
    let damage = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..6u8, any::<char>());
    (prop::sample::select(names), prop::collection::vec(damage, 1..12)).prop_map(|(name, damages)| {
        let text = offer_text(name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (first, second, how, letter) in damages {
            let (first, second) = (first.index(lines.len()), second.index(lines.len()));
            match how {
                0 if lines.len() > 1 => drop(lines.remove(first)),
                1 => lines.insert(second, lines[first].clone()),
                2 => lines.swap(first, second),
                3 => {
                    let cut = lines[first].chars().take(second).collect();
                    lines[first] = cut;
                }
                4 => lines[first].push(letter),
                _ => lines[first] = lines[first].replacen(' ', &letter.to_string(), 1),
            }
        }
        lines.join("\r\n") + "\r\n"
    })
}

proptest! {
    #[test]
    fn damaged_offers_are_answered_or_refused_but_never_break_anything(text in damaged_offer()) {
        for terms in [PUBLISH, watch(Codec::Vp8)] {
            let Ok((negotiated, answer)) = answer_text(&text, &terms) else { continue };
            prop_assert!(!negotiated.kinds().is_empty());
            prop_assert!(!negotiated.fingerprints.is_empty());
            // An answer is SDP itself, with a section for each that was offered and no line smuggled in.
            let offered = text.lines().filter(|line| line.starts_with("m=")).count();
            prop_assert_eq!(answer.matches("\r\nm=").count(), offered);
            prop_assert!(answer.lines().all(|line| line.as_bytes()[1] == b'=' && !line.contains('\r')));
            let again = rtc_sdp::SessionDescription::unmarshal(&mut std::io::Cursor::new(&answer));
            prop_assert_eq!(again.unwrap().media_descriptions.len(), offered);
        }
    }

    #[test]
    fn arbitrary_text_never_breaks_anything(text in "\\PC{0,400}", lines in prop::collection::vec("[vostmac]=[ -~]{0,40}", 0..60)) {
        let _ = Offer::parse(&text);
        let _ = Offer::parse(&lines.join("\n"));
        let _ = Fragment::parse(&text);
        let _ = Fragment::parse(&lines.join("\r\n"));
        let _ = Candidate::parse(&text);
    }
}

#[test]
fn what_is_kept_of_the_largest_offers_is_bounded() {
    let offer = offer_text("libdatachannel-publish");
    let [head, video] = ["m=audio", "m=video"].map(|at| offer.find(at).unwrap());
    let flood = |line: &str| {
        let room = MAX_OFFER - offer.len() - 200;
        let lines: String =
            (0..).map(|n| line.replace('#', &n.to_string()) + "\r\n").take(room / (line.len() + 6)).collect();
        format!("{}{lines}{}", &offer[..video], &offer[video..])
    };
    for line in [
        "a=ssrc:# cname:x",
        "a=rid:# send",
        "a=candidate:# 1 udp 1 192.0.2.1 1 typ host",
        "a=extmap:1 urn:#",
        "a=msid:s# t",
        "a=",
    ] {
        let parsed = Offer::parse(&flood(line)).unwrap();
        let section = &parsed.sections[0];
        let kept =
            section.ssrcs.len() + section.extensions.len() + section.streams.len() + parsed.candidates.len();
        assert!(kept <= 64, "{line}: {kept}");
    }
    let formats: String = (0..20_000).map(|_| " 96").collect();
    let many = format!(
        "{}m=audio 9 UDP/TLS/RTP/SAVPF{formats}\r\na=mid:audio\r\n{}",
        &offer[..head],
        &offer[video..]
    );
    assert_eq!(Offer::parse(&many).unwrap().sections[0].formats.len(), 1);
}
