//! Pages of posts, and how a page is filled from candidates that the policy still has to judge.

use super::{
    cursor::{List, page_limit},
    policy,
};
use crate::store::{
    Reader, Stores,
    communities::Communities,
    people::People,
    posts::{FeedQuery, FeedScope, OnlyLive, Posts as Store},
};
use communiconnect_protocol::{Code, ErrorBody, FeedList, PostId, Posts};
use std::sync::Arc;

/// Asks of the store for one page: a reader who may see almost nothing of a feed gets a short page with a cursor instead
/// of a walk through all of it.
const ROUNDS: usize = 8;
/// Fewest candidates to ask for: where most are hidden, single ones would use the rounds up.
const CANDIDATES_MIN: usize = 20;

/// Feeds.
pub struct FeedService {
    posts: Arc<dyn Store>,
    communities: Arc<dyn Communities>,
    people: Arc<dyn People>,
}

impl FeedService {
    pub(super) fn new(stores: &Stores) -> Self {
        Self {
            posts: stores.posts.clone(),
            communities: stores.communities.clone(),
            people: stores.people.clone(),
        }
    }

    /// A page of posts, newest first. Stable while posts arrive: the cursor is the last post looked at, not a number.
    ///
    /// # Errors
    /// `invalid` scope or cursor, `not_found` community or person, `unauthenticated` home of a guest.
    pub async fn list(&self, reader: Reader, body: FeedList) -> Result<Posts, ErrorBody> {
        let limit = page_limit(body.limit);
        let before = List::Posts.id(body.cursor.as_deref())?.map(PostId::from_bytes);
        let scope = self.scope(reader, &body).await?;
        let live = if body.live { OnlyLive::Yes } else { OnlyLive::No };
        let Page { items, ended_at } = fill(limit, before, |before, limit| async move {
            let query = FeedQuery { scope, kind: body.kind, live, before, limit };
            let found = self.posts.feed(reader, query).await?;
            let judged = found
                .into_iter()
                .map(|view| (view.facts.id, policy::sees_post(&view.facts).then_some(view.post)));
            Ok(judged.collect())
        })
        .await?;
        Ok(Posts { posts: items, cursor: ended_at.map(|id| List::Posts.cursor(id.as_bytes())) })
    }

    async fn scope(&self, reader: Reader, body: &FeedList) -> Result<FeedScope, ErrorBody> {
        match (body.community_id, body.user_id, body.home) {
            (Some(id), None, false) => {
                self.communities.facts(reader, id).await?.ok_or_else(|| policy::not_found("community"))?;
                Ok(FeedScope::Community(id))
            }
            (None, Some(id), false) => {
                self.people.relation(reader, id).await?.ok_or_else(|| policy::not_found("user"))?;
                Ok(FeedScope::Author(id))
            }
            (None, None, true) if reader.user.is_none() => {
                Err(ErrorBody::new(Code::Unauthenticated, "a guest has no home feed: connect with a token"))
            }
            (None, None, true) => Ok(FeedScope::Home),
            (None, None, false) => Err(ErrorBody::invalid(
                "community_id",
                "which posts is missing: give exactly one of `community_id`, `user_id` and `home: true`",
            )),
            (community, user, _) => Err(ErrorBody::invalid(
                if community.is_some() && user.is_some() { "user_id" } else { "home" },
                "too many: give exactly one of `community_id`, `user_id` and `home: true`",
            )),
        }
    }
}

/// A page of what a reader may see.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<I, T> {
    /// What to show, in order.
    pub(super) items: Vec<T>,
    /// The last candidate looked at, where there may be more.
    pub(super) ended_at: Option<I>,
}

/// Fills a page: asks for candidates from a place on, each with what to show or none where the reader may not see it,
/// until the page is full, candidates end, or it was asked often enough.
pub(super) async fn fill<I: Copy, T, F>(
    limit: usize,
    from: Option<I>,
    mut candidates: impl FnMut(Option<I>, usize) -> F,
) -> Result<Page<I, T>, ErrorBody>
where
    F: Future<Output = Result<Vec<(I, Option<T>)>, ErrorBody>>,
{
    let mut items = Vec::with_capacity(limit);
    let mut place = from;
    for _ in 0..ROUNDS {
        // One more than there is room for tells whether anything follows.
        let asked = (limit - items.len() + 1).max(CANDIDATES_MIN);
        let found = candidates(place, asked).await?;
        let ended = found.len() < asked;
        for (id, item) in found {
            if items.len() == limit {
                return Ok(Page { items, ended_at: place });
            }
            items.extend(item);
            place = Some(id);
        }
        if ended {
            return Ok(Page { items, ended_at: None });
        }
    }
    Ok(Page { items, ended_at: place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::ready;

    /// Pages through `visible` until no cursor is given; answers what was shown and how often it was asked per page.
    async fn read_all(visible: &[bool], limit: usize) -> (Vec<usize>, usize) {
        let (mut shown, mut place, mut most) = (Vec::new(), None, 0);
        loop {
            let mut rounds = 0;
            let page = fill(limit, place, |after: Option<usize>, limit| {
                rounds += 1;
                let rest = visible.iter().enumerate().skip(after.map_or(0, |last| last + 1)).take(limit);
                ready(Ok(rest.map(|(id, visible)| (id, visible.then_some(id))).collect()))
            })
            .await
            .expect("no refusal");
            assert!(page.items.len() <= limit);
            most = most.max(rounds);
            shown.extend(page.items);
            match page.ended_at {
                Some(last) => place = Some(last),
                None => return (shown, most),
            }
        }
    }

    #[tokio::test]
    async fn a_full_last_page_has_no_cursor() {
        let page =
            fill(20, None::<usize>, |_, _| ready(Ok((0..20).map(|id| (id, Some(id))).collect()))).await;
        assert_eq!(page.expect("no refusal").ended_at, None);
    }

    #[tokio::test]
    async fn who_may_see_nothing_of_a_long_feed_gets_there_in_bounded_steps() {
        let (shown, rounds) = read_all(&[false; 10_000], 20).await;
        assert_eq!((shown, rounds), (vec![], ROUNDS));
    }

    proptest! {
        #[test]
        fn every_visible_candidate_is_shown_once_in_order(
            visible in prop::collection::vec(any::<bool>(), 0..400),
            limit in 1_usize..50,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let (shown, rounds) = runtime.block_on(read_all(&visible, limit));
            let expected: Vec<usize> = (0..visible.len()).filter(|id| visible[*id]).collect();
            prop_assert_eq!(shown, expected);
            prop_assert!(rounds <= ROUNDS);
        }
    }
}
