// What a refusal says to somebody who deals with lives: a live runs on one node, and another can only say which.

import { t } from '../i18n.js';
import { explain } from '../toasts.js';

/** An error in words that say what to do. */
export function explainLive(error) {
  const { carrier } = error;
  if (!carrier) return explain(error);
  if (carrier.isSilent) return t('live.note.silent');
  return t(carrier.url ? 'live.over.elsewhere' : 'live.over.elsewhere.unknown', { node: carrier.node });
}
