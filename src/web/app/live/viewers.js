// How the picture arrives at each viewer, for its broadcaster. Those who suffer most come first, as the server sends them.

import { fill, h, icon } from '../dom.js';
import { number, t } from '../i18n.js';
import { oneLine } from '../model.js';
import { Names } from './names.js';
import { bitrateText, heightOf, isTroubled } from './rules.js';

export class Viewers {
  element;
  #state = h('span', { class: 'viewers-state', testid: 'cockpit-viewers-state' });
  #rows = h('tbody', { testid: 'cockpit-viewers' });
  #table;
  #none = h('p', { class: 'hint' }, t('live.peers.none'));
  #names;
  #shown = [];

  constructor(site) {
    this.#names = new Names(async (id) => (await site.connection.ask('profile.get', { user_id: id })).profile);
    const column = (key) => h('th', { scope: 'col' }, t(key));
    this.#table = h('div', { class: 'viewers-table', tabindex: '0', role: 'region', 'aria-label': t('live.peers') },
      h('table', {},
        h('thead', {}, h('tr', {}, column('live.peer.who'), column('live.figure.picture'), column('live.peer.bitrate'), column('live.peer.loss'), column('live.peer.rtt'), column('live.peer.freezes'))),
        this.#rows));
    this.element = h('details', { class: 'sheet more viewers', testid: 'cockpit-viewers-open' },
      h('summary', {}, icon('eye'), h('span', {}, t('live.peers')), this.#state),
      h('div', { class: 'more-inside' }, this.#none, this.#table));
    this.element.addEventListener('toggle', () => this.#show());
    this.show([], []);
  }

  /** `peers` and the upload's `layers` as the state `live.figures` has them. */
  show(peers, layers) {
    this.#shown = peers.map((peer) => ({ ...peer, height: heightOf(peer.layer, layers), isTroubled: isTroubled(peer, layers) }));
    const troubled = this.#shown.filter((peer) => peer.isTroubled).length;
    this.#state.dataset.troubled = troubled;
    this.#state.textContent = troubled > 0 ? t('live.peers.troubled', { count: troubled }) : peers.length > 0 ? t('live.peers.well') : '';
    this.#show();
  }

  #show() {
    if (!this.element.open) return;
    this.#none.hidden = this.#shown.length > 0;
    this.#table.hidden = this.#shown.length === 0;
    fill(this.#rows, this.#shown.map((peer) => this.#row(peer)));
    void this.#askNames();
  }

  #row(peer) {
    const { user_id: userId, height, bitrate, loss, rtt_ms: rtt, freezes } = peer;
    const name = userId ? (this.#names.of(userId) ?? t('post.someone')) : t('live.peer.guest');
    const cell = (text) => h('td', {}, text);
    return h('tr', { 'data-user-id': userId, 'data-troubled': String(peer.isTroubled) },
      h('th', { scope: 'row', dir: 'auto' }, oneLine(name)), cell(height ? `${height}p` : '–'), cell(bitrateText(bitrate, number)),
      cell(`${number(loss)} %`), cell(rtt === undefined || rtt === null ? '–' : `${number(rtt)} ms`), cell(number(freezes)));
  }

  async #askNames() {
    const ids = this.#shown.map((peer) => peer.user_id).filter(Boolean);
    if (await this.#names.learn(ids)) this.#show();
  }
}
