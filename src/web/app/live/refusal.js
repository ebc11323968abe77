// What a refusal says to somebody who deals with lives: a live runs on one node, and another can only say which.

import { t } from '../i18n.js';
import { explain } from '../toasts.js';
import { carrierOf } from './rules.js';

/** An error in words that say what to do. */
export function explainLive(error) {
  const carrier = carrierOf(error);
  if (!carrier) return explain(error);
  return carrier.isSilent ? t('live.note.silent') : t('live.over.elsewhere', { node: carrier.node });
}
