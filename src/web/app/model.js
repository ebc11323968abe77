// How news about posts and comments is merged. Pure; all of it is tested in tests/web/.

export const REACTIONS = ['like', 'love', 'haha', 'wow', 'sad', 'angry'];
export const KINDS = ['discussion', 'info', 'event', 'help', 'announcement'];
export const VISIBILITIES = ['public', 'followers', 'private'];

/**
 * The newer of what is known: the text by its edit version, the counts by theirs. `my` stands in replies alone, so a
 * publication never takes it away; whose post it is can be told from the author where there is one.
 */
export function mergePost(known, news, myId) {
  const text = known && known.version > news.version ? known : news;
  return { ...text, counts: newerCounts(known?.counts, news.counts), my: mine(known, news, myId) };
}

/** The same for comments, whose edits carry a time instead of a version. */
export function mergeComment(known, news, myId) {
  const text = known && (known.edited_at ?? 0) > (news.edited_at ?? 0) ? known : news;
  return { ...text, counts: newerCounts(known?.counts, news.counts), my: mine(known, news, myId) };
}

export function newerCounts(known, news) {
  return known && known.version > news.version ? known : news;
}

/** Reactions after one person has changed theirs; kinds without any are left out. */
export function withReaction(reactions, from, to) {
  const changed = { ...reactions };
  if (from) changed[from] = (changed[from] ?? 1) - 1;
  if (to) changed[to] = (changed[to] ?? 0) + 1;
  return Object.fromEntries(Object.entries(changed).filter(([, count]) => count > 0));
}

/** Ids of a comment and all that hangs on it. */
export function subtree(comments, rootId) {
  const gone = new Set([rootId]);
  for (let size = 0; size !== gone.size; ) {
    size = gone.size;
    for (const comment of comments) if (gone.has(comment.parent_id)) gone.add(comment.id);
  }
  return gone;
}

/** A name as it is compared: what looks the same is the same. */
export function foldedName(name) {
  return oneLine(name).normalize('NFKC').toLowerCase();
}

/**
 * What of its beginning tells a community from `namesakes`, which lie in the same place: `{precision, rank}` with the date to the
 * `day`, `minute` or `second`, and which one it is of those that began in the same second (from 1; else null). Null where there
 * are no namesakes.
 */
export function apartBy(community, namesakes) {
  if (namesakes.length === 0) return null;
  const sharing = (read) => namesakes.filter((other) => read(other.created_at) === read(community.created_at));
  if (sharing((at) => new Date(at).toDateString()).length === 0) return { precision: 'day', rank: null };
  if (sharing((at) => Math.floor(at / 60_000)).length === 0) return { precision: 'minute', rank: null };
  const beside = sharing((at) => Math.floor(at / 1_000));
  // Ids are in the order of time.
  return { precision: 'second', rank: beside.length === 0 ? null : 1 + beside.filter(({ id }) => id < community.id).length };
}

/** Newest first; ids are in the order of time, so they break ties. */
export function newestFirst(a, b) {
  return b.created_at - a.created_at || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/** Whether the author may still change a post. */
export function editable(post, now, windowMs = 30 * 60_000) {
  return post.my?.author === true && !post.pending && now - post.created_at < windowMs;
}

/** Length as the server counts it: Unicode scalar values after normalisation. */
export function length(text) {
  return [...text.normalize('NFC')].length;
}

/** Characters that turn the direction of what follows them. Names and titles need none: each stands in its own isolate. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** Characters that show nothing and that no script needs. Joiners stay: Persian and emoji are written with them. */
const NOTHING = /[\u00ad\u200b\u2060-\u2064\u206a-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;
const INVISIBLE = /^[\s\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2800\u3164\ufe00-\ufe0f\uffa0]*$/u;

/** A name or title on one line: without characters that hide, or that turn what stands beside it. */
export function oneLine(text) {
  return text.replace(TURNS, '').replace(NOTHING, '').replace(/\s+/g, ' ').trim();
}

/** What a person is called; one whose name shows nothing is called by the username. */
export function nameOf(person) {
  const name = oneLine(person.name ?? '');
  return INVISIBLE.test(name) ? person.username : name;
}

/** Text that may run the other way, fenced off (Unicode bidi FSI … PDI) so that it turns nothing around it. */
export function isolated(text) {
  return /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u.test(text) ? `\u2068${text.replace(TURNS, '')}\u2069` : text;
}

function mine(known, news, myId) {
  if (news.my) return news.my;
  return known?.my ?? { author: myId !== null && news.author?.id === myId };
}
