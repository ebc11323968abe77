-- A person's photo makes way for the next.
CREATE INDEX media_photos ON media (owner) WHERE photo = 1;
