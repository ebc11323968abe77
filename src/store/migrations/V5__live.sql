-- A live hangs on its post, which says its title, text, community and who may see it. What moves every second is
-- narrow and lies in `live_counts`; the reports lie last.
CREATE TABLE lives (
    no           INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    post         BLOB NOT NULL UNIQUE,
    owner        BLOB NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT,
    generation   INTEGER NOT NULL, -- of its key: the ones before open nothing
    slow_mode    INTEGER NOT NULL DEFAULT 0,
    slow_version INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    encoder_left INTEGER NOT NULL DEFAULT 0,
    report       BLOB
);
-- One running live per person.
CREATE UNIQUE INDEX lives_running ON lives (owner) WHERE state != 'ended';
-- Lists of running ones, newest first.
CREATE INDEX lives_list ON lives (id, post) WHERE state != 'ended';
-- How a person's last one ended.
CREATE INDEX lives_ended ON lives (owner, ended_at) WHERE state = 'ended';

-- Who carries a live, and who watches it; moves each second while it runs.
CREATE TABLE live_counts (
    live    BLOB PRIMARY KEY,
    node    TEXT NOT NULL,
    until   INTEGER NOT NULL, -- an expired lease: the live is anybody's to end
    version INTEGER NOT NULL DEFAULT 0,
    current INTEGER NOT NULL DEFAULT 0,
    peak    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE live_bans (
    live BLOB NOT NULL,
    user BLOB NOT NULL,
    PRIMARY KEY (live, user)
) WITHOUT ROWID;

-- What a message says stands in the log; here is whose it is. Ids are UUIDv7, so rows are appended, and swept by age.
CREATE TABLE chat (
    id     BLOB PRIMARY KEY,
    live   BLOB NOT NULL,
    author BLOB NOT NULL
) WITHOUT ROWID;

-- Lasting keys of encoders, as SHA-256.
CREATE TABLE live_keys (
    owner        BLOB PRIMARY KEY,
    hash         BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) WITHOUT ROWID;

-- What a live that such a key starts is like.
CREATE TABLE live_defaults (
    owner      BLOB PRIMARY KEY,
    title      TEXT,
    community  BLOB,
    visibility TEXT
) WITHOUT ROWID;
