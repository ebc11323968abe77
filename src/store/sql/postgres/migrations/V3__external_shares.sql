-- A person has one share of a post to each platform. `told`: the author's notification that counts the person.
CREATE TABLE external_shares (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA NOT NULL UNIQUE,
    post       BYTEA NOT NULL,
    "user"     BYTEA NOT NULL,
    platform   TEXT NOT NULL,
    told       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    message    TEXT -- what the link says instead of the post's own words
);
CREATE UNIQUE INDEX external_shares_once ON external_shares (post, "user", platform);

-- How many there are, so that nobody counts rows.
CREATE TABLE external_share_counts (
    post     BYTEA NOT NULL,
    platform TEXT NOT NULL,
    count    BIGINT NOT NULL,
    PRIMARY KEY (post, platform)
);
