-- People, whoever vouches for them. Names compare without regard to case (ASCII: user names have nothing else).
-- The counters move in the transaction of the row that they count.
CREATE TABLE users (
    id         BLOB NOT NULL PRIMARY KEY,
    username   TEXT NOT NULL COLLATE NOCASE UNIQUE,
    name       TEXT NOT NULL,
    bio        TEXT NOT NULL DEFAULT '',
    role       TEXT NOT NULL DEFAULT 'user',
    version    INTEGER NOT NULL DEFAULT 1,
    posts      INTEGER NOT NULL DEFAULT 0,
    followers  INTEGER NOT NULL DEFAULT 0,
    following  INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
);

-- People who log in here, with a password.
CREATE TABLE accounts (
    user       BLOB NOT NULL PRIMARY KEY,
    email      TEXT NOT NULL COLLATE NOCASE UNIQUE,
    password   TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

-- People as other issuers name them. `name` is the last one that the issuer gave: a person's own change of name
-- stands until the issuer says something new.
CREATE TABLE identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    user       BLOB NOT NULL,
    name       TEXT,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX identities_subject ON identities (issuer, subject);

-- One row per login of an account: a family of refresh tokens, of which the newest is good.
CREATE TABLE logins (
    no         INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    user       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    closed_at  INTEGER
);
-- Logins that ran out are removed a few at a time.
CREATE INDEX logins_expiry ON logins (expires_at);

-- Every refresh token of a login, the replaced ones too: whoever shows an old one has copied it.
CREATE TABLE refresh_tokens (
    hash     BLOB NOT NULL PRIMARY KEY,
    login    INTEGER NOT NULL,
    replaced INTEGER NOT NULL DEFAULT 0
);
-- A login is removed with its tokens.
CREATE INDEX refresh_tokens_login ON refresh_tokens (login);

-- What nodes of one store agree on, such as the key of its tokens.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE follows (
    follower BLOB NOT NULL,
    author   BLOB NOT NULL,
    PRIMARY KEY (follower, author)
) WITHOUT ROWID;
-- Whoever follows a person.
CREATE INDEX follows_author ON follows (author, follower);

CREATE TABLE blocks (
    blocker BLOB NOT NULL,
    blocked BLOB NOT NULL,
    PRIMARY KEY (blocker, blocked)
) WITHOUT ROWID;
-- Whoever blocks a person.
CREATE INDEX blocks_blocked ON blocks (blocked, blocker);
