import { stat } from 'node:fs/promises';
import { CustodyError, InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import type { PolicySource } from './policy-source.ts';
import { registrySource } from './registry-file.ts';
import { filesOf } from './rule-documents.ts';
import { builtinRulesDir, fileProblemText, readRuleFiles, type FileProblem } from './rule-files.ts';
import { readSuppressionFile } from './suppression-file.ts';

/** Files from which people's decisions come into force, as configured. */
export function policySources({ registry, rules }: Pick<Config, 'registry' | 'rules'>): PolicySource[] {
  return [
    ...(registry.file === undefined ? [] : [registrySource(registry.file)]),
    ...(rules.dirs.length === 0 ? [] : [ruleSource(rules.dirs)]),
    ...(rules.suppressions_file === undefined ? [] : [suppressionSource(rules.suppressions_file)]),
  ];
}

function ruleSource(dirs: readonly string[]): PolicySource {
  return {
    type: 'rules',
    place: dirs.join(', '),
    stamp: () =>
      stampOf(
        'rules',
        dirs.flatMap((dir) => filesOf(dir === 'builtin' ? builtinRulesDir() : dir)),
      ),
    read: () => validated('rules', () => readRuleFiles(dirs)),
  };
}

function suppressionSource(file: string): PolicySource {
  return {
    type: 'suppressions',
    place: file,
    stamp: () => stampOf('suppressions', [file]),
    read: () => validated('suppressions', () => readSuppressionFile(file)),
  };
}

/** Names, times of change and sizes. */
async function stampOf(type: string, files: readonly string[]): Promise<string> {
  const stamps: string[] = [];
  for (const file of files) {
    try {
      const { mtimeMs, size, ino } = await stat(file);
      stamps.push(`${file} ${mtimeMs} ${size} ${ino}`);
    } catch (cause) {
      const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
      throw new InputError('input_invalid', `cannot read ${type} ${file}: ${reason}`, { cause });
    }
  }
  return stamps.join('\n');
}

/** All or nothing: a set that lacks one of its rules is another set. */
function validated(
  type: string,
  read: () => { readonly document: unknown; readonly problems: readonly FileProblem[] },
): Promise<unknown> {
  return Promise.resolve().then(() => {
    const { document, problems } = readOrRefuse(type, read);
    const [first] = problems;
    if (first === undefined) return document;
    throw new InputError(
      'input_invalid',
      `cannot use ${type}: ${fileProblemText(first, type === 'suppressions' ? 'suppression' : 'rule')}`,
      {
        path: first.path,
      },
    );
  });
}

function readOrRefuse<T>(type: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CustodyError) throw cause;
    // A hostile file may break the parser of YAML itself.
    throw new InputError('input_invalid', `cannot read ${type}: a file cannot be parsed`, { cause });
  }
}
