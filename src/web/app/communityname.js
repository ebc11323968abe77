// What a community is called where its name alone could mean another.

import { dateTo, t } from './i18n.js';

/** Since when there is one whose name another bears beside it, as words; null where the name says enough. */
export function sinceWords(communities, community) {
  const apart = communities.apart(community);
  if (!apart) return null;
  const date = dateTo(apart.precision, community.created_at);
  return apart.rank === null ? t('community.since', { date }) : t('community.since.rank', { date, rank: apart.rank });
}

/** The whole path, as the choice of a list shows it. */
export function pathWords(communities, community) {
  return withSince(community.path.join(' › '), sinceWords(communities, community));
}

/** The name, in its place where there are others of that name. */
export function nameWords(communities, community) {
  const name = communities.isOnlyOne(community) ? community.name : community.path.slice(-2).join(' › ');
  return withSince(name, sinceWords(communities, community));
}

function withSince(name, since) {
  return since ? `${name} (${since})` : name;
}
