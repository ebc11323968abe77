-- A person has one share of a post to each platform. `told`: the author's notification that counts the person.
CREATE TABLE external_shares (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    post       BLOB NOT NULL,
    user       BLOB NOT NULL,
    platform   TEXT NOT NULL,
    told       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    message    TEXT -- what the link says instead of the post's own words
);
CREATE UNIQUE INDEX external_shares_once ON external_shares (post, user, platform);

-- How many there are, so that nobody counts rows.
CREATE TABLE external_share_counts (
    post     BLOB NOT NULL,
    platform TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (post, platform)
) WITHOUT ROWID;
