-- Clients that order their operation ids by time let this index be appended to, whoever writes: by person first, every
-- operation went to a page of its own.
DROP INDEX ops_name;
CREATE UNIQUE INDEX ops_name ON ops (op, user);
