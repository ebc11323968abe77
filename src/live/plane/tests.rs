//! The plane with real sockets on loopback, against clients made of other code. Nothing here waits for a fixed time:
//! what is expected is waited for, and what must not come is shown by what comes after it.

mod client;

use super::*;
use client::{Client, Manner, Offering, Purpose, payload, vp8};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_srtp::protection_profile::ProtectionProfile;
use std::{collections::VecDeque, net::Ipv4Addr, time::Duration};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    plane: MediaPlane,
    events: mpsc::Receiver<MediaEvent>,
    told: VecDeque<MediaEvent>,
    relay: Arc<Relay>,
}

impl Stage {
    fn new(change: impl FnOnce(&mut PlaneSettings)) -> Self {
        let mut settings = PlaneSettings::at("127.0.0.1:0".parse().expect("an address"));
        settings.shards = 2;
        change(&mut settings);
        let (plane, events) = MediaPlane::open(settings).expect("opens");
        let relay = plane.new_source();
        Self { plane, events, told: VecDeque::new(), relay }
    }

    fn answered(&self, purpose: Purpose, manner: &Manner) -> (PeerId, Client) {
        let offering = Offering::new(purpose, manner);
        let prepared = match purpose {
            Purpose::Publish => self.plane.publish(&self.relay, &offering.offer, HERE),
            Purpose::Watch => self.plane.watch(&self.relay, &offering.offer, HERE),
        };
        let prepared = prepared.expect("answered");
        (prepared.peer, offering.answered(&prepared.answer))
    }

    fn connected(&self, purpose: Purpose, manner: &Manner) -> (PeerId, Client) {
        let (peer, mut client) = self.answered(purpose, manner);
        assert!(client.connect(), "{purpose:?} {manner:?}");
        (peer, client)
    }

    /// Waits for an event; those before it are kept for others.
    fn wait_for(&mut self, what: impl Fn(&MediaEvent) -> bool) -> MediaEvent {
        let start = Instant::now();
        loop {
            if let Some(at) = self.told.iter().position(&what) {
                return self.told.remove(at).expect("found");
            }
            match self.events.try_recv() {
                Ok(MediaEvent::Figures(_)) => {}
                Ok(event) => self.told.push_back(event),
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
            assert!(start.elapsed() < PATIENCE, "it never came; there is {:?}", self.told);
        }
    }

    fn wait_for_end(&mut self, peer: PeerId) -> PeerEnd {
        match self
            .wait_for(|event| matches!(event, MediaEvent::Closed { peer: closed, .. } if *closed == peer))
        {
            MediaEvent::Closed { reason, .. } => reason,
            _ => unreachable!("it was asked for"),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.plane.stop();
    }
}

/// Reads until as many packets have come.
fn read(client: &mut Client, packets: usize) {
    let start = Instant::now();
    while client.packets.len() < packets && start.elapsed() < PATIENCE {
        client.receive();
    }
    assert_eq!(client.packets.len(), packets);
}

#[test]
fn what_one_publishes_others_watch_byte_for_byte_on_every_shard() {
    let mut stage = Stage::new(|_| ());
    let (publishing, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    let sent: Vec<_> = (0..40).map(|number| vp8(number, 20, 300 + usize::from(number))).collect();
    publisher.send(&sent[0]);
    stage.wait_for(|event| *event == MediaEvent::MediaStarted { peer: publishing });

    // Six viewers are on both shards but once in 32 runs, and then they show no less.
    let mut viewers: Vec<_> = (0..6).map(|_| stage.connected(Purpose::Watch, &Manner::default()).1).collect();
    for viewer in &mut viewers {
        read(viewer, 1);
    }
    for packet in &sent[1..] {
        publisher.send(packet);
        for viewer in &mut viewers {
            let next = viewer.packets.len() + 1;
            read(viewer, next);
        }
    }
    for viewer in &viewers {
        let got: Vec<_> = viewer.packets.iter().map(|packet| payload(packet)).collect();
        assert_eq!(got, sent.iter().map(|packet| payload(packet)).collect::<Vec<_>>());
        let sequences = viewer.packets.iter().map(|packet| u16::from_be_bytes([packet[2], packet[3]]));
        let first = u16::from_be_bytes([viewer.packets[0][2], viewer.packets[0][3]]);
        assert!(sequences.eq(first..first + 40), "no hole, nothing twice");
        assert!(first < 1 << 15);
    }
    assert_eq!(stage.relay.viewers(), 6);
}

#[test]
fn either_side_opens_the_handshake_and_gcm_is_preferred() {
    let stage = Stage::new(|_| ());
    for setup in ["actpass", "active", "passive"] {
        let manner = Manner { setup, ..Manner::default() };
        let (_, client) = stage.connected(Purpose::Publish, &manner);
        // As a client the server picks; as a server the library's choice is ours.
        let is_gcm = matches!(client.profile(), Some(ProtectionProfile::AeadAes128Gcm));
        assert!(is_gcm || setup == "passive", "{setup}: {:?}", client.profile());
    }
}

#[test]
fn a_viewer_without_gcm_watches_a_publisher_with_it() {
    let mut stage = Stage::new(|_| ());
    let (publishing, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    publisher.send(&vp8(0, 20, 500));
    stage.wait_for(|event| *event == MediaEvent::MediaStarted { peer: publishing });
    let old =
        Manner { profiles: vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80], ..Manner::default() };
    let (_, mut viewer) = stage.connected(Purpose::Watch, &old);
    publisher.send(&vp8(1, 20, 500));
    read(&mut viewer, 2);
    assert_eq!(payload(&viewer.packets[1]), payload(&vp8(1, 20, 500)));
}

#[test]
fn goodbyes_travel_both_ways() {
    let mut stage = Stage::new(|_| ());
    let (closing, mut client) = stage.connected(Purpose::Publish, &Manner::default());
    stage.plane.close(closing);
    let start = Instant::now();
    while !client.is_closed && start.elapsed() < PATIENCE {
        client.receive();
    }
    assert!(client.is_closed);
    assert_eq!(stage.wait_for_end(closing), PeerEnd::Closed);

    let (leaving, mut client) = stage.connected(Purpose::Publish, &Manner::default());
    client.close();
    assert_eq!(stage.wait_for_end(leaving), PeerEnd::ClosedByPeer);
    assert_eq!(stage.plane.trickle(leaving), Err(RestartError::NoSuchPeer));
}

#[test]
fn everybody_is_told_when_the_plane_stops() {
    let mut stage = Stage::new(|_| ());
    let (here, mut client) = stage.connected(Purpose::Publish, &Manner::default());
    let (awaited, _) = stage.answered(Purpose::Publish, &Manner::default());
    stage.plane.stop();
    assert_eq!(stage.wait_for_end(here), PeerEnd::Closed);
    assert_eq!(stage.wait_for_end(awaited), PeerEnd::Closed);
    while !client.is_closed {
        assert!(client.receive(), "the goodbye is on its way before the plane has stopped");
    }
    let offer = Offering::new(Purpose::Publish, &Manner::default()).offer;
    assert!(matches!(stage.plane.publish(&stage.relay, &offer, HERE), Err(PrepareError::Stopped)));
}

#[test]
fn another_certificate_than_offered_gets_nowhere() {
    let mut stage = Stage::new(|_| ());
    let (peer, mut client) =
        stage.answered(Purpose::Publish, &Manner { is_honest: false, ..Manner::default() });
    client.connect();
    assert_eq!(stage.wait_for_end(peer), PeerEnd::DtlsFailed);
}

#[test]
fn garbage_replays_and_forgeries_stop_nothing() {
    let mut stage = Stage::new(|_| ());
    let (publishing, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    publisher.send(&vp8(0, 50, 500));
    stage.wait_for(|event| *event == MediaEvent::MediaStarted { peer: publishing });
    let (_, mut viewer) = stage.connected(Purpose::Watch, &Manner::default());
    read(&mut viewer, 1);
    for number in 1..40u16 {
        let sealed = publisher.seal(&vp8(number, 50, 500));
        let mut stranger = vp8(number, 50, 500);
        stranger[11] ^= 0xff;
        let stranger = publisher.seal(&stranger);
        let (socket, server) = publisher.raw();
        let mut forged = sealed.clone();
        forged[40] ^= 1;
        let odd: [&[u8]; 8] =
            [&[], &[0; 3], &[1; 40], &[25; 60], &[0x80; 12], &[0xff; 1500], &[0x80; 65_507], &forged];
        for datagram in odd {
            socket.send_to(datagram, server).expect("sent");
        }
        socket.send_to(&stranger, server).expect("sent");
        socket.send_to(&sealed, server).expect("sent");
        socket.send_to(&sealed, server).expect("sent");
        read(&mut viewer, usize::from(number) + 1);
    }
    for (number, packet) in viewer.packets.iter().enumerate() {
        assert_eq!(payload(packet), payload(&vp8(number as u16, 50, 500)));
    }
}

#[test]
fn a_viewer_that_moves_is_followed_and_its_stream_goes_on() {
    let mut stage = Stage::new(|_| ());
    let (publishing, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    publisher.send(&vp8(0, 200, 100));
    stage.wait_for(|event| *event == MediaEvent::MediaStarted { peer: publishing });
    let (_, mut viewer) = stage.connected(Purpose::Watch, &Manner::default());
    read(&mut viewer, 1);
    // Eight moves end on either shard but once in 128 runs.
    for number in 1..9 {
        viewer.move_away();
        while !viewer.is_checked {
            viewer.check();
            viewer.receive();
        }
        publisher.send(&vp8(number, 200, 100));
        read(&mut viewer, usize::from(number) + 1);
        let start = Instant::now();
        while viewer.challenges < usize::from(number) && start.elapsed() < PATIENCE {
            viewer.receive();
        }
        assert_eq!(viewer.challenges, usize::from(number), "it shows once that its new address is its own");
    }
}

#[test]
fn a_publisher_that_pauses_is_stalled_and_one_that_goes_on_is_back() {
    let mut stage = Stage::new(|settings| settings.stalled_after = Duration::from_millis(200));
    let (peer, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    publisher.send(&vp8(0, 20, 100));
    stage.wait_for(|event| *event == MediaEvent::Stalled { peer });
    publisher.send(&vp8(1, 20, 100));
    stage.wait_for(|event| *event == MediaEvent::Resumed { peer });
}

#[test]
fn who_never_comes_and_who_falls_silent_is_removed() {
    let mut stage = Stage::new(|settings| {
        settings.silence = Duration::from_secs(2);
        settings.absent_after = Duration::from_millis(500);
    });
    let (awaited, _) = stage.answered(Purpose::Publish, &Manner::default());
    let (publishing, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    publisher.send(&vp8(0, 20, 100));
    let (silent, _viewer) = stage.connected(Purpose::Watch, &Manner::default());
    stage.wait_for(|event| *event == MediaEvent::Attending { peer: silent, present: false });
    assert_eq!(stage.wait_for_end(silent), PeerEnd::Timeout);
    assert_eq!(stage.wait_for_end(publishing), PeerEnd::Timeout);
    assert_eq!(stage.wait_for_end(awaited), PeerEnd::Timeout);
    assert_eq!(stage.relay.viewers(), 0);
}

#[test]
fn a_publisher_over_its_bitrate_is_warned_and_then_closed() {
    let mut stage = Stage::new(|settings| {
        settings.publisher_bitrate = 10_000;
        settings.bitrate_patience = Duration::from_millis(1);
    });
    let (peer, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    let mut number = 0;
    let mut send = || {
        publisher.send(&vp8(number, 20, 1000));
        number += 1;
        thread::sleep(Duration::from_millis(10));
    };
    let mut is_warned = false;
    loop {
        send();
        match stage.events.try_recv() {
            Ok(MediaEvent::Warning { warning: PeerWarning::Bitrate { bitrate, limit }, .. }) => {
                assert!(bitrate > limit);
                is_warned = true;
            }
            Ok(MediaEvent::Closed { peer: closed, reason }) => {
                assert_eq!((closed, reason), (peer, PeerEnd::Bitrate));
                break;
            }
            _ => {}
        }
    }
    assert!(is_warned);
}

#[test]
fn half_open_peers_of_one_address_are_bounded_and_loopback_is_exempt() {
    let stage = Stage::new(|settings| {
        settings.half_open = 3;
        settings.peers = 8;
    });
    let offer = Offering::new(Purpose::Publish, &Manner::default()).offer;
    let from = |client: &str| {
        let client = client.parse().expect("an address");
        stage.plane.publish(&stage.relay, &offer, client).map(|_| ()).map_err(|error| error.to_string())
    };
    let full = Err(PrepareError::HalfOpen.to_string());
    for _ in 0..3 {
        assert_eq!(from("2001:db8::1"), Ok(()));
    }
    assert_eq!(from("2001:db8::2"), full, "one /64 is one client");
    assert_eq!(from("2001:db8:0:1::2"), Ok(()));
    for _ in 0..4 {
        assert_eq!(from("127.0.0.1"), Ok(()));
    }
    assert_eq!(from("127.0.0.1"), Err(PrepareError::Full.to_string()));
}

#[test]
fn after_a_restart_media_goes_where_the_new_credentials_lead() {
    let mut stage = Stage::new(|_| ());
    let (publishing, mut publisher) = stage.connected(Purpose::Publish, &Manner::default());
    publisher.send(&vp8(0, 200, 100));
    stage.wait_for(|event| *event == MediaEvent::MediaStarted { peer: publishing });
    let (watching, mut viewer) = stage.connected(Purpose::Watch, &Manner::default());
    read(&mut viewer, 1);
    let fragment = "a=ice-ufrag:new1\r\na=ice-pwd:another+password+of+a+client\r\n\
                    m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    let fragment = Fragment::parse(fragment).expect("a fragment");
    let restarted = stage.plane.restart_by_fragment(watching, &fragment).expect("restarted");
    assert!(restarted.answer.contains(&restarted.ice.ufrag));

    // Until the client checks with them, all stays as it was.
    publisher.send(&vp8(1, 200, 100));
    read(&mut viewer, 2);
    viewer.restart("new1", (&restarted.ice.ufrag, &restarted.ice.pwd));
    while !viewer.is_checked {
        viewer.check();
        viewer.receive();
    }
    publisher.send(&vp8(2, 200, 100));
    read(&mut viewer, 3);

    let again = stage.plane.restart_by_fragment(watching, &fragment);
    assert!(matches!(again, Err(RestartError::NotARestart)));
    stage.plane.close(watching);
    assert_eq!(stage.wait_for_end(watching), PeerEnd::Closed);
    assert!(matches!(stage.plane.restart_by_fragment(watching, &fragment), Err(RestartError::NoSuchPeer)));
}

#[test]
fn viewers_by_ipv4_and_ipv6_watch_one_publisher() {
    let mut stage = Stage::new(|settings| {
        settings.udp = "0.0.0.0:0".parse().expect("an address");
        settings.offers_loopback = true;
    });
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6: nothing to see here");
        return;
    }
    // Each finds in its answer the one way that it has.
    let connected = |stage: &Stage, purpose, family: &str| {
        let offering = Offering::new(purpose, &Manner::default());
        let prepared = match purpose {
            Purpose::Publish => stage.plane.publish(&stage.relay, &offering.offer, HERE),
            Purpose::Watch => stage.plane.watch(&stage.relay, &offering.offer, HERE),
        };
        let prepared = prepared.expect("answered");
        let is_its = |line: &&str| !line.starts_with("a=candidate:") || line.contains(&format!(" {family} "));
        let lines = prepared.answer.lines().filter(is_its);
        let mut client = offering.answered(&lines.map(|line| format!("{line}\r\n")).collect::<String>());
        assert!(client.connect(), "{purpose:?} by {family}");
        (prepared.peer, client)
    };
    let (publishing, mut publisher) = connected(&stage, Purpose::Publish, "::1");
    publisher.send(&vp8(0, 20, 300));
    stage.wait_for(|event| *event == MediaEvent::MediaStarted { peer: publishing });
    for family in ["127.0.0.1", "::1"] {
        let (_, mut viewer) = connected(&stage, Purpose::Watch, family);
        read(&mut viewer, 1);
    }
}

#[test]
fn a_second_process_cannot_share_the_port_unnoticed() {
    let stage = Stage::new(|_| ());
    let taken = PlaneSettings::at(std::net::SocketAddr::new(HERE, stage.plane.port()));
    assert!(MediaPlane::open(taken).is_err());
}
