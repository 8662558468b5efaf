import { EVENT_SCHEMA } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';

/**
 * `mcp`: a JSON-RPC message with its place. `canonical`: a body of the ledger. `otlp_logs`, `otlp_traces`: one export
 * request. `normalised`: one record for each call, or for whatever else happened, by any names.
 */
export type LineFormat = 'mcp' | 'canonical' | 'otlp_logs' | 'otlp_traces' | 'normalised';

/** What a line is, by what is in it: recordings may mix. */
export function formatOf(record: JsonObject): LineFormat {
  if (record['schema'] === EVENT_SCHEMA) return 'canonical';
  if ('resourceLogs' in record) return 'otlp_logs';
  if ('resourceSpans' in record) return 'otlp_traces';
  return isObject(record['msg']) || record['type'] === 'session.start' ? 'mcp' : 'normalised';
}
