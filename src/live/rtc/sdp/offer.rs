//! An offer's text as types.

use super::OfferError;
use crate::live::rtc::ice::IceCredentials;

/// An offer that could be read. Whether it can be answered is for [`super::answer`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    ice: IceCredentials,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`OfferError::TooLarge`], [`OfferError::Malformed`], or too many sections.
    pub fn parse(_text: &str) -> Result<Self, OfferError> {
        Err(OfferError::Malformed("it is empty".into()))
    }

    /// The peer's credentials.
    pub fn ice(&self) -> &IceCredentials {
        &self.ice
    }
}
