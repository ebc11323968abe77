-- A person has one share and one repost of a post. `told`: the author's notification that counts it.
CREATE TABLE shares (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    post       BLOB NOT NULL,
    user       BLOB NOT NULL,
    kind       TEXT NOT NULL,
    told       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    comment    TEXT
);
CREATE UNIQUE INDEX shares_once ON shares (post, user, kind);
-- Those of a post are listed newest first.
CREATE INDEX shares_list ON shares (post, id);
