//! What counts amount to: rates, scores and labels, for those whose posts they are. Pure.
//!
//! Knows counts and nothing of where they are kept; who may see the figures is decided in `social::policy`.

use crate::publication::State;
use communiconnect_protocol::{
    Channel, Data, PostCounts, PostCountsState, PostFiguresState, PostLabel, event,
};

/// Tenths of a per cent.
const WHOLE: u128 = 1_000;

/// How a post is received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reception {
    /// Reactions, comments and shares for a hundred views, with one decimal; 0 without views. More than 100 where people act on
    /// what they did not open.
    pub engagement_rate: f64,
    /// The same, 100 at most.
    pub viral_score: f64,
    /// What the score amounts to.
    pub label: PostLabel,
}

impl Reception {
    /// Of a post with these counts. The label goes by the score as it is shown, so that 20.0 is never called normal.
    pub fn of(counts: &PostCounts) -> Self {
        let acts = u128::from(reactions(counts)) + u128::from(counts.comments) + u128::from(counts.shares);
        let views = u128::from(counts.views);
        let tenths = if views == 0 { 0 } else { (2 * acts * WHOLE + views) / (2 * views) };
        let score = tenths.min(WHOLE);
        let label = match score {
            800.. => PostLabel::Viral,
            500.. => PostLabel::Popular,
            200.. => PostLabel::Engaged,
            _ => PostLabel::Normal,
        };
        Self { engagement_rate: per_cent(tenths), viral_score: per_cent(score), label }
    }
}

/// Reactions of all kinds.
pub fn reactions(counts: &PostCounts) -> u64 {
    counts.reactions.values().fold(0, |all, count| all.saturating_add(*count))
}

/// The figures of a post for its author, out of the state that tells its counts to everybody; none of other states.
pub fn figures_of(state: &State) -> Option<State> {
    if state.event != event::POST_COUNTS {
        return None;
    }
    let told: PostCountsState = state.data.read().ok()?;
    let figures = figures(told);
    Some(State {
        channels: vec![Channel::AnalyticsPost(figures.post_id)],
        event: event::POST_FIGURES.into(),
        key: figures.post_id.to_string(),
        version: figures.version,
        data: Data::of(&figures),
        actor: None,
    })
}

/// What the author is told of these counts.
pub fn figures(PostCountsState { post_id, counts }: PostCountsState) -> PostFiguresState {
    let Reception { engagement_rate, viral_score, label } = Reception::of(&counts);
    PostFiguresState {
        post_id,
        version: counts.version,
        views: counts.views,
        reactions: counts.reactions,
        comments: counts.comments,
        shares: counts.shares,
        external_shares: counts.external_shares,
        engagement_rate,
        viral_score,
        label,
    }
}

fn per_cent(tenths: u128) -> f64 {
    tenths as f64 / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use communiconnect_protocol::{PostId, ReactionKind};
    use std::collections::BTreeMap;

    fn counts(views: u64, likes: u64, comments: u64, shares: u64) -> PostCounts {
        let reactions = BTreeMap::from([(ReactionKind::Like, likes)]);
        PostCounts { reactions, comments, shares, views, ..PostCounts::default() }
    }

    fn received(views: u64, likes: u64, comments: u64, shares: u64) -> (f64, f64, PostLabel) {
        let Reception { engagement_rate, viral_score, label } =
            Reception::of(&counts(views, likes, comments, shares));
        (engagement_rate, viral_score, label)
    }

    #[test]
    fn rates_are_acts_for_a_hundred_views() {
        assert_eq!(received(10, 3, 2, 1), (60.0, 60.0, PostLabel::Popular));
        assert_eq!(received(1, 5, 0, 0), (500.0, 100.0, PostLabel::Viral));
        assert_eq!(received(3, 1, 0, 0), (33.3, 33.3, PostLabel::Engaged));
        assert_eq!(received(6, 1, 0, 0), (16.7, 16.7, PostLabel::Normal), "half up");
    }

    #[test]
    fn without_views_nothing_is_divided() {
        assert_eq!(received(0, 7, 1, 1), (0.0, 0.0, PostLabel::Normal));
        assert_eq!(received(0, 0, 0, 0), (0.0, 0.0, PostLabel::Normal));
    }

    #[test]
    fn labels_begin_exactly_at_their_score() {
        for (acts, label) in [
            (199, PostLabel::Normal),
            (200, PostLabel::Engaged),
            (499, PostLabel::Engaged),
            (500, PostLabel::Popular),
            (799, PostLabel::Popular),
            (800, PostLabel::Viral),
        ] {
            assert_eq!(received(1_000, 0, acts, 0).2, label, "{acts} of 1,000");
        }
        assert_eq!(received(10_000, 0, 1_996, 0), (20.0, 20.0, PostLabel::Engaged), "what is shown counts");
    }

    #[test]
    fn shares_to_other_platforms_move_no_rate() {
        let elsewhere = PostCounts { external_shares: 50, ..counts(10, 1, 0, 0) };
        assert_eq!(Reception::of(&elsewhere), Reception::of(&counts(10, 1, 0, 0)));
    }

    #[test]
    fn counts_of_any_size_are_no_panic() {
        let most = u64::MAX;
        assert_eq!(received(most, most, most, most).1, 100.0);
        assert_eq!(received(1, most, most, most).2, PostLabel::Viral);
    }

    #[test]
    fn the_author_is_told_what_everybody_is_told_and_what_it_amounts_to() {
        let post_id = PostId::from_bytes([7; 16]);
        let told = PostCountsState { post_id, counts: PostCounts { version: 4, ..counts(10, 3, 2, 1) } };
        let state = State {
            channels: vec![Channel::Post(post_id)],
            event: event::POST_COUNTS.into(),
            key: post_id.to_string(),
            version: 4,
            data: Data::of(&told),
            actor: None,
        };
        let figures = figures_of(&state).expect("of counts");
        assert_eq!((&figures.channels[..], figures.version), (&[Channel::AnalyticsPost(post_id)][..], 4));
        let data: PostFiguresState = figures.data.read().expect("figures");
        assert_eq!((data.views, data.viral_score, data.label), (10, 60.0, PostLabel::Popular));
        assert!(figures_of(&State { event: event::COMMENT_COUNTS.into(), ..state }).is_none());
    }
}
