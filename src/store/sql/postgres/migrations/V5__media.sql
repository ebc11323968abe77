-- What others may know of an upload, as it goes over the wire: `shape`. It hangs on a post, or is somebody's photo, or is
-- forgotten after a while.
CREATE TABLE media (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA NOT NULL UNIQUE,
    owner      BYTEA NOT NULL,
    purpose    TEXT NOT NULL,
    post       BYTEA,
    photo      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    shape      TEXT NOT NULL
);
CREATE INDEX media_of_post ON media (post) WHERE post IS NOT NULL;
CREATE INDEX media_unused ON media (created_at) WHERE post IS NULL AND photo = 0;
-- The shapes of its media, as they go over the wire: they never change while the post is there.
ALTER TABLE posts ADD COLUMN media TEXT;
-- The addresses of the photo's variants, as they go over the wire.
ALTER TABLE users ADD COLUMN photo TEXT;
