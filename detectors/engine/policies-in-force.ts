import type { CustodyEvent } from '../../schemas/event.ts';
import type { PolicyDocument } from '../../schemas/policy-document.ts';
import { compileRegistry } from '../registry/compile-registry.ts';
import type { Registry } from '../registry/registry.ts';
import { compileRuleSet, noRules, type RuleSet } from '../rules/rule-set.ts';
import { compileSuppressions, noSuppressions, type Suppressions } from '../rules/suppressions.ts';

type DocumentType = PolicyDocument['type'];

/** The documents that detectors of this partition go by, as the log brought them into force. */
export interface PoliciesInForce {
  /** Takes the document of a `policy_document` event; from the next event on it counts. */
  enter(event: CustodyEvent): void;
  registryOf(tenant: string): Registry | undefined;
  rules(): RuleSet;
  suppressions(): Suppressions;
  /** By type. */
  digests(): Readonly<Record<string, string>>;
  /** What a snapshot keeps. */
  saved(): PolicyDocument[];
  restore(documents: readonly PolicyDocument[]): void;
}

const registriesMax = 1024;

export function createPoliciesInForce(): PoliciesInForce {
  const documents = new Map<DocumentType, PolicyDocument>();
  let registryDocument: unknown;
  const registries = new Map<string, Registry>();
  let rules = noRules;
  let suppressions = noSuppressions;
  let digests: Readonly<Record<string, string>> = {};

  function put(document: PolicyDocument): void {
    const value = parse(document.document);
    if (value === undefined) return;
    documents.set(document.type, document);
    if (document.type === 'registry') {
      registryDocument = value;
      registries.clear();
    }
    if (document.type === 'rules') rules = compileRuleSet(value).set;
    if (document.type === 'suppressions') suppressions = compileSuppressions(value).suppressions;
    digests = Object.fromEntries([...documents].sort().map(([type, { digest }]) => [type, digest]));
  }

  return {
    enter({ policy_document: document }) {
      if (document !== undefined) put(document);
    },
    registryOf(tenant) {
      if (registryDocument === undefined) return undefined;
      let registry = registries.get(tenant);
      if (registry === undefined) {
        if (registries.size >= registriesMax) registries.clear();
        registry = compileRegistry(registryDocument, tenant);
        registries.set(tenant, registry);
      }
      return registry;
    },
    rules: () => rules,
    suppressions: () => suppressions,
    digests: () => digests,
    saved: () => [...documents.values()],
    restore(saved) {
      for (const document of saved) put(document);
    },
  };
}

/** Only the owner of the partition writes these events; one that cannot be read changes nothing. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
