import { policyEvent } from '../pipeline/partition-policies.ts';
import { policyDocumentOf } from '../pipeline/policy-source.ts';
import { readRegistryFile } from '../pipeline/registry-file.ts';
import { readRuleFiles } from '../pipeline/rule-files.ts';
import { ConfigError } from '../runtime/errors.ts';
import { CONTROL_TENANT } from '../schemas/control-tenant.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import type { PolicyDocument } from '../schemas/policy-document.ts';

export interface PolicyFiles {
  readonly registry: string | undefined;
  /** Directories or files; `builtin` stands for the product's own rules. */
  readonly rules: readonly string[];
}

/**
 * The records by which the documents in these files come into force.
 * @throws ConfigError or InputError naming the file and what is wrong in it.
 */
export async function policyEvents({ registry, rules }: PolicyFiles): Promise<CustodyEvent[]> {
  const documents: PolicyDocument[] = [];
  if (registry !== undefined) documents.push(policyDocumentOf('registry', await readRegistryFile(registry)));
  if (rules.length > 0) {
    const { document, problems } = readRuleFiles(rules);
    const [first] = problems;
    if (first !== undefined)
      throw new ConfigError(
        `cannot use rules: ${first.file}${first.line === undefined ? '' : `:${first.line}`}: ${first.message}`,
        { path: '--rules' },
      );
    documents.push(policyDocumentOf('rules', document));
  }
  return documents.map((document) => policyEvent(`${CONTROL_TENANT}.0`, document, 1));
}
