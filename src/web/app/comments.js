// The comments of one post as a tree, a few replies deep: oldest first, kept up to date by the channel of the post.

import { avatar } from './avatar.js';
import { newOp } from '../client.js';
import { confirmed, menu } from './dialogs.js';
import { complainIn, errorLine, onSubmit } from './forms.js';
import { fill, growing, h, icon, removeKeepingPlace, timeTag, written } from './dom.js';
import { t } from './i18n.js';
import { mergeComment, nameOf, newerCounts, subtree } from './model.js';
import { ReactionBar } from './reactions.js';
import { announce, complain, explain } from './toasts.js';

const PAGE = 50;
/** Threads whose replies are loaded without being asked for. */
const UNFOLDED = 20;

export class Comments {
  element;
  #site;
  #post;
  /** id -> {comment, element, kids, bar, parts} */
  #nodes = new Map();
  #pending = new Map();
  #cursor = null;
  #loading = 0;
  /** The first page could not be had: what is shown says nothing of what there is. */
  #failed = false;
  #unfolded = 0;
  #list;
  #note;
  #more;

  constructor(site, post) {
    this.#site = site;
    this.#post = post;
    this.#list = h('div', { class: 'thread', testid: 'comments' });
    this.#note = h('div', { class: 'feed-note' });
    this.#more = h('button', { class: 'button', type: 'button', hidden: true, testid: 'comments-more', onclick: () => this.#loadPage(undefined, this.#cursor) }, t('comment.more'));
    this.element = h('section', { class: 'comments', 'aria-label': t('comment.title') },
      h('h2', { class: 'section-title' }, t('comment.title')),
      site.me ? this.#form() : h('button', { class: 'button', type: 'button', testid: 'comment-login', onclick: () => site.loggedIn() }, t('comment.login')),
      this.#list, this.#note, this.#more);
    this.load();
  }

  /** Loads all anew. */
  async load() {
    this.#loading += 1;
    this.#unfolded = 0;
    this.#failed = false;
    this.#nodes.clear();
    this.#list.replaceChildren(...this.#pending.values());
    this.#more.hidden = true;
    fill(this.#note, h('p', { class: 'empty' }, t('loading')));
    await this.#loadPage(undefined, undefined);
  }

  /** A channel that opens late may have had news after the list was read. */
  opened() {
    this.load();
  }

  /** The connection is back: what it could not bring is asked for again. */
  returned() {
    if (this.#failed) this.load();
  }

  publication({ event, data }) {
    if (event === 'comment.added') this.#arrived(data.comment, data.op);
    else if (event === 'comment.edited') this.#put(data.comment);
    else if (event === 'comment.deleted') this.#remove(data.comment_id);
  }

  state({ event, key, version, data }) {
    if (event === 'comment.counts') this.#update(key, (comment) => ({ counts: newerCounts(comment.counts, { ...data, version }) }));
  }

  // --- the tree ---------------------------------------------------------------------------------------------------

  async #loadPage(parentId, cursor) {
    const turn = this.#loading;
    try {
      const reply = await this.#site.connection.ask('comment.list', {
        post_id: this.#post.id, limit: PAGE, ...(parentId && { parent_id: parentId }), ...(cursor && { cursor }),
      });
      if (turn !== this.#loading) return;
      reply.comments.forEach((comment) => this.#put(comment));
      if (!parentId) {
        this.#cursor = reply.cursor ?? null;
        this.#more.hidden = this.#cursor === null;
      } else {
        const parent = this.#nodes.get(parentId);
        if (parent) this.#offerReplies(parent, reply.cursor ?? null);
      }
      this.#say();
      for (const { id, counts } of reply.comments) {
        if (counts.replies === 0 || this.#nodes.get(id)?.kids.childElementCount > 0) continue;
        if (this.#unfolded < UNFOLDED) {
          this.#unfolded += 1;
          await this.#loadPage(id);
        } else {
          this.#offerReplies(this.#nodes.get(id), undefined);
        }
      }
    } catch (error) {
      if (turn !== this.#loading || error.code === 'not_found' || error.code === 'cancelled') return;
      if (parentId || cursor) return complain(error); // the button that asked for it is still there
      this.#failed = true;
      this.#say(error);
    }
  }

  /** `cursor` null: all are here; undefined: none has been loaded. */
  #offerReplies(node, cursor) {
    if (!node) return;
    node.more.hidden = cursor === null;
    node.more.onclick = () => this.#loadPage(node.comment.id, cursor);
    node.more.textContent = t('comment.replies', { count: Math.max(1, node.comment.counts.replies - node.kids.childElementCount) });
  }

  #arrived(comment, op) {
    const pending = op && this.#pending.get(op);
    if (pending) {
      pending.remove();
      this.#pending.delete(op);
    }
    if (comment.parent_id && !this.#nodes.has(comment.parent_id)) return; // its thread is not unfolded
    const isNews = !this.#nodes.has(comment.id);
    const node = this.#put(comment);
    node?.element.classList.add('post-new');
    if (isNews && node && !node.comment.my?.author) announce(t('comment.arrived', { name: comment.author ? nameOf(comment.author) : t('post.someone') }));
    this.#say();
  }

  #put(news) {
    const known = this.#nodes.get(news.id);
    const comment = mergeComment(known?.comment, news, this.#site.me?.id ?? null);
    if (known) {
      known.comment = comment;
      this.#show(known);
      return known;
    }
    const parent = comment.parent_id && this.#nodes.get(comment.parent_id);
    if (comment.parent_id && !parent) return null;
    const node = this.#build(comment);
    this.#nodes.set(comment.id, node);
    const siblings = parent ? parent.kids : this.#list;
    const next = [...siblings.children].find((other) => other.dataset.pending || Number(other.dataset.at) > comment.created_at
      || (Number(other.dataset.at) === comment.created_at && other.dataset.commentId > comment.id));
    siblings.insertBefore(node.element, next ?? null);
    return node;
  }

  #remove(rootId) {
    if (!this.#nodes.has(rootId)) return;
    const comments = [...this.#nodes.values()].map(({ comment }) => comment);
    removeKeepingPlace(this.#nodes.get(rootId).element);
    for (const id of subtree(comments, rootId)) this.#nodes.delete(id);
    this.#say();
  }

  #update(id, change) {
    const node = this.#nodes.get(id);
    if (!node) return;
    node.comment = { ...node.comment, ...change(node.comment) };
    this.#show(node);
  }

  #say(error) {
    if (this.#failed) {
      fill(this.#note,
        h('p', { class: 'empty', testid: 'comments-failed' }, t('comment.failed'), error && ` ${explain(error)}`),
        h('button', { class: 'button', type: 'button', testid: 'comments-again', onclick: () => this.load() }, t('again')));
      return;
    }
    const empty = this.#nodes.size === 0 && this.#pending.size === 0;
    fill(this.#note, empty ? h('p', { class: 'empty', testid: 'comments-empty' }, t(this.#site.me ? 'comment.none' : 'comment.none.guest')) : null);
  }

  // --- one comment ------------------------------------------------------------------------------------------------

  #build(comment) {
    const node = { comment };
    node.body = h('div', { class: 'comment-body', dir: 'auto', testid: 'comment-content' });
    node.edited = h('span', { testid: 'comment-edited', hidden: true }, t('post.edited'));
    node.kids = h('div', { class: 'thread' });
    node.more = h('button', { class: 'button-plain', type: 'button', hidden: true, testid: 'replies-more' });
    node.place = h('div', { class: 'comment-reply' });
    node.bar = new ReactionBar(this.#site, { comment_id: comment.id }, {
      read: () => ({ reactions: node.comment.counts.reactions, mine: node.comment.my?.reaction }),
      write: ({ reactions, mine }) => this.#update(comment.id, (known) => ({ counts: { ...known.counts, reactions }, my: { ...known.my, reaction: mine } })),
    });
    const { author } = comment;
    node.menu = h('span', {});
    const name = author ? nameOf(author) : t('post.someone');
    node.element = h('article', { class: 'comment', testid: 'comment', 'data-comment-id': comment.id, 'data-at': comment.created_at, 'data-depth': comment.depth },
      h('div', { class: 'comment-own' },
        avatar(author, 's'),
        h('div', { class: 'comment-main' },
          h('header', { class: 'comment-head' },
            author ? h('a', { class: 'post-author', href: `#/u/${author.id}`, dir: 'auto', testid: 'comment-author' }, name) : h('span', { class: 'post-author', testid: 'comment-author' }, name),
            timeTag(comment.created_at), node.edited),
          node.body,
          h('div', { class: 'comment-foot' },
            node.bar.element,
            this.#site.me && (comment.depth < this.#site.connection.limits.replies_depth
              ? h('button', { class: 'chip chip-quiet', type: 'button', testid: 'comment-reply', onclick: () => this.#openReply(node, name) }, icon('reply'), t('comment.reply'))
              : h('span', { class: 'comment-end', title: t('comment.end.hint'), testid: 'comment-end' }, t('comment.end'))),
            node.menu)),
      ),
      node.place, node.kids, node.more);
    this.#show(node);
    return node;
  }

  #show(node) {
    const { comment } = node;
    if (node.shown !== comment.content) {
      node.shown = comment.content;
      fill(node.body, written(comment.content));
    }
    node.edited.hidden = !comment.edited_at;
    node.bar.update();
    const rights = `${comment.my?.author} ${this.#site.moderates(this.#post.community_id)}`;
    if (node.rights === rights) return;
    node.rights = rights;
    const items = [];
    if (comment.my?.author) items.push({ text: t('post.edit'), symbol: 'edit', testid: 'comment-edit', run: () => this.#edit(node) });
    if (comment.my?.author || this.#site.moderates(this.#post.community_id)) {
      items.push({ text: t('post.delete'), symbol: 'trash', testid: 'comment-delete', danger: true, run: () => this.#delete(node) });
    }
    fill(node.menu, items.length > 0 ? menu({ label: t('post.menu'), testid: 'comment-menu', items }) : null);
  }

  #edit(node) {
    const area = growing(h('textarea', { name: 'content', rows: 2, 'aria-label': t('post.content'), testid: 'comment-edit-content' }));
    area.value = node.comment.content;
    const close = () => {
      form.replaceWith(node.body);
      node.menu.querySelector('summary')?.focus();
    };
    const form = h('form', { class: 'comment-form', testid: 'comment-edit-form', novalidate: true }, area, errorLine(),
      h('div', { class: 'comment-form-foot' },
        h('button', { class: 'button', type: 'button', onclick: close }, t('dialog.cancel')),
        h('button', { class: 'button button-primary', testid: 'comment-edit-save' }, t('dialog.save'))));
    onSubmit(form, async () => {
      try {
        const reply = await this.#site.connection.ask('comment.edit', { comment_id: node.comment.id, content: area.value });
        this.#put(reply.comment);
        close();
      } catch (error) {
        complainIn(form, error);
      }
    });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close();
    });
    node.body.replaceWith(form);
    area.focus();
    area.dispatchEvent(new Event('input'));
  }

  async #delete(node) {
    if (!(await confirmed(t('comment.delete.sure'), t('post.delete')))) return;
    try {
      await this.#site.connection.ask('comment.delete', { comment_id: node.comment.id });
      this.#remove(node.comment.id);
    } catch (error) {
      if (error.code === 'not_found') this.#remove(node.comment.id);
      else complain(error);
    }
  }

  // --- writing ----------------------------------------------------------------------------------------------------

  #openReply(node, name) {
    if (node.place.firstChild) {
      node.place.querySelector('textarea').focus();
      return;
    }
    const form = this.#form(node, t('comment.reply.to', { name }));
    form.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      form.remove();
      node.element.querySelector('[data-testid=comment-reply]').focus();
    });
    node.place.append(form);
    form.querySelector('textarea').focus();
  }

  #form(parent, placeholder = t('comment.write')) {
    const area = growing(h('textarea', { name: 'content', rows: 1, placeholder, 'aria-label': placeholder, testid: parent ? 'reply-content' : 'comment-content-input' }));
    const anonymous = h('input', { type: 'checkbox', name: 'anonymous', testid: parent ? 'reply-anonymous' : 'comment-anonymous' });
    const form = h('form', { class: 'comment-form', testid: parent ? 'reply-form' : 'comment-form', novalidate: true }, area, errorLine(),
      h('div', { class: 'comment-form-foot' },
        h('label', { class: 'check', title: t('post.anonymous') }, anonymous, icon('mask'), h('span', {}, t('post.anonymous'))),
        h('button', { class: 'button button-primary', testid: parent ? 'reply-submit' : 'comment-submit' }, t(parent ? 'comment.reply' : 'comment.send'))));
    return onSubmit(form, async () => {
      if (!area.value.trim()) {
        area.focus();
        return;
      }
      const body = { op: newOp(), post_id: this.#post.id, content: area.value, anonymous: anonymous.checked, ...(parent && { parent_id: parent.comment.id }) };
      this.#showPending(body, parent);
      area.value = '';
      area.dispatchEvent(new Event('input'));
      if (parent) form.hidden = true;
      this.#site.connection.ask('comment.add', body).then(
        ({ comment }) => {
          this.#arrived(comment, body.op);
          if (parent) form.remove();
          // Whoever wrote by keyboard goes on where their words are now.
          if (document.activeElement === document.body) this.#nodes.get(comment.id)?.element.querySelector('button').focus();
        },
        (error) => {
          this.#pending.get(body.op)?.remove();
          this.#pending.delete(body.op);
          form.hidden = false;
          if (!area.value) area.value = body.content;
          complainIn(form, error);
          this.#say();
        },
      );
    });
  }

  #showPending(body, parent) {
    const author = body.anonymous ? null : this.#site.me;
    const { stands } = this.#site.connection;
    const copy = h('article', { class: 'comment post-pending', testid: 'comment-pending', 'data-pending': 'true' },
      h('div', { class: 'comment-own' }, avatar(author, 's'),
        h('div', { class: 'comment-main' },
          h('header', { class: 'comment-head' }, h('span', { class: 'post-author' }, author ? nameOf(author) : t('post.someone')), h('span', { class: 'post-state' }, t(stands ? 'post.sending' : 'post.waiting'))),
          h('div', { class: 'comment-body', dir: 'auto' }, written(body.content)))));
    this.#pending.set(body.op, copy);
    (parent ? parent.kids : this.#list).append(copy);
    this.#say();
  }
}
