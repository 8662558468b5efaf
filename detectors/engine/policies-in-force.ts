import type { CustodyEvent } from '../../schemas/event.ts';
import type { PolicyDocument } from '../../schemas/policy-document.ts';
import { compileRegistry } from '../registry/compile-registry.ts';
import type { Registry } from '../registry/registry.ts';

type DocumentType = PolicyDocument['type'];

/** The documents that detectors of this partition go by, as the log brought them into force. */
export interface PoliciesInForce {
  /** Takes the document of a `policy_document` event; from the next event on it counts. */
  enter(event: CustodyEvent): void;
  registryOf(tenant: string): Registry | undefined;
  /** The parsed document of a type; the same object until another comes into force. */
  documentOf(type: DocumentType): unknown;
  /** By type. */
  digests(): Readonly<Record<string, string>>;
  /** What a snapshot keeps. */
  saved(): PolicyDocument[];
  restore(documents: readonly PolicyDocument[]): void;
}

const registriesMax = 1024;

export function createPoliciesInForce(): PoliciesInForce {
  const documents = new Map<DocumentType, PolicyDocument>();
  const parsed = new Map<DocumentType, unknown>();
  const registries = new Map<string, Registry>();
  let digests: Readonly<Record<string, string>> = {};

  function put(document: PolicyDocument): void {
    const value = parse(document.document);
    if (value === undefined) return;
    documents.set(document.type, document);
    parsed.set(document.type, value);
    if (document.type === 'registry') registries.clear();
    digests = Object.fromEntries([...documents].sort().map(([type, { digest }]) => [type, digest]));
  }

  return {
    enter({ policy_document: document }) {
      if (document !== undefined) put(document);
    },
    registryOf(tenant) {
      const document = parsed.get('registry');
      if (document === undefined) return undefined;
      let registry = registries.get(tenant);
      if (registry === undefined) {
        if (registries.size >= registriesMax) registries.clear();
        registry = compileRegistry(document, tenant);
        registries.set(tenant, registry);
      }
      return registry;
    },
    documentOf: (type) => parsed.get(type),
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
