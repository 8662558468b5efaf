import type { SeenTool, Traffic } from '../detectors/registry/traffic.ts';
import { jsonRows } from './json-rows.ts';
import type { SqlAccess } from './sql-access.ts';

/** So many rows of a kind are read; what is seen most comes first. */
const ROWS_MAX = 20_000;
/** So many values of a list. */
const LIST_MAX = 1_000;

export interface TrafficScope {
  readonly sinceMs: number;
  /** Empty: all. */
  readonly tenant: string;
}

const SCOPE = `kind = 'event' AND alert_id = '' AND kts_ms >= {since:Int64} AND ({tenant:String} = '' OR tenant = {tenant:String})
  AND NOT startsWith(tenant, 'custody-control')`;
const each = (expression: string) =>
  `arraySort(arrayFilter(x -> x != '', groupUniqArray(${LIST_MAX})(toString(${expression}))))`;
const environments = each("JSONExtractString(body, 'environment')");
/** -1 where the server says nothing. */
const hint = (name: string) =>
  `max(if(JSONHas(body, 'tool', 'annotations', '${name}'), toInt8(JSONExtractBool(body, 'tool', 'annotations', '${name}')), -1))`;
const toolKey =
  "if(tool_name = '', '', if(server_name = '', tool_name, concat(server_name, '/', tool_name)))";
const tail = `ORDER BY observations DESC LIMIT ${ROWS_MAX + 1}`;

const SERVERS = `SELECT tenant, server_name AS name, toFloat64(count()) AS observations,
  ${each('server_version')} AS versions, ${each("JSONExtractString(body, 'mcp', 'transport')")} AS transports,
  ${environments} AS environments
  FROM custody.entries WHERE ${SCOPE} AND server_name != '' GROUP BY tenant, name ${tail}`;

const TOOLS = `SELECT tenant, server_name AS server, tool_name AS name, toFloat64(count()) AS observations,
  topK(1)(tool_action)[1] AS action, ${hint('read_only')} AS read_only, ${hint('destructive')} AS destructive,
  ${hint('open_world')} AS open_world, toFloat64(countIf(ticket != '')) AS ticketed,
  toFloat64(uniqArray(destinations)) AS destination_count,
  arraySort(groupUniqArrayArray(${LIST_MAX})(JSONExtractKeys(body, 'result', 'findings'))) AS findings,
  ${each("JSONExtractString(body, 'tool', 'definition_digest')")} AS digests
  FROM custody.entries WHERE ${SCOPE} AND event_kind = 'tool_call' AND tool_name != '' GROUP BY tenant, server, name ${tail}`;

/** Definitions that servers listed, whether or not a tool was called. */
const LISTED = `SELECT tenant, server_name AS server, definition.1 AS name, toFloat64(count()) AS observations,
  ${each('definition.2')} AS digests
  FROM (SELECT tenant, server_name, arrayJoin(JSONExtractKeysAndValues(body, 'tool_definitions', 'String')) AS definition
    FROM custody.entries WHERE ${SCOPE} AND event_kind = 'tool_list')
  GROUP BY tenant, server, name ${tail}`;

const CLIENTS = `SELECT tenant, client_name AS name, toFloat64(count()) AS observations, ${each('server_name')} AS servers,
  ${each(toolKey)} AS tools, ${environments} AS environments
  FROM custody.entries WHERE ${SCOPE} AND client_name != '' GROUP BY tenant, name ${tail}`;

const AGENTS = `SELECT tenant, actor_id AS name, toFloat64(count()) AS observations, ${each('server_name')} AS servers,
  ${each(toolKey)} AS tools, ${environments} AS environments,
  arraySort(groupUniqArrayArray(${LIST_MAX})(grants)) AS grants
  FROM custody.entries WHERE ${SCOPE} AND actor_id != '' AND actor_type != 'human' GROUP BY tenant, name ${tail}`;

const DESTINATIONS = `SELECT tenant, arrayJoin(destinations) AS host, toFloat64(count()) AS observations
  FROM custody.entries WHERE ${SCOPE} GROUP BY tenant, host ${tail}`;

interface ToolRow {
  readonly tenant: string;
  readonly server: string;
  readonly name: string;
  readonly observations: number;
  readonly action: string;
  readonly read_only: number;
  readonly destructive: number;
  readonly open_world: number;
  readonly ticketed: number;
  readonly destination_count: number;
  readonly findings: readonly string[];
  readonly digests: readonly string[];
}
type ListedRow = Pick<ToolRow, 'tenant' | 'server' | 'name' | 'observations' | 'digests'>;

/** Sums up what the ledger holds. `onStep` tells how many of the six statements are done. */
export async function readTraffic(
  sql: SqlAccess,
  scope: TrafficScope,
  onStep: (done: number, total: number) => void = () => undefined,
): Promise<Traffic> {
  const parameters = { since: String(Math.trunc(scope.sinceMs)), tenant: scope.tenant };
  const cut: string[] = [];
  let done = 0;
  const rows = async <T>(kind: string, statement: string): Promise<T[]> => {
    const found = await jsonRows<T>(sql, statement, parameters);
    onStep(++done, 6);
    if (found.length > ROWS_MAX) cut.push(kind);
    return found.slice(0, ROWS_MAX);
  };
  const servers = await rows<Traffic['servers'][number]>('servers', SERVERS);
  const called = await rows<ToolRow>('tools', TOOLS);
  const listed = await rows<ListedRow>('tools', LISTED);
  const clients = await rows<Traffic['clients'][number]>('clients', CLIENTS);
  const agents = await rows<Traffic['agents'][number]>('agents', AGENTS);
  const destinations = await rows<Traffic['destinations'][number]>('destinations', DESTINATIONS);
  return { servers, tools: toolsOf(called, listed), clients, agents, destinations, cut };
}

function toolsOf(called: readonly ToolRow[], listed: readonly ListedRow[]): SeenTool[] {
  const keyOf = ({ tenant, server, name }: ListedRow) => JSON.stringify([tenant, server, name]);
  const definitions = new Map(listed.map((row) => [keyOf(row), row.digests]));
  const tools = called.map((row) => {
    const key = keyOf(row);
    const digests = new Set([...row.digests, ...(definitions.get(key) ?? [])]);
    definitions.delete(key);
    return seenTool(row, [...digests].sort());
  });
  const uncalled = listed.filter((row) => definitions.has(keyOf(row)));
  return [...tools, ...uncalled.map((row) => seenTool({ ...NOTHING, ...row, observations: 0 }, row.digests))];
}

const NOTHING = {
  action: 'unknown',
  read_only: -1,
  destructive: -1,
  open_world: -1,
  ticketed: 0,
  destination_count: 0,
  findings: [],
};
const said = (value: number) => (value < 0 ? undefined : value > 0);

function seenTool(row: ToolRow, definitionDigests: readonly string[]): SeenTool {
  return {
    tenant: row.tenant,
    server: row.server === '' ? undefined : row.server,
    name: row.name,
    observations: row.observations,
    action: row.action,
    readOnly: said(row.read_only),
    destructive: said(row.destructive),
    openWorld: said(row.open_world),
    ticketed: row.ticketed,
    destinationCount: row.destination_count,
    findings: row.findings,
    definitionDigests,
  };
}
