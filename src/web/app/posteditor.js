// Editing a post. A conflict is not an end: the newer text is shown, and saving again keeps one's own.

import { openDialog } from './dialogs.js';
import { fill, growing, h } from './dom.js';
import { t } from './i18n.js';
import { KINDS } from './model.js';
import { complainIn, errorLine, field, onSubmit } from './forms.js';
import { explain } from './toasts.js';

export function openPostEditor(site, post) {
  let version = post.version;
  const title = h('input', { name: 'title', maxlength: site.connection.limits.post_title, value: post.title ?? '', testid: 'edit-title' });
  const content = growing(h('textarea', { name: 'content', rows: 5, testid: 'edit-content' }));
  content.value = post.content;
  const kind = h('select', { name: 'kind', testid: 'edit-kind' }, KINDS.map((each) => h('option', { value: each, selected: each === post.kind }, t(`kind.${each}`))));
  const newer = h('div', { class: 'newer', testid: 'edit-newer', hidden: true });
  const form = h('form', { class: 'dialog-body', testid: 'edit-form', novalidate: true },
    field(t('post.title'), title), field(t('post.content'), content), field(t('post.kind'), kind), errorLine(), newer,
    h('div', { class: 'dialog-actions' }, h('button', { class: 'button button-primary', testid: 'edit-save' }, t('dialog.save'))));

  openDialog({
    title: t('post.edit.title'),
    testid: 'edit-dialog',
    build: (close) => onSubmit(form, async () => {
      try {
        // An absent title keeps the old one; an empty one takes it away.
        const wanted = { title: title.value.trim(), content: content.value, kind: kind.value };
        const reply = await site.connection.ask('post.edit', { post_id: post.id, version, ...wanted });
        site.posts.put(reply.post);
        close();
      } catch (error) {
        if (error.code === 'conflict') await conflict(error, close);
        else complainIn(form, error);
      }
    }),
  });
  content.focus();
  content.dispatchEvent(new Event('input'));

  async function conflict(error, close) {
    const current = await site.connection.ask('post.get', { post_id: post.id }).then((reply) => reply.post, () => null);
    if (!current) return complainIn(form, error, explain(error));
    site.posts.put(current);
    // An answer that was lost on the way, and repeated, looks like a conflict with oneself.
    if (current.content === content.value.normalize('NFC') && (current.title ?? '') === title.value.trim().normalize('NFC') && current.kind === kind.value) return close();
    version = current.version;
    newer.hidden = false;
    fill(newer, h('h3', {}, t('post.edit.newer')), current.title && h('p', {}, h('strong', {}, current.title)), h('p', {}, current.content));
    complainIn(form, error, t('post.edit.conflict'));
  }
}
