//! An offer's text as types.

use std::io::Cursor;

use rtc_sdp::SessionDescription;
use rtc_sdp::description::common::Attribute;

use super::candidate::{Candidate, MAX_CANDIDATES};
use super::direction::Direction;
use super::fingerprint::{Fingerprint, MAX_FINGERPRINTS};
use super::section::{Section, is_token};
use super::{MAX_OFFER, MAX_SECTIONS, OfferError, Unsupported};
use crate::live::rtc::ice::IceCredentials;

/// The longest user name fragment and password (RFC 8839, section 5.4), in characters.
const MAX_CREDENTIAL: usize = 256;

/// `a=setup` of an offer (RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setup {
    ActPass,
    /// Also what is meant when nothing is said (RFC 4145, section 4).
    Active,
    Passive,
    HoldConnection,
}

/// An offer that could be read. Whether it can be answered is for [`super::answer`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub(super) sections: Vec<Section>,
    /// The mids of its BUNDLE group.
    pub(super) bundle: Vec<String>,
    pub(super) ice: IceCredentials,
    pub(super) ice_lite: bool,
    pub(super) setup: Setup,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) candidates: Vec<Candidate>,
    /// `a=extmap-allow-mixed` for the whole session.
    pub(super) allow_mixed: bool,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`OfferError::TooLarge`], [`OfferError::Malformed`], or [`Unsupported::TooManySections`].
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_OFFER {
            return Err(OfferError::TooLarge(text.len()));
        }
        let session = SessionDescription::unmarshal(&mut Cursor::new(text)).map_err(malformed)?;
        let media = &session.media_descriptions;
        if media.len() > MAX_SECTIONS {
            return Err(Unsupported::TooManySections(media.len()).into());
        }
        let direction = session.attributes.iter().find_map(|attribute| Direction::parse(&attribute.key));
        let direction = direction.unwrap_or(Direction::SendRecv);
        let sections = media.iter().map(|section| Section::parse(section, direction));
        let sections: Vec<Section> = sections.collect::<Result<_, _>>().map_err(malformed)?;
        for (place, section) in sections.iter().enumerate() {
            let is_same = |other: &Section| !other.mid.is_empty() && other.mid == section.mid;
            if sections[..place].iter().any(is_same) {
                return Err(malformed("two sections have the same mid"));
            }
        }

        let transport = Transport::of(&session, &sections);
        Ok(Self {
            ice: transport.credentials()?,
            ice_lite: transport.any("ice-lite").is_some(),
            setup: transport.setup()?,
            fingerprints: transport.fingerprints(),
            candidates: transport
                .all("candidate")
                .filter_map(Candidate::parse)
                .take(MAX_CANDIDATES)
                .collect(),
            allow_mixed: session.has_attribute("extmap-allow-mixed"),
            bundle: bundle(&session),
            sections,
        })
    }

    /// The peer's credentials.
    pub fn ice(&self) -> &IceCredentials {
        &self.ice
    }
}

/// The attributes of the one transport. They stand with the first section of the bundle, or for the whole session,
/// or, where a client is careless, with any other.
struct Transport<'s> {
    places: Vec<&'s [Attribute]>,
}

impl<'s> Transport<'s> {
    fn of(session: &'s SessionDescription, sections: &[Section]) -> Self {
        let first = sections.iter().position(|section| section.media().is_some());
        let media = |place: usize| &session.media_descriptions[place].attributes[..];
        let others = (0..sections.len()).filter(|place| Some(*place) != first).map(media);
        let places = first.map(media).into_iter().chain([&session.attributes[..]]).chain(others).collect();
        Self { places }
    }

    /// Every value of an attribute, the ones that count first.
    fn all(&self, key: &'static str) -> impl Iterator<Item = &'s str> {
        let attributes = self.places.iter().flat_map(|place| place.iter());
        attributes
            .filter(move |attribute| attribute.key == key)
            .map(|attribute| attribute.value.as_deref().unwrap_or_default().trim())
    }

    fn any(&self, key: &'static str) -> Option<&'s str> {
        self.all(key).next()
    }

    fn credentials(&self) -> Result<IceCredentials, OfferError> {
        let place =
            self.places.iter().find(|place| place.iter().any(|attribute| attribute.key == "ice-ufrag"));
        let own = Transport { places: place.into_iter().copied().collect() };
        let ufrag = own.any("ice-ufrag").ok_or_else(|| malformed("it has no ice-ufrag"))?;
        let pwd = own.any("ice-pwd").ok_or_else(|| malformed("it has no ice-pwd beside its ice-ufrag"))?;
        credentials(ufrag, pwd)
            .ok_or_else(|| malformed("its ice-ufrag or ice-pwd is not made as RFC 8839 says"))
    }

    fn setup(&self) -> Result<Setup, OfferError> {
        match self.any("setup") {
            None | Some("active") => Ok(Setup::Active),
            Some("actpass") => Ok(Setup::ActPass),
            Some("passive") => Ok(Setup::Passive),
            Some("holdconn") => Ok(Setup::HoldConnection),
            Some(_) => Err(malformed("its setup is none of actpass, active and passive")),
        }
    }

    fn fingerprints(&self) -> Vec<Fingerprint> {
        let mut found: Vec<Fingerprint> = Vec::new();
        for fingerprint in self.all("fingerprint").filter_map(Fingerprint::parse) {
            if found.len() < MAX_FINGERPRINTS && !found.contains(&fingerprint) {
                found.push(fingerprint);
            }
        }
        found
    }
}

/// Credentials, when they are made as RFC 8839, section 5.4 says.
pub(super) fn credentials(ufrag: &str, pwd: &str) -> Option<IceCredentials> {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let is_made_of_them = |text: &str| text.bytes().all(is_ice_char);
    let fits = (4..=MAX_CREDENTIAL).contains(&ufrag.len()) && (22..=MAX_CREDENTIAL).contains(&pwd.len());
    (fits && is_made_of_them(ufrag) && is_made_of_them(pwd))
        .then(|| IceCredentials { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() })
}

/// The mids of the first BUNDLE group (RFC 9143).
fn bundle(session: &SessionDescription) -> Vec<String> {
    let groups = session.attributes.iter().filter(|attribute| attribute.key == "group");
    let values = groups.map(|group| group.value.as_deref().unwrap_or_default().trim());
    let mids = values.filter_map(|value| value.strip_prefix("BUNDLE")).next().unwrap_or_default();
    mids.split_ascii_whitespace().filter(|mid| is_token(mid)).take(MAX_SECTIONS).map(str::to_owned).collect()
}

/// The reason in one short line: what it quotes came from outside.
fn malformed(reason: impl ToString) -> OfferError {
    const SHOWN: usize = 120;
    let reason = reason.to_string();
    let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
    OfferError::Malformed(reason.chars().take(SHOWN).map(printable).collect())
}
