import { LineCounter, parseDocument } from 'yaml';
import { idOf } from '../detectors/rules/problem.ts';
import {
  compileSuppressions,
  type Suppressions,
  suppressionsDocument,
} from '../detectors/rules/suppressions.ts';
import { lineAt, readText } from './rule-documents.ts';
import type { FileProblem } from './rule-files.ts';

export interface SuppressionFile {
  readonly suppressions: Suppressions;
  readonly document: ReturnType<typeof suppressionsDocument>;
  readonly problems: readonly FileProblem[];
  /** Line of the suppression with this id. */
  readonly lineOf: (id: string | undefined) => number | undefined;
}

/** Reads a YAML list of suppressions. @throws ConfigError when the file cannot be read. */
export function readSuppressionFile(file: string): SuppressionFile {
  const lines = new LineCounter();
  const parsed = parseDocument(readText(file), { lineCounter: lines });
  const [error] = parsed.errors;
  const list: unknown = error === undefined ? (parsed.toJS() ?? []) : [];
  const document = suppressionsDocument(Array.isArray(list) ? list : []);
  const { suppressions, problems } = compileSuppressions(document);
  const at = (message: string, line: number | undefined): FileProblem => ({
    file,
    line,
    rule: undefined,
    path: '',
    message,
  });
  const own =
    error !== undefined
      ? [at(`not valid YAML: ${error.code}`, lines.linePos(error.pos[0]).line)]
      : Array.isArray(list)
        ? []
        : [at('it must be a list of suppressions', 1)];
  const lineOf = (id: string | undefined): number | undefined => {
    const index = document.suppressions.findIndex((each) => idOf(each) === id);
    return lineAt(parsed, lines, [index]);
  };
  return {
    suppressions,
    document,
    lineOf,
    problems: [...own, ...problems.map((each) => ({ ...each, file, line: lineOf(each.rule) }))],
  };
}

/** Suppressions that ended: they do nothing any more and should be deleted, or renewed with a reason. */
export function expiredIn(
  { suppressions, lineOf }: SuppressionFile,
  file: string,
  nowMs: number,
): FileProblem[] {
  return suppressions.list
    .filter(({ endMs }) => endMs <= nowMs)
    .map(({ suppression: { id, expires } }) => ({
      file,
      line: lineOf(id),
      rule: id,
      path: 'expires',
      message: `it ended ${expires} and does nothing any more`,
    }));
}
