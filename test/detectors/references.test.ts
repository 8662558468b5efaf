import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { references } from '../../detectors/references.ts';
import type { Alert } from '../../schemas/alert.ts';

/**
 * Ids and names as published, of what is used here. Those of SAF-MCP and of the OWASP MCP Top 10 were read at the publishers'
 * own repositories; those of OWASP LLM 2025, OWASP ASI and the newer ones of ATLAS in several public copies that agree.
 */
const atlas: Readonly<Record<string, string>> = {
  'AML.T0010': 'AI Supply Chain Compromise',
  'AML.T0012': 'Valid Accounts',
  'AML.T0029': 'Denial of AI Service',
  'AML.T0034': 'Cost Harvesting',
  'AML.T0034.002': 'Agentic Resource Consumption',
  'AML.T0051.001': 'LLM Prompt Injection: Indirect',
  'AML.T0053': 'AI Agent Tool Invocation',
  'AML.T0057': 'LLM Data Leakage',
  'AML.T0080.000': 'AI Agent Context Poisoning: Memory',
  'AML.T0086': 'Exfiltration via AI Agent Tool Invocation',
  'AML.T0109': 'AI Supply Chain Rug Pull',
  'AML.T0110': 'AI Agent Tool Poisoning',
};
const saf: Readonly<Record<string, string>> = {
  'SAF-T1002': 'Supply Chain Compromise',
  'SAF-T1003': 'Malicious MCP-Server Distribution',
  'SAF-T1004': 'Server Impersonation / Name-Collision',
  'SAF-T1005': 'Exposed Endpoint Exploit',
  'SAF-T1008': 'Cross-Server Tool Shadowing',
  'SAF-T1101': 'Command Injection',
  'SAF-T1102': 'Prompt Injection (Multiple Vectors)',
  'SAF-T1105': 'Path Traversal via File Tool',
  'SAF-T1106': 'Autonomous Loop Exploit',
  'SAF-T1112': 'Sampling Request Abuse',
  'SAF-T1201': 'Post-Approval Tool Mutation',
  'SAF-T1202': 'OAuth Token Persistence',
  'SAF-T1204': 'Context Memory Implant',
  'SAF-T1308': 'Token Scope Substitution',
  'SAF-T1403': 'Consent-Fatigue Exploit',
  'SAF-T1502': 'File-Based Credential Harvest',
  'SAF-T1504': 'Token Theft via API Response',
  'SAF-T1601': 'MCP Server Enumeration',
  'SAF-T1602': 'Tool Enumeration',
  'SAF-T1706': 'OAuth Token Pivot Replay',
  'SAF-T1804': 'API Data Harvest',
  'SAF-T1911': 'Parameter Exfiltration',
  'SAF-T1913': 'HTTP POST Exfil',
  'SAF-T1914': 'Tool-to-Tool Exfil',
  'SAF-T2101': 'Data Destruction',
  'SAF-T2102': 'Service Disruption',
};
/** In the catalogue only so that old references can be followed. */
const safDeprecated = ['T1104', 'T1109', 'T1205', 'T1301', 'T1306', 'T1309', 'T1702', 'T1912'].map(
  (id) => `SAF-${id}`,
);
const owasp = /^(?:MCP(?:0[1-9]|10):2025|LLM(?:0[1-9]|10):2025|ASI(?:0[1-9]|10))$/;

const rules = join(import.meta.dirname, '../../rules');
const ofRules = readdirSync(rules)
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) => parseAllDocuments(readFileSync(join(rules, file), 'utf8')))
  .map((document) => document.toJS() as { id: string; references: Partial<Alert['references']> })
  .map(({ id, references: ids }) => [`rule/${id}`, ids] as const);
const all: readonly (readonly [string, Partial<Alert['references']>])[] = [
  ...Object.entries(references),
  ...ofRules,
];

it('every detector and every rule that comes with the product is looked at', () => {
  expect(ofRules.length).toBeGreaterThan(25);
  expect(Object.keys(references).length).toBeGreaterThan(25);
});

describe.each(all)('%s', (_, ids) => {
  it('refers to something that is in the catalogues, and to nothing twice', () => {
    expect(ids.owasp?.filter((id) => !owasp.test(id))).toEqual([]);
    expect(ids.owasp).not.toEqual([]);
    expect((ids.atlas ?? []).filter((id) => !Object.hasOwn(atlas, id))).toEqual([]);
    expect((ids.saf ?? []).filter((id) => !Object.hasOwn(saf, id))).toEqual([]);
    expect((ids.attack ?? []).filter((id) => !/^T1\d{3}(?:\.\d{3})?$/.test(id))).toEqual([]);
    for (const list of Object.values(ids)) expect(list).toEqual([...new Set(list)]);
  });
});

it('no deprecated technique is referred to, and none is listed that nothing refers to', () => {
  const used = new Set(all.flatMap(([, ids]) => [...(ids.atlas ?? []), ...(ids.saf ?? [])]));
  expect(safDeprecated.filter((id) => used.has(id) || Object.hasOwn(saf, id))).toEqual([]);
  expect([...Object.keys(atlas), ...Object.keys(saf)].filter((id) => !used.has(id))).toEqual([]);
});
