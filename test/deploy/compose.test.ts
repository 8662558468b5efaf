import { beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../cli/load-config.ts';
import { checkCommandLine } from './command-line.ts';
import { BUILD_TIMEOUT_MS, installTool, runTool, textOf, toolAvailable } from './tools.ts';

interface Service {
  readonly image: string;
  readonly build?: object;
  readonly command?: readonly string[] | null;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly restart?: string;
  readonly ports?: readonly { readonly host_ip?: string; readonly published?: string }[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly { readonly source: string; readonly target?: string }[];
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly {
    readonly type: string;
    readonly source?: string;
    readonly read_only?: boolean;
  }[];
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources?: { readonly limits?: { cpus?: number; memory?: string; pids?: number } };
  };
}

interface Project {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file?: string; readonly environment?: string }>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

const FLEET = 'docker-compose.yml';
const EMBEDDED = 'deploy/compose/embedded.yml';
const available = toolAvailable('compose');
const projects = new Map<string, Project>();

beforeAll(async () => {
  if (!available) return;
  await installTool('compose');
  for (const file of [FLEET, EMBEDDED]) {
    projects.set(
      file,
      JSON.parse(await runTool('compose', '-f', file, 'config', '--format', 'json')) as Project,
    );
  }
}, BUILD_TIMEOUT_MS);

const project = (file: string): Project => projects.get(file)!;
const servicesOf = (file: string) => Object.entries(project(file).services);
const isJob = (service: Service) => service.restart === 'no';
const isCustody = (service: Service) => service.image.startsWith('mcp-custody:');

describe.skipIf(!available).each([FLEET, EMBEDDED])('%s, as Compose reads it', (file) => {
  test('every service is read-only, without capabilities or a way to new privileges', () => {
    for (const [name, service] of servicesOf(file)) {
      expect(service.read_only, `${name}: read_only`).toBe(true);
      expect(service.cap_drop, `${name}: cap_drop`).toEqual(['ALL']);
      expect(service.security_opt, `${name}: security_opt`).toContain('no-new-privileges:true');
      expect(service.privileged ?? false, `${name}: privileged`).toBe(false);
    }
  });

  test('every service runs as a user that is a number and not root', () => {
    for (const [name, service] of servicesOf(file)) expect(service.user, name).toMatch(/^[1-9]\d*:\d+$/);
  });

  test('every published port is on 127.0.0.1', () => {
    const ports = servicesOf(file).flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port.host_ip).toBe('127.0.0.1');
  });

  test('every service has limits of processors, memory and processes', () => {
    for (const [name, service] of servicesOf(file)) {
      const limits = service.deploy?.resources?.limits;
      expect(limits, name).toMatchObject({
        cpus: expect.any(Number),
        memory: expect.any(String),
        pids: expect.any(Number),
      });
    }
  });

  test('what keeps running has a health check; a job is waited for until it succeeded', () => {
    for (const [name, service] of servicesOf(file)) {
      if (!isJob(service)) {
        expect(service.healthcheck?.test?.length ?? 0, name).toBeGreaterThan(1);
        continue;
      }
      const waiting = servicesOf(file).flatMap(([, other]) => other.depends_on?.[name]?.condition ?? []);
      expect(waiting.length, name).toBeGreaterThan(0);
      expect(new Set(waiting), name).toEqual(new Set(['service_completed_successfully']));
    }
  });

  test('no dependency is started before what it depends on is ready', () => {
    for (const [name, service] of servicesOf(file)) {
      for (const { condition } of Object.values(service.depends_on ?? {})) {
        expect(condition, name).toMatch(/^service_(healthy|completed_successfully)$/);
      }
    }
  });

  test('images that are not built here have a version and a digest', () => {
    for (const [name, service] of servicesOf(file)) {
      expect(service.image, name).not.toMatch(/:latest(@|$)/);
      expect(service.image, name).toMatch(/:\d|:v\d/);
      if (service.build === undefined) expect(service.image, name).toMatch(/@sha256:[0-9a-f]{64}$/);
    }
  });

  test('secrets are files, and no variable holds one', () => {
    for (const [name, secret] of Object.entries(project(file).secrets))
      expect(secret.file, name).toMatch(/\/secrets\//);
    for (const [name, service] of servicesOf(file)) {
      for (const [variable, value] of Object.entries(service.environment ?? {})) {
        if (/PASSWORD|SECRET|TOKEN|KEY/.test(variable)) {
          expect(value, `${name}: ${variable}`).toMatch(
            /^(\/run\/secrets\/[\w.-]+|\[\{ "file": "\/run\/secrets\/[\w.-]+" \}\])$/,
          );
        }
      }
    }
  });

  test('a secret a variable names is mounted, and every mounted secret exists', () => {
    for (const [name, service] of servicesOf(file)) {
      const mounted = (service.secrets ?? []).map(({ source }) => source);
      for (const source of mounted) expect(project(file).secrets, name).toHaveProperty([source]);
      const named = Object.values(service.environment ?? {}).flatMap((value) =>
        [...value.matchAll(/\/run\/secrets\/([\w.-]+)/g)].map((match) => match[1]),
      );
      expect(mounted, name).toEqual(expect.arrayContaining(named));
    }
  });

  test('the files of this repository are mounted read-only', () => {
    for (const [name, service] of servicesOf(file)) {
      for (const volume of service.volumes ?? []) {
        if (volume.type === 'bind') expect(volume.read_only, `${name}: ${volume.source ?? ''}`).toBe(true);
      }
    }
  });

  test('the configuration and the arguments of every Custody process are ones the program accepts', () => {
    for (const [name, service] of servicesOf(file).filter(([, one]) => isCustody(one))) {
      const check = () => {
        const config = loadConfig({ file: '/dev/null', env: { ...service.environment } });
        checkCommandLine(service.command ?? ['start'], config);
      };
      expect(check, name).not.toThrow();
    }
  });
});

describe.skipIf(!available)('the fleet', () => {
  test('has every role, two detectors and ledgers, and one notary', () => {
    const roles = new Map(
      servicesOf(FLEET)
        .filter(([, service]) => service.command?.[0] === 'start')
        .map(([, service]) => [service.command?.[2] ?? '', service.deploy?.replicas ?? 1]),
    );
    expect(roles).toEqual(
      new Map([
        ['collector', 1],
        ['detect', 2],
        ['ledger', 2],
        ['sink', 1],
        ['notary', 1],
      ]),
    );
  });

  test('who verifies the store is another user of ClickHouse than who writes it', () => {
    const { ledger, notary } = project(FLEET).services;
    expect(ledger?.environment?.['CUSTODY_STORE_USERNAME']).toBe('custody_writer');
    expect(notary?.environment?.['CUSTODY_STORE_USERNAME']).toBe('custody_notary');
    const passwords = (service: Service | undefined) =>
      (service?.secrets ?? [])
        .map(({ source }) => source)
        .filter((source) => source.startsWith('clickhouse-'));
    expect(passwords(ledger)).toEqual(['clickhouse-writer-password']);
    expect(passwords(notary)).toEqual(['clickhouse-notary-password']);
  });

  test('only what publishes a port or delivers alerts is on a network that leaves the host', () => {
    expect(project(FLEET).networks['backend']?.internal).toBe(true);
    for (const [name, service] of servicesOf(FLEET)) {
      const leaves = Object.keys(service.networks ?? {}).includes('edge');
      expect(leaves, name).toBe((service.ports ?? []).length > 0 || name === 'sink');
    }
  });

  test('three brokers keep three copies, two of which must have a record', () => {
    const script = textOf('deploy/compose/kafka/start.sh');
    expect(servicesOf(FLEET).filter(([name]) => name.startsWith('kafka-'))).toHaveLength(3);
    expect(script).toContain(
      'default.replication.factor=3\nmin.insync.replicas=2\nunclean.leader.election.enable=false',
    );
    for (const [name, service] of servicesOf(FLEET).filter(([, one]) => isCustody(one))) {
      const factor = service.environment?.['CUSTODY_LOG_REPLICATION_FACTOR'];
      if (factor !== undefined) expect(factor, name).toBe('3');
    }
  });

  test('the digest key is given to every collector, and to nobody else', () => {
    for (const [name, service] of servicesOf(FLEET)) {
      const has = (service.secrets ?? []).some(({ source }) => source === 'digest-key');
      expect(has, name).toBe(name === 'collector');
    }
  });
});
