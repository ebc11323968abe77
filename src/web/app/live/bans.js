// Taking somebody out of a live, and letting them back in. Who is out is the server's to tell (`live.bans`): the page only
// passes on what was changed in it.

import { confirmed } from '../dialogs.js';
import { t } from '../i18n.js';
import { nameOf } from '../model.js';
import { complain, toast } from '../toasts.js';

/** Takes somebody out of a live, after asking, or lets them back in; true if it was done. */
export async function banFromLive(site, live, person, on = true) {
  const name = nameOf(person);
  if (on && !(await confirmed(t('live.ban.sure', { name }), t('live.ban')))) return false;
  try {
    await site.connection.ask('live.ban', { live_id: live.id, user_id: person.id, on });
    site.banned.emit({ liveId: live.id, person, on });
    if (on) offerUndo(site, live, person);
    else toast(t('live.unbanned', { name }));
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** Says that somebody was taken out, and lets them back in at a press; once they are back there is nothing to undo. */
function offerUndo(site, live, person) {
  const undo = { text: t('live.undo'), run: () => banFromLive(site, live, person, false) };
  const said = toast(t('live.banned', { name: nameOf(person) }), 'done', undo);
  said.gone.then(site.banned.listen((change) => {
    if (!change.on && change.liveId === live.id && change.person.id === person.id) said.dismiss();
  }));
}
