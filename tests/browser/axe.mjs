// axe, laid over a page as it stands.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Contrast, names, roles, target sizes and the like, by WCAG 2.2 AA. */
export async function assertOpenToAll(person, where) {
  // What still moves or fades in has the colours of neither end.
  await person.page.waitForFunction(() => document.getAnimations().every((each) => each.playState === 'finished'));
  await person.page.evaluate(`if (!window.axe) { ${AXE} }`);
  const violations = await person.page.evaluate(async (rules) => {
    const { violations: found } = await window.axe.run(document, { runOnly: rules });
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`).join('\n  ')}`);
  }, RULES);
  assert.deepEqual(violations, [], where);
}
