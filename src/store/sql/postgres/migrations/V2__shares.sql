-- A person has one share and one repost of a post. `told`: the author's notification that counts it.
CREATE TABLE shares (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA NOT NULL UNIQUE,
    post       BYTEA NOT NULL,
    "user"     BYTEA NOT NULL,
    kind       TEXT NOT NULL,
    told       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    comment    TEXT
);
CREATE UNIQUE INDEX shares_once ON shares (post, "user", kind);
-- Those of a post are listed newest first.
CREATE INDEX shares_list ON shares (post, id);
