//! The two profiles' ciphers: session keys from master keys, and bytes turned in place.

use super::{MasterKey, Profile};
use aes::{Aes128Enc, cipher::KeyInit};
use ctr::{
    Ctr128BE, CtrCore,
    cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper},
    flavors::Ctr128BE as Flavor,
};
use hmac::{Hmac, Mac};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

/// The tag did not fit the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forged;

/// Bytes of an SRTCP trailer's index, with the encryption flag in its highest bit.
pub(super) const RTCP_INDEX: usize = 4;

/// The packet's place in its stream, as nonces are made of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// 48 bits for RTP, 31 for RTCP.
    pub(super) index: u64,
}

/// Labels of key derivation (RFC 3711, section 4.3): those of RTP; RTCP's are three more.
const LABEL_KEY: u8 = 0;
const LABEL_AUTH: u8 = 1;
const LABEL_SALT: u8 = 2;

/// What a cipher protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packets {
    Rtp,
    Rtcp,
}

/// One direction's cipher for RTP or for RTCP.
pub(super) enum Cipher {
    Gcm { key: Box<LessSafeKey>, salt: [u8; 12], packets: Packets },
    CounterMode { key: Box<Aes128Enc>, mac: Hmac<Sha1>, salt: [u8; 14], packets: Packets },
}

impl Cipher {
    pub(super) fn new(profile: Profile, master: &MasterKey, packets: Packets) -> Self {
        let first = match packets {
            Packets::Rtp => 0,
            Packets::Rtcp => 3,
        };
        let key: [u8; 16] = derive(master, first + LABEL_KEY);
        match profile {
            Profile::Gcm => Self::Gcm {
                key: Box::new(LessSafeKey::new(
                    UnboundKey::new(&aead::AES_128_GCM, &key).expect("sixteen bytes are a key of AES-128"),
                )),
                salt: derive(master, first + LABEL_SALT),
                packets,
            },
            Profile::CounterMode => Self::CounterMode {
                key: Box::new(Aes128Enc::new(&key.into())),
                mac: <Hmac<Sha1> as Mac>::new_from_slice(&derive::<20>(master, first + LABEL_AUTH))
                    .expect("HMAC takes keys of any length"),
                salt: derive(master, first + LABEL_SALT),
                packets,
            },
        }
    }

    /// Bytes of its tag.
    pub(super) fn tag_len(&self) -> usize {
        match self {
            Self::Gcm { .. } => Profile::Gcm.rtp_overhead(),
            Self::CounterMode { .. } => Profile::CounterMode.rtp_overhead(),
        }
    }

    /// Turns `packet[header..len]` into cipher text and puts what follows it (tag, index) behind; answers the whole length.
    /// The caller has seen to it that there is room.
    pub(super) fn seal(&self, packet: &mut [u8], header: usize, len: usize, place: Place) -> usize {
        match self {
            Self::Gcm { key, salt, packets } => {
                let trailer = trailer(*packets, place);
                let (head, rest) = packet.split_at_mut(header);
                let (body, behind) = rest.split_at_mut(len - header);
                let nonce = gcm_nonce(salt, *packets, place);
                let tag = match packets {
                    Packets::Rtp => key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body),
                    Packets::Rtcp => {
                        key.seal_in_place_separate_tag(nonce, Aad::from(rtcp_aad(head, trailer)), body)
                    }
                }
                .expect("a packet is far shorter than what GCM can seal");
                let tag = tag.as_ref();
                behind[..tag.len()].copy_from_slice(tag);
                match packets {
                    Packets::Rtp => len + tag.len(),
                    Packets::Rtcp => {
                        behind[tag.len()..tag.len() + RTCP_INDEX].copy_from_slice(&trailer);
                        len + tag.len() + RTCP_INDEX
                    }
                }
            }
            Self::CounterMode { key, mac, salt, packets } => {
                counter_mode(key, salt, place).apply_keystream(&mut packet[header..len]);
                let trailer = trailer(*packets, place);
                let end = match packets {
                    Packets::Rtp => len,
                    Packets::Rtcp => {
                        packet[len..len + RTCP_INDEX].copy_from_slice(&trailer);
                        len + RTCP_INDEX
                    }
                };
                let tag = authenticate(mac, &packet[..len], trailer);
                packet[end..end + self.tag_len()].copy_from_slice(&tag);
                end + self.tag_len()
            }
        }
    }

    /// Turns a whole sealed packet's body back into plain text; answers the plain packet's length.
    /// The caller has seen to it that header, tag and index are there. What fails leaves the bytes in no useful state.
    pub(super) fn open(&self, packet: &mut [u8], header: usize, place: Place) -> Result<usize, Forged> {
        match self {
            Self::Gcm { key, salt, packets } => {
                let (head, rest) = packet.split_at_mut(header);
                let nonce = gcm_nonce(salt, *packets, place);
                let plain = match packets {
                    Packets::Rtp => key.open_in_place(nonce, Aad::from(&*head), rest),
                    Packets::Rtcp => {
                        let end = rest.len() - RTCP_INDEX;
                        let aad = rtcp_aad(head, trailer(*packets, place));
                        key.open_in_place(nonce, Aad::from(aad), &mut rest[..end])
                    }
                };
                plain.map(|plain| header + plain.len()).map_err(|_| Forged)
            }
            Self::CounterMode { key, mac, salt, packets } => {
                let (sealed, tag) = packet.split_at_mut(packet.len() - self.tag_len());
                let len = match packets {
                    Packets::Rtp => sealed.len(),
                    Packets::Rtcp => sealed.len() - RTCP_INDEX,
                };
                let mut wanted = mac.clone();
                wanted.update(&sealed[..len]);
                wanted.update(&trailer(*packets, place));
                // `verify_truncated_left` compares in constant time.
                wanted.verify_truncated_left(tag).map_err(|_| Forged)?;
                counter_mode(key, salt, place).apply_keystream(&mut sealed[header..len]);
                Ok(len)
            }
        }
    }
}

/// What is authenticated behind a packet: the roll-over counter for RTP, which is not sent; flag and index for RTCP.
fn trailer(packets: Packets, place: Place) -> [u8; 4] {
    match packets {
        Packets::Rtp => ((place.index >> 16) as u32).to_be_bytes(),
        Packets::Rtcp => (1 << 31 | place.index as u32).to_be_bytes(),
    }
}

/// RFC 7714, section 9.2: the header, then flag and index.
fn rtcp_aad(header: &[u8], trailer: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..8].copy_from_slice(header);
    aad[8..].copy_from_slice(&trailer);
    aad
}

/// RFC 7714, sections 8.1 and 9.1.
fn gcm_nonce(salt: &[u8; 12], packets: Packets, place: Place) -> Nonce {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&place.ssrc.to_be_bytes());
    match packets {
        Packets::Rtp => nonce[6..].copy_from_slice(&place.index.to_be_bytes()[2..]),
        Packets::Rtcp => nonce[8..].copy_from_slice(&(place.index as u32).to_be_bytes()),
    }
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    Nonce::assume_unique_for_key(nonce)
}

type KeyStream<'a> = StreamCipherCoreWrapper<CtrCore<&'a Aes128Enc, Flavor>>;

/// RFC 3711, section 4.1.1.
fn counter_mode<'a>(key: &'a Aes128Enc, salt: &[u8; 14], place: Place) -> KeyStream<'a> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    for (byte, ssrc) in iv[4..8].iter_mut().zip(place.ssrc.to_be_bytes()) {
        *byte ^= ssrc;
    }
    for (byte, index) in iv[8..14].iter_mut().zip(&place.index.to_be_bytes()[2..]) {
        *byte ^= index;
    }
    StreamCipherCoreWrapper::from_core(CtrCore::inner_iv_init(key, &iv.into()))
}

fn authenticate(mac: &Hmac<Sha1>, packet: &[u8], trailer: [u8; 4]) -> [u8; 10] {
    let mut mac = mac.clone();
    mac.update(packet);
    mac.update(&trailer);
    let whole = mac.finalize().into_bytes();
    *whole.first_chunk().expect("a tag of SHA-1 has twenty bytes")
}

/// RFC 3711, section 4.3.1, at a key derivation rate of zero.
fn derive<const N: usize>(master: &MasterKey, label: u8) -> [u8; N] {
    use ctr::cipher::KeyIvInit;
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&master.salt);
    iv[7] ^= label;
    let mut out = [0; N];
    Ctr128BE::<Aes128Enc>::new(&master.key.into(), &iv.into()).apply_keystream(&mut out);
    out
}
