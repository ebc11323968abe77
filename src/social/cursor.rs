//! Cursors: where a page ended, as text that means nothing to a client.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use communiconnect_protocol::ErrorBody;

/// Items of a page where none are asked for.
const PAGE_DEFAULT: u32 = 20;
/// Most items of a page; more are clamped.
pub(super) const PAGE_MAX: u32 = 100;

/// Which list a cursor belongs to; another list's cursor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum List {
    /// `community.list`
    Communities = b'c',
    /// `feed.list`
    Posts = b'p',
    /// `comment.list`
    Comments = b'm',
    /// `notification.list`
    Notifications = b'n',
    /// `share.list`
    Shares = b's',
    /// `live.list`
    Lives = b'l',
    /// `live.bans`
    Bans = b'b',
}

impl List {
    /// The cursor after the thing with this id.
    pub(crate) fn cursor(self, id: &[u8; 16]) -> String {
        let mut bytes = [self as u8; 17];
        bytes[1..].copy_from_slice(id);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor after the thing with this id at this time, for lists that are ordered by both.
    pub(super) fn timed_cursor(self, at: i64, id: &[u8; 16]) -> String {
        let mut bytes = [self as u8; 25];
        bytes[1..9].copy_from_slice(&at.to_be_bytes());
        bytes[9..].copy_from_slice(id);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Time and id in a cursor that [`List::timed_cursor`] made.
    ///
    /// # Errors
    /// `invalid` with `cursor` for any other text.
    pub(super) fn time_and_id(self, cursor: Option<&str>) -> Result<Option<(i64, [u8; 16])>, ErrorBody> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bytes: [u8; 25] = self.decode(cursor)?;
        let (at, id) = bytes[1..].split_first_chunk().expect("the time has eight bytes");
        Ok(Some((i64::from_be_bytes(*at), id.try_into().expect("the rest has sixteen"))))
    }

    /// The id in a cursor that [`List::cursor`] made.
    ///
    /// # Errors
    /// `invalid` with `cursor` for any other text.
    pub(crate) fn id(self, cursor: Option<&str>) -> Result<Option<[u8; 16]>, ErrorBody> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bytes: [u8; 17] = self.decode(cursor)?;
        Ok(bytes[1..].try_into().ok())
    }

    fn decode<const N: usize>(self, cursor: &str) -> Result<[u8; N], ErrorBody> {
        let mut bytes = [0; N];
        match URL_SAFE_NO_PAD.decode_slice(cursor, &mut bytes) {
            Ok(length) if length == N && bytes[0] == self as u8 => Ok(bytes),
            _ => Err(ErrorBody::invalid(
                "cursor",
                "`cursor` is not one that this list gave: leave it out to begin anew",
            )),
        }
    }
}

/// How many items a page may have: 20 where nothing is asked; what is asked is clamped to 1-100.
pub(crate) fn page_limit(limit: Option<u32>) -> usize {
    limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cursor_reads_back_in_its_own_list_alone() {
        let id = [7; 16];
        let cursor = List::Posts.cursor(&id);
        assert_eq!(List::Posts.id(Some(&cursor)), Ok(Some(id)));
        assert_eq!(List::Posts.id(None), Ok(None));
        assert_eq!(List::Comments.id(Some(&cursor)).expect_err("foreign").field.as_deref(), Some("cursor"));
    }

    #[test]
    fn a_limit_is_clamped() {
        for (asked, given) in
            [(None, 20), (Some(0), 1), (Some(7), 7), (Some(100), 100), (Some(u32::MAX), 100)]
        {
            assert_eq!(page_limit(asked), given, "{asked:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_cursor_or_refused(text in any::<String>()) {
            if let Ok(Some(id)) = List::Posts.id(Some(&text)) {
                prop_assert_eq!(List::Posts.cursor(&id), text.clone());
            }
            if let Ok(Some((at, id))) = List::Notifications.time_and_id(Some(&text)) {
                prop_assert_eq!(List::Notifications.timed_cursor(at, &id), text);
            }
        }

        #[test]
        fn a_timed_cursor_reads_back(at in any::<i64>(), id in any::<[u8; 16]>()) {
            let cursor = List::Notifications.timed_cursor(at, &id);
            prop_assert_eq!(List::Notifications.time_and_id(Some(&cursor)), Ok(Some((at, id))));
        }
    }
}
