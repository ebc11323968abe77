//! A thin WebRTC client for the stories and for the bench: the `rtc-*` crates' own DTLS, SRTP and STUN over one socket,
//! so that nothing of ours is tested by itself.

#![allow(dead_code, reason = "stories and bench each use a part of it")]

use bytes::BytesMut;
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder, HandshakeConfig},
    crypto::Certificate,
    crypto_provider::{RTCCryptoProvider, default_provider},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::TransportProtocol;
use rtc_srtp::{
    config::{Config, LABEL_EXTRACTOR_DTLS_SRTP},
    context::Context,
    option::{srtcp_replay_protection, srtp_replay_protection},
    protection_profile::ProtectionProfile,
};
use rtc_stun::{
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter},
};
use sha2::{Digest, Sha256};
use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

/// The publisher's SSRC, as its offer says.
pub(crate) const SSRC: u32 = 0x5eed;
/// The payload type of VP8 in every offer.
pub(crate) const VP8: u8 = 96;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It sends.
    Publish,
    /// It receives.
    Watch,
}

/// How a client sets its connection up.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// `actpass`, `active` or `passive`.
    pub(crate) setup: &'static str,
    /// SRTP profiles, in its order.
    pub(crate) profiles: Vec<SrtpProtectionProfile>,
    /// Whether the fingerprint in its offer is its certificate's.
    pub(crate) is_honest: bool,
}

impl Default for Manner {
    fn default() -> Self {
        use SrtpProtectionProfile as P;
        let profiles = vec![P::Srtp_Aes128_Cm_Hmac_Sha1_80, P::Srtp_Aead_Aes_128_Gcm];
        Self { setup: "actpass", profiles, is_honest: true }
    }
}

/// A client before its offer is answered.
pub(crate) struct Offering {
    config: Arc<HandshakeConfig>,
    provider: Arc<dyn RTCCryptoProvider>,
    is_dtls_client: bool,
    /// Its offer.
    pub(crate) offer: String,
}

const UFRAG: &str = "thin";
const PWD: &str = "a+thin+clients+password+0";

impl Offering {
    /// Makes a certificate and an offer.
    pub(crate) fn new(purpose: Purpose, manner: &Manner) -> Self {
        let provider = default_provider().expect("ring");
        let certificate =
            Certificate::generate_self_signed(vec!["thin".to_owned()], provider.crypto()).expect("made");
        let mut digest = Sha256::digest(&certificate.certificate[0]);
        if !manner.is_honest {
            digest[0] ^= 1;
        }
        let fingerprint: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let is_dtls_client = manner.setup != "passive";
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(manner.profiles.clone())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .build(is_dtls_client, None)
            .expect("a configuration");
        let direction = match purpose {
            Purpose::Publish => format!("a=sendonly\r\na=msid:thin video\r\na=ssrc:{SSRC} cname:thin\r\n"),
            Purpose::Watch => "a=recvonly\r\n".to_owned(),
        };
        let offer = format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF {VP8}\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n\
             a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PWD}\r\na=fingerprint:sha-256 {}\r\na=setup:{}\r\na=mid:0\r\n\
             {direction}a=rtpmap:{VP8} VP8/90000\r\na=rtcp-fb:{VP8} nack\r\na=rtcp-fb:{VP8} nack pli\r\n",
            fingerprint.join(":"),
            manner.setup,
        );
        Self { config: Arc::new(config), provider, is_dtls_client, offer }
    }

    /// Takes the answer and opens a socket.
    pub(crate) fn answered(self, answer: &str) -> Client {
        let value = |name: &str| {
            let line = answer.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
        };
        let candidate = value("a=candidate:");
        let fields: Vec<_> = candidate.split(' ').collect();
        let address = fields[4].parse().expect("an address");
        let server = SocketAddr::new(address, fields[5].parse().expect("a port"));
        let socket = Client::socket(server);
        let mut dtls = Endpoint::new(LOCAL, TransportProtocol::UDP, None);
        if !self.is_dtls_client {
            dtls.set_server_config(Some(self.config.clone()));
        }
        Client {
            socket,
            server,
            own_ufrag: UFRAG,
            ufrag: value("a=ice-ufrag:"),
            pwd: value("a=ice-pwd:"),
            dtls,
            config: self.config,
            provider: self.provider,
            is_dtls_client: self.is_dtls_client,
            protection: None,
            is_checked: false,
            is_closed: false,
            challenges: 0,
            reports: Vec::new(),
            packets: Vec::new(),
        }
    }
}

/// The bare library tells peers apart by address; there is one here.
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// A client whose offer was answered.
pub(crate) struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    own_ufrag: &'static str,
    ufrag: String,
    pwd: String,
    dtls: Endpoint,
    config: Arc<HandshakeConfig>,
    provider: Arc<dyn RTCCryptoProvider>,
    is_dtls_client: bool,
    protection: Option<(Context, Context, ProtectionProfile)>,
    /// A check of its was answered.
    pub(crate) is_checked: bool,
    /// The server said goodbye.
    pub(crate) is_closed: bool,
    /// Checks of the server's that it answered.
    pub(crate) challenges: usize,
    /// Compound packets that came, plain.
    pub(crate) reports: Vec<Vec<u8>>,
    /// Media that came, plain, in the order of arrival.
    pub(crate) packets: Vec<Vec<u8>>,
}

impl Client {
    fn socket(server: SocketAddr) -> UdpSocket {
        let socket = UdpSocket::bind((server.ip(), 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time-out");
        socket
    }

    /// Goes on from another port, as a phone does that changes its network; a check from there is due.
    pub(crate) fn move_away(&mut self) {
        self.socket = Self::socket(self.server);
        self.is_checked = false;
    }

    /// Goes on with other credentials on both sides, from another port.
    pub(crate) fn restart(&mut self, own_ufrag: &'static str, server: (&str, &str)) {
        self.own_ufrag = own_ufrag;
        (self.ufrag, self.pwd) = (server.0.to_owned(), server.1.to_owned());
        self.move_away();
    }

    /// The socket, for whoever wants to send something odd.
    pub(crate) fn raw(&self) -> (&UdpSocket, SocketAddr) {
        (&self.socket, self.server)
    }

    /// Sends a check that nominates.
    pub(crate) fn check(&self) {
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(
            self.pwd.clone(),
            self.provider.crypto(),
        );
        let mut message = Message::new();
        message.set_type(BINDING_REQUEST);
        message.new_transaction_id().expect("random");
        message.write_header();
        message.add(ATTR_USERNAME, format!("{}:{}", self.ufrag, self.own_ufrag).as_bytes());
        message.add(ATTR_ICE_CONTROLLING, &[7; 8]);
        message.add(ATTR_PRIORITY, &[110, 0, 1, 255]);
        message.add(ATTR_USE_CANDIDATE, &[]);
        integrity.add_to(&mut message).expect("signed");
        FINGERPRINT.add_to(&mut message).expect("summed");
        let _ = self.socket.send_to(&message.raw, self.server);
    }

    /// Checks the address and agrees keys; `false` where that fails or takes 10 s.
    pub(crate) fn connect(&mut self) -> bool {
        let start = Instant::now();
        let mut next_check = start;
        let mut has_begun = false;
        while self.protection.is_none() && !self.is_closed && start.elapsed() < Duration::from_secs(10) {
            if !self.is_checked && Instant::now() >= next_check {
                next_check += Duration::from_millis(100);
                self.check();
            }
            if self.is_checked && self.is_dtls_client && !has_begun {
                has_begun = true;
                self.dtls.connect(Instant::now(), LOCAL, self.config.clone(), None).expect("begins");
            }
            let _ = self.dtls.handle_timeout(LOCAL, Instant::now());
            self.flush();
            self.receive();
        }
        self.protection.is_some()
    }

    /// The bare socket, for who only counts what comes.
    pub(crate) fn into_socket(self) -> UdpSocket {
        self.socket
    }

    /// The profile that was agreed.
    pub(crate) fn profile(&self) -> Option<ProtectionProfile> {
        self.protection.as_ref().map(|(_, _, profile)| *profile)
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.dtls.poll_transmit() {
            let _ = self.socket.send_to(&transmit.message, self.server);
        }
    }

    /// Takes one datagram, if there is one within some milliseconds. Answers whether there was.
    pub(crate) fn receive(&mut self) -> bool {
        let mut buffer = [0; 2048];
        let Ok(len) = self.socket.recv(&mut buffer) else { return false };
        let datagram = &buffer[..len];
        match datagram[0] {
            0..=3 => self.on_stun(datagram),
            20..=63 => self.on_dtls(datagram),
            _ => {
                let Some((_, opener, _)) = &mut self.protection else { return true };
                if (192..=223).contains(&datagram[1]) {
                    self.reports.extend(opener.decrypt_rtcp(datagram).map(|plain| plain.to_vec()));
                } else {
                    self.packets.extend(opener.decrypt_rtp(datagram).map(|plain| plain.to_vec()));
                }
            }
        }
        true
    }

    fn on_stun(&mut self, datagram: &[u8]) {
        let mut message = Message::new();
        message.raw = datagram.to_vec();
        message.decode().expect("STUN");
        match message.typ {
            BINDING_SUCCESS => self.is_checked = true,
            BINDING_REQUEST => {
                self.challenges += 1;
                let mut answer = Message::new();
                answer.set_type(BINDING_SUCCESS);
                answer.transaction_id = message.transaction_id;
                answer.write_header();
                FINGERPRINT.add_to(&mut answer).expect("summed");
                let _ = self.socket.send_to(&answer.raw, self.server);
            }
            other => panic!("{other}"),
        }
    }

    fn on_dtls(&mut self, datagram: &[u8]) {
        let events = self.dtls.read(Instant::now(), LOCAL, None, BytesMut::from(datagram));
        for event in events.unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => self.protect(),
                EndpointEvent::PeerClosed => self.is_closed = true,
                _ => {}
            }
        }
        self.flush();
    }

    fn protect(&mut self) {
        let state = self.dtls.get_connection_state(LOCAL).expect("a state");
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        let mut config = Config { profile, ..Config::default() };
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], config.keying_material_len())
            .expect("exported");
        config.set_session_keys_from_keying_material(material.as_ref(), self.is_dtls_client).expect("split");
        let context = |key: &[u8], salt: &[u8]| {
            let (rtp, rtcp) = (srtp_replay_protection(1024), srtcp_replay_protection(1024));
            Context::new(key, salt, profile, Some(rtp), Some(rtcp), self.provider.crypto())
                .expect("a context")
        };
        let keys = &config.keys;
        self.protection = Some((
            context(&keys.local_master_key, &keys.local_master_salt),
            context(&keys.remote_master_key, &keys.remote_master_salt),
            profile,
        ));
    }

    /// Seals a plain RTP packet.
    pub(crate) fn seal(&mut self, packet: &[u8]) -> Vec<u8> {
        let (sealer, _, _) = self.protection.as_mut().expect("keys");
        sealer.encrypt_rtp(packet).expect("sealed").to_vec()
    }

    /// Seals and sends a plain RTP packet.
    pub(crate) fn send(&mut self, packet: &[u8]) {
        let sealed = self.seal(packet);
        self.socket.send_to(&sealed, self.server).expect("sent");
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self) {
        self.dtls.stop(Instant::now(), LOCAL);
        self.flush();
    }
}

/// One packet of a VP8 stream of 640 by 360: each picture has one packet, each `key_every`th is a key frame.
pub(crate) fn vp8(number: u16, key_every: u16, size: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 0x80 | VP8];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 3000).to_be_bytes());
    packet.extend(SSRC.to_be_bytes());
    packet.push(0x10);
    if number.is_multiple_of(key_every) {
        packet.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a]);
        packet.extend([640u16.to_le_bytes(), 360u16.to_le_bytes()].as_flattened());
    } else {
        packet.extend([0x11, 0, 0]);
    }
    packet.extend((packet.len()..size).map(|at| (at as u8) ^ (number as u8)));
    packet
}

/// What follows a packet's fixed header and extension.
pub(crate) fn payload(packet: &[u8]) -> &[u8] {
    let mut start = 12 + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 != 0 {
        start += 4 + 4 * usize::from(u16::from_be_bytes([packet[start + 2], packet[start + 3]]));
    }
    &packet[start..]
}
