-- Whom an entry of a person's log names, and whose post it is about: ids of 16 bytes. Null in entries of former versions,
-- which have to be read to be known.
ALTER TABLE log ADD COLUMN named BLOB;
-- What somebody is no longer to hear of is found without reading a whole log.
CREATE INDEX log_named ON log (channel, offset, named) WHERE event = 'notification';

-- What is left over may also be a person's: in their log.
ALTER TABLE leftovers RENAME COLUMN post TO whose;
-- Of a log: what stands up to this offset is gone. It falls while it is swept.
ALTER TABLE leftovers ADD COLUMN upto INTEGER NOT NULL DEFAULT 0;
-- Of a person's log: what of another they do not hear of, as bits.
ALTER TABLE leftovers ADD COLUMN verdict INTEGER NOT NULL DEFAULT 0;
DROP INDEX leftovers_post;
CREATE INDEX leftovers_whose ON leftovers (whose);
