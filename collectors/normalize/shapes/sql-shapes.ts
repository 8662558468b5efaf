import { addShape, countShapes, type Shape, type ShapeCounts } from './shape.ts';

/** A whole statement: what a tool that takes SQL is given. */
const STATEMENT =
  /^\s{0,64}(?:select\s[\s\S]{0,4096}?\bfrom\s+[\w."`[(]|select\s+(?:[\d'"*(@]|\w{1,64}\s{0,4}\()|insert\s+into\s|update\s+[\w."`[\]]{1,128}\s+set\s|delete\s+from\s|with\s+[\w"]{1,64}\s+as\s*\(|create\s+(?:table|view|index|or|user|role|database|temp)|alter\s+(?:table|user|role)|drop\s+(?:table|view|index|database|user)|truncate\s+table|explain\s|grant\s+\w+\s+on|merge\s+into|pragma\s|show\s+tables)/i;

/** What no analyst writes. */
const STRONG: readonly Shape[] = [
  {
    name: 'sql_injection',
    hints: [
      'xp_cmdshell',
      'into outfile',
      'into dumpfile',
      'load_file(',
      'pg_read_file',
      'from program',
      'waitfor delay',
    ],
    pattern:
      /\bxp_cmdshell\b|\binto\s{1,8}(?:out|dump)file\b|\bload_file\s{0,2}\(|\bpg_read_file\b|\bcopy\b[^;]{1,256}\bfrom\s{1,8}program\b|\bwaitfor\s{1,8}delay\s{1,4}'/gi,
  },
];

/** Breaks out of the quotes it was put into. */
const IN_VALUES: readonly Shape[] = [
  {
    name: 'sql_injection',
    hints: ["'", '"', 'union', ';', '--', ' or ', ' and '],
    pattern:
      /['"]\s{0,8}\)?\s{0,8}(?:or|and|\|\|)\s{1,8}(?:not\s{1,4})?['"(]?[\w]{1,32}['")]?\s{0,4}(?:=|<|>|like\b|is\b)\s{0,4}['"(]?\w{0,32}|(?:^|['"\d)]\s{0,8})\bunion\s{1,8}(?:all\s{1,8})?select\s{1,8}[\w'"(*@]|['"\d)]\s{0,8};\s{0,8}(?:drop|delete|insert|update|alter|create|exec|shutdown|truncate)\s{1,8}\w|['"]\s{0,8}(?:--|#|\/\*)\s{0,8}$|\b(?:or|and)\s{1,8}(\d{1,6})\s{0,4}=\s{0,4}\1\b|['"\d)]\s{1,8}(?:or|and)\s{1,8}(?:sleep|benchmark|pg_sleep)\s{0,2}\(/gi,
  },
];

/** SQL in one value of the arguments: a statement of its own, or a value made to become one. */
export function sqlShapes(text: string, into: ShapeCounts): void {
  const lower = text.toLowerCase();
  const before = into['sql_injection'] ?? 0;
  countShapes(STRONG, text, lower, into);
  if (STATEMENT.test(text)) {
    addShape(into, 'sql_statement');
    return;
  }
  if ((into['sql_injection'] ?? 0) === before && text.length <= VALUE_CHARS_MAX && !text.includes('\n'))
    countShapes(IN_VALUES, text, lower, into);
}

/** Longer texts are documents, which may be about SQL. */
const VALUE_CHARS_MAX = 2048;
