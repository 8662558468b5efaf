import { compileRule } from '../compile-rule.ts';
import { isObject, type JsonObject } from '../../../schemas/json-object.ts';
import { generates, readCorrelation } from './correlation.ts';
import { readHeader, readSigmaRule, type RuleHeader, type SigmaRule, textAt } from './import-rule.ts';
import { SigmaError } from './sigma-error.ts';
import { uniqueIds } from './unique-ids.ts';

/** One YAML document of a Sigma file. */
export interface SigmaDocument {
  readonly file: string;
  readonly line: number | undefined;
  readonly document: unknown;
}

export interface ImportProblem {
  readonly file: string;
  readonly line: number | undefined;
  readonly path: string;
  readonly message: string;
}

export interface SigmaImport {
  /** Rules of ours, in the order of the documents. */
  readonly rules: readonly Readonly<Record<string, unknown>>[];
  readonly problems: readonly ImportProblem[];
  /** What was left out on purpose. */
  readonly notes: readonly ImportProblem[];
}

/** Sigma rules of `product: mcp` and correlations of them as rules of ours. What is not supported is a problem, never left out. */
export function importSigma(documents: readonly SigmaDocument[]): SigmaImport {
  const problems: ImportProblem[] = [];
  const notes: ImportProblem[] = [];
  const problemOf =
    ({ file, line }: SigmaDocument) =>
    (path: string, message: string) =>
      problems.push({ file, line, path, message });
  const outcomes = documents.flatMap((source) => {
    const problem = problemOf(source);
    try {
      const made = importOne(source.document, documents);
      if (made === undefined) return [];
      notes.push(
        ...made.notes.map((message) => ({ file: source.file, line: source.line, path: '', message })),
      );
      const compiled = compileRule(made.rule);
      if (!('problems' in compiled)) return [{ source, rule: made.rule, id: compiled.rule.rule.id }];
      for (const { path, message } of compiled.problems) problem(path, message);
    } catch (error) {
      if (!(error instanceof SigmaError)) throw error;
      problem(error.path, error.message);
    }
    return [];
  });
  const ids = uniqueIds(outcomes.map(({ id, source }) => ({ id, sigmaId: sigmaIdOf(source.document) })));
  const rules = outcomes.flatMap(({ source, rule, id: wanted }, index) => {
    const id = ids[index];
    if (id !== undefined) return [{ ...rule, id }];
    problemOf(source)('title', `another rule has the id ${wanted}, and no Sigma id tells them apart`);
    return [];
  });
  return { rules, problems, notes };
}

function sigmaIdOf(document: unknown): string | undefined {
  return isObject(document) ? textAt(document, 'id') : undefined;
}

function importOne(
  document: unknown,
  all: readonly SigmaDocument[],
): { readonly rule: Readonly<Record<string, unknown>>; readonly notes: readonly string[] } | undefined {
  if (!isObject(document)) throw new SigmaError('', 'a Sigma rule is a mapping');
  if (document['action'] !== undefined)
    throw new SigmaError('action', 'global and repeat documents are of Sigma 1; write the rules out');
  if (document['filter'] !== undefined)
    throw new SigmaError('filter', 'filters are not supported; write what they leave out into the rules');
  if (document['correlation'] !== undefined) {
    generates(document);
    const { header, notes } = readHeader(document);
    const parts = readCorrelation(document['correlation'], (name) => ruleNamed(name, all));
    return { rule: { ...header, ...parts, ...alertOf(header) }, notes };
  }
  const rule = readSigmaRule(document);
  if (isPartOnly(rule, all)) return undefined;
  const match = { kinds: rule.kinds, condition: rule.condition };
  return { rule: { ...rule.header, match, ...alertOf(rule.header) }, notes: rule.notes };
}

function alertOf({ title }: RuleHeader): { readonly alert: { readonly reason: string } } {
  return { alert: { reason: `${title.replace(/[{}]/g, '')}: {{actor}}, {{tool}}` } };
}

/** Rules that a correlation uses raise no alerts of their own unless it says generate. */
function isPartOnly({ name, uuid }: SigmaRule, all: readonly SigmaDocument[]): boolean {
  const uses = all.flatMap(({ document }) => {
    if (!isObject(document)) return [];
    const { correlation } = document;
    if (!isObject(correlation)) return [];
    const { rules } = correlation;
    const names: readonly unknown[] = Array.isArray(rules) ? rules : [rules];
    return names.some((each) => each !== undefined && (each === name || each === uuid))
      ? [generates(document)]
      : [];
  });
  return uses.length > 0 && !uses.includes(true);
}

function ruleNamed(name: string, all: readonly SigmaDocument[]): SigmaRule | undefined {
  const named = all.flatMap(({ document }) =>
    isObject(document) && (document['name'] === name || document['id'] === name) ? [document] : [],
  );
  const [only] = named;
  if (named.length > 1)
    throw new SigmaError('correlation.rules', `several rules are called ${name.slice(0, 128)}`);
  if (only === undefined) return undefined;
  if (isCorrelation(only))
    throw new SigmaError(
      'correlation.rules',
      `${name.slice(0, 128)} is a correlation; chains of them are not supported`,
    );
  return readSigmaRule(only);
}

function isCorrelation(document: JsonObject): boolean {
  return document['correlation'] !== undefined;
}
