-- What came to a post on one day less what was taken back on it: all days add up to its counts. Days are counted from 1970, UTC.
CREATE TABLE post_days (
    post            BYTEA NOT NULL,
    day             BIGINT NOT NULL,
    views           BIGINT NOT NULL DEFAULT 0,
    guests          BIGINT NOT NULL DEFAULT 0, -- of these views, guests who saw it for the first time in their session
    reactions       BIGINT NOT NULL DEFAULT 0,
    comments        BIGINT NOT NULL DEFAULT 0,
    shares          BIGINT NOT NULL DEFAULT 0,
    reposts         BIGINT NOT NULL DEFAULT 0, -- of these shares
    external_shares BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (post, day)
);

-- Rows of people stay from now on and say who has seen a post; those of guests are swept as before.
ALTER TABLE views ADD COLUMN guest BIGINT NOT NULL DEFAULT 0;
UPDATE views SET guest = 1 WHERE viewer NOT IN (SELECT id FROM users);
DROP INDEX views_until;
CREATE INDEX views_guests ON views (until) WHERE guest = 1;

-- What is known of when it was. Nobody noted when views and reactions came: they stand on the day of the post.
INSERT INTO post_days (post, day, views, reactions)
SELECT p.id, p.created_at / 86400000, c.views, c.likes + c.love + c.haha + c.wow + c.sad + c.angry
FROM posts p JOIN post_counts c ON c.post = p.id
WHERE c.version > 0;
INSERT INTO post_days (post, day, comments)
SELECT c.post, c.created_at / 86400000, count(*)
FROM comments c JOIN post_counts n ON n.post = c.post
WHERE true
GROUP BY c.post, c.created_at / 86400000
ON CONFLICT (post, day) DO UPDATE SET comments = excluded.comments;
INSERT INTO post_days (post, day, shares, reposts)
SELECT s.post, s.created_at / 86400000, count(*), sum(CASE WHEN s.kind = 'repost' THEN 1 ELSE 0 END)::BIGINT
FROM shares s JOIN post_counts n ON n.post = s.post
WHERE true
GROUP BY s.post, s.created_at / 86400000
ON CONFLICT (post, day) DO UPDATE SET shares = excluded.shares, reposts = excluded.reposts;
INSERT INTO post_days (post, day, external_shares)
SELECT e.post, e.created_at / 86400000, count(*)
FROM external_shares e JOIN post_counts n ON n.post = e.post
WHERE true
GROUP BY e.post, e.created_at / 86400000
ON CONFLICT (post, day) DO UPDATE SET external_shares = excluded.external_shares;
