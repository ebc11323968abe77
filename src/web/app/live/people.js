// Who watches a live now, and who was taken out of it. Guests are counted and not named.

import { avatar } from '../avatar.js';
import { openDialog } from '../dialogs.js';
import { fill, h, icon, named } from '../dom.js';
import { t } from '../i18n.js';
import { nameOf } from '../model.js';
import { explain } from '../toasts.js';
import { banFromLive } from './bans.js';

export function openPeople(site, live, { moderates }) {
  const list = h('ul', { class: 'people-list', testid: 'live-people' });
  const note = h('p', { class: 'hint', testid: 'live-people-count' }, t('loading'));
  const more = moreButton('live-people-more');
  const listed = new Set();
  let here = 0;
  const count = (now) => {
    here = now;
    note.dataset.count = now;
    fill(note, t('live.people.here', { count: now }));
  };
  const load = once(async (cursor) => {
    try {
      const page = await site.connection.ask('presence', { channel: `live:${live.id}`, ...(cursor && { cursor }) });
      const unlisted = page.users.filter(({ id }) => !listed.has(id));
      for (const { id } of unlisted) listed.add(id);
      list.append(...unlisted.map(row));
      more.hidden = !page.cursor;
      more.onclick = () => load(page.cursor);
      count(page.count);
    } catch (error) {
      fill(note, explain(error));
    }
  });
  const row = (person) => h('li', { class: 'people-row', testid: 'live-person', 'data-user-id': person.id },
    avatar(person, 's'), h('a', { class: 'people-name', href: `#/u/${person.id}` }, named(nameOf(person))),
    person.id === live.owner.id && h('span', { class: 'badge-soft' }, t('chat.owner')),
    moderates && person.id !== live.owner.id && person.id !== site.me?.id && h('button', {
      class: 'icon-button', type: 'button', 'aria-label': t('live.ban.name', { name: nameOf(person) }), title: t('live.ban'), testid: 'live-ban',
      onclick: async ({ currentTarget }) => {
        const line = currentTarget.closest('li');
        if (!(await banFromLive(site, live, person))) return;
        // The button that had the focus goes.
        if (line.contains(document.activeElement)) line.closest('dialog')?.querySelector('[data-testid=dialog-close]')?.focus();
        line.remove();
        count(here - 1);
      },
    }, icon('block')));
  const out = moderates && new Out(site, live);
  const dialog = openDialog({ title: t('live.people'), testid: 'live-people-dialog', build: () => h('div', { class: 'dialog-body' }, note, list, more, out && out.element) });
  dialog.addEventListener('close', () => out && out.destroy());
  void load();
}

/** Those who were taken out, whoever did it and on whichever device, for who may let them back in. */
class Out {
  element;
  #site;
  #live;
  #list = h('ul', { class: 'people-list' });
  #note = h('p', { class: 'hint', hidden: true });
  #more = moreButton('live-banned-more');
  /** user id -> row */
  #rows = new Map();
  /** Those who were let in while a page was under way, which may still name them. */
  #letIn = new Set();
  #end;
  #load;

  constructor(site, live) {
    this.#site = site;
    this.#live = live;
    this.element = h('section', { class: 'people-out', hidden: true, 'aria-label': t('live.people.banned') },
      h('h3', { class: 'section-title' }, t('live.people.banned')), this.#list, this.#note, this.#more);
    this.#end = site.banned.listen(({ liveId, person, on }) => {
      if (liveId !== live.id) return;
      if (on) this.#add(person, 'first');
      else this.#remove(person.id);
    });
    this.#load = once((cursor) => this.#ask(cursor));
    void this.#load();
  }

  destroy() {
    this.#end();
  }

  async #ask(cursor) {
    this.#letIn.clear();
    try {
      const page = await this.#site.connection.ask('live.bans', { live_id: this.#live.id, ...(cursor && { cursor }) });
      for (const person of page.users) if (!this.#letIn.has(person.id)) this.#add(person, 'last');
      this.#more.hidden = !page.cursor;
      this.#more.onclick = () => this.#load(page.cursor);
      this.#say('');
    } catch (error) {
      this.#say(explain(error));
    }
  }

  #add(person, where) {
    if (where === 'first') this.#letIn.delete(person.id);
    if (this.#rows.has(person.id)) return;
    const row = this.#row(person);
    this.#rows.set(person.id, row);
    if (where === 'first') this.#list.prepend(row);
    else this.#list.append(row);
    this.#show();
  }

  #remove(id) {
    this.#letIn.add(id);
    this.#rows.get(id)?.remove();
    this.#rows.delete(id);
    this.#show();
  }

  #say(problem) {
    this.#note.textContent = problem;
    this.#note.hidden = !problem;
    this.#show();
  }

  #show() {
    this.element.hidden = this.#rows.size === 0 && this.#note.hidden;
  }

  #row(person) {
    return h('li', { class: 'people-row', testid: 'live-banned-person', 'data-user-id': person.id },
      avatar(person, 's'), h('a', { class: 'people-name', href: `#/u/${person.id}` }, named(nameOf(person))),
      h('button', {
        class: 'button button-small', type: 'button', 'aria-label': t('live.unban.name', { name: nameOf(person) }), testid: 'live-unban',
        onclick: async () => {
          const dialog = this.element.closest('dialog');
          if (await banFromLive(this.#site, this.#live, person, false)) dialog?.querySelector('[data-testid=dialog-close]')?.focus();
        },
      }, t('live.unban')));
  }
}

/** Does it not again before it is done: a button may be pressed twice. */
function once(work) {
  let underWay = null;
  return (...given) => (underWay ??= work(...given).finally(() => (underWay = null)));
}

function moreButton(testid) {
  return h('button', { class: 'button', type: 'button', hidden: true, testid }, t('live.people.more'));
}
