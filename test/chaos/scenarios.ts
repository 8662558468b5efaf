import { CREW, seconds, WORKERS, type Scenario, type Worker } from './arena.ts';
import { canMountDisks, fillDiskOf } from './full-disk.ts';
import { createRandom, type Random } from './random.ts';

/** How hard a scenario hits: `ci` in seconds, `nightly` longer and more often. */
export type Force = 'ci' | 'nightly';

const BROKERS = [1, 2, 3] as const;
/** The fleet's session timeout, and a heartbeat more. */
const SESSION_SECONDS = 7;

/** All scenarios; what exactly happens in one is up to the random numbers it gets. */
export function scenarios(force: Force): readonly Scenario[] {
  const more = force === 'nightly';
  return [
    killRoles(more ? 10 : 6),
    killBroker(more ? 3 : 1),
    rollingRestart,
    network('network-cut', 'cut', more ? 12 : 6),
    network('network-stall', 'stall', more ? 14 : 8),
    zombie('detect'),
    zombie('ledger'),
    rebalanceStorm(more ? 16 : 8),
    clickHousePaused(20, more ? 150 : 20),
    clickHouseKilled(8, more ? 60 : 8),
    clickHouseSlow(10, more ? 40 : 10),
    resend(more ? 100 : 30),
    fullDisk,
  ];
}

const killRoles = (kills: number): Scenario => ({
  name: 'kill-9-roles',
  async run(arena, random) {
    // Every role at least once, then whoever it hits.
    const more = Array.from({ length: Math.max(0, kills - WORKERS.length) }, () => random.pick(WORKERS));
    for (const role of random.shuffle([...WORKERS, ...more])) {
      await seconds(0.2 + random.next());
      const crew = arena.crew(role);
      if (crew.length > 0) await arena.kill(random.pick(crew));
      await arena.hire(role);
    }
  },
});

const killBroker = (kills: number): Scenario => ({
  name: 'kill-9-broker',
  async run({ fleet: { kafka } }, random) {
    for (let kill = 0; kill < kills; kill += 1) {
      const id = random.pick(BROKERS);
      await kafka.kill(id, 'SIGKILL');
      await seconds(3 + 4 * random.next());
      await kafka.restart(id);
      await seconds(1);
    }
  },
});

/** As a deployment does it: the new one starts while the old one goes, and is there before the next one goes. */
const rollingRestart: Scenario = {
  name: 'rolling-restart',
  async run(arena, random) {
    for (const role of random.shuffle(WORKERS)) {
      for (const worker of random.shuffle(arena.crew(role))) {
        const gone = arena.dismiss(worker);
        // The sink's file belongs to one process at a time.
        if (role === 'sink') await gone;
        await Promise.all([gone, arena.hire(role)]);
      }
    }
  },
};

const network = (name: string, way: 'cut' | 'stall', secondsMax: number): Scenario => ({
  name,
  async run({ proxies }, random) {
    // One broker out of reach, then all of them.
    for (const broken of [[random.pick(proxies)], proxies]) {
      for (const proxy of broken) proxy[way]();
      await seconds((secondsMax / 2) * (1 + random.next()));
      for (const proxy of proxies) proxy.heal();
      await seconds(2);
    }
  },
});

/** Asleep for longer than the session, so that another has its partitions, and awake again under load. */
const zombie = (role: Extract<Worker, 'detect' | 'ledger'>): Scenario => ({
  name: `zombie-${role}`,
  copiesAllowed: true,
  async run(arena, random) {
    // A slow store makes it likely that the writer falls asleep in the middle of an insert.
    await arena.clickhouse.delay(random.pick([0, 300, 900]));
    const sleeper = random.pick(arena.crew(role));
    await seconds(random.next());
    sleeper.signal('SIGSTOP');
    await seconds(SESSION_SECONDS + 2 + 4 * random.next());
    sleeper.signal('SIGCONT');
    await seconds(3);
  },
});

const rebalanceStorm = (rounds: number): Scenario => ({
  name: 'rebalance-storm',
  async run(arena, random) {
    const starting: Promise<unknown>[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const role = random.pick(['detect', 'ledger'] as const);
      starting.push(arena.hire(role));
      await seconds(1);
      const crew = arena.crew(role);
      if (crew.length >= CREW[role]) await arena.kill(random.pick(crew));
    }
    await Promise.all(starting);
  },
});

const clickHousePaused = (secondsMin: number, secondsMax: number): Scenario => ({
  name: 'clickhouse-paused',
  async run({ clickhouse }, random) {
    await clickhouse.pause();
    await seconds(random.int(secondsMin, secondsMax));
    await clickhouse.resume();
  },
});

const clickHouseKilled = (secondsMin: number, secondsMax: number): Scenario => ({
  name: 'clickhouse-killed',
  async run({ clickhouse }, random) {
    for (let kill = 0; kill < 2; kill += 1) {
      await seconds(random.next());
      await clickhouse.kill();
      await seconds(random.int(secondsMin, secondsMax) / 2);
      await clickhouse.restart();
    }
  },
});

const clickHouseSlow = (secondsMin: number, secondsMax: number): Scenario => ({
  name: 'clickhouse-slow',
  async run({ clickhouse }, random) {
    await clickhouse.delay(random.int(300, 1500));
    await seconds(random.int(secondsMin, secondsMax));
    await clickhouse.delay(0);
  },
});

/** A client that lost the answers sends everything it remembers again, while the others go on. */
const resend = (requests: number): Scenario => ({
  name: 'resend-everything',
  async run({ load }) {
    await seconds(2);
    await load.resend(requests);
  },
});

const fullDisk: Scenario = {
  name: 'full-disk',
  skipped: () => (canMountDisks() ? undefined : 'a disk of its own cannot be mounted here: not root'),
  run: (arena, random) => fillDiskOf(arena, random.pick(BROKERS)),
};

/** Faults that leave each other's means alone, so that two of them can happen at the same time. */
const PAIRED = [
  ['kill-9-roles', 'rolling-restart', 'network-cut', 'network-stall', 'zombie-detect', 'zombie-ledger'],
  ['kill-9-broker', 'clickhouse-killed', 'clickhouse-slow', 'resend-everything'],
] as const;

/** Two faults at once, each from its own numbers, so that neither changes what the other draws. */
function pair(random: Random): Scenario {
  const all = scenarios('ci');
  const both = PAIRED.map((names) => {
    const name = random.pick(names);
    return all.filter((scenario) => scenario.name === name);
  }).flat();
  const seeds = both.map(() => random.int(0, 1_000_000_000));
  return {
    name: both.map(({ name }) => name).join(' + '),
    copiesAllowed: true,
    async run(arena) {
      const running = both.map((scenario, index) => scenario.run(arena, createRandom(seeds[index] ?? 0)));
      await Promise.allSettled(running);
      await Promise.all(running);
    },
  };
}

/** The scenario a seed stands for: every third is a pair. */
export function drawScenario(seed: number): Scenario {
  const random = createRandom(seed);
  return random.int(1, 3) === 1 ? pair(random) : random.pick(scenarios('nightly'));
}
