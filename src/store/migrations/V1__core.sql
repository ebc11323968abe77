-- Facts about the store itself: its id and its epoch.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row per channel that ever had a publication. `key` is the kind's byte and what the channel belongs to.
CREATE TABLE channels (
    no    INTEGER PRIMARY KEY,
    key   BLOB NOT NULL UNIQUE,
    head  INTEGER NOT NULL,
    first INTEGER NOT NULL
);

-- Wide rows are appended by rowid; the narrow index finds them by place.
CREATE TABLE log (
    id       INTEGER PRIMARY KEY,
    channel  INTEGER NOT NULL,
    offset   INTEGER NOT NULL,
    event    TEXT NOT NULL,
    data     BLOB NOT NULL,
    at       INTEGER NOT NULL,
    actor    BLOB,
    audience INTEGER NOT NULL,
    subject  BLOB
);
CREATE UNIQUE INDEX log_place ON log (channel, offset);
-- Deleting a thing overwrites what every log says of it.
CREATE INDEX log_subject ON log (subject) WHERE subject IS NOT NULL;

-- What was answered to an operation, so that a retry has the same answer and no second effect.
CREATE TABLE ops (
    id     INTEGER PRIMARY KEY,
    user   BLOB NOT NULL,
    op     TEXT NOT NULL,
    digest BLOB NOT NULL,
    answer BLOB NOT NULL,
    at     INTEGER NOT NULL
);
CREATE UNIQUE INDEX ops_name ON ops (user, op);
