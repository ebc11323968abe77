// Sharing a post: inside, with or without words, and to other platforms. What the server answers is what is shown.

import { avatar } from './avatar.js';
import { openDialog } from './dialogs.js';
import { fill, growing, h, icon, named, timeTag, written } from './dom.js';
import { complainIn, errorLine, field, onSubmit } from './forms.js';
import { labelled, number, t } from './i18n.js';
import { nameOf } from './model.js';
import { complain, explain, toast } from './toasts.js';

/** Where else a post is shared to, in the order of the protocol; the link alone has a button of its own. */
const PLATFORMS = ['whatsapp', 'facebook', 'x', 'telegram', 'email'];

/** Most characters of what is said to a shared post (SPEC.md, Shares). */
const COMMENT_CHARACTERS = 500;

/** The button under a post, with how often it was shared; `read()` gives the post. */
export class ShareButton {
  element;
  #read;
  #count = h('span', { class: 'chip-count', testid: 'share-count' });

  constructor(site, read) {
    this.#read = read;
    this.element = h('button', {
      class: 'chip', type: 'button', title: t('share.open'), testid: 'share-open',
      onclick: () => site.loggedIn() && openSharing(site, this.#read().id),
    }, icon('send'), this.#count);
    this.update();
  }

  /** Shows what is known now. */
  update() {
    const { counts, my } = this.#read();
    this.element.setAttribute('aria-pressed', String(Boolean(my?.shared || my?.reposted)));
    this.element.setAttribute('aria-label', labelled(t('share.open'), number(counts.shares)));
    this.#count.textContent = counts.shares === 0 ? '' : number(counts.shares);
    this.#count.dataset.count = counts.shares;
  }
}

function openSharing(site, id) {
  const inside = h('div', { class: 'share-part' });
  const sharers = new Sharers(site, id);
  const body = h('div', { class: 'dialog-body' }, inside, isPublic(site, id) && elsewhere(site, id), sharers.element);
  const dialog = openDialog({
    title: t('share.title'),
    testid: 'share-dialog',
    build: () => {
      fill(inside, ...choices());
      return body;
    },
  });
  // Whoever is gone to stands under the dialog.
  sharers.element.addEventListener('click', ({ target }) => target.closest('a[href^="#"]') && dialog.close());

  function choices() {
    const my = site.posts.get(id)?.my ?? {};
    return [
      h('button', {
        class: 'button', type: 'button', 'aria-pressed': String(Boolean(my.shared)), testid: 'share-toggle',
        onclick: () => change(my.shared ? 'share.remove' : 'share.add', 'share').catch(complain),
      }, t(my.shared ? 'share.undo' : 'share.inside')),
      my.reposted
        ? h('button', { class: 'button', type: 'button', testid: 'repost-undo', onclick: () => change('share.remove', 'repost').catch(complain) }, t('share.repost.undo'))
        : repostForm(),
    ];
  }

  function repostForm() {
    const comment = growing(h('textarea', { name: 'comment', rows: 2, maxlength: COMMENT_CHARACTERS, testid: 'repost-comment' }));
    const form = h('form', { class: 'share-part', testid: 'repost-form', novalidate: true },
      field(t('share.comment'), comment), errorLine(),
      h('div', { class: 'dialog-actions' }, h('button', { class: 'button button-primary', testid: 'repost-submit' }, t('share.repost'))));
    return onSubmit(form, () => change('share.add', 'repost', { comment: comment.value }).catch((error) => complainIn(form, error)));
  }

  /** Shares or takes back, then shows what there is to choose from now. */
  async function change(command, kind, words = {}) {
    await site.connection.ask(command, { post_id: id, kind, ...words });
    const mine = { [kind === 'share' ? 'shared' : 'reposted']: command === 'share.add' };
    site.posts.update(id, (known) => ({ my: { ...known.my, ...mine } })); // how many there are is told to all alike
    fill(inside, ...choices());
    inside.querySelector('button').focus();
    sharers.load();
  }
}

/** Who shared a post, newest first, and what they said to it. */
class Sharers {
  element;
  #site;
  #id;
  #list = h('ul', { class: 'people-list' });
  #note = h('p', { class: 'hint' }, t('loading'));
  #more = h('button', { class: 'button', type: 'button', hidden: true, testid: 'share-more' }, t('share.more'));
  #asked = 0;

  constructor(site, id) {
    this.#site = site;
    this.#id = id;
    this.element = h('section', { class: 'share-part' }, h('h3', {}, t('share.who')), this.#note, this.#list, this.#more);
    this.load();
  }

  /** From the beginning, or what follows; an answer that is overtaken by another question is not shown. */
  async load(cursor) {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const page = await this.#site.connection.ask('share.list', { post_id: this.#id, ...(cursor && { cursor }) });
      if (asked !== this.#asked) return;
      if (!cursor) fill(this.#list);
      this.#list.append(...page.shares.map(row));
      this.#more.hidden = !page.cursor;
      this.#more.onclick = () => this.load(page.cursor);
      const isEmpty = this.#list.childElementCount === 0;
      fill(this.#note, isEmpty && h('span', { testid: 'share-none' }, t('share.none')));
      this.#note.hidden = !isEmpty;
    } catch (error) {
      this.#note.hidden = false;
      fill(this.#note, explain(error));
    }
  }
}

function row({ user, comment, created_at: at }) {
  return h('li', { class: 'people-row', testid: 'share-item', 'data-user-id': user.id },
    avatar(user, 's'),
    h('div', { class: 'share-words' },
      h('span', {}, h('a', { href: `#/u/${user.id}` }, named(nameOf(user))), ' ', timeTag(at)),
      comment && h('p', { dir: 'auto' }, written(comment))));
}

/** Only what everybody may read is shared elsewhere. */
function isPublic(site, id) {
  return site.posts.get(id)?.visibility === 'public';
}

function elsewhere(site, id) {
  const ask = (platform) => site.connection.ask('external_share.add', { post_id: id, platform });
  const places = PLATFORMS.map((platform) => {
    const name = t(`share.${platform}`);
    const button = h('button', {
      class: 'button', type: 'button', testid: `share-to-${platform}`,
      onclick: () => ask(platform).then(({ url }) => {
        // A link that is pressed opens whatever a blocker of windows thinks of it.
        const link = h('a', { class: 'button button-primary', href: url, target: '_blank', rel: 'noopener noreferrer', testid: `share-link-${platform}` }, t('share.go', { name }));
        button.replaceWith(link);
        link.focus();
      }).catch(complain),
    }, name);
    return button;
  });
  const copy = h('button', { class: 'button', type: 'button', testid: 'share-to-copy_link', onclick: () => ask('copy_link').then(() => copied(addressOf(id))).catch(complain) },
    icon('link'), t('post.link'));
  return h('section', { class: 'share-part' }, h('h3', {}, t('share.elsewhere')), h('div', { class: 'share-places' }, places, copy));
}

/** As people here reach it, whatever the server says of itself. */
function addressOf(id) {
  return new URL(`p/${id}`, location.href.split('#')[0]).href;
}

async function copied(address) {
  try {
    await navigator.clipboard.writeText(address);
    toast(t('post.link.done'));
  } catch {
    toast(address); // without leave to use the clipboard it can still be read
  }
}
