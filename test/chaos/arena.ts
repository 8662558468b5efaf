import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Role } from '../../pipeline/roles.ts';
import type { Log } from '../../streams/topic.ts';
import { startFront, type Front } from '../support/clickhouse/start-front.ts';
import { startFleet, type Fleet, type RoleProcess } from '../support/fleet.ts';
import { startTcpProxy, type TcpProxy } from '../support/kafka/tcp-proxy.ts';
import { judge, type Judgement } from './check.ts';
import { createLoad, type Load } from './generator.ts';
import { observe, openLogOf, untilCaughtUp } from './observe.ts';
import type { Random } from './random.ts';

export type Worker = Extract<Role, 'collector' | 'detect' | 'ledger' | 'sink'>;

/** What runs when nothing is wrong. The sink's file belongs to one process. */
export const CREW: Readonly<Record<Worker, number>> = { collector: 1, detect: 2, ledger: 2, sink: 1 };
export const WORKERS = Object.keys(CREW) as readonly Worker[];

/** A fleet on three brokers behind proxies, under load, for one scenario after the other. */
export interface Arena {
  readonly fleet: Fleet;
  readonly clickhouse: Front;
  /** One in front of each broker, in the order of their ids. */
  readonly proxies: readonly TcpProxy[];
  readonly load: Load;
  /** Runs of this role that nobody has ended. */
  crew(role: Worker): readonly RoleProcess[];
  /** Starts a worker as an orchestrator does: again and again, until it runs. */
  hire(role: Worker): Promise<RoleProcess>;
  kill(worker: RoleProcess): Promise<void>;
  /** SIGTERM; rejects when it does not end as asked. */
  dismiss(worker: RoleProcess): Promise<void>;
  /** One scenario under load, then calm, then everything is held against what was sent. */
  endure(scenario: Scenario, random: Random): Promise<Outcome>;
  /** Writes what the processes said into a folder, for whoever looks for the cause. */
  keepLogs(): Promise<string>;
  stop(): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  /** A writer sleeps while another takes over: it may leave identical copies. */
  readonly copiesAllowed?: boolean;
  /** Why it cannot run on this machine. */
  readonly skipped?: () => string | undefined;
  run(arena: Arena, random: Random): Promise<void>;
}

export interface Outcome extends Judgement {
  readonly acknowledged: number;
  readonly alerts: number;
  readonly seconds: { readonly fault: number; readonly recovery: number; readonly check: number };
}

// Every partition has one, two have two.
const TENANTS = ['acme', 'iris', 'dune', 'bolt', 'jade', 'hive'];
const PARTITIONS = 4;
/** Heals within: the longest back-off of a stage, a session timeout and a rebalance, on a slow machine. */
const ACCEPT_MS = 120_000;
const CATCH_UP_MS = 150_000;
const START_ATTEMPTS = 8;

export const seconds = (count: number) => pause(count * 1000).then(() => undefined);

export async function openArena(seed: number): Promise<Arena> {
  const proxies: TcpProxy[] = [];
  const clickhouse = await startFront();
  const fleet = await startFleet({
    partitions: PARTITIONS,
    clickhouse,
    kafka: {
      brokers: 3,
      async advertised(id, listening) {
        return (proxies[id - 1] = await startTcpProxy(listening));
      },
    },
  });
  const log = await openLogOf(fleet);
  const ended = new Set<RoleProcess>();
  const hired: { readonly worker: RoleProcess; readonly at: string }[] = [];
  const deserters: string[] = [];
  let stopping = false;

  const crew = (role: Worker) =>
    [...fleet.processes].filter((worker) => worker.role === role && !ended.has(worker));

  async function hire(role: Worker): Promise<RoleProcess> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const worker = await fleet.start(role);
        hired.push({ worker, at: new Date().toISOString() });
        void worker.exited.then((code) => {
          if (!ended.has(worker) && !stopping)
            deserters.push(`${role} ended by itself with ${String(code)}: ${worker.stderr().slice(-1500)}`);
        });
        return worker;
      } catch (error) {
        if (attempt === START_ATTEMPTS || stopping) throw error;
        await seconds(1);
      }
    }
  }

  const arena: Omit<Arena, 'endure'> = {
    fleet,
    clickhouse,
    proxies,
    load: createLoad({
      seed,
      tenants: TENANTS,
      startMs: Date.now(),
      url: () =>
        crew('collector').find(({ child }) => child.exitCode === null && child.signalCode === null)?.http,
    }),
    crew,
    hire,
    async kill(worker) {
      ended.add(worker);
      await worker.kill();
    },
    async dismiss(worker) {
      ended.add(worker);
      const code = await Promise.race([worker.stop(), pause(40_000, 'still running')]);
      if (code !== 0)
        throw new Error(`${worker.role} was asked to end: ${String(code)} ${worker.stderr().slice(-1500)}`);
    },
    keepLogs: () => keepLogs(fleet, hired),
    async stop() {
      stopping = true;
      await arena.load.stop(1).catch(() => undefined);
      await log.close();
      await fleet.stop();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
  try {
    await Promise.all(WORKERS.flatMap((role) => Array.from({ length: CREW[role] }, () => hire(role))));
  } catch (error) {
    await arena.stop();
    throw error;
  }
  const whole: Arena = {
    ...arena,
    endure: (scenario, random) => endure(whole, log, deserters, scenario, random),
  };
  return whole;
}

async function endure(
  arena: Arena,
  log: Log,
  deserters: string[],
  scenario: Scenario,
  random: Random,
): Promise<Outcome> {
  const since = performance.now();
  const { load, fleet } = arena;
  load.start();
  await seconds(1);
  try {
    await scenario.run(arena, random);
  } finally {
    await heal(arena);
  }
  const healed = performance.now();
  await seconds(2);
  await load.stop(ACCEPT_MS);
  await untilCaughtUp(log, CATCH_UP_MS);
  const calm = performance.now();
  const seen = await observe(fleet, log, load.sent);
  const { problems, copies } = judge(seen, { copiesAllowed: scenario.copiesAllowed ?? false });
  return {
    problems: [...problems, ...deserters.splice(0)],
    copies,
    acknowledged: load.acknowledgedCount(),
    alerts: seen.calmAlertIds.length,
    seconds: {
      fault: Math.round((healed - since) / 1000),
      recovery: Math.round((calm - healed) / 1000),
      check: Math.round((performance.now() - calm) / 1000),
    },
  };
}

/** Whatever the scenario left broken works again, and the crew is what it was. */
async function heal(arena: Arena): Promise<void> {
  const { fleet, clickhouse, proxies } = arena;
  for (const proxy of proxies) {
    proxy.heal();
    proxy.delayMs = 0;
  }
  for (const { id, pid } of fleet.kafka.brokers) if (!isAlive(pid)) await fleet.kafka.restart(id);
  for (const worker of fleet.processes) worker.signal('SIGCONT');
  await clickhouse.resume();
  await clickhouse.delay(0).catch(() => clickhouse.restart());
  for (const role of WORKERS) {
    const here = arena.crew(role);
    for (const worker of here.slice(CREW[role])) await arena.kill(worker);
    const missing = Math.max(0, CREW[role] - here.length);
    await Promise.all(Array.from({ length: missing }, () => arena.hire(role)));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function keepLogs(
  fleet: Fleet,
  hired: readonly { readonly worker: RoleProcess; readonly at: string }[],
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'custody-chaos-logs-'));
  hired.forEach(({ worker, at }, index) => {
    const text = `started ${at}, pid ${worker.child.pid ?? -1}\n${worker.stderr()}`;
    appendFileSync(join(folder, `${index}-${worker.role}.log`), text);
  });
  for (const { id } of fleet.kafka.brokers)
    appendFileSync(join(folder, `broker-${id}.log`), await fleet.kafka.logTail(id));
  return folder;
}
