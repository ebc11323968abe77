-- A new subscriber of a post gets the counts of its newest comments without a look at all of them.
ALTER TABLE comment_counts ADD COLUMN post BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
UPDATE comment_counts SET post = c.post FROM comments c WHERE c.id = comment;
CREATE INDEX comment_counts_post ON comment_counts (post);

-- Members are told as a state, whose version rises with every change.
ALTER TABLE community_counts ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- When the newest token was issued that spoke of a person, in milliseconds: an older one has no news.
ALTER TABLE users ADD COLUMN vouched_at INTEGER NOT NULL DEFAULT 0;

-- What hung on a thing that is gone for everybody, and waits to be removed a few rows at a time.
CREATE TABLE leftovers (
    no    INTEGER PRIMARY KEY,
    kind  INTEGER NOT NULL,
    post  BLOB NOT NULL,
    thing BLOB NOT NULL
);
-- Whether a comment of a post may hang on a removed one is asked with every look at a comment.
CREATE INDEX leftovers_post ON leftovers (post);
