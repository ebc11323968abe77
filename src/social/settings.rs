//! What the rules of the product are told from outside.

use crate::config::Config;

/// Numbers that the rules need; the server fills them from its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long after posting its author may edit a post, in milliseconds.
    pub edit_window_ms: i64,
    /// How long another view of the same person does not count, in milliseconds.
    pub view_window_ms: i64,
    /// Levels of communities, counted from the outermost.
    pub community_depth: u8,
    /// How deep replies nest; 0 allows comments on the post alone.
    pub replies_depth: u8,
    /// Characters of a community's name.
    pub community_name_chars: usize,
    /// Characters of a post's title.
    pub title_chars: usize,
    /// Characters of a post.
    pub content_chars: usize,
    /// Characters of a comment.
    pub comment_chars: usize,
    /// Characters of what a person says to a post that they share.
    pub share_chars: usize,
    /// Where the page of this server is reached, without a slash at its end: links that are shared elsewhere begin with it.
    pub public_address: String,
    /// Characters of a person's name.
    pub name_chars: usize,
    /// Characters of what a person says of themselves.
    pub bio_chars: usize,
    /// How often a person may do what; none does not count at all.
    pub rates: Option<Rates>,
}

/// How often a person may do what, in any span of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// New posts.
    pub posts_per_minute: u32,
    /// New comments.
    pub comments_per_minute: u32,
    /// Reactions set.
    pub reactions_per_minute: u32,
    /// Shares and reposts, and taking them back.
    pub shares_per_minute: u32,
    /// Follows, blocks, joins and leaves.
    pub follows_per_minute: u32,
    /// Uploads.
    pub uploads_per_minute: u32,
    /// New communities.
    pub communities_per_hour: u32,
    /// Acts remembered at a time over all people, which bounds memory (24 bytes each); beyond it, acts are let through
    /// uncounted.
    pub remembered: usize,
}

impl Settings {
    /// As configured.
    pub fn of(config: &Config) -> Self {
        let Config { social, limits, .. } = config;
        let narrow = |levels: u32| u8::try_from(levels).unwrap_or(u8::MAX);
        Self {
            edit_window_ms: social.edit_window_ms,
            view_window_ms: social.view_window_ms,
            community_depth: narrow(social.community_depth),
            replies_depth: narrow(social.replies_depth),
            community_name_chars: social.community_name_chars,
            title_chars: social.title_chars,
            content_chars: social.post_chars,
            comment_chars: social.comment_chars,
            share_chars: social.share_chars,
            name_chars: social.name_chars,
            bio_chars: social.bio_chars,
            public_address: config.public_address(),
            rates: limits.rates.then_some(Rates {
                posts_per_minute: limits.posts_per_minute,
                comments_per_minute: limits.comments_per_minute,
                reactions_per_minute: limits.reactions_per_minute,
                shares_per_minute: limits.shares_per_minute,
                follows_per_minute: limits.follows_per_minute,
                uploads_per_minute: limits.uploads_per_minute,
                communities_per_hour: limits.communities_per_hour,
                remembered: limits.remembered_acts,
            }),
        }
    }
}
