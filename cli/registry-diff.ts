import { Command } from 'commander';
import { diffRegistries, type RegistryChange } from '../detectors/registry/diff.ts';
import { parseRegistryText, problemText } from '../pipeline/registry-file.ts';
import { InputError } from '../runtime/errors.ts';
import type { RegistryDocument } from '../schemas/registry.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { registryText } from './registry-check.ts';
import { registryFromLedger } from './registry-in-force.ts';
import { shown } from './registry-options.ts';
import { openSqlAccess } from './sql-access.ts';

/** `custody registry diff`: what a change changes, entry by entry. */
export function registryDiffCommand(): Command {
  return withCommonOptions(new Command('diff'))
    .description('what changed between two registries; @ is the one in force, @DIGEST an earlier one')
    .argument('<old>', 'a file, @, or @ and the beginning of a digest')
    .argument('<new>', 'likewise')
    .addHelpText(
      'after',
      '\nExamples:\n  custody registry diff @ registry.yaml            what a file would change\n  custody registry diff @3f9a @                    what has changed since that version\n  custody registry diff old.yaml new.yaml --json',
    )
    .action(async (before: string, after: string, options: CommonOptions) => {
      const [old, current] = await bothOf(before, after, options);
      const changes = diffRegistries(old, current);
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ changes })}\n`
          : changes.length === 0
            ? 'no difference\n'
            : changes.map((change) => `${describe(change)}\n`).join(''),
      );
    });
}

async function bothOf(
  before: string,
  after: string,
  options: CommonOptions,
): Promise<[RegistryDocument, RegistryDocument]> {
  if (!before.startsWith('@') && !after.startsWith('@')) return [fromFile(before), fromFile(after)];
  const sql = await openSqlAccess(configOf(options));
  try {
    const read = async (what: string) =>
      what.startsWith('@') ? (await registryFromLedger(sql, what.slice(1))).document : fromFile(what);
    return [await read(before), await read(after)];
  } finally {
    await sql.close();
  }
}

/** @throws InputError that names the first wrong key. */
export function fromFile(file: string): RegistryDocument {
  const { document, problems } = parseRegistryText(registryText(file));
  if (document !== undefined) return document;
  throw new InputError('input_invalid', `cannot use registry ${file}: ${problemText(problems[0])}`);
}

function describe({ change, entry, member, before, after }: RegistryChange): string {
  if (change === 'added') return `+ ${shown(entry)}`;
  if (change === 'removed') return `- ${shown(entry)}`;
  return shown(`~ ${entry}: ${member ?? ''}: ${before ?? 'nothing'} -> ${after ?? 'nothing'}`);
}
