import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { handChecks } from '../../bundle/report/by-hand.ts';
import { EMPTY_CHAIN, signAct } from '../../evidence/custody-chain.ts';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, signEnvelope } from '../../evidence/dsse.ts';
import { bodyHash, entryPreimage, leafHash, ZERO_LINK } from '../../evidence/entry.ts';
import { checkpointText } from '../../evidence/note/checkpoint.ts';
import { formatVerifierKey, signingKey, signText } from '../../evidence/note/key.ts';
import { formatNote } from '../../evidence/note/note.ts';
import { factsOf, LOG } from './report-case.ts';

const missing = ['sha256sum', 'openssl', 'jq', 'sed', 'base64'].filter((tool) => {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
});
if (missing.length > 0) process.stderr.write(`SKIPPED commands of the report: no ${missing.join(', ')}\n`);

const key = (name: string) => signingKey(name, 'log', generateKeyPairSync('ed25519').privateKey);

describe.skipIf(missing.length > 0)('the commands the report prints', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custody-by-hand-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const notary = key('desk/anchor');
  const sealer = key('desk/bundle');
  const facts = factsOf({ keys: { notary: [formatVerifierKey(notary)], bundle: formatVerifierKey(sealer) } });
  const leaves = writeBundle(folder);

  /** Runs the checks up to one of them, in one shell as a reader would, and gives what that one prints. */
  function run(last: number): string[] {
    const scripts = handChecks(facts)
      .slice(0, last + 1)
      .map(({ commands }) => commands.join('\n'));
    const before = scripts.slice(0, -1).join('\n');
    const script = `{ ${before}\n:; } >/dev/null 2>&1\n${scripts.at(-1) ?? ''} 2>&1`;
    try {
      return execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
        .trim()
        .split('\n');
    } catch (error) {
      return [(error as { stdout?: string }).stdout ?? '', 'FAILED'];
    }
  }
  const first = (line: string | undefined) => line?.split(' ')[0];

  test('hashes of files: silence for the sealed ones', () => {
    expect(run(0)).toEqual(['']);
  });

  test('an entry: the body has the hash of its preimage, and the leaf is the link of the next', () => {
    const [body, stated] = run(1);
    expect(first(body)).toBe(stated);
    expect(stated).toBe(bodyHash(Buffer.from(BODIES[0] ?? '')));
    const [leaf, link] = run(2);
    expect(first(leaf)).toBe(link);
    expect(link).toBe(leaves[0]);
  });

  test('openssl verifies the signatures of the checkpoint and the seal, and both manifests', () => {
    expect(run(3)).toEqual(['Signature Verified Successfully']);
    expect(run(4)).toEqual([
      'Signature Verified Successfully',
      'manifest-sha256.txt: OK',
      'tagmanifest-sha256.txt: OK',
    ]);
  });

  test('openssl refuses a checkpoint of another key', () => {
    const other = { ...facts, keys: { ...facts.keys, notary: [formatVerifierKey(key('desk/anchor'))] } };
    const script = handChecks(other)[3]?.commands.join('\n') ?? '';
    expect(() => execFileSync('sh', ['-c', script], { cwd: folder, stdio: 'pipe' })).toThrow();
  });

  test('an act of custody names the line before it', () => {
    const [before, named] = run(5);
    expect(first(before)).toBe(named);
    expect(named).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a key whose name a shell would read in another way is not printed', () => {
    const evil = "x';touch${IFS}owned;'+0a0b0c0d+AAAA";
    const commands = handChecks(factsOf({ keys: { notary: [evil], bundle: evil } })).flatMap(
      (check) => check.commands,
    );
    expect(commands.join('\n')).not.toContain('touch');
    expect(commands.filter((command) => command === "key='NAME+ID+KEY'")).toHaveLength(2);
  });

  function writeBundle(root: string): string[] {
    const files = new Map<string, string>();
    const leafs: string[] = [];
    let prev = ZERO_LINK;
    let lines = '';
    for (const [seq, body] of BODIES.entries()) {
      const place = {
        logId: LOG,
        seq: BigInt(seq),
        topic: 'custody.events',
        partition: 0,
        offset: BigInt(seq),
        appendTimeMs: 1,
        kind: 'event',
      };
      const preimage = entryPreimage(place, prev, bodyHash(Buffer.from(body)));
      prev = leafHash(preimage);
      leafs.push(prev);
      lines += `${JSON.stringify({ seq: String(seq), preimage, body })}\n`;
    }
    files.set('data/entries/0001.jsonl', lines);
    const text = checkpointText({ origin: 'desk/anchor', size: 9n, root: hash('sha256', 'root', 'buffer') });
    const witness = signingKey('witness.example/w', 'witness', generateKeyPairSync('ed25519').privateKey);
    const signatures = [signText(notary, text, 0n), signText(witness, text, 5n)];
    files.set('data/checkpoints/anchor.note', formatNote({ text, signatures }));
    files.set('data/custody/custody.jsonl', custodyLines());
    files.set('bagit.txt', 'BagIt-Version: 1.0\n');
    const manifest = (data: boolean) =>
      [...files]
        .filter(([name]) => name.startsWith('data/') === data)
        .map(([name, content]) => `${hash('sha256', content, 'hex')}  ${name}\n`)
        .join('');
    const payloadManifest = manifest(true);
    files.set('manifest-sha256.txt', payloadManifest);
    files.set('tagmanifest-sha256.txt', manifest(false));
    const subject = ['manifest-sha256.txt', 'tagmanifest-sha256.txt'].map((name) => ({
      name,
      digest: { sha256: hash('sha256', files.get(name) ?? '', 'hex') },
    }));
    const payload = Buffer.from(JSON.stringify({ subject }));
    files.set('seal.dsse.json', formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, payload, [sealer])));
    for (const [name, content] of files) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), content);
    }
    return leafs;
  }

  function custodyLines(): string {
    const act = {
      act_id: '6f0e1d9c-5c1e-4a3b-9d0f-0a1b2c3d4e5f',
      actor: 'j',
      role: 'r',
      reason: 'x',
      case: 'c',
      tool: 't',
      time_source: 's',
    };
    const collected = signAct({ ...act, action: 'collect', time_ms: 1 }, EMPTY_CHAIN, sealer);
    return `${collected.line}\n${signAct({ ...act, action: 'seal', time_ms: 2 }, collected.head, sealer).line}\n`;
  }
});

/** Text that a shell, sed and jq could stumble over. */
const BODIES = ['{"a":"%s \\\\n \\"preimage\\":\\"x\\" $(id) é 😀"}', '{"b":2}'];
