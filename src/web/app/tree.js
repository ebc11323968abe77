// The communities as a tree that is unfolded step by step, and the dialog that opens a new one.

import { checkedAsTyped, complainIn, errorLine, field, onSubmit } from './forms.js';
import { openDialog } from './dialogs.js';
import { h, icon } from './dom.js';
import { t } from './i18n.js';
import { pathWords, sinceWords } from './communityname.js';
import { needed } from './rules.js';

/** Which communities are unfolded; shared by all trees of the page. */
const unfolded = new Set();

/** The tree as an element; to be built anew when `communities.changed` says so. `full` shows joining and members. */
export function communityTree(site, { current, full = false }) {
  // What lies around the community that is looked at is shown without being asked for.
  for (let place = site.communities.get(current); place; place = site.communities.get(place.parent_id)) {
    if (place.parent_id) unfolded.add(place.parent_id);
  }
  const roots = site.communities.children('');
  if (roots === undefined) return h('p', { class: 'empty' }, t('loading'));
  if (roots.length === 0) return h('p', { class: 'empty', testid: 'communities-empty' }, t('community.none'));
  return list(roots, 0);

  function list(communities, depth) {
    return h('ul', { class: depth === 0 ? 'tree' : 'tree-branch' }, communities.map((community) => {
      const since = sinceWords(site.communities, community);
      const children = site.communities.children(community.id);
      const open = unfolded.has(community.id) && (children?.length ?? 0) > 0;
      const leaf = children !== undefined && children.length === 0;
      return h('li', { class: 'tree-node' },
        h('div', { class: 'tree-row' },
          leaf ? h('span', { class: 'tree-leaf' }) : h('button', {
            class: 'tree-fold', type: 'button', 'aria-expanded': String(open), 'aria-label': t('community.unfold', { name: community.name }),
            'data-focus': `fold-${full}-${community.id}`, onclick: () => toggle(community, open),
          }, icon('chevron')),
          h('a', {
            class: 'tree-link', href: `#/c/${community.id}`, 'aria-current': community.id === current ? 'page' : null,
            testid: full ? 'community-item' : 'tree-item', 'data-community-id': community.id, 'data-focus': `link-${full}-${community.id}`,
          },
          h('span', { class: 'tree-words' },
            h('span', { class: 'tree-name', dir: 'auto', title: community.name }, community.name),
            since && h('span', { class: 'tree-since', testid: 'community-since' }, !full && [t('community.members', { count: community.members }), ', '], since)),
          community.my?.member && !full && h('span', { class: 'tree-mark', title: t('community.member') })),
          full && h('span', { class: 'tree-members' }, t('community.members', { count: community.members })),
          full && site.me && joinButton(site, community, 'community-item-join')),
        open ? list(children, depth + 1) : null);
    }));
  }

  async function toggle(community, open) {
    if (open) unfolded.delete(community.id);
    else unfolded.add(community.id);
    if (site.communities.children(community.id)) site.communities.changed.emit();
    else await site.communities.loadChildren(community.id).catch(() => unfolded.delete(community.id));
  }
}

export function joinButton(site, community, testid) {
  const member = community.my?.member ?? false;
  return h('button', {
    class: `button${member ? '' : ' button-primary'} button-small`, type: 'button', testid: `${testid}`, 'data-member': String(member), 'data-focus': `${testid}-${community.id}`,
    onclick: () => {
      if (site.loggedIn()) site.setMember(community, !member);
    },
  }, t(member ? 'community.leave' : 'community.join'));
}

export function openCommunityDialog(site, parent) {
  if (!site.loggedIn()) return;
  const name = h('input', { name: 'name', required: true, autocomplete: 'off', testid: 'community-name' });
  const choices = [...site.communities.joined()];
  if (parent && !choices.some(({ id }) => id === parent.id)) choices.unshift(parent);
  const place = h('select', { name: 'parent_id', testid: 'community-parent' },
    h('option', { value: '' }, t('community.parent.none')),
    choices.map((community) => h('option', { value: community.id, selected: community.id === parent?.id }, pathWords(site.communities, community))));
  const form = h('form', { class: 'dialog-body', testid: 'community-form', novalidate: true },
    field(t('community.name'), name), field(t('community.parent'), place), errorLine(),
    h('div', { class: 'dialog-actions' }, h('button', { class: 'button button-primary', testid: 'community-submit' }, t('community.create'))));
  const allIsWell = checkedAsTyped(form, { name: needed(site.connection.limits.community_name) });
  openDialog({
    title: t('community.new'),
    testid: 'community-dialog',
    build: (close) => onSubmit(form, async () => {
      if (!allIsWell()) return;
      try {
        const community = await site.communities.create(name.value, place.value);
        close();
        location.hash = `#/c/${community.id}`;
      } catch (error) {
        complainIn(form, error);
      }
    }),
  });
}
