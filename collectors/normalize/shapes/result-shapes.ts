import { foldText, INVISIBLE } from '../provenance/fold-text.ts';
import { INSTRUCTION_SHAPES } from './instruction-shapes.ts';
import { addShape, countShapes, ends, SHAPE_SCAN_CHARS, type Shape, type ShapeCounts } from './shape.ts';

const LEAKS: readonly Shape[] = [
  {
    name: 'stack_trace',
    pattern:
      /traceback \(most recent call last\)|^\s{1,16}at (?:async )?[\w$.<>[\]/ ]{1,200}\([^)\n]{1,300}:\d{1,7}(?::\d{1,7})?\)|\bgoroutine \d{1,9} \[|^\s{1,16}File "[^"\n]{1,300}", line \d{1,7}, in |(?:fatal error|warning|notice): [^\n]{1,300} in \S{1,300} on line \d|\bat \S{1,200} in \S{1,300}:line \d|\bpanicked at /gim,
  },
  {
    name: 'internal_path',
    pattern:
      /(?<![\w.:/-])\/(?:home|Users|root|var|opt|srv|usr\/(?:local|lib|src)|etc)\/[\w.-]{1,64}|\b[A-Z]:\\(?:Users|Windows|inetpub|Program Files|ProgramData)\\/gi,
  },
  {
    name: 'sql_error',
    pattern:
      /\bSQLSTATE[[:]|\bORA-\d{5}\b|error in your SQL syntax|syntax error at or near|(?:Operational|Programming|Integrity)Error\b|\bpsycopg2?\.|Unclosed quotation mark|unterminated quoted string|\bPG::\w{1,64}Error|SQL logic error|\bno such table: |\bER_[A-Z]{3,32}_[A-Z_]{1,32}|\bSQLException\b/gi,
  },
  {
    name: 'infrastructure_detail',
    pattern:
      /\b(?:ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH)\b|\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis|amqps?|jdbc:\w{1,16}):\/\/\S|\.svc(?:\.cluster\.local)?\b(?=[:/\s]|$)|\.internal:\d{2,5}\b|\barn:aws[\w-]{0,16}:\w{1,32}:|\b(?:nginx|Apache|OpenSSL|PHP|Tomcat|Microsoft-IIS)\/\d{1,3}\.\d|\bx-powered-by:|(?<![\d.])(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}:\d{2,5}\b/gi,
  },
  {
    name: 'credential_prompt',
    pattern:
      /\b(?:enter|provide|confirm|share|reply with|respond with|send(?: us| me)?|submit|give(?: us| me)?|tell(?: us| me)?|input)\s{1,4}(?:(?:your|the|us|me|with|current|account|login|full|user)\s{1,4}){1,4}(?:password|passcode|pin|api[ -]?key|credentials?|secret(?: key)?|access token|auth token|one[- ]time (?:code|password)|otp|2fa code|verification code|seed phrase|recovery phrase|private key)\b/gi,
  },
];

/** Tag characters that spell hidden ASCII, or more invisible characters in a row than any script needs. */
const HIDDEN =
  /[\u{e0020}-\u{e007e}]{3,}|[\u200b\u200c\u2060-\u2064\ufeff\u00ad]{4,}|[\u202d\u202e][^\u202c\n]{4,}/u;

/** Looks at the texts of one output (attacker-controlled). */
export function resultShapes(texts: readonly string[]): ShapeCounts {
  const counts: ShapeCounts = {};
  const text = ends(texts.length === 1 ? (texts[0] ?? '') : texts.join('\n'), SHAPE_SCAN_CHARS);
  INVISIBLE.lastIndex = 0;
  if (INVISIBLE.test(text)) {
    INVISIBLE.lastIndex = 0;
    if (HIDDEN.test(text)) addShape(counts, 'instruction');
  }
  const folded = foldText(text);
  countShapes(INSTRUCTION_SHAPES, folded, folded, counts);
  countShapes(LEAKS, folded, folded, counts);
  return counts;
}
