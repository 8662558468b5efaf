import type { CustodyEvent } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { compact } from './compact.ts';
import * as value from './field-values.ts';
import type { RedactionCounts } from './field-values.ts';
import { F } from './fields.ts';
import { synonyms } from './synonyms.ts';

type Read = (field: number) => AttributeValue | undefined;
type Network = NonNullable<CustodyEvent['network']>;
type SupplyChain = NonNullable<CustodyEvent['supply_chain']>;
type Change = NonNullable<CustodyEvent['change']>;
type Health = NonNullable<CustodyEvent['health']>;
type Annotations = NonNullable<NonNullable<CustodyEvent['tool']>['annotations']>;

const CHANGE_CHARS = 1024;

/** Where the connection was made. */
export function networkOf(from: Read, counts: RedactionCounts): Network | undefined {
  return compact<Network>({
    bind_address: value.asName(from(F.bindAddress), counts),
    host: value.asName(headerOf(from(F.httpHost)), counts),
    origin: value.asName(headerOf(from(F.httpOrigin)), counts),
    peer_address: value.asName(from(F.peerAddress), counts),
  });
}

/** A header as one text: tracing libraries record the list of its values, nearly always of one. */
function headerOf(header: AttributeValue | undefined): AttributeValue | undefined {
  return Array.isArray(header) && header.every((each) => typeof each === 'string')
    ? header.join(', ')
    : header;
}

/** What a server is made of. */
export function supplyChainOf(from: Read, counts: RedactionCounts): SupplyChain | undefined {
  const found = compact<SupplyChain>({
    critical_count: value.asCount(from(F.criticalCount)),
    deprecated: value.asFlag(from(F.deprecated)),
    lockfile_digest: value.asName(from(F.lockfileDigest), counts, 128),
    package: value.asName(from(F.packageName), counts),
    package_version: value.asName(from(F.packageVersion), counts),
    signature: signatureOf(value.asText(from(F.packageSignature))),
  });
  // A bare signature is somebody's signature of something.
  return found?.package === undefined &&
    found?.lockfile_digest === undefined &&
    found?.critical_count === undefined
    ? undefined
    : found;
}

const SIGNATURES = synonyms<NonNullable<SupplyChain['signature']>>({
  verified: 'verified valid good ok signed true',
  unsigned: 'unsigned none missing absent false',
  bad: 'bad invalid failed mismatch revoked',
});

function signatureOf(word: string | undefined): SupplyChain['signature'] {
  return word === undefined ? undefined : (SIGNATURES.get(word.slice(0, 32).toLowerCase()) ?? 'unknown');
}

/** What changed, where the record names a thing. */
export function changeOf(from: Read, counts: RedactionCounts): Change | undefined {
  const type = itemTypeOf(value.asText(from(F.changeItemType)));
  const item = value.asName(from(F.changeItem), counts);
  if (type === undefined || item === undefined) return undefined;
  return compact<Change>({
    after: value.asName(from(F.changeAfter), counts, CHANGE_CHARS),
    before: value.asName(from(F.changeBefore), counts, CHANGE_CHARS),
    field: value.asName(from(F.changeField), counts),
    item,
    item_type: type,
  });
}

const ITEM_TYPES = synonyms<Change['item_type']>({
  server: 'server mcp_server connector upstream',
  tool: 'tool function',
  client: 'client app application',
  agent: 'agent assistant',
  zone: 'zone network segment',
  limit: 'limit rate_limit ratelimit budget quota',
  endpoint: 'endpoint url address route',
  policy: 'policy rule guardrail permission role',
  config: 'config configuration setting settings flag',
});

/** The kind of thing a word names; undefined for a word nobody knows. */
export function itemTypeOf(word: string | undefined): Change['item_type'] | undefined {
  return word === undefined
    ? undefined
    : ITEM_TYPES.get(
        word
          .slice(0, 32)
          .toLowerCase()
          .replaceAll(/[\s-]+/g, '_'),
      );
}

/** What a component says of its own state. */
export function healthOf(from: Read, counts: RedactionCounts): Health | undefined {
  const component = value.asName(from(F.healthComponent), counts);
  const status = statusOf(value.asText(from(F.healthStatus)));
  const depth = value.asCount(from(F.queueDepth));
  if (component === undefined || (status === undefined && depth === undefined)) return undefined;
  return compact<Health>({
    component,
    dependency: value.asName(from(F.dependency), counts),
    queue_depth: depth,
    status,
  });
}

const STATUSES = synonyms<NonNullable<Health['status']>>({
  ok: 'ok up healthy pass passing green running available',
  degraded: 'degraded warn warning slow yellow partial',
  failing: 'failing fail failed error unhealthy red critical',
  down: 'down unavailable stopped dead offline',
});

function statusOf(word: string | undefined): Health['status'] {
  return word === undefined ? undefined : STATUSES.get(word.slice(0, 32).toLowerCase());
}

/** A server's own hints about its tool, where the record carries them. */
export function annotationsOf(from: Read): Annotations | undefined {
  return compact<Annotations>({
    destructive: value.asFlag(from(F.destructiveHint)),
    idempotent: value.asFlag(from(F.idempotentHint)),
    open_world: value.asFlag(from(F.openWorldHint)),
    read_only: value.asFlag(from(F.readOnlyHint)),
  });
}
