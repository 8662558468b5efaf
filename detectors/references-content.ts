import type { Alert } from '../schemas/alert.ts';

/** Catalogue ids (see `references.ts`) of the detectors of content, definitions and flows; also SAF-MCP techniques. */
export const contentReferences = {
  'unusual-parameters': {
    owasp: ['MCP05:2025', 'ASI02'],
    atlas: ['AML.T0053'],
    attack: [],
    saf: ['SAF-T1911'],
  },
  'tool-change': {
    owasp: ['MCP03:2025', 'ASI04', 'LLM03:2025'],
    atlas: ['AML.T0109', 'AML.T0110'],
    attack: ['T1195.002'],
    saf: ['SAF-T1201'],
  },
  'tool-shadowing': {
    owasp: ['MCP03:2025', 'ASI04', 'LLM01:2025'],
    atlas: ['AML.T0051.001'],
    attack: ['T1036.005'],
    saf: ['SAF-T1008'],
  },
  'zone-crossing': {
    owasp: ['MCP10:2025', 'LLM02:2025', 'ASI02'],
    atlas: ['AML.T0086'],
    attack: ['T1567', 'T1048'],
  },
  ssrf: { owasp: ['MCP05:2025', 'ASI02'], atlas: ['AML.T0053'], attack: ['T1552.005', 'T1190'] },
  'injection-shape': {
    owasp: ['MCP05:2025', 'LLM05:2025', 'ASI05'],
    atlas: ['AML.T0053'],
    attack: ['T1059', 'T1190', 'T1083'],
    saf: ['SAF-T1101', 'SAF-T1105'],
  },
  'secret-leak': {
    owasp: ['MCP01:2025', 'LLM02:2025', 'ASI03'],
    atlas: ['AML.T0057', 'AML.T0086'],
    attack: ['T1552', 'T1567'],
    saf: ['SAF-T1504'],
  },
  'toxic-flow': {
    owasp: ['MCP06:2025', 'LLM01:2025', 'ASI01'],
    atlas: ['AML.T0051.001', 'AML.T0086'],
    attack: [],
    saf: ['SAF-T1102'],
  },
  'leaky-error': { owasp: ['MCP10:2025', 'LLM02:2025'], atlas: ['AML.T0057'], attack: ['T1592'] },
} satisfies Record<string, Alert['references']>;
