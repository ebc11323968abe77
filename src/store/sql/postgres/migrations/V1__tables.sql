-- The tables of the store on PostgreSQL, with the names and meanings that SQLite's have. Ids are 16 bytes (UUIDv7), whose
-- order is that of time; flags are small integers, so that the same statements serve both databases.

-- User names and addresses compare without regard to case.
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

-- Facts about the store itself: its epoch.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- The one row is the writing lock of all nodes: who had it last, and the greatest id given so far.
CREATE TABLE turn (
    one     SMALLINT PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    holder  BYTEA NOT NULL,
    last_id BYTEA NOT NULL
) WITH (fillfactor = 10);
INSERT INTO turn (holder, last_id) VALUES ('', decode(repeat('00', 16), 'hex'));

-- One row per channel that ever had a publication. `key` is the kind's byte and what the channel belongs to. Rows that are
-- updated in place leave room for it on their page.
CREATE TABLE channels (
    no    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key   BYTEA NOT NULL UNIQUE,
    head  BIGINT NOT NULL,
    first BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE log (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel  BIGINT NOT NULL,
    "offset" BIGINT NOT NULL,
    event    TEXT NOT NULL,
    data     BYTEA NOT NULL,
    at       BIGINT NOT NULL,
    actor    BYTEA,
    audience BIGINT NOT NULL,
    subject  BYTEA,
    named    BYTEA -- whom an entry of a person's log names, and whose post it is about: ids of 16 bytes
);
-- Its uniqueness is the last guard against two publications in one place.
CREATE UNIQUE INDEX log_place ON log (channel, "offset");
-- Deleting a thing overwrites what every log says of it.
CREATE INDEX log_subject ON log (subject) WHERE subject IS NOT NULL;

-- What somebody is no longer to hear of is found without reading a whole log.
CREATE INDEX log_named ON log (channel, "offset") INCLUDE (named) WHERE event = 'notification';

-- What was answered to an operation, so that a retry has the same answer and no second effect, on whichever node.
CREATE TABLE ops (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "user" BYTEA NOT NULL,
    op     TEXT NOT NULL COLLATE "C",
    digest BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    at     BIGINT NOT NULL
);
-- Clients that order their operation ids by time let this index be appended to, whoever writes.
CREATE UNIQUE INDEX ops_name ON ops (op, "user");

-- People, whoever vouches for them. The counters move in the transaction of the row that they count.
CREATE TABLE users (
    id         BYTEA PRIMARY KEY,
    username   TEXT NOT NULL COLLATE nocase UNIQUE,
    name       TEXT NOT NULL,
    bio        TEXT NOT NULL DEFAULT '',
    role       TEXT NOT NULL DEFAULT 'user',
    version    BIGINT NOT NULL DEFAULT 1,
    posts      BIGINT NOT NULL DEFAULT 0,
    followers  BIGINT NOT NULL DEFAULT 0,
    following  BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    vouched_at BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

-- People who log in here, with a password.
CREATE TABLE accounts (
    "user"     BYTEA PRIMARY KEY,
    email      TEXT NOT NULL COLLATE nocase UNIQUE,
    password   TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- People as other issuers name them. `name` is the last one that the issuer gave.
CREATE TABLE identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    "user"     BYTEA NOT NULL,
    name       TEXT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX identities_subject ON identities (issuer, subject);

-- One row per login of an account: a family of refresh tokens, of which the newest is good.
CREATE TABLE logins (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    "user"     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    closed_at  BIGINT
);
CREATE INDEX logins_expiry ON logins (expires_at);

-- Every refresh token of a login, the replaced ones too: whoever shows an old one has copied it.
CREATE TABLE refresh_tokens (
    hash     BYTEA PRIMARY KEY,
    login    BIGINT NOT NULL,
    replaced SMALLINT NOT NULL DEFAULT 0
);
CREATE INDEX refresh_tokens_login ON refresh_tokens (login);

-- What the nodes of one store agree on, such as the key of its tokens.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE follows (
    follower BYTEA NOT NULL,
    author   BYTEA NOT NULL,
    PRIMARY KEY (follower, author)
);
CREATE INDEX follows_author ON follows (author, follower);

CREATE TABLE blocks (
    blocker BYTEA NOT NULL,
    blocked BYTEA NOT NULL,
    PRIMARY KEY (blocker, blocked)
);
CREATE INDEX blocks_blocked ON blocks (blocked, blocker);

-- Communities nest and do not move. `path` holds ids of 16 bytes: itself first, then outwards; its length is the depth.
CREATE TABLE communities (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA NOT NULL UNIQUE,
    parent     BYTEA NOT NULL, -- sixteen zero bytes for an outermost one
    path       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    name       TEXT NOT NULL
);
CREATE INDEX communities_level ON communities (parent, id);

CREATE TABLE community_counts (
    community BYTEA PRIMARY KEY,
    members   BIGINT NOT NULL,
    version   BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

CREATE TABLE members (
    community BYTEA NOT NULL,
    "user"    BYTEA NOT NULL,
    role      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (community, "user")
);
CREATE INDEX members_user ON members ("user");

CREATE TABLE posts (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA NOT NULL UNIQUE,
    community  BYTEA NOT NULL,
    author     BYTEA NOT NULL,
    anonymous  SMALLINT NOT NULL,
    visibility TEXT NOT NULL,
    kind       TEXT NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    edited_at  BIGINT,
    path       BYTEA NOT NULL, -- of its community when it was written: its events go where its creation went
    title      TEXT,
    content    TEXT NOT NULL
);
CREATE INDEX posts_author ON posts (author, id, anonymous);

-- A post in the feed of its community and of each one around it.
CREATE TABLE feed (
    community BYTEA NOT NULL,
    post      BYTEA NOT NULL,
    kind      TEXT NOT NULL,
    PRIMARY KEY (community, post)
);
CREATE INDEX feed_kind ON feed (community, kind, post);

CREATE TABLE post_counts (
    post            BYTEA PRIMARY KEY,
    version         BIGINT NOT NULL DEFAULT 0,
    likes           BIGINT NOT NULL DEFAULT 0,
    love            BIGINT NOT NULL DEFAULT 0,
    haha            BIGINT NOT NULL DEFAULT 0,
    wow             BIGINT NOT NULL DEFAULT 0,
    sad             BIGINT NOT NULL DEFAULT 0,
    angry           BIGINT NOT NULL DEFAULT 0,
    comments        BIGINT NOT NULL DEFAULT 0,
    shares          BIGINT NOT NULL DEFAULT 0,
    external_shares BIGINT NOT NULL DEFAULT 0,
    views           BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Until when another view of the same viewer does not count; swept after that.
CREATE TABLE views (
    post   BYTEA NOT NULL,
    viewer BYTEA NOT NULL,
    until  BIGINT NOT NULL,
    PRIMARY KEY (post, viewer)
);
CREATE INDEX views_until ON views (until);

CREATE TABLE comments (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA NOT NULL UNIQUE,
    post       BYTEA NOT NULL,
    parent     BYTEA NOT NULL, -- sixteen zero bytes for a comment on the post itself
    author     BYTEA NOT NULL,
    anonymous  SMALLINT NOT NULL,
    depth      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    edited_at  BIGINT,
    content    TEXT NOT NULL
);
CREATE INDEX comments_place ON comments (post, parent, id);

-- A comment has a row here from its first reaction or reply on; most never have one.
CREATE TABLE comment_counts (
    comment BYTEA PRIMARY KEY,
    version BIGINT NOT NULL DEFAULT 0,
    likes   BIGINT NOT NULL DEFAULT 0,
    love    BIGINT NOT NULL DEFAULT 0,
    haha    BIGINT NOT NULL DEFAULT 0,
    wow     BIGINT NOT NULL DEFAULT 0,
    sad     BIGINT NOT NULL DEFAULT 0,
    angry   BIGINT NOT NULL DEFAULT 0,
    replies BIGINT NOT NULL DEFAULT 0,
    post    BYTEA NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX comment_counts_post ON comment_counts (post, comment);

-- One reaction of a person to a post or comment. `told`: the author's notification counts it.
CREATE TABLE reactions (
    target BYTEA NOT NULL,
    "user" BYTEA NOT NULL,
    kind   TEXT NOT NULL,
    told   BIGINT NOT NULL,
    PRIMARY KEY (target, "user")
) WITH (fillfactor = 80);

-- How many notifications a person keeps and has not read, and the kinds they do not want, as bits.
CREATE TABLE inboxes (
    "user" BYTEA PRIMARY KEY,
    unread BIGINT NOT NULL DEFAULT 0,
    kept   BIGINT NOT NULL DEFAULT 0,
    muted  BIGINT NOT NULL DEFAULT 16 -- new followers: told to those who wish it
) WITH (fillfactor = 50);

CREATE TABLE notifications (
    no           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           BYTEA NOT NULL,
    "user"       BYTEA NOT NULL,
    kind         TEXT NOT NULL,
    thing        BYTEA NOT NULL, -- the post, or who follows
    part         BYTEA NOT NULL, -- the comment, or sixteen zero bytes
    actors       BYTEA NOT NULL, -- ids of 16 bytes, latest first; some more than are shown
    count        BIGINT NOT NULL, -- 0: everything was taken back, and nobody sees it
    created_at   BIGINT NOT NULL,
    read_at      BIGINT,
    published_at BIGINT NOT NULL,
    dirty        SMALLINT NOT NULL -- changed since it was published
) WITH (fillfactor = 90);
CREATE INDEX notifications_list ON notifications ("user", created_at, id);
CREATE UNIQUE INDEX notifications_about ON notifications (part, thing, kind, "user");
CREATE INDEX notifications_dirty ON notifications (published_at) WHERE dirty = 1;

-- What hung on a thing that is gone for everybody, and waits to be removed a few rows at a time.
CREATE TABLE leftovers (
    no      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind    BIGINT NOT NULL,
    whose   BYTEA NOT NULL,
    thing   BYTEA NOT NULL,
    upto    BIGINT NOT NULL DEFAULT 0, -- of a log: what stands up to this offset is gone; it falls while it is swept
    verdict BIGINT NOT NULL DEFAULT 0 -- of a person's log: what of another they do not hear of, as bits
);
CREATE INDEX leftovers_whose ON leftovers (whose);

-- A live hangs on its post, which says its title, text, community and who may see it.
CREATE TABLE lives (
    no           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           BYTEA NOT NULL UNIQUE,
    post         BYTEA NOT NULL UNIQUE,
    owner        BYTEA NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT,
    generation   BIGINT NOT NULL, -- of its key: the ones before open nothing
    slow_mode    BIGINT NOT NULL DEFAULT 0,
    slow_version BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT,
    ended_at     BIGINT,
    encoder_left SMALLINT NOT NULL DEFAULT 0,
    report       BYTEA
);
-- One running live per person.
CREATE UNIQUE INDEX lives_running ON lives (owner) WHERE state != 'ended';
CREATE INDEX lives_list ON lives (id, post) WHERE state != 'ended';
CREATE INDEX lives_ended ON lives (owner, ended_at) WHERE state = 'ended';

-- Who carries a live, and who watches it; moves each second while it runs.
CREATE TABLE live_counts (
    live    BYTEA PRIMARY KEY,
    node    TEXT NOT NULL,
    until   BIGINT NOT NULL, -- an expired lease: the live is anybody's to end
    version BIGINT NOT NULL DEFAULT 0,
    current BIGINT NOT NULL DEFAULT 0,
    peak    BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE live_bans (
    live   BYTEA NOT NULL,
    "user" BYTEA NOT NULL,
    PRIMARY KEY (live, "user")
);

-- What a message says stands in the log; here is whose it is. Ids are UUIDv7, so rows are appended, and swept by age.
CREATE TABLE chat (
    id     BYTEA PRIMARY KEY,
    live   BYTEA NOT NULL,
    author BYTEA NOT NULL
);

-- Lasting keys of encoders, as SHA-256.
CREATE TABLE live_keys (
    owner        BYTEA PRIMARY KEY,
    hash         BYTEA NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);

-- What a live that such a key starts is like.
CREATE TABLE live_defaults (
    owner      BYTEA PRIMARY KEY,
    title      TEXT,
    community  BYTEA,
    visibility TEXT
);
