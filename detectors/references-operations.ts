import type { Alert } from '../schemas/alert.ts';

/** Catalogue ids of the detectors of volume, operations and the health of the audit; part of `references`. */
export const operationsReferences = {
  volume: {
    owasp: ['MCP10:2025', 'LLM02:2025', 'ASI02'],
    atlas: ['AML.T0086'],
    attack: ['T1030', 'T1567'],
    saf: ['SAF-T1804'],
  },
  'error-rate': { owasp: ['ASI08'], atlas: ['AML.T0029'], attack: ['T1499'] },
  'rate-limit': {
    owasp: ['LLM10:2025', 'ASI08'],
    atlas: ['AML.T0029'],
    attack: ['T1499'],
    saf: ['SAF-T2102'],
  },
  'bulk-change': {
    owasp: ['MCP02:2025', 'ASI02'],
    atlas: ['AML.T0053'],
    attack: ['T1485', 'T1565'],
    saf: ['SAF-T2101'],
  },
  'duplicate-mutation': { owasp: ['ASI02', 'ASI08'], atlas: ['AML.T0053'], attack: ['T1565'] },
  budget: { owasp: ['LLM10:2025', 'ASI08'], atlas: ['AML.T0034'], attack: ['T1496'] },
  'supply-chain': {
    owasp: ['MCP04:2025', 'LLM03:2025', 'ASI04'],
    atlas: ['AML.T0010'],
    attack: ['T1195'],
    saf: ['SAF-T1002'],
  },
  'config-drift': { owasp: ['MCP04:2025', 'ASI04'], atlas: [], attack: ['T1562', 'T1552'] },
  health: { owasp: ['ASI08'], atlas: ['AML.T0029'], attack: ['T1499'] },
  'audit-blindness': { owasp: ['MCP08:2025'], atlas: [], attack: ['T1562.008', 'T1070'] },
  'local-transport': { owasp: ['MCP07:2025'], atlas: [], attack: ['T1189', 'T1133'], saf: ['SAF-T1005'] },
} satisfies Record<string, Alert['references']>;
