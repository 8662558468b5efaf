import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../runtime/metrics.ts';
import { ALERT_SCHEMA } from '../../schemas/alert.ts';
import {
  rowsOf,
  sealed,
  source,
  START_MS,
  startStore,
  type StoreHarness,
} from '../sinks/store/ledger-harness.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { expandMacros, type View } from './grafana-macros.ts';
import { pathOf, textOf } from './tools.ts';

interface Target {
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly rawSql?: string;
  readonly format?: number;
  readonly expr?: string;
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly targets: readonly Target[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}
interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
}
interface DataSource {
  readonly uid: string;
  readonly type: string;
  readonly editable: boolean;
  readonly secureJsonData?: Readonly<Record<string, string>>;
}

const folder = 'deploy/grafana/dashboards';
const dashboards = readdirSync(pathOf(folder))
  .sort()
  .map((file) => ({ file, board: JSON.parse(textOf(`${folder}/${file}`)) as Dashboard }));
const dataSources = (
  parse(textOf('deploy/grafana/provisioning/datasources/custody.yaml')) as { datasources: DataSource[] }
).datasources;
const targets = dashboards.flatMap(({ file, board }) =>
  board.panels.flatMap((panel) =>
    panel.targets.map((target) => ({ name: `${file}: ${panel.title}`, panel, target })),
  ),
);
const sql = targets.flatMap(({ name, panel, target }) =>
  target.rawSql === undefined ? [] : [{ name, panel, target, rawSql: target.rawSql }],
);
const prometheus = targets.flatMap(({ name, target }) =>
  target.expr === undefined ? [] : [{ name, expr: target.expr }],
);

test('there is a dashboard for alerts, tool calls, chains, volumes, errors and lag', () => {
  expect(dashboards.map(({ file }) => file)).toEqual(
    ['alerts', 'chains', 'errors', 'lag', 'tool-calls', 'volumes'].map((name) => `${name}.json`),
  );
  expect(new Set(dashboards.map(({ board }) => board.uid)).size).toBe(dashboards.length);
});

test('panels of one dashboard do not overlap and have an id each', () => {
  for (const { file, board } of dashboards) {
    const cells = board.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size, file).toBe(cells.length);
    expect(new Set(board.panels.map(({ id }) => id)).size, file).toBe(board.panels.length);
  }
});

describe('provisioning', () => {
  test('every data source a dashboard names is provisioned, with the same type', () => {
    for (const { name, target } of targets) {
      expect(dataSources.find(({ uid }) => uid === target.datasource.uid)?.type, name).toBe(
        target.datasource.type,
      );
    }
  });

  test('data sources cannot be edited, and their secrets are read from files', () => {
    for (const { uid, editable, secureJsonData } of dataSources) {
      expect(editable, uid).toBe(false);
      for (const value of Object.values(secureJsonData ?? {}))
        expect(value).toMatch(/^\$__file\{\/run\/secrets\/[\w.-]+\}$/);
    }
  });

  test('dashboards are read from where Compose mounts them', () => {
    const { providers } = parse(textOf('deploy/grafana/provisioning/dashboards/custody.yaml')) as {
      providers: { options: { path: string } }[];
    };
    const compose = parse(textOf('docker-compose.yml'), { merge: true }) as {
      services: { grafana: { volumes: string[] } };
    };
    expect(compose.services.grafana.volumes).toContain(`./${folder}:${providers[0]!.options.path}:ro`);
  });

  test('Prometheus asks every role, with the token from its file', () => {
    const config = parse(textOf('deploy/compose/prometheus.yml')) as {
      scrape_configs: {
        authorization: { credentials_file: string };
        dns_sd_configs: { names: string[]; port: number }[];
      }[];
    };
    expect(config.scrape_configs[0]!.dns_sd_configs[0]).toMatchObject({
      names: ['collector', 'detect', 'ledger', 'sink', 'notary'],
      port: 8470,
    });
    expect(config.scrape_configs[0]!.authorization.credentials_file).toBe('/run/secrets/admin-token');
  });
});

/** An event, with other values at some of its members. */
function eventWith(number: number, members: object): Uint8Array {
  return Buffer.from(
    JSON.stringify({ ...(JSON.parse(Buffer.from(sampleEvent(number)).toString()) as object), ...members }),
  );
}

function alert(detector: string, severity: string): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      schema: ALERT_SCHEMA,
      alert_id: 'a5b5f9d0-5c3e-5f0e-8a58-0c5e4c1f2a10',
      detector: { id: detector, version: 1 },
      time_unix_nano: `${START_MS}000000`,
      tenant: 'acme',
      title: 'A title',
      severity,
      score: 0.98,
      reason: 'A reason',
      observed: 'much',
      normal: 'little',
      distance: 'far',
      dedup_key: 'key',
      evidence: ['a5b5f9d0-5c3e-5f0e-8a58-0c5e4c1f2a11'],
      session_key: 'session-1',
      actor_id: 'agent-1',
      tool_name: 'tool_1',
      server_name: 'server-1',
      references: { owasp: [], atlas: [], attack: [] },
    }),
  );
}

describe('on a ledger', () => {
  let harness: StoreHarness;
  const all: View = {
    fromMs: START_MS - 3_600_000,
    toMs: START_MS + 3_600_000,
    intervalSeconds: 60,
    variables: { tenant: undefined },
  };
  const empty = ['ingest nothing'];

  beforeAll(async () => {
    harness = await startStore();
    const session = { confidence: 'high', key: 'one-session', source: 'mcp_session' };
    const events = [
      ...Array.from({ length: 30 }, (_, number) => sampleEvent(number)),
      ...Array.from({ length: 6 }, (_, number) => eventWith(100 + number, { session })),
      eventWith(200, { session, result: { category: 'tool_error', size_bytes: 10, size_source: 'payload' } }),
      Buffer.from('not an event'),
    ];
    await harness.store().append(sealed(events.map((value) => ({ value }))));
    const alerts = ['novel-chain', 'exfil-spike', 'loop', 'scope-drift'].map((id) => alert(id, 'high'));
    await harness.store().append(
      sealed(
        alerts.map((value) => ({ value })),
        { ...source, topic: 'custody.alerts', topicId: 't-alerts' },
      ),
    );
  });
  afterAll(() => harness.close());

  test.each(sql)('$name answers for all tenants, with rows', async ({ rawSql, target, panel }) => {
    const rows = await rowsOf(harness.store(), expandMacros(rawSql, all));
    expect(rows.length).toBeGreaterThan(0);
    if (panel.type === 'timeseries') {
      expect(target.format).toBe(0);
      expect(rows[0]![0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
      expect(rows[0]!.at(-1)).toEqual(expect.any(Number));
    }
    if (panel.type === 'stat') expect(Number(rows[0]![0])).toBeGreaterThan(0);
  });

  test.each(sql)('$name keeps to the tenants that are chosen', async ({ rawSql, panel }) => {
    const chosen = (tenant: string[]) =>
      rowsOf(harness.store(), expandMacros(rawSql, { ...all, variables: { tenant } }));
    expect((await chosen(['acme', "o'neill"])).length).toBeGreaterThan(0);
    const none = await chosen(empty);
    if (panel.type === 'stat') expect(Number(none[0]![0] ?? 0)).toBe(0);
    else expect(none).toEqual([]);
  });

  test.each(sql)('$name keeps to the chosen time', async ({ rawSql, panel }) => {
    const view = { ...all, fromMs: START_MS + 60_000 };
    const rows = await rowsOf(harness.store(), expandMacros(rawSql, view));
    if (panel.type === 'stat') expect(Number(rows[0]![0] ?? 0)).toBe(0);
    else expect(rows).toEqual([]);
  });

  test('the variables list what there is', async () => {
    for (const { file, board } of dashboards) {
      for (const { name, query } of board.templating.list) {
        const rows = await rowsOf(harness.store(), expandMacros(query, all));
        expect(rows, `${file}: ${name}`).toEqual([['acme']]);
      }
    }
  });
});

describe('metrics', () => {
  const known = new Set(
    createMetrics()
      .registry.getMetricsAsArray()
      .flatMap(({ name, type }) =>
        String(type) === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
  );
  // What Prometheus itself says about a scrape.
  known.add('up');
  const labels = new Map(
    createMetrics()
      .registry.getMetricsAsArray()
      .map((metric) => [metric.name, (metric as unknown as { labelNames: string[] }).labelNames]),
  );
  /** Words that are not names of metrics: functions, and what stands in braces, brackets, strings and lists of labels. */
  const metricsIn = (expr: string) =>
    expr
      .replaceAll(/\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)/g, ' ')
      .match(/\b[a-z_:][a-z0-9_:]*\b(?!\s*\()/g)
      ?.filter((word) => !['sum', 'max', 'min', 'avg', 'count'].includes(word)) ?? [];

  test.each(prometheus)('$name names metrics and labels there are: $expr', ({ expr }) => {
    const names = metricsIn(expr);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(known, expr).toContain(name);
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap((match) => match[1]!.split(', '));
    for (const name of names) {
      const own = labels.get(name.replace(/_bucket$/, '')) ?? [];
      for (const label of grouped) expect([...own, 'le'], `${expr}: ${label}`).toContain(label);
    }
  });
});
