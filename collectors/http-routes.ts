import type { CustodyEvent } from '../schemas/event.ts';
import { contextOf, type Sender } from './admission.ts';
import { knownIssuers } from './audit/receipt-issuers.ts';
import { takeAudit, takeReceipts, type AuditAnswer } from './audit/take.ts';
import type { AuditEncoding } from './audit/items.ts';
import {
  OTLP_CONTENT_TYPE,
  jsonAnswer,
  reasonAnswer,
  statusAnswer,
  type HttpAnswer,
  type Refusal,
} from './http-answer.ts';
import type { IngestDeps } from './intake.ts';
import type { NormalizeContext } from './normalize/context.ts';
import { takeExport } from './otlp/export.ts';
import type { OtlpSignal } from './otlp/items.ts';
import type { OtlpEncoding } from './otlp/response.ts';

/** One address of the receiver; `Encoding` is what its content types mean. */
export interface Route {
  readonly collector: CustodyEvent['source']['collector'];
  /** Media types taken, lower case, without parameters. */
  readonly mediaTypes: readonly string[];
  take(body: Uint8Array, mediaType: string, sender: Sender): Promise<HttpAnswer>;
  /** How a refusal reads to a sender of this media type. */
  refuse(mediaType: string, refusal: Refusal): HttpAnswer;
}

const OTLP_ENCODINGS: Readonly<Record<string, OtlpEncoding>> = {
  'application/x-protobuf': 'protobuf',
  'application/protobuf': 'protobuf',
  'application/json': 'json',
};

const AUDIT_ENCODINGS: Readonly<Record<string, AuditEncoding>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
};

/** All addresses that take records, by path. */
export function httpRoutes(deps: IngestDeps): ReadonlyMap<string, Route> {
  return new Map([
    ['/v1/traces', otlpRoute(deps, 'span')],
    ['/v1/logs', otlpRoute(deps, 'log')],
    ['/v1/audit', auditRoute(deps, 'audit')],
    ['/v1/events', auditRoute(deps, 'canonical')],
    ['/v1/receipts', receiptRoute(deps)],
  ]);
}

function otlpRoute(deps: IngestDeps, signal: OtlpSignal): Route {
  const collector = 'otlp_http';
  return {
    collector,
    mediaTypes: Object.keys(OTLP_ENCODINGS),
    async take(body, mediaType, sender) {
      const encoding = OTLP_ENCODINGS[mediaType] ?? 'protobuf';
      const answer = await takeExport(deps, contextOf(deps, collector, sender), signal, encoding, body);
      return { status: 200, contentType: OTLP_CONTENT_TYPE[encoding], body: answer };
    },
    refuse(mediaType, refusal) {
      const encoding = OTLP_ENCODINGS[mediaType];
      return encoding === undefined ? reasonAnswer(refusal) : statusAnswer(encoding, refusal);
    },
  };
}

function auditRoute(deps: IngestDeps, format: 'audit' | 'canonical'): Route {
  return valuesRoute(format === 'audit' ? 'audit_http' : 'mcp_stdio_tap', deps, (context, encoding, body) =>
    takeAudit(deps, context, format, encoding, body),
  );
}

function receiptRoute(deps: IngestDeps): Route {
  const known = knownIssuers(deps.config.receipt_issuers);
  return valuesRoute('audit_http', deps, (context, encoding, body) =>
    takeReceipts(deps, context, known, encoding, body),
  );
}

type TakeValues = (
  context: NormalizeContext,
  encoding: AuditEncoding,
  body: Uint8Array,
) => Promise<AuditAnswer>;

function valuesRoute(collector: Route['collector'], deps: IngestDeps, takeAll: TakeValues): Route {
  return {
    collector,
    mediaTypes: Object.keys(AUDIT_ENCODINGS),
    async take(body, mediaType, sender) {
      const encoding = AUDIT_ENCODINGS[mediaType] ?? 'json';
      const answer = await takeAll(contextOf(deps, collector, sender), encoding, body);
      const noneUsable = answer.accepted === 0 && answer.malformed > 0;
      if (!noneUsable) return jsonAnswer(200, answer);
      const error = {
        code: 'input_invalid',
        message: 'cannot use the request: none of its records is usable',
      };
      return jsonAnswer(400, { error, ...answer });
    },
    refuse: (_mediaType, refusal) => reasonAnswer(refusal),
  };
}
