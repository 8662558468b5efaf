import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../cli/load-config.ts';
import { checkCommandLine } from './command-line.ts';
import { BUILD_TIMEOUT_MS, installTool, pipeTool, runTool, textOf, toolAvailable } from './tools.ts';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly resources: Readonly<Record<'requests' | 'limits', { cpu?: string; memory?: string }>>;
  readonly securityContext: object;
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly startupProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}
interface Volume {
  readonly name: string;
  readonly emptyDir?: { readonly sizeLimit?: string };
  readonly configMap?: { readonly name: string };
  readonly projected?: {
    readonly sources: readonly {
      secret: { name: string; items: readonly { key: string; path: string }[] };
    }[];
  };
}
interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly securityContext: object;
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly topologySpreadConstraints?: readonly { readonly topologyKey: string }[];
}
interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: { readonly matchLabels: object };
    readonly podSelector?: { readonly matchLabels: object };
    readonly template?: {
      readonly metadata: { labels: object; annotations?: object };
      readonly spec: PodSpec;
    };
    readonly minReplicas?: number;
    readonly maxReplicas?: number;
    readonly metrics?: readonly object[];
    readonly scaleTargetRef?: { readonly name: string };
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly object[];
    readonly egress?: readonly object[];
  };
}

const CHART = 'deploy/helm/custody';
const FULL = `${CHART}/ci/full-values.yaml`;
/** The oldest Kubernetes the chart takes, and a new one. */
const KUBERNETES = ['1.27.0', '1.34.0'] as const;
/** What the pipeline gives its stages when it stops (pipeline/assemble.ts). */
const DRAIN_SECONDS = 15;
const available = toolAvailable('helm');
const cases = ['default', 'full'] as const;
const rendered = new Map<string, readonly Manifest[]>();
const folder = mkdtempSync(join(tmpdir(), 'custody-helm-'));

const template = (...args: string[]) =>
  runTool('helm', 'template', 'fleet', CHART, '--kube-version', KUBERNETES[1], ...args);

beforeAll(async () => {
  if (!available) return;
  await installTool('helm');
  await installTool('manifests');
  for (const name of cases) {
    const text = await template(...(name === 'full' ? ['--values', FULL] : []));
    const lines = (await pipeTool('manifests', text)).trim().split('\n');
    rendered.set(
      name,
      lines.map((line) => JSON.parse(line) as Manifest),
    );
  }
}, 2 * BUILD_TIMEOUT_MS);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const objects = (name: string, kind: string) => rendered.get(name)!.filter((object) => object.kind === kind);
const podOf = (object: Manifest): PodSpec => object.spec.template!.spec;
const containerOf = (object: Manifest): Container => podOf(object).containers[0]!;
const roleOf = (object: Manifest) => object.metadata.labels['app.kubernetes.io/component'] ?? '';

describe.skipIf(!available)('helm lint --strict', () => {
  test.each(KUBERNETES)(
    'takes the chart for Kubernetes %s, with default and with all values',
    async (version) => {
      const lint = (...args: string[]) =>
        runTool('helm', 'lint', '--strict', '--kube-version', version, CHART, ...args);
      expect(await lint()).toContain('0 chart(s) failed');
      expect(await lint('--values', FULL)).toContain('0 chart(s) failed');
    },
  );
});

describe.skipIf(!available).each(cases)('the chart with %s values', (name) => {
  const roles =
    name === 'full'
      ? ['collector', 'detect', 'ledger', 'notary', 'sink']
      : ['collector', 'detect', 'ledger', 'notary'];
  /** Every role but the notary, of which there is one whatever happens. */
  const scaled = roles.filter((role) => role !== 'notary');
  const workloads = () => [...objects(name, 'Deployment'), ...objects(name, 'Job')];

  test('has a Deployment for each role, a disruption budget for each that may be several, and a service account without a token', () => {
    expect(objects(name, 'Deployment').map(roleOf).sort()).toEqual(roles);
    expect(objects(name, 'PodDisruptionBudget').map(roleOf).sort()).toEqual(scaled);
    expect(objects(name, 'ServiceAccount')[0]).toMatchObject({ automountServiceAccountToken: false });
    for (const object of workloads()) expect(podOf(object).automountServiceAccountToken).toBe(false);
  });

  test('makes no Secret', () => expect(objects(name, 'Secret')).toEqual([]));

  test('every pod runs without root, without capabilities, on a read-only file system, under seccomp', () => {
    for (const object of workloads()) {
      const { containers, securityContext } = podOf(object);
      expect(containers).toHaveLength(1);
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(containerOf(object).securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
    }
  });

  test('every container asks for and is limited in processor and memory, and names no moving tag', () => {
    for (const object of workloads()) {
      const { resources, image } = containerOf(object);
      for (const kind of ['requests', 'limits'] as const) {
        expect(resources[kind]).toMatchObject({ cpu: expect.any(String), memory: expect.any(String) });
      }
      expect(image).toMatch(name === 'full' ? /:0\.1\.0@sha256:[0-9a-f]{64}$/ : /:0\.1\.0$/);
    }
  });

  test('every role is probed: alive and started by /healthz, ready by /readyz', () => {
    for (const object of objects(name, 'Deployment')) {
      const container = containerOf(object);
      expect(container.args).toEqual([
        'start',
        '--role',
        roleOf(object),
        '--config',
        '/etc/custody/config/custody.yaml',
      ]);
      for (const probe of [container.livenessProbe, container.startupProbe]) {
        expect(probe.httpGet).toEqual({ path: '/healthz', port: 'admin' });
      }
      expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'admin' });
    }
  });

  test('a pod is given time to drain, and spreads over zones and nodes', () => {
    expect(textOf('pipeline/assemble.ts')).toContain(`const DRAIN_MS = ${DRAIN_SECONDS}_000;`);
    for (const object of objects(name, 'Deployment')) {
      const preStopSeconds = Number(containerOf(object).lifecycle.preStop.exec.command[1]);
      expect(podOf(object).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
        2 * DRAIN_SECONDS + preStopSeconds,
      );
      expect(podOf(object).topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)).toEqual([
        'topology.kubernetes.io/zone',
        'kubernetes.io/hostname',
      ]);
    }
  });

  test('there is one notary, and it is gone before its successor starts', () => {
    const notaries = objects(name, 'Deployment').filter((object) => roleOf(object) === 'notary');
    expect(notaries.map(({ spec }) => spec)).toMatchObject([{ replicas: 1, strategy: { type: 'Recreate' } }]);
  });

  test('what the notary signed is on a volume that outlives the pod and the release', () => {
    const [claim] = objects(name, 'PersistentVolumeClaim');
    expect(claim?.metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
    const { volumes } = podOf(objects(name, 'Deployment').find((object) => roleOf(object) === 'notary')!);
    expect(volumes.find((volume) => volume.name === 'data')).toMatchObject({
      persistentVolumeClaim: { claimName: claim?.metadata.name },
    });
  });

  test('who verifies the store has a user and a password of its own, not those of who writes it', () => {
    const namesOf = (role: string) => {
      const pod = podOf(objects(name, 'Deployment').find((object) => roleOf(object) === role)!);
      const sources = pod.volumes.flatMap(({ projected }) => projected?.sources ?? []);
      return sources
        .map(({ secret }) => secret.name)
        .filter((secret) => secret.startsWith('custody-clickhouse'));
    };
    expect(namesOf('ledger')).toEqual(['custody-clickhouse-writer']);
    // Who may remove days has a third user, and only the notary acts as it.
    const removes = name === 'full' ? ['custody-clickhouse-retention'] : [];
    expect(namesOf('notary')).toEqual(['custody-clickhouse-notary', ...removes]);
    for (const role of roles.filter((one) => one !== 'ledger' && one !== 'notary'))
      expect(namesOf(role), role).toEqual([]);
  });

  test('nothing is removed, and nothing encrypted, unless the values say so', () => {
    for (const role of roles) {
      const map = objects(name, 'ConfigMap').find(
        ({ metadata }) => metadata.name === `fleet-custody-${role}`,
      );
      const { retention, subjects } = parse(map!.data!['custody.yaml']!) as Record<string, unknown>;
      if (role === 'notary') {
        expect(retention).toMatchObject(
          name === 'full' ? { enabled: true, days: 365, minimum_days: 180 } : { enabled: false },
        );
      } else expect(retention, role).toBeUndefined();
      if (role === 'collector' && name === 'full') {
        expect(subjects).toMatchObject({ enabled: true, directory: '/keys', subject_from: 'actor.user_id' });
      } else expect(subjects, role).toBeUndefined();
    }
  });

  test('keys of subjects are on a volume that is not of the pod, in collectors alone', () => {
    for (const object of workloads()) {
      const { volumes } = podOf(object);
      const claims = volumes.filter((volume) => volume.name === 'keys');
      const expected = roleOf(object) === 'collector' && name === 'full';
      expect(claims, roleOf(object)).toEqual(
        expected ? [{ name: 'keys', persistentVolumeClaim: { claimName: 'custody-keys' } }] : [],
      );
      const mounts = containerOf(object).volumeMounts.filter((mount) => mount.name === 'keys');
      expect(mounts, roleOf(object)).toEqual(expected ? [{ name: 'keys', mountPath: '/keys' }] : []);
    }
  });

  test('selectors find the pods of their role and no others', () => {
    for (const object of objects(name, 'Deployment')) {
      const selector = object.spec.selector!.matchLabels;
      expect(object.spec.template!.metadata.labels).toMatchObject(selector);
      const kinds = scaled.includes(roleOf(object)) ? ['PodDisruptionBudget'] : [];
      for (const kind of [...kinds, 'NetworkPolicy']) {
        const same = objects(name, kind).find((other) => roleOf(other) === roleOf(object))!;
        expect((same.spec.selector ?? same.spec.podSelector)?.matchLabels).toEqual(selector);
      }
    }
  });

  test('every network policy closes both directions and opens what the role needs', () => {
    expect(objects(name, 'NetworkPolicy').map(roleOf).sort()).toEqual(roles);
    for (const { spec, ...object } of objects(name, 'NetworkPolicy')) {
      expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
      // Anchors are elsewhere.
      const notary = name.includes('full') ? 4 : 3;
      const outward = { collector: 2, detect: 2, ledger: 3, sink: 3, notary }[roleOf({ spec, ...object })];
      expect(spec.egress).toHaveLength(outward!);
    }
  });

  test('jobs run as hooks before the release, and bring their configuration', () => {
    const hooks = [...objects(name, 'Job'), ...objects(name, 'ConfigMap')].filter(
      ({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined,
    );
    expect(hooks.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
      'ConfigMap fleet-custody-migrate',
      'ConfigMap fleet-custody-topics',
      'Job fleet-custody-migrate',
      'Job fleet-custody-topics',
    ]);
    for (const { metadata } of hooks)
      expect(metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade');
  });

  test('custody.yaml and arguments of every pod are ones the program accepts, and it names only files that are mounted', () => {
    for (const object of workloads()) {
      const pod = podOf(object);
      const mapName = pod.volumes.find((volume) => volume.name === 'config')!.configMap!.name;
      const text = objects(name, 'ConfigMap').find(({ metadata }) => metadata.name === mapName)!.data![
        'custody.yaml'
      ]!;
      const file = join(folder, `${name}-${roleOf(object)}.yaml`);
      writeFileSync(file, text);
      const variables = (containerOf(object).env ?? []).filter((one) => one.name.startsWith('CUSTODY_'));
      const env = Object.fromEntries(variables.map((variable) => [variable.name, variable.value]));
      const check = () => {
        checkCommandLine(containerOf(object).args, loadConfig({ file, env }));
      };
      expect(check, `${roleOf(object)}:\n${text}`).not.toThrow();

      const mounted = pod.volumes
        .flatMap(({ projected }) => projected?.sources ?? [])
        .flatMap(({ secret }) => secret.items.map(({ path }) => `/etc/custody/secrets/${path}`));
      const named = [...text.matchAll(/\/etc\/custody\/secrets\/[\w./-]+/g)].map(([path]) => path);
      expect(new Set(mounted), roleOf(object)).toEqual(new Set(named));
    }
  });

  test('what may be written is bounded, and everything mounted exists', () => {
    for (const object of workloads()) {
      const { volumes } = podOf(object);
      for (const { emptyDir, name: volume } of volumes) {
        if (emptyDir !== undefined) expect(emptyDir.sizeLimit, volume).toBeDefined();
      }
      const names = volumes.map((volume) => volume.name);
      for (const mount of containerOf(object).volumeMounts) expect(names).toContain(mount.name);
    }
  });
});

describe.skipIf(!available)('scaling', () => {
  test('is off by default, and then the replicas are fixed', () => {
    expect(objects('default', 'HorizontalPodAutoscaler')).toEqual([]);
    for (const object of objects('default', 'Deployment')) expect(object.spec.replicas).toBeGreaterThan(0);
  });

  test('follows the lag of the group for stages, the processors for collectors, and leaves replicas alone', () => {
    const scalers = objects('full', 'HorizontalPodAutoscaler');
    expect(scalers.map(roleOf).sort()).toEqual(['collector', 'detect', 'ledger', 'sink']);
    for (const { spec, ...object } of scalers) {
      const role = roleOf({ spec, ...object });
      const target = objects('full', 'Deployment').find(
        ({ metadata }) => metadata.name === spec.scaleTargetRef?.name,
      );
      expect(target?.spec).not.toHaveProperty('replicas');
      if (role === 'collector') {
        expect(spec.metrics).toMatchObject([{ type: 'Resource', resource: { name: 'cpu' } }]);
        continue;
      }
      const group = { detect: 'detect', ledger: 'ledger', sink: 'sink.soar' }[role]!;
      expect(spec.metrics).toMatchObject([
        {
          type: 'External',
          external: {
            metric: { name: 'custody_topic_lag_records', selector: { matchLabels: { group } } },
            target: { type: 'AverageValue' },
          },
        },
      ]);
      expect(spec.maxReplicas).toBeLessThanOrEqual(12);
    }
  });

  test('the metric it follows is one the program has', () => {
    expect(textOf('runtime/metrics.ts')).toContain("'custody_topic_lag_records'");
  });
});

describe.skipIf(!available)('values that cannot work are refused', () => {
  test.each([
    [
      'more replicas than partitions',
      ['detect.autoscaling.enabled=true', 'detect.autoscaling.maxReplicas=7'],
      '6 partitions',
    ],
    ['a listener without TLS that nobody allowed', ['ingest.tls.existingSecret='], 'ingest.tls'],
    [
      'a sink role scaled by nobody knows what',
      ['sink.autoscaling.enabled=true', 'sinks[0].id=a', 'sinks[0].type=webhook'],
      'group',
    ],
    ['a moving tag', ['image.tag=latest'], 'image'],
    ['a key there is not', ['kafka.broker=x'], 'kafka'],
    ['no brokers', ['kafka.brokers=null'], 'kafka'],
    ['a role without limits', ['detect.resources.limits=null'], 'resources'],
    ['alerts into a file of the pod', ['sinks[0].id=a', 'sinks[0].type=ocsf_file'], 'sinks'],
    [
      'removal where no notary announces it',
      ['retention.enabled=true', 'notary.enabled=false'],
      'retention.enabled',
    ],
    [
      'days below what the policy keeps',
      ['retention.enabled=true', 'retention.days=30'],
      'retention.minimumDays',
    ],
    ['a second place that says how long', ['config.retention.days=365'], 'config.retention'],
    ['keys of subjects that end with the pod', ['subjects.enabled=true'], 'ReadWriteMany'],
    [
      'a directory of keys beside the claim',
      ['subjects.enabled=true', 'subjects.existingClaim=keys', 'subjects.config.directory=/data/keys'],
      'subjects',
    ],
    ['more than one notary', ['notary.replicas=2'], 'notary'],
    ['a time to verify that is none', ['notary.verifyCron=daily'], 'verifyCron'],
    ['no time to drain', ['terminationGracePeriodSeconds=10'], 'terminationGracePeriodSeconds'],
  ])('%s', async (_, sets, named) => {
    await expect(template(...sets.flatMap((set) => ['--set', set]))).rejects.toThrow(named);
  });
});

test.skipIf(!available)(
  'a fleet that is verified elsewhere has no notary and needs none of its secrets',
  async () => {
    const text = await template('--set', 'notary.enabled=false');
    expect(text).not.toContain('notary');
  },
);

test('every value has a place in the schema, and the schema asks for no other', () => {
  const schema = JSON.parse(textOf(`${CHART}/values.schema.json`)) as { properties: Record<string, unknown> };
  const values = parse(textOf(`${CHART}/values.yaml`)) as Record<string, unknown>;
  const known = Object.keys(schema.properties).filter((key) => key !== 'global');
  expect(known.sort()).toEqual(Object.keys(values).sort());
});

test('the chart is of the version of the program', () => {
  const { version } = JSON.parse(textOf('package.json')) as { version: string };
  expect(parse(textOf(`${CHART}/Chart.yaml`))).toMatchObject({ version, appVersion: version });
  expect(textOf('docker-compose.yml')).toContain(`mcp-custody:${version}`);
});
