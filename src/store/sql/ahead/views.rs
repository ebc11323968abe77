//! Views of posts by people: whether one counts depends on their last.

use super::{Act, Moving, OfPost};
use crate::store::sql::{
    db::{Result, Row},
    postgres::Session,
};
use communiconnect_protocol::{PostId, UserId};

/// What was read of views: until when another does not count.
#[derive(Default)]
pub(super) struct Views(Moving<(PostId, UserId), i64>);

impl Views {
    /// Reads what views among these will ask.
    pub(super) fn read<'w>(
        &mut self,
        session: &Session,
        wants: impl Iterator<Item = &'w OfPost>,
    ) -> Result<()> {
        let (mut posts, mut people) = (Vec::new(), Vec::new());
        for wanted in wants.filter(|wanted| wanted.act == Act::View) {
            posts.push(&wanted.post.as_bytes()[..]);
            people.push(&wanted.actor.user.as_bytes()[..]);
        }
        if posts.is_empty() {
            return Ok(());
        }
        for row in session.many(READ, &[&posts, &people])? {
            let row = Row::Postgres(&row);
            let key = (PostId::from_bytes(row.get(0)?), UserId::from_bytes(row.get(1)?));
            let until = row.get::<Option<i64>>(2)?.unwrap_or(0);
            self.0.found(key, || Ok(until))?;
        }
        Ok(())
    }

    pub(super) fn until(&self, post: PostId, viewer: UserId) -> Option<i64> {
        self.0.now.get(&(post, viewer)).copied()
    }

    pub(super) fn set(&mut self, post: PostId, viewer: UserId, until: i64) {
        self.0.change((post, viewer), |known| *known = until);
    }

    pub(super) fn now(&self) -> usize {
        self.0.before.len()
    }

    pub(super) fn undo(&mut self, to: usize) {
        self.0.undo(to);
    }

    /// Writes what has changed.
    pub(super) fn settle(self, session: &Session) -> Result<()> {
        let counted: Vec<_> = self.0.changed().collect();
        if counted.is_empty() { Ok(()) } else { session.save_views(&counted) }
    }
}

impl Session {
    fn save_views(&self, counted: &[((PostId, UserId), i64)]) -> Result<()> {
        let post: Vec<&[u8]> = counted.iter().map(|((post, _), _)| &post.as_bytes()[..]).collect();
        let viewer: Vec<&[u8]> = counted.iter().map(|((_, viewer), _)| &viewer.as_bytes()[..]).collect();
        let until: Vec<i64> = counted.iter().map(|(_, until)| *until).collect();
        self.bulk(
            "INSERT INTO views (post, viewer, until) SELECT * FROM unnest(?1::bytea[], ?2::bytea[], ?3::bigint[])
             ON CONFLICT (post, viewer) DO UPDATE SET until = excluded.until",
            &[&post, &viewer, &until],
        )
    }
}

/// Per view until when the viewer's last one counts.
const READ: &str = "SELECT asked.post, asked.viewer, v.until
     FROM unnest(?1::bytea[], ?2::bytea[]) AS asked (post, viewer)
         LEFT JOIN views v ON v.post = asked.post AND v.viewer = asked.viewer";
