CREATE TABLE users (
    no       INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    username TEXT NOT NULL,
    name     TEXT NOT NULL,
    photo    TEXT,
    bio      TEXT NOT NULL,
    role     TEXT NOT NULL
);

CREATE TABLE follows (
    follower BLOB NOT NULL,
    author   BLOB NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (follower, author)
) WITHOUT ROWID;

CREATE TABLE blocks (
    blocker BLOB NOT NULL,
    blocked BLOB NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (blocker, blocked)
) WITHOUT ROWID;
