// Who watches a live now, and who was taken out of it. Guests are counted and not named.

import { avatar } from '../avatar.js';
import { openDialog } from '../dialogs.js';
import { fill, h, icon, named } from '../dom.js';
import { t } from '../i18n.js';
import { nameOf } from '../model.js';
import { explain } from '../toasts.js';
import { banFromLive } from './chat.js';

export function openPeople(site, live, { moderates }) {
  const list = h('ul', { class: 'people-list', testid: 'live-people' });
  const note = h('p', { class: 'hint' }, t('loading'));
  const more = h('button', { class: 'button', type: 'button', hidden: true, testid: 'live-people-more' }, t('live.people.more'));
  const load = async (cursor) => {
    try {
      const page = await site.connection.ask('presence', { channel: `live:${live.id}`, ...(cursor && { cursor }) });
      list.append(...page.users.map(row));
      more.hidden = !page.cursor;
      more.onclick = () => load(page.cursor);
      fill(note, t('live.people.here', { count: page.count }));
    } catch (error) {
      fill(note, explain(error));
    }
  };
  const row = (person) => h('li', { class: 'people-row', testid: 'live-person', 'data-user-id': person.id },
    avatar(person, 's'), h('a', { class: 'people-name', href: `#/u/${person.id}` }, named(nameOf(person))),
    person.id === live.owner.id && h('span', { class: 'badge-soft' }, t('chat.owner')),
    moderates && person.id !== live.owner.id && person.id !== site.me?.id && h('button', {
      class: 'icon-button', type: 'button', 'aria-label': t('live.ban.name', { name: nameOf(person) }), title: t('live.ban'), testid: 'live-ban',
      onclick: async ({ currentTarget }) => {
        const line = currentTarget.closest('li');
        if (await banFromLive(site, live, person)) line.remove();
      },
    }, icon('block')));
  const out = h('section', { class: 'people-out', 'aria-label': t('live.people.banned') });
  const showOut = () => {
    const people = moderates ? site.bans.of(live.id) : [];
    out.hidden = people.length === 0;
    fill(out, h('h3', { class: 'section-title' }, t('live.people.banned')), h('ul', { class: 'people-list' }, people.map(outRow)));
  };
  const outRow = (person) => h('li', { class: 'people-row', testid: 'live-banned-person', 'data-user-id': person.id },
    avatar(person, 's'), h('a', { class: 'people-name', href: `#/u/${person.id}` }, named(nameOf(person))),
    h('button', {
      class: 'button button-small', type: 'button', 'aria-label': t('live.unban.name', { name: nameOf(person) }), testid: 'live-unban',
      onclick: async () => {
        if (await banFromLive(site, live, person, false)) dialog.querySelector('[data-testid=dialog-close]')?.focus();
      },
    }, t('live.unban')));
  const end = site.bans.changed.listen((id) => id === live.id && showOut());
  showOut();
  const dialog = openDialog({ title: t('live.people'), testid: 'live-people-dialog', build: () => h('div', { class: 'dialog-body' }, note, list, more, out) });
  dialog.addEventListener('close', end);
  void load();
}
