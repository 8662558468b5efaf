import type { Alert } from '../schemas/alert.ts';
import { accessReferences } from './references-access.ts';
import { contentReferences } from './references-content.ts';
import { operationsReferences } from './references-operations.ts';

/**
 * Public catalogue ids by detector: OWASP MCP Top 10 (2025), OWASP LLM Top 10 (2025), OWASP Agentic (ASI, 2026),
 * MITRE ATLAS, MITRE ATT&CK (18) and SAF-MCP (Framework Model v2).
 */
export const references = {
  'novel-chain': { owasp: ['MCP06:2025', 'ASI02'], atlas: ['AML.T0053'], attack: [] },
  'exfil-spike': {
    owasp: ['MCP10:2025', 'LLM02:2025', 'ASI02'],
    atlas: ['AML.T0086'],
    attack: ['T1567', 'T1048'],
  },
  'scope-drift': {
    owasp: ['MCP02:2025', 'ASI03'],
    atlas: ['AML.T0053'],
    attack: ['T1098'],
    saf: ['SAF-T1308'],
  },
  loop: {
    owasp: ['LLM10:2025', 'ASI08'],
    atlas: ['AML.T0034.002', 'AML.T0029'],
    attack: ['T1499', 'T1496'],
    saf: ['SAF-T1106'],
  },
  'receipt-gap': { owasp: ['MCP08:2025', 'ASI02'], atlas: ['AML.T0053'], attack: ['T1562.008'] },
  ...accessReferences,
  ...operationsReferences,
  ...contentReferences,
} satisfies Record<string, Alert['references']>;
