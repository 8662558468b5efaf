import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { caseReport } from '../../bundle/report/report.ts';
import { startChromium, whyNoChromium } from '../support/chromium.ts';
import { alertEntry, eventEntry, eventOf, factsOf, rendered, storyEntries } from './report-case.ts';

/** `HERE` becomes a listener of the test, which nobody may reach. */
const PATTERNS = [
  '<script>document.title="owned"</script>',
  '"><img src="http://HERE/x.png" onerror="document.title=\'owned\'">',
  '</title></style></text></svg><svg onload="document.title=\'owned\'"><use href="http://HERE/a.svg#a"/>',
  '<style>@import "http://HERE/a.css";body{display:none}</style>',
  '<meta http-equiv="refresh" content="0;url=http://HERE/">',
  '<iframe src="http://HERE/"></iframe><link rel="stylesheet" href="http://HERE/b.css">',
  "' style='background:url(http://HERE/c)' onmouseover='document.title=1",
];

describe.skipIf(whyNoChromium() !== undefined)('the report in a browser', () => {
  let browser: Browser;
  let connections = 0;
  const listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  let attacks: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'custody-report-'));
  beforeAll(async () => {
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const here = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
    attacks = PATTERNS.map((text) => text.replaceAll('HERE', here));
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser.close();
    listener.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(html: string): Promise<{ page: Page; requests: string[]; complaints: string[] }> {
    const file = join(folder, 'report.html');
    writeFileSync(file, html);
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('dialog', (dialog) => {
      complaints.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(pathToFileURL(file).href, { waitUntil: 'load' });
    return { page, requests, complaints };
  }

  test('hostile text runs nothing, loads nothing and stays readable', async () => {
    const entries = attacks.map((text, n) => {
      const event = eventOf(
        { server: text, tool: text, to: [text], summary: text, rule: text, actor: text },
        n,
        n,
      );
      return eventEntry(event, n, n);
    });
    const alert = storyEntries().find((entry) => entry.alert !== undefined)!.alert!;
    const [text = ''] = attacks;
    const hostile = { ...alert, title: text, reason: attacks.join(' '), observed: text, actor_id: text };
    const facts = factsOf({
      question: attacks.join(' '),
      operator: text,
      leftOut: [...attacks],
      caseId: text,
    });
    const html = rendered(caseReport(), [...entries, alertEntry(hostile, 9, 9)], facts);
    const { page, requests, complaints } = await open(html);
    expect(requests).toHaveLength(1);
    expect(connections).toBe(0);
    expect(complaints).toEqual([]);
    expect(await page.title()).toBe(`Evidence report, case ${text}`);
    expect(await page.locator('script, img, iframe, link, use, a, form, object, embed').count()).toBe(0);
    expect(await page.locator('h1').innerText()).toBe(`Case ${text}`);
    for (const attack of attacks) expect(await page.locator('.question').innerText()).toContain(attack);
    await page.close();
  });

  test('the policy stops a script, an image and a style that got into the page all the same', async () => {
    const html = rendered(caseReport()).replace(
      '</main>',
      `<script>document.title="owned"</script>${attacks[1] ?? ''}<style>h1{color:#f00}</style></main>`,
    );
    const { page, complaints } = await open(html);
    expect(await page.title()).toBe('Evidence report, case INC-2291');
    expect(connections).toBe(0);
    expect(
      complaints.filter((text) => text.includes('Content Security Policy')).length,
    ).toBeGreaterThanOrEqual(3);
    expect(await page.evaluate(styleOf('h1', 'color'))).not.toBe('rgb(255, 0, 0)');
    await page.close();
  });

  test('its own style applies, and nothing is wider than the page, however long a word is', async () => {
    const long = 'A'.repeat(256);
    const event = eventOf(
      { server: long, tool: long, to: [long], rule: long, actor: long, summary: long },
      1,
      1,
    );
    const entry = { ...eventEntry(event, 1, 1), log: `desk/${'l'.repeat(60)}/x-0/0` };
    const { page } = await open(
      rendered(caseReport(), [entry], factsOf({ question: long, operator: long, reason: long })),
    );
    expect(await page.evaluate(styleOf('.verdict', 'borderLeftWidth'))).toBe('6px');
    for (const width of [1280, 700]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    }
    await page.close();
  });

  test.each(['A4', 'Letter'])('it prints on %s with the verdict, and no row is cut', async (format) => {
    const { page } = await open(rendered(caseReport()));
    const pdf = await page.pdf({ format, printBackground: true, tagged: true });
    expect(pdf.subarray(0, 5).toString('latin1')).toBe('%PDF-');
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
    expect(pages).toBeGreaterThan(2);
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('.verdict').innerText()).toContain('CONSISTENT: every entry was recomputed');
    expect(await page.evaluate(everyBreak('tr'))).toBe(true);
    expect(await page.evaluate(everyBreak('svg.drawing'))).toBe(true);
    await page.setViewportSize({ width: 670, height: 1000 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(670);
    await page.close();
  });
});

const styleOf = (selector: string, property: string) =>
  `getComputedStyle(document.querySelector('${selector}')).${property}`;
const everyBreak = (selector: string) =>
  `[...document.querySelectorAll('${selector}')].every((one) => getComputedStyle(one).breakInside === 'avoid')`;
