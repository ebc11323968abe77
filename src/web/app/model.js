// How news about posts and comments is merged. Pure; all of it is tested in tests/web/.

export const REACTIONS = ['like', 'love', 'haha', 'wow', 'sad', 'angry'];
export const KINDS = ['discussion', 'info', 'event', 'help', 'announcement'];
export const VISIBILITIES = ['public', 'followers', 'private'];
export const MAX_DEPTH = 3;

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

function mine(known, news, myId) {
  if (news.my) return news.my;
  return known?.my ?? { author: myId !== null && news.author?.id === myId };
}
