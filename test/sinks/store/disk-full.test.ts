import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { verifies } from '../../requirements.ts';

const script = fileURLToPath(new URL('./child/fill-store-disk.ts', import.meta.url));
const mount = 'mount -t tmpfs -o size=32m none "$0"';

function canMount(): boolean {
  try {
    execFileSync('unshare', ['-rm', 'sh', '-c', mount, tmpdir()], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it.skipIf(!canMount())(
  'a full disk is a transient failure; once there is room the entries go in and none is lost',
  () => {
    verifies('P2');
    const directory = mkdtempSync(join(tmpdir(), 'custody-full-'));
    try {
      const command = `${mount} && exec "$1" --import tsx "$2" "$0"`;
      const out = execFileSync('unshare', ['-rm', 'sh', '-c', command, directory, process.execPath, script]);
      const { codes, stored, count } = JSON.parse(out.toString()) as {
        codes: string[];
        stored: number;
        count: number;
      };
      expect(codes).toEqual(Array.from({ length: 3 }, () => 'TransientError disk_full'));
      expect(stored).toBeGreaterThan(5);
      expect(count).toBe(stored);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
