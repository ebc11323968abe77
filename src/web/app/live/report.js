// What became of a live, for its owner: figures, and how many watched when.

import { fill, h, svgElement } from '../dom.js';
import { number, t } from '../i18n.js';
import { REACTIONS } from '../model.js';
import { explain } from '../toasts.js';
import { CURVE_LEAST, bitrateText, clockText, curve, endWords, pictureWait } from './rules.js';

/** An answer that takes longer is worth a word. */
const SLOW_MS = 3_000;
const WIDTH = 640;
const HEIGHT = 170;

/** The report of one live: why it ended, and what it was. */
export class Report {
  element;
  #live;
  #report;
  #end = h('p', { class: 'hint', testid: 'report-end' });

  /** Asks for the report where it is not `given`. */
  constructor(site, live, given) {
    this.#live = live;
    const body = h('div', { class: 'report-body' });
    this.element = h('section', { class: 'sheet report', 'aria-label': t('report.title'), testid: 'live-report' }, h('h2', { class: 'section-title' }, t('report.title')), this.#end, body);
    if (given) this.#show(body, given);
    else void this.#askInto(body, site);
    this.update(live);
  }

  /** News of the live: who ended it may hear last why it ended. */
  update(live) {
    this.#live = live;
    this.#end.dataset.reason = live.reason ?? '';
    this.#end.textContent = endWords(live, this.#report).map(({ key, values }) => t(key, values)).join(' ');
  }

  #show(body, report) {
    this.#report = report;
    fill(body, reportParts(report));
    this.update(this.#live);
  }

  /** A question waits while there is no connection, so whoever reads is told what is waited for. */
  async #askInto(body, site) {
    fill(body, h('p', { class: 'hint' }, t('loading')));
    const waiting = setTimeout(() => fill(body, h('p', { class: 'hint', role: 'status' }, t('report.waiting'))), SLOW_MS);
    try {
      this.#show(body, (await site.connection.ask('live.report', { live_id: this.#live.id })).report);
    } catch (error) {
      fill(body, h('p', { class: 'empty' }, explain(error)), h('button', { class: 'button', type: 'button', testid: 'report-again', onclick: () => this.#askInto(body, site) }, t('again')));
    } finally {
      clearTimeout(waiting);
    }
  }
}

function reportParts(report) {
  const { viewers, watch_ms: watch, join_ms: total, join_phases: phases = { total }, chat, reactions, upload } = report;
  const tile = (key, value, id) => h('div', { class: 'tile' }, h('dt', {}, t(key)), h('dd', { testid: `report-${id}`, 'data-value': value }, typeof value === 'number' ? number(value) : value));
  const wait = pictureWait(phases);
  const liked = REACTIONS.reduce((sum, kind) => sum + (reactions[kind] ?? 0), 0);
  return [
    h('dl', { class: 'tiles' },
      tile('live.figure.duration', clockText(report.duration_ms), 'duration'), tile('live.figure.unique', viewers.unique, 'unique'), tile('live.figure.peak', viewers.peak, 'peak'), tile('report.average', viewers.average, 'average'),
      tile('live.figure.joins', report.joins, 'joins'), tile('report.watch.total', clockText(watch.total), 'watch'), tile('report.watch.mean', clockText(watch.mean), 'watch-mean'), wait && tile('report.join', `${number(wait.p50)} ms`, 'join'),
      tile('report.chat', chat.messages, 'chat'), tile('report.writers', chat.people, 'writers'), tile('report.reactions', liked, 'reactions'), tile('report.interruptions', report.interruptions, 'interruptions')),
    retention(report),
    h('p', { class: 'hint', testid: 'report-bitrate', 'data-value': upload.bitrate }, t('report.upload', { bitrate: bitrateText(upload.bitrate, number), loss: upload.loss })),
  ];
}

/** How many watched when, drawn as steps with the two numbers that give it a scale. */
function retention({ retention: points, duration_ms: duration }) {
  if (points.length < CURVE_LEAST) return h('p', { class: 'hint' }, t('report.curve.none'));
  const { line, area, top, end } = curve(points, { width: WIDTH, height: HEIGHT, duration });
  const picture = svgElement('svg', { class: 'curve', viewBox: `0 -4 ${WIDTH} ${HEIGHT + 8}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': t('report.curve.words', { count: top, duration: clockText(end) }), 'data-testid': 'report-curve', 'data-points': points.length });
  picture.append(
    ...[0, 0.5, 1].map((part) => svgElement('line', { class: 'curve-grid', x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part })),
    svgElement('path', { class: 'curve-area', d: area }), svgElement('path', { class: 'curve-line', d: line }));
  return h('figure', { class: 'retention' },
    h('figcaption', {}, t('report.curve')),
    h('div', { class: 'curve-frame' }, h('span', { class: 'curve-top' }, number(top)), picture),
    h('div', { class: 'curve-axis' }, h('span', {}, '0:00'), h('span', {}, clockText(end))));
}
