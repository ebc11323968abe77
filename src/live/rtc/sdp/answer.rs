//! What an offer is answered, as text.

use super::{LocalSide, Negotiated, Offer, OfferError, Terms, Unsupported};

/// Answers an offer: what is agreed, and the text that says so. The same arguments give the same answer.
///
/// # Errors
/// [`OfferError::Unsupported`] with the reason; nothing is ever accepted in part.
pub fn answer(
    _offer: &Offer,
    _terms: &Terms<'_>,
    _local: &LocalSide<'_>,
) -> Result<(Negotiated, String), OfferError> {
    Err(Unsupported::NoMedia.into())
}

/// Answers an offer that restarts ICE (`local` with new credentials, a raised version) and takes its new credentials
/// into `negotiated`; media stay as they were agreed.
///
/// # Errors
/// [`OfferError::Unsupported`] when it would change anything else; `negotiated` is then as before.
pub fn answer_restart(
    _offer: &Offer,
    _negotiated: &mut Negotiated,
    _local: &LocalSide<'_>,
) -> Result<String, OfferError> {
    Err(Unsupported::NoMedia.into())
}
