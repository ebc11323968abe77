// The tree of communities as far as it has been looked at, and which of them one is a member of.

import { Signal } from './signal.js';
import { newOp } from '../client.js';
import { apartBy, foldedName, oneLine } from './model.js';

/** Lists asked for when the page opens, to find one's memberships; deeper ones appear when they are unfolded. */
const FIRST_LISTS = 24;
/** Pages of one list. */
const PAGES = 10;

/**
 * What one does on another device is told to no channel of all: whoever comes back to the page has the tree read again, but not
 * sooner than this after the last time, since each look is up to `FIRST_LISTS` commands.
 */
const LOOK_LEAST_MS = 5 * 60_000;

export class Communities {
  /** Emits when anything about a community has changed. */
  changed = new Signal();
  #connection;
  #known = new Map();
  /** folded name -> ids of those that bear it */
  #bearers = new Map();
  /** parent id, or '' for the outermost -> ids in order */
  #children = new Map();
  #asked = new Map();
  #exploring = null;
  #exploredAt = -Infinity;
  #now;
  /** How many states have come: what was asked before one of a community may be older than it. */
  #told = 0;

  constructor(connection, now = () => Date.now()) {
    this.#connection = connection;
    this.#now = now;
  }

  /** Hears from now on of those that others open; `complain` is told why the tree could not be looked at. */
  follow(complain) {
    const look = () => this.explore().catch((error) => error.code !== 'disconnected' && complain(error));
    this.#connection.follow('communities', { opened: look, reset: look, publication: (item) => this.heard(item) });
  }

  /** A `community.created`, of which an answer may have told more already. */
  heard({ event, data }) {
    if (event !== 'community.created' || this.#known.has(data.community.id)) return;
    this.#children.set(data.community.id, []); // what is made in it is heard of after it
    this.put(data.community);
  }

  get(id) {
    return this.#known.get(id);
  }

  /** Loads one that is not known yet; at most once at a time. */
  load(id) {
    if (!this.#asked.has(id)) {
      const since = this.#told;
      const asking = this.#connection
        .ask('community.get', { community_id: id })
        .then(({ community }) => this.put(community, since))
        .finally(() => this.#asked.delete(id));
      this.#asked.set(id, asking);
    }
    return this.#asked.get(id);
  }

  /** Takes what was answered to a question asked when `since` states had come. */
  put(community, since = this.#told) {
    this.#keep(community, since);
    const siblings = this.#children.get(community.parent_id ?? '');
    if (siblings && !siblings.includes(community.id)) siblings.push(community.id);
    this.changed.emit();
    return this.#known.get(community.id);
  }

  /** Those directly inside `parentId` ('' for the outermost), or undefined if they have not been looked at. */
  children(parentId = '') {
    return this.#children.get(parentId)?.map((id) => this.#known.get(id)).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Whether no other is known that bears its name. */
  isOnlyOne(community) {
    return this.#namesakes(community).length === 0;
  }

  /** What of its beginning tells it from those of its name beside it, as `apartBy` says; null where there are none. */
  apart(community) {
    return apartBy(community, this.#namesakes(community).filter((other) => (other.parent_id ?? '') === (community.parent_id ?? '')));
  }

  joined() {
    return [...this.#known.values()].filter((community) => community.my?.member);
  }

  async loadChildren(parentId = '') {
    const ids = [];
    let cursor;
    for (let page = 0; page < PAGES; page += 1) {
      const since = this.#told;
      const answer = await this.#connection.ask('community.list', { ...(parentId && { parent_id: parentId }), ...(cursor && { cursor }) });
      for (const community of answer.communities) {
        this.#keep(community, since);
        ids.push(community.id);
      }
      cursor = answer.cursor;
      if (!cursor) break;
    }
    // None ever goes, and one that was heard of while the lists were on their way is in none of them.
    this.#children.set(parentId, [...new Set([...ids, ...(this.#children.get(parentId) ?? [])])]);
    this.changed.emit();
    return this.children(parentId);
  }

  /** Looks at the tree breadth first, as far as `FIRST_LISTS` reach; once at a time. */
  explore() {
    this.#exploring ??= this.#lookAround().finally(() => (this.#exploring = null));
    return this.#exploring;
  }

  /** The same, unless it was done lately, or there is no connection. */
  async exploreIfLongAgo() {
    if (this.#connection.stands && this.#now() - this.#exploredAt >= LOOK_LEAST_MS) await this.explore();
  }

  async #lookAround() {
    const begun = this.#now();
    const waiting = [''];
    for (let lists = 0; lists < FIRST_LISTS && waiting.length > 0; lists += 1) {
      const found = await this.loadChildren(waiting.shift());
      waiting.push(...found.map((community) => community.id));
    }
    this.#exploredAt = begun;
  }

  async create(name, parentId) {
    const { community } = await this.#connection.ask('community.create', { op: newOp(), name, ...(parentId && { parent_id: parentId }) });
    return this.put({ ...community, my: community.my ?? { member: true, role: 'moderator' } });
  }

  async setMember(id, member) {
    await this.#connection.ask(member ? 'community.join' : 'community.leave', { community_id: id });
    await this.load(id);
  }

  /** A `community.counts` state: how many are in it now. */
  counts({ key, version, data }) {
    const community = this.#known.get(key);
    if (!community || version <= (community.countsVersion ?? -1)) return;
    this.#told += 1;
    this.#known.set(key, { ...community, members: data.members, countsVersion: version, toldAt: this.#told });
    this.changed.emit();
  }

  #namesakes({ id, name }) {
    return [...(this.#bearers.get(foldedName(name)) ?? [])].filter((other) => other !== id).map((other) => this.#known.get(other));
  }

  #bear({ id, name }, known) {
    if (known?.name === name) return;
    if (known) this.#bearers.get(foldedName(known.name))?.delete(id);
    const folded = foldedName(name);
    if (!this.#bearers.has(folded)) this.#bearers.set(folded, new Set());
    this.#bearers.get(folded).add(id);
  }

  /** An answer tells no version of its counts: a state that came while it was on its way stands. */
  #keep(community, since) {
    const known = this.#known.get(community.id);
    const isOvertaken = known?.toldAt > since;
    const name = oneLine(community.name);
    this.#bear({ id: community.id, name }, known);
    this.#known.set(community.id, {
      ...community,
      name,
      path: community.path.map(oneLine),
      members: isOvertaken ? known.members : community.members,
      my: community.my ?? known?.my,
      countsVersion: known?.countsVersion,
      toldAt: known?.toldAt,
    });
  }
}
