// Small marks of a live: its state, how many watch, how long it runs.

import { fill, h, icon } from '../dom.js';
import { number, t } from '../i18n.js';
import { clockText } from './rules.js';

/** The state of a live as a mark: LIVE, soon, reconnecting, ended. */
export function stateBadge(live) {
  return h('span', { class: `live-badge live-badge-${live.state}`, testid: 'live-badge', 'data-state': live.state }, h('span', { class: 'live-dot', 'aria-hidden': 'true' }), t(`live.state.${live.state}`));
}

/** How many watch now. */
export function viewersBadge(live) {
  return h('span', { class: 'live-viewers', testid: 'live-viewers', 'data-count': live.viewers.current, title: t('live.viewers', { count: live.viewers.current }) },
    icon('people'), h('span', { 'aria-hidden': 'true' }, number(live.viewers.current)), h('span', { class: 'unseen' }, t('live.viewers', { count: live.viewers.current })));
}

/** A clock that runs while a live does; `read` gives milliseconds, or null where there is nothing to show. */
export function runningClock(read) {
  const element = h('span', { class: 'live-clock', testid: 'live-duration' });
  const show = () => {
    const ms = read();
    fill(element, ms === null ? '' : clockText(ms));
  };
  const timer = setInterval(show, 1_000);
  show();
  return { element, stop: () => clearInterval(timer) };
}
