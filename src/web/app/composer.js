// Writing a post. The post shows at once as a pending copy; the server's own replaces it by its `op`.

import { Attachments } from './attachments.js';
import { avatar } from './avatar.js';
import { newOp } from '../client.js';
import { pathWords } from './communityname.js';
import { growing, h, icon } from './dom.js';
import { t } from './i18n.js';
import { KINDS, VISIBILITIES, length } from './model.js';
import { complainIn, errorLine, onSubmit } from './forms.js';
import { remember, remembered } from './storage.js';
import { toast } from './toasts.js';

export class Composer {
  element;
  #site;
  #community;
  #send;
  #fields = {};
  #pictures;

  /** `community()` gives the fixed community, or null to choose among one's own; `send(post, op)` shows the copy. */
  constructor(site, { community, send }) {
    this.#site = site;
    this.#community = community;
    this.#send = send;
    const fields = this.#fields;
    fields.content = growing(h('textarea', { name: 'content', rows: 1, placeholder: t('post.write'), 'aria-label': t('post.content'), testid: 'composer-content' }));
    fields.title = h('input', { name: 'title', maxlength: site.connection.limits.post_title, placeholder: t('post.title'), 'aria-label': t('post.title'), class: 'composer-title', testid: 'composer-title' });
    fields.kind = h('select', { name: 'kind', 'aria-label': t('post.kind'), testid: 'composer-kind' }, KINDS.map((kind) => h('option', { value: kind }, t(`kind.${kind}`))));
    fields.visibility = h('select', { name: 'visibility', 'aria-label': t('visibility'), testid: 'composer-visibility' }, VISIBILITIES.map((each) => h('option', { value: each }, t(`visibility.${each}`))));
    fields.community = h('select', { name: 'community_id', 'aria-label': t('post.community'), testid: 'composer-community' });
    fields.anonymous = h('input', { type: 'checkbox', name: 'anonymous', testid: 'composer-anonymous' });
    fields.left = h('span', { class: 'composer-left', 'aria-live': 'polite' });
    fields.submit = h('button', { class: 'button button-primary', testid: 'composer-submit' }, t('post.send'));
    this.#pictures = new Attachments(site, () => form.classList.toggle('composer-open', true));
    const form = h('form', { class: 'composer', testid: 'composer', novalidate: true },
      avatar(site.me),
      h('div', { class: 'composer-main' },
        h('div', { class: 'composer-fold' }, fields.title),
        fields.content,
        h('div', { class: 'composer-fold' },
          this.#pictures.element,
          errorLine(),
          h('div', { class: 'composer-options' },
            this.#pictures.button, fields.community, fields.kind, fields.visibility,
            h('label', { class: 'check', title: t('post.anonymous.hint') }, fields.anonymous, icon('mask'), h('span', {}, t('post.anonymous'))),
            fields.left, fields.submit))));
    this.element = onSubmit(form, () => this.#submit());
    form.addEventListener('focusin', () => form.classList.add('composer-open'));
    form.addEventListener('focusout', (event) => {
      if (!form.contains(event.relatedTarget) && !fields.content.value && !fields.title.value && this.#pictures.count === 0) form.classList.remove('composer-open');
    });
    this.#pictures.listen(form);
    fields.content.addEventListener('input', () => this.#count());
    fields.anonymous.addEventListener('change', () => {
      if (fields.anonymous.checked) fields.visibility.value = 'public';
      fields.visibility.disabled = fields.anonymous.checked;
    });
    this.update();
  }

  /** Brings the choice of communities up to date; without any it is not shown at all. */
  update() {
    const fixed = this.#community();
    const choices = fixed ? [fixed] : this.#site.communities.joined().sort((a, b) => a.name.localeCompare(b.name));
    const { community } = this.#fields;
    const chosen = community.value || remembered('cc.community');
    community.replaceChildren(...choices.map((each) => h('option', { value: each.id, selected: each.id === chosen }, pathWords(this.#site.communities, each))));
    community.hidden = Boolean(fixed);
    this.element.hidden = choices.length === 0 || (fixed && !fixed.my?.member);
  }

  #count() {
    const left = this.#site.connection.limits.post_content - length(this.#fields.content.value);
    this.#fields.left.textContent = left < 300 ? t('characters.left', { count: left }) : '';
  }

  async #submit() {
    const { content, title, kind, visibility, community, anonymous } = this.#fields;
    const body = {
      op: newOp(),
      community_id: community.value,
      kind: kind.value,
      content: content.value,
      visibility: anonymous.checked ? 'public' : visibility.value,
      anonymous: anonymous.checked,
      ...(title.value.trim() && { title: title.value }),
    };
    if (!body.content.trim() && this.#pictures.count === 0) {
      content.focus();
      return;
    }
    if (!body.content.trim()) body.content = '';
    remember('cc.community', body.community_id);
    let media = [];
    if (this.#pictures.count > 0) {
      try {
        media = await this.#pictures.send();
      } catch (error) {
        complainIn(this.element, error, error.code === 'unsupported_type' ? t('picture.flaw.type') : error.code === 'too_large' ? t('picture.flaw.size') : undefined);
        return;
      }
      body.media_ids = media.map(({ id }) => id);
    }
    const pending = this.#send.show(body, media);
    this.#clear();
    // Not awaited: offline, the form stays usable while the copy waits.
    this.#site.connection.ask('post.create', body).then(
      ({ post }) => this.#send.arrived(post, body.op),
      (error) => {
        this.#send.refused(body.op, pending);
        if (!content.value && !title.value) this.#restore(body);
        if (media.length > 0) toast(t('picture.again'), 'error');
        complainIn(this.element, error);
      },
    );
  }

  #clear() {
    const { content, title, anonymous, visibility, left } = this.#fields;
    content.value = '';
    title.value = '';
    anonymous.checked = false;
    visibility.disabled = false;
    left.textContent = '';
    this.#pictures.clear();
    this.element.querySelector('[data-testid=form-error]').textContent = '';
    if (this.element.contains(document.activeElement)) document.getElementById('content').focus({ preventScroll: true });
    this.element.classList.remove('composer-open');
    content.dispatchEvent(new Event('input'));
  }

  #restore(body) {
    const { content, title, anonymous, kind, visibility } = this.#fields;
    content.value = body.content;
    title.value = body.title ?? '';
    anonymous.checked = body.anonymous;
    kind.value = body.kind;
    visibility.value = body.visibility;
    this.element.classList.add('composer-open');
    content.dispatchEvent(new Event('input'));
  }
}
