import { addressShapes } from './address-shapes.ts';
import { interpreterShapes, maybeSerialized } from './interpreter-shapes.ts';
import { pathShapes } from './path-shapes.ts';
import { addShape, countShapes, type Shape, type ShapeCounts } from './shape.ts';
import { sqlShapes } from './sql-shapes.ts';

/** Members whose values are commands or programs: there a pipe or a call is what was asked for. */
const PROGRAM_NAMES =
  /(?:^|[._[\]-])(?:command|cmd|script|code|shell|bash|program|source|content|contents|text|body|file_text|new_str|old_str|patch|diff|snippet|expression|notebook)$/i;

/** In anything, even in a command. */
const STRONG: readonly Shape[] = [
  {
    name: 'command_injection',
    hints: ['/dev/tcp/', 'bash -i', ' -e /bin/', 'mkfifo', '| sh', '|sh', '| bash', '|bash'],
    pattern:
      /\/dev\/tcp\/|\bbash -i\b|\bn(?:c|cat) [^\n]{0,64}-e \/bin\/|\bmkfifo \/|\b(?:curl|wget)\b[^\n|]{1,512}\|\s{0,4}(?:sudo )?(?:ba|z|da)?sh\b/gi,
  },
  {
    name: 'template_injection',
    hints: ['jndi:', '__class__', '__mro__', '__globals__', '__subclasses__'],
    pattern:
      /\$\{\s{0,4}(?:\$\{[^}]{0,32}\}|jndi:)|\{\{[^{}]{0,128}(?:__class__|__mro__|__globals__|__subclasses__)|jndi:(?:ldaps?|rmi|dns):/gi,
  },
];

/** In values that are no program. */
const IN_PLAIN_VALUES: readonly Shape[] = [
  {
    name: 'command_injection',
    hints: [';', '|', '&', '`', '$('],
    pattern:
      /(?:;|\|\|?|&&?|`|\$\()\s{0,4}(?:sudo )?(?:cat|curl|wget|(?:ba|z|da)?sh|nc|ncat|rm|python3?|perl|powershell|cmd|ping|chmod|nslookup|dig|base64|touch|kill|printenv)\s{1,4}(?:-{1,2}\w|[/~.$\\]|https?:|\d{1,3}\.\d)|(?:;|\|\|?|&&|\$\(|`)\s{0,4}(?:id|whoami|uname(?: -a)?|env|printenv|ifconfig|hostname)\s{0,4}(?:$|[;)`#])/gi,
  },
  {
    name: 'template_injection',
    hints: ['{{', '${', '#{', '<%'],
    pattern:
      /\{\{\s{0,8}(?:\d{1,9}\s{0,2}\*\s{0,2}'?\d|config\b|self\.|request\.|cycler\b|lipsum\b|constructor\b)|\$\{\s{0,8}(?:\d{1,9}\s{0,2}\*\s{0,2}\d|T\(|@?java\.|Runtime\b)|#\{\s{0,8}\d{1,9}\s{0,2}\*\s{0,2}\d|<%=\s{0,8}(?:\d|system|`)/gi,
  },
  {
    name: 'code_injection',
    hints: [
      ...[
        '__import__',
        'os.system',
        'os.popen',
        'subprocess.',
        'eval(',
        'exec(',
        'child_process',
        'getruntime(',
      ],
      ...['pickle.loads', 'new function(', '<script', 'javascript:', '<?php', 'onerror='],
    ],
    pattern:
      /__import__\s{0,2}\(|\bos\.(?:system|popen)\s{0,2}\(|\bsubprocess\.(?:run|popen|call|check_output)\s{0,2}\(|(?<![\w.])(?:eval|exec)\([^)]|\bchild_process\b|\bgetRuntime\(\)|\bpickle\.loads\(|\bnew Function\(|<script[\s>]|(?<![\w-])javascript:\S|<\?php\b|<\w{1,16}[^<>]{0,128}\bonerror=/gi,
  },
];

/** A sign that is rare in plain values, or a word of the language. */
const MAY_BE_SQL =
  /['"](?:[\s);#-]|\/\*)|\d[\s)]{0,8};|\b(?:select|union|insert|update|delete|with|create|alter|drop|truncate|explain|grant|merge|pragma|show|xp_cmdshell|load_file|pg_read_file|outfile|dumpfile|program|waitfor|(?:or|and)\s{1,8}\d)/i;
const MAY_BE_CODE =
  /[;|&`$<{]|__|\(|-e \/|mkfifo|\/dev\/|bash|jndi|javascript:|child_process|subprocess|#\{/i;

const FILE_SCHEME =
  /^\s*(?:file|gopher|dict|ldaps?|jar|netdoc|phar|php|expect|data:text\/html;base64,)(?::\/|$|:[a-z]+:)/i;
const SCHEME_IN_QUERY = /[?&]\w{1,32}=(?:file|gopher|dict|php|phar|jar):\//i;

/** Looks at one value of a call's arguments (attacker-controlled), under the path it has there. */
export function argumentShapes(path: string, text: string, into: ShapeCounts): void {
  if (text.length < 3) return;
  addressShapes(text, into);
  pathShapes(text, into);
  if (MAY_BE_SQL.test(text)) sqlShapes(text, into);
  if (FILE_SCHEME.test(text) || SCHEME_IN_QUERY.test(text)) addShape(into, 'file_scheme');
  if (!MAY_BE_CODE.test(text) && !maybeSerialized(text)) return;
  const lower = text.toLowerCase();
  countShapes(STRONG, text, lower, into);
  // A text of many lines is a document, a program, a message: what it holds is not run by who gets it as a value.
  const isPlain = !PROGRAM_NAMES.test(path) && !text.trimEnd().includes('\n') && !text.startsWith('|');
  if (isPlain) countShapes(IN_PLAIN_VALUES, text, lower, into);
  interpreterShapes(text, lower, isPlain, into);
}
