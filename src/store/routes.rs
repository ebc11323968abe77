//! Where the events and states of a post go. Pure; the one place that says it (SPEC.md §Channels).

use communiconnect_protocol::{Channel, CommunityId, PostId, UserId, Visibility};

/// Most feeds that one post goes to: its community's and those around it.
pub(crate) const MAX_LEVELS: usize = 8;

/// What decides where a post goes; none of it changes after the post was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) id: PostId,
    pub(crate) author: UserId,
    pub(crate) anonymous: bool,
    pub(crate) visibility: Visibility,
    /// Its community, then those around it, outwards.
    pub(crate) path: Vec<CommunityId>,
}

impl Placement {
    /// Where the creation goes. The first one is where its position is told: the community's feed, or the only channel.
    pub(crate) fn creation(&self) -> Vec<Channel> {
        match self.visibility {
            Visibility::Public => {
                let feeds = self.path.iter().take(MAX_LEVELS).map(|id| Channel::Feed(*id));
                let author = (!self.anonymous).then_some(Channel::Author(self.author));
                feeds.chain(author).collect()
            }
            Visibility::Followers => vec![Channel::Author(self.author)],
            Visibility::Private => vec![Channel::User(self.author)],
        }
    }

    /// Where everything later goes: where the creation went, and the post's own channel.
    pub(crate) fn later(&self) -> Vec<Channel> {
        let mut channels = self.creation();
        channels.push(Channel::Post(self.id));
        channels
    }

    /// Whom its events name, for the filter of blocked pairs.
    pub(crate) fn named_author(&self) -> Option<UserId> {
        (!self.anonymous).then_some(self.author)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn community(number: u8) -> CommunityId {
        CommunityId::from_bytes([number; 16])
    }

    fn post(visibility: Visibility, anonymous: bool, levels: u8) -> Placement {
        Placement {
            id: PostId::from_bytes([9; 16]),
            author: UserId::from_bytes([7; 16]),
            anonymous,
            visibility,
            path: (1..=levels).map(community).collect(),
        }
    }

    #[test]
    fn a_public_post_goes_to_every_feed_around_it_and_to_its_author() {
        let author = Channel::Author(UserId::from_bytes([7; 16]));
        let feeds = [Channel::Feed(community(1)), Channel::Feed(community(2))];
        let post = post(Visibility::Public, false, 2);
        assert_eq!(post.creation(), [&feeds[..], &[author]].concat());
        assert_eq!(post.named_author(), Some(post.author));
    }

    #[test]
    fn an_anonymous_post_never_touches_a_channel_of_its_author() {
        let post = post(Visibility::Public, true, 1);
        assert_eq!(post.creation(), [Channel::Feed(community(1))]);
        assert_eq!(post.later(), [Channel::Feed(community(1)), Channel::Post(post.id)]);
        assert_eq!(post.named_author(), None);
    }

    #[test]
    fn a_followers_only_post_goes_to_its_author_alone() {
        let post = post(Visibility::Followers, false, 3);
        assert_eq!(post.creation(), [Channel::Author(post.author)]);
    }

    #[test]
    fn a_private_post_stays_with_its_author() {
        let post = post(Visibility::Private, false, 3);
        assert_eq!(post.creation(), [Channel::User(post.author)]);
        assert_eq!(post.later(), [Channel::User(post.author), Channel::Post(post.id)]);
    }

    #[test]
    fn feeds_end_after_eight_levels_counted_from_the_post() {
        let post = post(Visibility::Public, true, 12);
        let feeds: Vec<Channel> = (1..=8).map(|number| Channel::Feed(community(number))).collect();
        assert_eq!(post.creation(), feeds);
    }
}
