-- Communities nest and do not move. `path` holds ids of 16 bytes: itself first, then outwards; its length is the depth.
CREATE TABLE communities (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    parent     BLOB NOT NULL, -- sixteen zero bytes for an outermost one, so that one index serves both
    path       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    name       TEXT NOT NULL -- not unique: an id names a community, and two towns may have a "Market"
);
-- A level is listed oldest first.
CREATE INDEX communities_level ON communities (parent, id);

CREATE TABLE community_counts (
    community BLOB PRIMARY KEY,
    members   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
    community BLOB NOT NULL,
    user      BLOB NOT NULL,
    role      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (community, user)
) WITHOUT ROWID;
-- The home feed asks for the communities of a person.
CREATE INDEX members_user ON members (user);

-- Wide rows lie by rowid, the long text last: what rules judge by is read without it.
CREATE TABLE posts (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    community  BLOB NOT NULL,
    author     BLOB NOT NULL,
    anonymous  INTEGER NOT NULL,
    visibility TEXT NOT NULL,
    kind       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    edited_at  INTEGER,
    path       BLOB NOT NULL, -- of its community when it was written: its events go where its creation went
    title      TEXT,
    content    TEXT NOT NULL
);
-- What a person wrote, newest first; the home feed asks it for named ones of everybody that a reader follows.
CREATE INDEX posts_author ON posts (author, id, anonymous);

-- A post in the feed of its community and of each one around it.
CREATE TABLE feed (
    community BLOB NOT NULL,
    post      BLOB NOT NULL,
    kind      TEXT NOT NULL,
    PRIMARY KEY (community, post)
) WITHOUT ROWID;
-- A rare kind must not cost a walk through the whole feed.
CREATE INDEX feed_kind ON feed (community, kind, post);

-- Counters are narrow and apart: they move often, the wide rows do not.
CREATE TABLE post_counts (
    post            BLOB PRIMARY KEY,
    version         INTEGER NOT NULL DEFAULT 0,
    likes           INTEGER NOT NULL DEFAULT 0,
    love            INTEGER NOT NULL DEFAULT 0,
    haha            INTEGER NOT NULL DEFAULT 0,
    wow             INTEGER NOT NULL DEFAULT 0,
    sad             INTEGER NOT NULL DEFAULT 0,
    angry           INTEGER NOT NULL DEFAULT 0,
    comments        INTEGER NOT NULL DEFAULT 0,
    shares          INTEGER NOT NULL DEFAULT 0,
    external_shares INTEGER NOT NULL DEFAULT 0,
    views           INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Until when another view of the same viewer does not count; swept after that.
CREATE TABLE views (
    post   BLOB NOT NULL,
    viewer BLOB NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (post, viewer)
) WITHOUT ROWID;
-- The sweep takes the oldest.
CREATE INDEX views_until ON views (until);

CREATE TABLE comments (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    post       BLOB NOT NULL,
    parent     BLOB NOT NULL, -- sixteen zero bytes for a comment on the post itself
    author     BLOB NOT NULL,
    anonymous  INTEGER NOT NULL,
    depth      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    edited_at  INTEGER,
    content    TEXT NOT NULL
);
-- Lists oldest first, and finds what hangs on a comment or post that is deleted.
CREATE INDEX comments_place ON comments (post, parent, id);

-- A comment has a row here from its first reaction or reply on; most never have one.
CREATE TABLE comment_counts (
    comment BLOB PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 0,
    likes   INTEGER NOT NULL DEFAULT 0,
    love    INTEGER NOT NULL DEFAULT 0,
    haha    INTEGER NOT NULL DEFAULT 0,
    wow     INTEGER NOT NULL DEFAULT 0,
    sad     INTEGER NOT NULL DEFAULT 0,
    angry   INTEGER NOT NULL DEFAULT 0,
    replies INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- One reaction of a person to a post or comment. `told`: the author's notification counts it.
CREATE TABLE reactions (
    target BLOB NOT NULL,
    user   BLOB NOT NULL,
    kind   TEXT NOT NULL,
    told   INTEGER NOT NULL,
    PRIMARY KEY (target, user)
) WITHOUT ROWID;

-- How many notifications a person keeps and has not read, and the kinds they do not want, as bits.
CREATE TABLE inboxes (
    user   BLOB PRIMARY KEY,
    unread INTEGER NOT NULL DEFAULT 0,
    kept   INTEGER NOT NULL DEFAULT 0,
    muted  INTEGER NOT NULL DEFAULT 16 -- new followers: told to those who wish it
) WITHOUT ROWID;

CREATE TABLE notifications (
    no           INTEGER PRIMARY KEY,
    id           BLOB NOT NULL,
    user         BLOB NOT NULL,
    kind         TEXT NOT NULL,
    thing        BLOB NOT NULL, -- the post, or who follows
    part         BLOB NOT NULL, -- the comment, or sixteen zero bytes
    actors       BLOB NOT NULL, -- ids of 16 bytes, latest first; some more than are shown
    count        INTEGER NOT NULL, -- 0: everything was taken back, and nobody sees it
    created_at   INTEGER NOT NULL,
    read_at      INTEGER,
    published_at INTEGER NOT NULL,
    dirty        INTEGER NOT NULL -- changed since it was published
);
-- A person's list, newest first.
CREATE INDEX notifications_list ON notifications (user, created_at, id);
-- Reactions to one target are one notification; what is deleted takes its notifications with it. The comment comes
-- first, so that the frequent kind, of new comments, is appended rather than strewn over the index.
CREATE UNIQUE INDEX notifications_about ON notifications (part, thing, kind, user);
-- Those that wait to be published again.
CREATE INDEX notifications_dirty ON notifications (published_at) WHERE dirty = 1;
