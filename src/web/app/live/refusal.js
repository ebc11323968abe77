// What a refusal says to somebody who deals with lives: a live runs on one node, and another can only say which.

import { t } from '../i18n.js';
import { explain } from '../toasts.js';

/** An error in words that say what to do; `asking`, where the page asks again by itself. */
export function explainLive(error, { asking = false } = {}) {
  const { carrier } = error;
  if (!carrier) return explain(error);
  if (asking && !carrier.isSilent) return t('live.note.elsewhere', { node: carrier.node });
  if (carrier.isSilent) return t('live.note.silent');
  return t(carrier.url ? 'live.over.elsewhere' : 'live.over.elsewhere.unknown', { node: carrier.node });
}
