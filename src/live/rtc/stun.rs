//! STUN (RFC 8489) as far as an ICE-lite agent needs it: binding requests read, their answers written, and now and then
//! a request of its own.
//!
//! Works on the caller's bytes; only an own request, which is rare, is allocated. Knows no peer and decides nothing; `ice` does.

use std::net::{IpAddr, SocketAddr};

use crc::{CRC_32_ISO_HDLC, Crc};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::ice::MAX_RESPONSE;

/// A password as its HMAC-SHA1 state: made once, used for every message (RFC 8489, section 9.1.1).
pub(super) type Key = Hmac<Sha1>;

const HEADER: usize = 20;
const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802A;

/// Attributes below this have to be understood (RFC 8489, section 14).
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// Of an HMAC-SHA1.
const TAG: usize = 20;

/// How many unknown attributes are named in an error: a request with more is hardly a mistake.
const MAX_UNKNOWN: usize = 4;

/// The local half of a binding request's USERNAME: by it a datagram finds its peer before anything is verified.
/// `None` for anything that is not a well-formed binding request of an ICE agent.
pub fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (local, _remote) = Request::parse(datagram)?.username?.split_once(':')?;
    Some(local)
}

/// A binding request whose form and FINGERPRINT are right. Nothing of it is to be believed before [`Request::is_by`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'d> {
    datagram: &'d [u8],
    /// Of both sides: `theirs:ours` as the receiver sees it is `local:remote`.
    pub(super) username: Option<&'d str>,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
    pub(super) nominates: bool,
    pub(super) is_controlling: bool,
    pub(super) is_controlled: bool,
    unknown: Unknown,
}

/// Attributes that had to be understood and were not.
#[derive(Clone, Copy, Debug, Default)]
struct Unknown {
    count: usize,
    types: [u16; MAX_UNKNOWN],
}

impl<'d> Request<'d> {
    /// Reads a datagram. `None` for what is not a binding request with a right FINGERPRINT at its end, which ICE
    /// demands (RFC 8445, section 7.1.1): that is not for us and gets no answer.
    pub(super) fn parse(datagram: &'d [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER)?;
        let is_whole = usize::from(number(header, 2)?) == attributes.len() && attributes.len() % 4 == 0;
        if number(header, 0)? != BINDING_REQUEST || !is_whole || header[4..8] != COOKIE {
            return None;
        }
        let mut request = Self {
            datagram,
            username: None,
            integrity: None,
            nominates: false,
            is_controlling: false,
            is_controlled: false,
            unknown: Unknown::default(),
        };
        let mut at = HEADER;
        while at < datagram.len() {
            let kind = number(datagram, at)?;
            let length = usize::from(number(datagram, at + 2)?);
            let value = datagram.get(at + 4..at + 4 + length)?;
            let next = at + 4 + length.next_multiple_of(4);
            if kind == FINGERPRINT {
                let is_right = next == datagram.len() && value == fingerprint(&datagram[..at]);
                return is_right.then_some(request);
            }
            // What stands behind the integrity is not protected by it and does not count (section 14.5).
            if request.integrity.is_none() {
                request.read(kind, value, at)?;
            }
            at = next;
        }
        None
    }

    fn read(&mut self, kind: u16, value: &'d [u8], at: usize) -> Option<()> {
        match kind {
            USERNAME => self.username = Some(std::str::from_utf8(value).ok()?),
            MESSAGE_INTEGRITY if value.len() == TAG => self.integrity = Some(at),
            MESSAGE_INTEGRITY => return None,
            USE_CANDIDATE => self.nominates = true,
            ICE_CONTROLLING => self.is_controlling = true,
            ICE_CONTROLLED => self.is_controlled = true,
            PRIORITY => {}
            kind if kind < COMPREHENSION_OPTIONAL => {
                if let Some(slot) = self.unknown.types.get_mut(self.unknown.count) {
                    *slot = kind;
                    self.unknown.count += 1;
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Whether it carries a MESSAGE-INTEGRITY at all.
    pub(super) fn is_signed(&self) -> bool {
        self.integrity.is_some()
    }

    /// Whether whoever sent it knows the password.
    pub(super) fn is_by(&self, key: &Key) -> bool {
        let Some(at) = self.integrity else { return false };
        let tag = &self.datagram[at + 4..at + 4 + TAG];
        signed(&self.datagram[..at], key).verify_slice(tag).is_ok()
    }

    /// Attributes that had to be understood and were not; none for most requests.
    pub(super) fn unknown(&self) -> &[u16] {
        &self.unknown.types[..self.unknown.count]
    }

    fn transaction(&self) -> &'d [u8] {
        &self.datagram[8..HEADER]
    }
}

/// What a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It came from here.
    Success(SocketAddr),
    /// 400: a request without credentials, or one that contradicts itself.
    BadRequest,
    /// 401: credentials that are not valid here.
    Unauthenticated,
    /// 420: with the attributes that were not understood.
    UnknownAttribute,
    /// 487: the peer has to control, as a lite agent cannot (RFC 8445, section 6.1.1).
    RoleConflict,
}

impl Answer {
    fn error(self) -> Option<(u8, u8)> {
        match self {
            Self::Success(_) => None,
            Self::BadRequest => Some((4, 0)),
            Self::Unauthenticated => Some((4, 1)),
            Self::UnknownAttribute => Some((4, 20)),
            Self::RoleConflict => Some((4, 87)),
        }
    }

    /// Writes it to the front of `buffer` and says how many bytes it has. It is signed where there is a key; refusals
    /// of requests with wrong credentials are not (RFC 8489, section 9.1.3).
    pub(super) fn write(
        self,
        request: &Request<'_>,
        key: Option<&Key>,
        buffer: &mut [u8; MAX_RESPONSE],
    ) -> usize {
        let error = self.error();
        let kind = if error.is_some() { BINDING_ERROR } else { BINDING_SUCCESS };
        let mut message = Message { buffer, length: HEADER };
        message.buffer[..2].copy_from_slice(&kind.to_be_bytes());
        message.buffer[4..8].copy_from_slice(&COOKIE);
        message.buffer[8..HEADER].copy_from_slice(request.transaction());

        if let Some((class, number)) = error {
            // Without a phrase: the number says it all, and a refusal must not be longer than what it refuses.
            message.attribute(ERROR_CODE, &[0, 0, class, number]);
        }
        match self {
            Self::Success(from) => message.mapped_address(from),
            Self::UnknownAttribute => {
                let mut types = [0; 2 * MAX_UNKNOWN];
                for (bytes, kind) in types.chunks_exact_mut(2).zip(request.unknown()) {
                    bytes.copy_from_slice(&kind.to_be_bytes());
                }
                message.attribute(UNKNOWN_ATTRIBUTES, &types[..2 * request.unknown().len()]);
            }
            Self::BadRequest | Self::Unauthenticated | Self::RoleConflict => {}
        }
        if let Some(key) = key {
            let tag = signed(&message.buffer[..message.length], key).finalize().into_bytes();
            message.attribute(MESSAGE_INTEGRITY, &tag);
        }
        // The length covers the fingerprint before it is computed (section 14.7).
        message.set_length(message.length + 8 - HEADER);
        let sum = fingerprint(&message.buffer[..message.length]);
        message.attribute(FINGERPRINT, &sum);
        message.length
    }
}

/// What tells a request of ours and its answer from all others: 96 random bits.
pub(super) type Transaction = [u8; 12];

/// A binding request of ours to a peer that has `username` (`theirs:ours`) and whose password `key` is made of.
pub(super) fn request(username: &str, transaction: &Transaction, key: &Key) -> Vec<u8> {
    // Every pair has the same priority here; nothing is chosen by it.
    const SOME_PRIORITY: [u8; 4] = [0x7e, 0, 0, 0xff];
    let mut message = Vec::with_capacity(160);
    message.extend_from_slice(&BINDING_REQUEST.to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&COOKIE);
    message.extend_from_slice(transaction);
    let attribute = |message: &mut Vec<u8>, kind: u16, value: &[u8]| {
        let length = u16::try_from(value.len()).expect("a user name has at most 513 bytes");
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(value);
        message.resize(message.len().next_multiple_of(4), 0);
    };
    attribute(&mut message, USERNAME, username.as_bytes());
    attribute(&mut message, PRIORITY, &SOME_PRIORITY);
    attribute(&mut message, ICE_CONTROLLED, &transaction[..8]);
    let tag = signed(&message, key).finalize().into_bytes();
    attribute(&mut message, MESSAGE_INTEGRITY, &tag);
    let length = u16::try_from(message.len() + 8 - HEADER).expect("far below a datagram's length");
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = fingerprint(&message);
    attribute(&mut message, FINGERPRINT, &sum);
    message
}

/// The transaction that a datagram answers with success; none where it is anything else.
pub(super) fn answered(datagram: &[u8]) -> Option<Transaction> {
    let header: &[u8; HEADER] = datagram.first_chunk()?;
    let is_success = number(header, 0)? == BINDING_SUCCESS && header[4..8] == COOKIE;
    is_success.then(|| *header.last_chunk().expect("a header ends with the transaction"))
}

/// A message that is being written. Its longest attributes together stay below [`MAX_RESPONSE`].
struct Message<'b> {
    buffer: &'b mut [u8; MAX_RESPONSE],
    length: usize,
}

impl Message<'_> {
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).expect("no attribute written here has more than 20 bytes");
        let place = &mut self.buffer[self.length..self.length + 4 + value.len().next_multiple_of(4)];
        place.fill(0);
        place[..2].copy_from_slice(&kind.to_be_bytes());
        place[2..4].copy_from_slice(&length.to_be_bytes());
        place[4..4 + value.len()].copy_from_slice(value);
        self.length += place.len();
    }

    /// RFC 8489, section 14.2: the address XORed with what the peer knows, so that no middlebox rewrites it.
    fn mapped_address(&mut self, from: SocketAddr) {
        let mut value = [0; 4 + 16];
        value[2..4].copy_from_slice(&from.port().to_be_bytes());
        let length = match from.ip().to_canonical() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&ip.octets());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                value[4..].copy_from_slice(&ip.octets());
                20
            }
        };
        let mask = &self.buffer[4..HEADER];
        value[2..4].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        value[4..].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        self.attribute(XOR_MAPPED_ADDRESS, &value[..length]);
    }

    fn set_length(&mut self, length: usize) {
        let length = u16::try_from(length).expect("a response has at most MAX_RESPONSE bytes");
        self.buffer[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// The HMAC over a message up to its MESSAGE-INTEGRITY, with the length that it has when it ends with that attribute
/// (RFC 8489, section 14.5).
fn signed(before: &[u8], key: &Key) -> Key {
    let length = u16::try_from(before.len() + 4 + TAG - HEADER).expect("a datagram has at most 65,535 bytes");
    let mut mac = key.clone();
    mac.update(&before[..2]);
    mac.update(&length.to_be_bytes());
    mac.update(&before[4..]);
    mac
}

/// RFC 8489, section 14.7.
fn fingerprint(before: &[u8]) -> [u8; 4] {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    const MASK: u32 = 0x5354_554E;
    (CRC.checksum(before) ^ MASK).to_be_bytes()
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 5769, section 2.1.
    const SAMPLE_REQUEST: [u8; 108] = [
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
        0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20,
        0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00,
        0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a,
        0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf,
        0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28,
        0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
    ];

    /// RFC 5769, section 2.2, from its SOFTWARE attribute on.
    const SAMPLE_RESPONSE: [u8; 80] = [
        0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
        0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f,
        0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00,
        0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53,
        0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
    ];

    /// RFC 5769, section 2.3.
    const SAMPLE_IPV6_RESPONSE: [u8; 92] = [
        0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
        0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f,
        0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1,
        0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e,
        0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41, 0x80,
        0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
    ];

    pub(in crate::live::rtc) fn key(password: &str) -> Key {
        Key::new_from_slice(password.as_bytes()).unwrap()
    }

    fn sample_key() -> Key {
        key("VOkJxbRl1RmTxUk/WvJxBt")
    }

    /// Builds requests as a full agent would; wrong ones too.
    #[derive(Clone, Debug)]
    pub(in crate::live::rtc) struct Builder(Vec<u8>);

    impl Builder {
        pub(in crate::live::rtc) fn new() -> Self {
            let mut bytes = vec![0, 1, 0, 0];
            bytes.extend_from_slice(&COOKIE);
            bytes.extend_from_slice(b"transaction!");
            Self(bytes)
        }

        pub(in crate::live::rtc) fn with(mut self, kind: u16, value: &[u8]) -> Self {
            self.0.extend_from_slice(&kind.to_be_bytes());
            self.0.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            self.0.extend_from_slice(value);
            self.0.resize(self.0.len().next_multiple_of(4), 0);
            self.sized(0)
        }

        /// What a controlling agent says in a check.
        pub(in crate::live::rtc) fn check(username: &str) -> Self {
            Self::new()
                .with(USERNAME, username.as_bytes())
                .with(ICE_CONTROLLING, &[7; 8])
                .with(PRIORITY, &[110, 0, 1, 255])
        }

        pub(in crate::live::rtc) fn nominating(self) -> Self {
            self.with(USE_CANDIDATE, &[])
        }

        pub(in crate::live::rtc) fn controlled(self) -> Self {
            self.with(ICE_CONTROLLED, &[7; 8])
        }

        pub(in crate::live::rtc) fn unknown(self) -> Self {
            self.with(0x7001, b"x").with(0x0002, &[])
        }

        pub(in crate::live::rtc) fn signed(self, key: &Key) -> Self {
            let tag = signed(&self.0, key).finalize().into_bytes();
            self.with(MESSAGE_INTEGRITY, &tag)
        }

        pub(in crate::live::rtc) fn finish(self) -> Vec<u8> {
            let long = self.sized(8);
            let sum = fingerprint(&long.0);
            long.with(FINGERPRINT, &sum).0
        }

        fn sized(mut self, more: usize) -> Self {
            let length = u16::try_from(self.0.len() - HEADER + more).unwrap();
            self.0[2..4].copy_from_slice(&length.to_be_bytes());
            self
        }
    }

    /// `(type, value)` of every attribute of a message that is in order.
    pub(in crate::live::rtc) fn attributes(message: &[u8]) -> Vec<(u16, &[u8])> {
        assert_eq!(usize::from(number(message, 2).unwrap()) + HEADER, message.len());
        let (mut at, mut found) = (HEADER, Vec::new());
        while at < message.len() {
            let length = usize::from(number(message, at + 2).unwrap());
            found.push((number(message, at).unwrap(), &message[at + 4..at + 4 + length]));
            at += 4 + length.next_multiple_of(4);
        }
        assert_eq!(at, message.len());
        found
    }

    /// The error's number, none for a success; and whether it is signed with `key`.
    pub(in crate::live::rtc) fn verdict(message: &[u8], key: &Key) -> (Option<u16>, bool) {
        let found = attributes(message);
        let (last, sum) = *found.last().unwrap();
        assert_eq!((last, sum), (FINGERPRINT, &fingerprint(&message[..message.len() - 8])[..]));
        let error = found.iter().find(|(kind, _)| *kind == ERROR_CODE);
        let error = error.map(|(_, value)| u16::from(value[2]) * 100 + u16::from(value[3]));
        assert_eq!(
            number(message, 0).unwrap(),
            if error.is_some() { BINDING_ERROR } else { BINDING_SUCCESS }
        );
        let tag = found.iter().find(|(kind, _)| *kind == MESSAGE_INTEGRITY);
        let before = message.len() - 8 - 4 - TAG;
        let is_signed = tag.is_some_and(|(_, tag)| signed(&message[..before], key).verify_slice(tag).is_ok());
        (error, is_signed)
    }

    #[test]
    fn the_rfc_s_request_is_read_and_proves_its_password() {
        let request = Request::parse(&SAMPLE_REQUEST).unwrap();
        assert_eq!(request.username, Some("evtj:h6vY"));
        assert_eq!(local_ufrag(&SAMPLE_REQUEST), Some("evtj"));
        assert!(request.is_controlled && !request.is_controlling && !request.nominates);
        assert!(request.unknown().is_empty());
        assert!(request.is_by(&sample_key()));
        assert!(!request.is_by(&key("VOkJxbRl1RmTxUk/WvJxBu")));
    }

    #[test]
    fn our_request_is_read_by_its_receiver_as_ours_would_be() {
        let ours = request("peer:ours", b"transaction!", &key("p"));
        let read = Request::parse(&ours).unwrap();
        assert_eq!(read.username, Some("peer:ours"));
        assert!(read.is_by(&key("p")) && read.is_controlled && !read.is_controlling && !read.nominates);
        assert!(read.unknown().is_empty());

        let mut buffer = [0; MAX_RESPONSE];
        let from = "192.0.2.1:32853".parse().unwrap();
        let length = Answer::Success(from).write(&read, Some(&key("p")), &mut buffer);
        assert_eq!(answered(&buffer[..length]), Some(*b"transaction!"));
        let length = Answer::Unauthenticated.write(&read, None, &mut buffer);
        assert_eq!(answered(&buffer[..length]), None);
        assert_eq!(answered(&ours), None);
        assert_eq!(answered(&ours[..HEADER - 1]), None);
    }

    #[test]
    fn our_responses_are_made_as_the_rfc_s_are() {
        let addresses = ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"];
        let request = Request::parse(&SAMPLE_REQUEST).unwrap();
        for (sample, address) in [&SAMPLE_RESPONSE[..], &SAMPLE_IPV6_RESPONSE[..]].into_iter().zip(addresses)
        {
            assert_eq!(verdict(sample, &sample_key()), (None, true));
            let mut buffer = [0xff; MAX_RESPONSE];
            let from = address.parse().unwrap();
            let length = Answer::Success(from).write(&request, Some(&sample_key()), &mut buffer);
            let ours = &buffer[..length];
            assert_eq!(verdict(ours, &sample_key()), (None, true));
            let mapped =
                |message| attributes(message).into_iter().find(|(kind, _)| *kind == XOR_MAPPED_ADDRESS);
            assert_eq!(mapped(ours), mapped(sample));
            assert_eq!(ours[4..HEADER], sample[4..HEADER]);
        }
    }

    #[test]
    fn an_ipv4_peer_on_an_ipv6_socket_is_told_its_ipv4_address() {
        let request = Request::parse(&SAMPLE_REQUEST).unwrap();
        let write = |from: &str| {
            let mut buffer = [0; MAX_RESPONSE];
            let length = Answer::Success(from.parse().unwrap()).write(&request, None, &mut buffer);
            buffer[..length].to_vec()
        };
        assert_eq!(write("[::ffff:192.0.2.1]:32853"), write("192.0.2.1:32853"));
    }

    #[test]
    fn the_longest_responses_fit() {
        let datagram = Builder::check("a:b").unknown().unknown().unknown().signed(&key("p")).finish();
        let request = Request::parse(&datagram).unwrap();
        assert_eq!(request.unknown().len(), MAX_UNKNOWN);
        let mut buffer = [0; MAX_RESPONSE];
        let length = Answer::UnknownAttribute.write(&request, Some(&key("p")), &mut buffer);
        assert_eq!(verdict(&buffer[..length], &key("p")), (Some(420), true));
        let named = attributes(&buffer[..length]).into_iter().find(|(kind, _)| *kind == UNKNOWN_ATTRIBUTES);
        assert_eq!(named.unwrap().1, [0x70, 0x01, 0x00, 0x02, 0x70, 0x01, 0x00, 0x02]);
    }

    #[test]
    fn what_is_not_a_whole_binding_request_is_not_read() {
        let whole = Builder::check("a:b").signed(&key("p")).finish();
        assert!(Request::parse(&whole).is_some());
        for length in 0..whole.len() {
            assert!(Request::parse(&whole[..length]).is_none(), "{length} bytes");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            assert!(Request::parse(&damaged).is_none(), "byte {place}");
        }
        let bare = Builder::check("a:b").signed(&key("p")).0;
        assert!(Request::parse(&bare).is_none(), "no fingerprint");
        assert!(Request::parse(&SAMPLE_RESPONSE).is_none(), "a response");
        let mut indication = Builder::new();
        indication.0[1] = 0x11;
        assert!(Request::parse(&indication.finish()).is_none(), "an indication");
        let behind = Builder(whole.clone()).with(PRIORITY, &[0; 4]).0;
        assert!(Request::parse(&behind).is_none(), "something behind the fingerprint");
    }

    #[test]
    fn what_stands_behind_the_integrity_does_not_count() {
        let datagram = Builder::check("a:b").signed(&key("p")).nominating().with(USERNAME, b"x:y").finish();
        let request = Request::parse(&datagram).unwrap();
        assert!(request.is_by(&key("p")));
        assert!(!request.nominates);
        assert_eq!(request.username, Some("a:b"));
    }

    proptest! {
        #[test]
        fn no_datagram_breaks_it(
            mut datagram in prop::collection::vec(any::<u8>(), 0..300),
            kinds in prop::collection::vec((prop::sample::select(vec![6u16, 8, 9, 0x25, 0x8028, 0x7001]), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let _ = Request::parse(&datagram);
            let built = kinds.iter().fold(Builder::new(), |message, (kind, value)| message.with(*kind, value)).finish();
            if let Some(request) = Request::parse(&built) {
                prop_assert!(!request.is_by(&key("p")));
                let mut buffer = [0; MAX_RESPONSE];
                let length = Answer::UnknownAttribute.write(&request, Some(&key("p")), &mut buffer);
                prop_assert!(length <= MAX_RESPONSE);
            }
            if datagram.len() >= HEADER {
                datagram[..2].copy_from_slice(&[0, 1]);
                datagram[4..8].copy_from_slice(&COOKIE);
                let length = u16::try_from(datagram.len() - HEADER).unwrap();
                datagram[2..4].copy_from_slice(&length.to_be_bytes());
                let _ = local_ufrag(&datagram);
            }
        }
    }
}
