import type { Alert } from '../schemas/alert.ts';

/** Catalogue ids of the detectors of access and identity, as in `references.ts`. */
export const accessReferences = {
  'auth-burst': {
    owasp: ['MCP07:2025', 'ASI03'],
    atlas: ['AML.T0012'],
    attack: ['T1110', 'T1110.003', 'T1078'],
  },
  'denial-probing': {
    owasp: ['MCP02:2025', 'ASI02'],
    atlas: ['AML.T0053'],
    attack: ['T1087', 'T1069'],
    saf: ['SAF-T1602'],
  },
  'first-seen': { owasp: ['MCP03:2025', 'ASI02'], atlas: ['AML.T0053'], attack: ['T1078'] },
  'unusual-hours': { owasp: ['ASI10'], atlas: ['AML.T0012'], attack: ['T1078'] },
  unregistered: {
    owasp: ['MCP09:2025', 'ASI04'],
    atlas: ['AML.T0010'],
    attack: ['T1036.005', 'T1195'],
    saf: ['SAF-T1003', 'SAF-T1004'],
  },
  'allowed-set': { owasp: ['MCP02:2025', 'ASI02'], atlas: ['AML.T0053'], attack: ['T1078'] },
  'unapproved-privilege': {
    owasp: ['MCP02:2025', 'LLM06:2025', 'ASI03'],
    atlas: ['AML.T0053'],
    attack: ['T1098', 'T1485'],
  },
  'token-misuse': {
    owasp: ['MCP01:2025', 'ASI03'],
    atlas: ['AML.T0012'],
    attack: ['T1550.001', 'T1528'],
    saf: ['SAF-T1706'],
  },
} satisfies Record<string, Alert['references']>;
