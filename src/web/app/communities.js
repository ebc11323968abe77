// The tree of communities as far as it has been looked at, and which of them one is a member of.

import { Signal } from './signal.js';
import { newOp } from '../client.js';

/** Lists asked for when the page opens, to find one's memberships; deeper ones appear when they are unfolded. */
const FIRST_LISTS = 24;
/** Pages of one list. */
const PAGES = 10;

export class Communities {
  /** Emits when anything about a community has changed. */
  changed = new Signal();
  #connection;
  #known = new Map();
  /** parent id, or '' for the outermost -> ids in order */
  #children = new Map();
  #asked = new Map();
  /** id -> version of the members last told by its feed */
  #told = new Map();

  constructor(connection) {
    this.#connection = connection;
  }

  get(id) {
    return this.#known.get(id);
  }

  /** Loads one that is not known yet; at most once at a time. */
  load(id) {
    if (!this.#asked.has(id)) {
      const asking = this.#connection
        .ask('community.get', { community_id: id })
        .then(({ community }) => this.put(community))
        .finally(() => this.#asked.delete(id));
      this.#asked.set(id, asking);
    }
    return this.#asked.get(id);
  }

  put(community) {
    const known = this.#known.get(community.id);
    this.#known.set(community.id, { ...community, my: community.my ?? known?.my });
    const siblings = this.#children.get(community.parent_id ?? '');
    if (siblings && !siblings.includes(community.id)) siblings.push(community.id);
    this.changed.emit();
    return this.#known.get(community.id);
  }

  /** Those directly inside `parentId` ('' for the outermost), or undefined if they have not been looked at. */
  children(parentId = '') {
    return this.#children.get(parentId)?.map((id) => this.#known.get(id)).sort((a, b) => a.name.localeCompare(b.name));
  }

  joined() {
    return [...this.#known.values()].filter((community) => community.my?.member);
  }

  async loadChildren(parentId = '') {
    const ids = [];
    let cursor;
    for (let page = 0; page < PAGES; page += 1) {
      const answer = await this.#connection.ask('community.list', { ...(parentId && { parent_id: parentId }), ...(cursor && { cursor }) });
      for (const community of answer.communities) {
        this.#known.set(community.id, community);
        ids.push(community.id);
      }
      cursor = answer.cursor;
      if (!cursor) break;
    }
    this.#children.set(parentId, ids);
    this.changed.emit();
    return this.children(parentId);
  }

  /** Looks at the tree breadth first, as far as `FIRST_LISTS` reach. */
  async explore() {
    const waiting = [''];
    for (let lists = 0; lists < FIRST_LISTS && waiting.length > 0; lists += 1) {
      const found = await this.loadChildren(waiting.shift());
      waiting.push(...found.map((community) => community.id));
    }
  }

  /** A `community.counts` state. */
  counts({ key, version, data }) {
    const community = this.#known.get(key);
    this.#told.set(key, version);
    if (community && community.members !== data.members) this.put({ ...community, members: data.members });
  }

  async create(name, parentId) {
    const { community } = await this.#connection.ask('community.create', { op: newOp(), name, ...(parentId && { parent_id: parentId }) });
    return this.put({ ...community, my: community.my ?? { member: true, role: 'moderator' } });
  }

  async setMember(id, member) {
    const told = this.#told.get(id);
    const { changed } = await this.#connection.ask(member ? 'community.join' : 'community.leave', { community_id: id });
    const community = this.#known.get(id);
    if (!community) return;
    // Where the feed is listened to, its state may have been faster and counts this already.
    const counted = !changed || this.#told.get(id) !== told;
    const members = community.members + (counted ? 0 : member ? 1 : -1);
    this.put({ ...community, members, my: { ...community.my, member, role: member ? (community.my?.role ?? 'member') : null } });
  }
}
