-- What others may know of an upload, as it goes over the wire: `shape`. It hangs on a post, or is somebody's photo, or is
-- forgotten after a while.
CREATE TABLE media (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    owner      BLOB NOT NULL,
    purpose    TEXT NOT NULL,
    post       BLOB,
    photo      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    shape      TEXT NOT NULL
);
CREATE INDEX media_of_post ON media (post) WHERE post IS NOT NULL;
CREATE INDEX media_unused ON media (created_at) WHERE post IS NULL AND photo = 0;
-- The shapes of its media, as they go over the wire: they never change while the post is there.
ALTER TABLE posts ADD COLUMN media TEXT;
-- The addresses of the photo's variants, as they go over the wire.
ALTER TABLE users ADD COLUMN photo TEXT;
