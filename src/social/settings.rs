//! What the rules of the product are told from outside.

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
    /// How often a person may do what; none does not count at all.
    pub rates: Option<Rates>,
}

/// How often a person may do what in any 60 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// New posts.
    pub posts: usize,
    /// New comments.
    pub comments: usize,
    /// Reactions set.
    pub reactions: usize,
    /// Follows and blocks set.
    pub follows: usize,
    /// New communities, joins and leaves.
    pub communities: usize,
    /// People counted at a time, which bounds memory; above that, newcomers are let through uncounted.
    pub people: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            edit_window_ms: 30 * 60 * 1000,
            view_window_ms: 30 * 60 * 1000,
            community_depth: 8,
            replies_depth: 3,
            community_name_chars: 100,
            title_chars: 200,
            content_chars: 5_000,
            comment_chars: 2_000,
            rates: Some(Rates::default()),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self { posts: 50, comments: 300, reactions: 600, follows: 120, communities: 60, people: 50_000 }
    }
}
