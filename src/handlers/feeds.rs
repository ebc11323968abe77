//! `feed.list`

use super::{Answer, Ask};
use communiconnect_protocol::{FeedList, Reply};

pub(super) async fn list(ask: Ask<'_>, body: FeedList) -> Answer {
    ask.social.feeds.list(ask.reader(), body).await.map(Reply::Posts)
}
