//! Packets sealed and opened with the keys of a DTLS handshake (RFC 5764).

use super::RtcError;
use rtc_crypto::RTCCryptoProvider;
use rtc_srtp::{
    config::Config,
    context::Context,
    option::{srtcp_replay_protection, srtp_no_replay_protection},
    protection_profile::ProtectionProfile,
};

/// Packets of control that may arrive out of order before one counts as a replay.
const CONTROL_WINDOW: usize = 64;

/// Both directions of one peer.
pub(super) struct Srtp {
    sealing: Context,
    opening: Context,
}

impl Srtp {
    /// Length of the exported secret of a profile.
    pub(super) fn secret_length(profile: ProtectionProfile) -> usize {
        Config { profile, ..Config::default() }.keying_material_len()
    }

    /// From the exported secret; the client is the DTLS client.
    pub(super) fn new(
        profile: ProtectionProfile,
        secret: &[u8],
        crypto: &dyn RTCCryptoProvider,
    ) -> Result<Self, RtcError> {
        let mut config = Config { profile, ..Config::default() };
        config.set_session_keys_from_keying_material(secret, true)?;
        let keys = &config.keys;
        let sealing = Context::new(
            &keys.local_master_key,
            &keys.local_master_salt,
            profile,
            None,
            None,
            crypto.crypto(),
        )?;
        // The scenario itself counts what comes twice: a replay must reach it to be counted.
        let opening = Context::new(
            &keys.remote_master_key,
            &keys.remote_master_salt,
            profile,
            Some(srtp_no_replay_protection()),
            Some(srtcp_replay_protection(CONTROL_WINDOW)),
            crypto.crypto(),
        )?;
        Ok(Self { sealing, opening })
    }

    pub(super) fn seal_rtp(&mut self, packet: &[u8]) -> Result<Vec<u8>, RtcError> {
        Ok(self.sealing.encrypt_rtp(packet)?.to_vec())
    }

    pub(super) fn seal_rtcp(&mut self, packet: &[u8]) -> Result<Vec<u8>, RtcError> {
        Ok(self.sealing.encrypt_rtcp(packet)?.to_vec())
    }

    pub(super) fn open_rtp(&mut self, packet: &[u8]) -> Result<bytes::BytesMut, RtcError> {
        Ok(self.opening.decrypt_rtp(packet)?)
    }

    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Result<bytes::BytesMut, RtcError> {
        Ok(self.opening.decrypt_rtcp(packet)?)
    }
}
