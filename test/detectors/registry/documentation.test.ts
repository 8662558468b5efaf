import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileRegistry } from '../../../detectors/registry/compile-registry.ts';
import { lintRegistry } from '../../../detectors/registry/lint.ts';
import { parseRegistryText } from '../../../pipeline/registry-file.ts';
import { registryDocument } from '../../../schemas/registry.ts';

const page = readFileSync(new URL('../../../docs/operations/registry.md', import.meta.url), 'utf8');
const example = /^version: 1\n[^]*?(?=^```)/m.exec(page)?.[0] ?? '';
const { document } = parseRegistryText(example);

test('the example on the page is valid and nothing in it is doubtful at its time', () => {
  expect(document).toBeDefined();
  expect(lintRegistry(document!, Date.parse('2026-11-21T12:00:00Z'))).toEqual([]);
});

test('the example has every kind of entry there is', () => {
  const kinds = Object.keys(registryDocument.shape);
  expect(kinds.length).toBeGreaterThan(8);
  expect(Object.keys(document!).sort()).toEqual(kinds.sort());
});

test('the example says of agents, flows and destinations what the page says it does', () => {
  const registry = compileRegistry(document, 'acme-1');
  expect(registry.tool('mail', 'send')?.disabled).toBe(true);
  expect(registry.agent('support-lead')?.grants).toEqual(['files.read', 'mail.send']);
  expect(registry.agent('support-7')?.allowsTool('files', 'delete_tree')).toBe(false);
  expect(registry.allowsFlow('internal', 'internet', 'customer')).toBe(false);
  expect(registry.zoneOfDestination('db.vault.example.com')?.trust).toBe('restricted');
  expect(registry.zoneOfDestination('anywhere.org')?.name).toBe('internet');
  expect(registry.allowsDestination('paste.example.com')).toBe(false);
});
