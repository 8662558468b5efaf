import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaLogConfig } from '../../schemas/config.ts';
import type { Log } from '../../streams/topic.ts';
import { collect } from '../contract/topic.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { kafkaConfig, startKafkaLog } from './kafka-harness.ts';

let broker: FoundBroker;
let log: Log;
let config: KafkaLogConfig;
const children: ChildProcess[] = [];
beforeAll(async () => {
  broker = await findBroker();
});
afterAll(() => broker.stop());
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await log.close();
});

/** A worker of its own process; `body` has `log`, and `say` writes a line that `line` waits for. */
function startWorker(body: string) {
  const script = `
    const { openKafkaLog } = await import(${JSON.stringify(new URL('../../streams/kafka/open-log.ts', import.meta.url).href)});
    const log = await openKafkaLog({ config: ${JSON.stringify(config)}, credentials: { password: undefined } });
    const say = (line) => process.stdout.write(line + '\\n');
    const heard = (line) => new Promise((resolve) => process.stdin.on('data', (text) => String(text).includes(line) && resolve()));
    ${body}
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (text) => lines.push(text));
  return {
    lines,
    line: (text: string) => expect.poll(() => lines.some((line) => line.startsWith(text))).toBe(true),
    signal: (name: NodeJS.Signals) => child.kill(name),
    tell: (text: string) => child.stdin.write(`${text}\n`),
    ended: once(child, 'exit'),
  };
}

const open = async () => {
  config = kafkaConfig(broker.bootstrap);
  log = (await startKafkaLog(config)).log();
};

/** A worker of group `g` that has been handed the only record there is and now does this with it. */
async function workerInHandler(work: string) {
  await open();
  const topic = log.topic('custody.events');
  await topic.append([{ key: 'a', value: Buffer.from('0') }]);
  const worker = startWorker(`
    await log.topic('custody.events').consume({
      group: 'g',
      signal: new AbortController().signal,
      handle: async (batch, lease) => {
        say('in handler');
        ${work}
      },
    });
  `);
  await worker.line('in handler');
  return { topic, worker };
}
const place = { area: 'ledger', topic: 'custody.events', partition: 0 } as const;

describe('a worker on Kafka that is stopped or killed', () => {
  it('is refused when it wakes up after another worker has its partition, and commits nothing', async () => {
    const { topic, worker } = await workerInHandler(`
      await heard('go on');
      say('confirm ' + await lease.confirm().then(() => 'held', (error) => error.name));
    `);
    worker.signal('SIGSTOP');
    await topic.append([{ key: 'a', value: Buffer.from('1') }]);
    const { records } = await collect(topic, 2, { group: 'g' });
    expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(['0', '1']);
    const committed = await topic.committed('g', 0);
    worker.tell('go on');
    worker.signal('SIGCONT');
    await worker.line('confirm');
    expect(worker.lines).toContain('confirm MovedError');
    await pause(500);
    expect(await topic.committed('g', 0)).toBe(committed);
  });

  it('leaves its batch to another when it is killed in a handler', async () => {
    const { topic, worker } = await workerInHandler('await new Promise(() => undefined);');
    worker.signal('SIGKILL');
    const { records } = await collect(topic, 1, { group: 'g' });
    expect(records).toHaveLength(1);
  });

  it('leaves no part of a write it was killed or stopped in, and holds nobody up', async () => {
    await open();
    const claimAndWrite = `
      const claim = await log.claim(${JSON.stringify(place)});
      await claim.state.write([{ name: 'round', value: Buffer.from('0') }]);
      say('wrote 0');
      for (let round = 1; ; round += 1) {
        const value = Buffer.alloc(1024 * 1024, round % 100);
        const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
        try {
          await claim.state.write(names.map((name) => ({ name, value })));
        } catch (error) {
          say('refused ' + error.name);
          break;
        }
      }
    `;
    for (const [signal, waitMs] of [
      ['SIGKILL', 300],
      ['SIGSTOP', 450],
    ] as const) {
      const worker = startWorker(claimAndWrite);
      await worker.line('wrote 0');
      await pause(waitMs);
      worker.signal(signal);
      const sinceMs = performance.now();
      const claim = await log.claim(place);
      const seen: number[] = [];
      for await (const { name, value } of claim.state.entries('')) {
        if (name !== 'round') seen.push(value[0] ?? -1);
      }
      expect(performance.now() - sinceMs).toBeLessThan(10_000);
      expect(new Set(seen).size).toBeLessThanOrEqual(1);
      expect([0, 8]).toContain(seen.length);
      if (signal === 'SIGSTOP') {
        worker.signal('SIGCONT');
        await worker.line('refused MovedError');
      }
      expect(await claim.isHeld()).toBe(true);
      await claim.release();
    }
  });
});
